"""Digits dialled in a region become the E.164 number phonenumbers reads in them."""

import random
import re
from collections.abc import Callable, Iterator

import phonenumbers
import pytest
from phonenumbers import SUPPORTED_REGIONS, SUPPORTED_SHORT_REGIONS, PhoneMetadata, PhoneNumberFormat

from interceptor.engine.plan import NumberingPlan
from tests.kernels.test_plan import DESCRIPTIONS

REGIONS = sorted(SUPPORTED_REGIONS)


def metadata_of(region: str) -> PhoneMetadata:
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    return metadata


def without_idd(region: str, digits: str) -> str | None:
    """What follows the international prefix; None when there is none."""
    found = re.match(metadata_of(region).international_prefix or "$^", digits)
    rest = digits[found.end() :] if found else "0"
    return None if rest.startswith("0") else rest


def read_by_phonenumbers(region: str, digits: str) -> str:
    """E.164 digits, "" when there are none. Behind an international prefix digits stay as they are, as behind +."""
    abroad = without_idd(region, digits)
    if abroad is not None:
        return abroad if 3 <= len(abroad) <= 15 else ""
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return ""
    e164 = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    return e164 if len(e164) <= 15 else ""


def examples_of(region: str) -> set[str]:
    """National significant numbers: the examples of every type."""
    metadata = metadata_of(region)
    descs = [getattr(metadata, name) for name in DESCRIPTIONS]
    return {desc.example_number for desc in descs if desc is not None and desc.example_number}


def ways_to_dial(region: str) -> Iterator[str]:
    metadata = metadata_of(region)
    for nsn in examples_of(region):
        yield nsn
        yield f"{metadata.country_code}{nsn}"
        yield f"{metadata.national_prefix or '0'}{nsn}"
        yield f"{metadata.country_code}{metadata.national_prefix or '0'}{nsn}"
        number = phonenumbers.parse(f"+{metadata.country_code}{nsn}")
        yield re.sub(r"\D", "", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
        yield f"{metadata.preferred_international_prefix or '00'}{metadata.country_code}{nsn}".replace(
            "~", ""
        )


@pytest.mark.parametrize("region", REGIONS)
def test_the_regions_example_numbers_however_dialled(plan: NumberingPlan, region: str) -> None:
    for digits in ways_to_dial(region):
        expected = read_by_phonenumbers(region, digits).encode()
        assert plan.to_e164(region, digits.encode()) == expected, digits


# What national prefixes, carrier codes and local numbers begin with.
BEGINNINGS = [
    "",
    "0",
    "1",
    "8",
    "9",
    "00",
    "01",
    "06",
    "80",
    "90",
    "15",
    "19",
    "10",
    "180020",
    "003768",
    "000",
    "18",
]


def test_random_digits_in_every_region(plan: NumberingPlan, scale: Callable[[int, int], int]) -> None:
    rng = random.Random(164)
    for region in REGIONS:
        metadata = metadata_of(region)
        examples = sorted(examples_of(region))
        for _ in range(scale(300, 4_000)):
            digits = rng.choice([*BEGINNINGS, str(metadata.country_code)]) + rng.choice(
                ["", rng.choice(examples)]
            )
            digits += "".join(rng.choices("0123456789", k=rng.randrange(0, 14)))
            digits = digits[: rng.randrange(2, 18)]
            expected = read_by_phonenumbers(region, digits).encode()
            assert plan.to_e164(region, digits.encode()) == expected, (region, digits)


@pytest.mark.parametrize(
    ("region", "dialled", "e164"),
    [
        ("AR", "01115" + "23456789", "5491123456789"),  # 15 behind the area is 9 before it
        ("AR", "0223" + "15" + "4567890", "5492234567890"),
        ("BR", "0" + "15" + "11961234567", "5511961234567"),  # a carrier is named
        ("AG", "4641234", "12684641234"),  # the island's area code is left out
        ("GG", "256789", "441481256789"),
        ("SM", "886377", "3780549886377"),
        ("MG", "2123456", "261202123456"),
        ("CN", "17951" + "13800138000", "8613800138000"),  # an IP carrier's prefix
        ("CN", "8613800138000", "8613800138000"),
        ("CN", "13800138000", "8613800138000"),
        ("GB", "447400123456", "447400123456"),
        ("US", "12015550123", "12015550123"),
        ("IT", "0236618300", "390236618300"),  # the zero belongs to the number
        ("RU", "89123456789", "79123456789"),
        ("HU", "0612345678", "3612345678"),
    ],
)
def test_national_habits(plan: NumberingPlan, region: str, dialled: str, e164: str) -> None:
    assert plan.to_e164(region, dialled.encode()) == e164.encode()
    assert read_by_phonenumbers(region, dialled) == e164


@pytest.mark.parametrize(
    "digits", [b"", b"1", b"0" * 33, b"1" * 32, b"138x0013800", b"138\x0000138000", b"+8613800138000"]
)
def test_what_is_no_number_in_any_region(plan: NumberingPlan, digits: bytes) -> None:
    assert all(plan.to_e164(region, digits) == b"" for region in plan.regions)


def test_without_a_dial_plan_there_is_no_national_form(plan: NumberingPlan) -> None:
    assert plan.to_e164("ZZ", b"008613800138000") == b""
    assert plan.to_e164("001", b"13800138000") == b""


def short_as_phonenumbers_says(region: str, digits: str) -> bool:
    number = phonenumbers.PhoneNumber(
        country_code=metadata_of(region).country_code, national_number=int(digits)
    )
    zeros = len(digits) - len(str(int(digits)))
    if zeros:
        number.italian_leading_zero, number.number_of_leading_zeros = True, zeros
    return phonenumbers.is_valid_short_number_for_region(number, region)


def test_long_short_numbers_are_those_the_data_names(plan: NumberingPlan) -> None:
    rng = random.Random(95)
    short = 0
    for region in SUPPORTED_SHORT_REGIONS:
        metadata = PhoneMetadata.short_metadata_for_region(region)
        assert metadata is not None
        assert metadata.short_code is not None
        example = metadata.short_code.example_number or "1"
        for _ in range(60):
            digits = example + "".join(rng.choices("0123456789", k=12))
            digits = digits[rng.randrange(0, 2) :][: rng.randrange(7, 13)]
            expected = short_as_phonenumbers_says(region, digits)
            assert plan.is_short(region, digits.encode()) == expected, (region, digits)
            short += expected
    assert short


@pytest.mark.parametrize("digits", [b"10620000", b"95588", b"10086", b"96110", b"1", b"123456"])
def test_service_numbers_of_china_are_short(plan: NumberingPlan, digits: bytes) -> None:
    assert plan.is_short("CN", digits)


@pytest.mark.parametrize("digits", [b"", b"1380013", b"13800138000", b"9558 8", b"+95588", b"1" * 33])
def test_others_are_not(plan: NumberingPlan, digits: bytes) -> None:
    assert not plan.is_short("CN", digits)


@pytest.mark.parametrize("region", ["AD", "FO", "GL", "NC", "SH"])
def test_where_whole_numbers_have_six_digits_or_fewer_they_are_not_short(
    plan: NumberingPlan, region: str
) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.FIXED_LINE)
    assert example is not None
    national = phonenumbers.national_significant_number(example).encode()
    assert len(national) < 7
    assert not plan.is_short(region, national)
    assert plan.to_e164(region, national) == str(example.country_code).encode() + national
