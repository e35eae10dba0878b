"""Emergency numbers of every region are known exactly, on the digits as dialled."""

import re
from collections.abc import Callable
from functools import cache

import phonenumbers
import pytest
from phonenumbers import SUPPORTED_SHORT_REGIONS, PhoneMetadata

from interceptor.engine.number import dialled
from interceptor.engine.plan import NumberingPlan

EVERYWHERE = {"112", "911"}
MORE = {"CN": {"110", "119", "120", "122", "12110"}}


def emergency_pattern(region: str) -> re.Pattern[str] | None:
    metadata = PhoneMetadata.short_metadata_for_region(region)
    desc = metadata and metadata.emergency
    return re.compile(desc.national_number_pattern) if desc and desc.national_number_pattern else None


@cache
def every_string(length: int) -> list[str]:
    return [f"{i:0{length}d}" for i in range(10**length)]


def emergency_numbers(region: str, candidates: list[str]) -> set[str]:
    """Of the candidates, what libphonenumber's pattern holds and what we add."""
    pattern = emergency_pattern(region)
    held = {c for c in candidates if pattern.fullmatch(c)} if pattern else set()
    return held | (EVERYWHERE | MORE.get(region, set())) & set(candidates)


def neighbours(digits: str) -> set[str]:
    changed = {
        digits[:i] + d + digits[j:] for i in range(len(digits) + 1) for j in (i, i + 1) for d in "0123456789"
    }
    return changed | {digits[:i] + digits[i + 1 :] for i in range(len(digits))}


def test_the_patterns_are_what_is_emergency_number_says() -> None:
    candidates = every_string(2) + every_string(3)
    for region in SUPPORTED_SHORT_REGIONS:
        pattern = emergency_pattern(region)
        for digits in candidates:
            said = phonenumbers.is_emergency_number(digits, region)
            assert said == bool(pattern and pattern.fullmatch(digits)), (region, digits)


def test_every_number_of_up_to_four_digits_in_every_region(plan: NumberingPlan) -> None:
    candidates = [c for length in (1, 2, 3, 4) for c in every_string(length)]
    as_bytes = [(c, c.encode()) for c in candidates]
    for region in plan.regions:
        known = {c for c, b in as_bytes if plan.is_emergency(region, b)}
        assert known == emergency_numbers(region, candidates), region


def test_longer_emergency_numbers_and_all_their_neighbours(
    plan: NumberingPlan, scale: Callable[[int, int], int]
) -> None:
    longer = 0
    for region in SUPPORTED_SHORT_REGIONS:
        metadata = PhoneMetadata.short_metadata_for_region(region)
        assert metadata is not None
        lengths = metadata.emergency.possible_length if metadata.emergency else ()
        for length in (n for n in lengths if n > 4):
            assert length <= 6
            candidates = every_string(length)
            known = emergency_numbers(region, candidates)
            longer += len(known)
            assert all(plan.is_emergency(region, digits.encode()) for digits in known), region
            near = {n for digits in known for n in neighbours(digits)} | set(candidates[:: scale(101, 1)])
            expected = emergency_numbers(region, sorted(near))
            assert {n for n in near if plan.is_emergency(region, n.encode())} == expected, region
    assert longer > 10


@pytest.mark.parametrize("digits", [b"112", b"911"])
def test_112_and_911_reach_help_everywhere(plan: NumberingPlan, digits: bytes) -> None:
    assert all(plan.is_emergency(region, digits) for region in plan.regions)


@pytest.mark.parametrize("digits", [b"110", b"119", b"120", b"122", b"12110"])
def test_china_has_its_own(plan: NumberingPlan, digits: bytes) -> None:
    assert plan.is_emergency("CN", digits)
    assert not plan.is_emergency("CN", digits + b"0")


@pytest.mark.parametrize(
    "digits", [b"", b"+112", b"112 ", b"1 12", b"112\x00", b"0112", b"1122", b"1" * 1000]
)
def test_only_the_exact_digits_count(plan: NumberingPlan, digits: bytes) -> None:
    assert not plan.is_emergency("DE", digits)


@pytest.mark.parametrize(
    ("raw", "digits"),
    [
        (b"110", b"110"),
        (b"sip:110@sbc.example.net;user=phone", b"110"),
        (b"<sips:1-1-0@sbc.example.net>;tag=9", b"110"),
        (b"tel:110;phone-context=+86", b"110"),
        (b'"Police" <tel:110>', b"110"),
        (b"sip:%31%31%30@sbc.example.net", b"110"),
        (b"+110", b""),
        (b"sip:+110@sbc.example.net", b""),
        (b"sip:police@sbc.example.net", b""),
        (b"1" * 33, b""),
        (b"", b""),
    ],
)
def test_the_digits_as_dialled(raw: bytes, digits: bytes) -> None:
    assert dialled(raw) == (digits, False)


@pytest.mark.parametrize(
    ("raw", "sos"),
    [
        (b"urn:service:sos", True),
        (b"URN:service:SOS.police", True),
        (b"<urn:service:sos.ambulance>", True),
        (b"urn:service:sos;x=1", True),
        (b"urn:service:sosial", False),
        (b"urn:service:counseling", False),
        (b"urn:service:so", False),
        (b"sip:urn:service:sos@h", False),
    ],
)
def test_the_service_urn_of_rfc_5031_is_an_emergency(raw: bytes, sos: bool) -> None:
    assert dialled(raw) == (b"", sos)
