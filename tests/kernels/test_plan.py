"""The numbering plan says of every E.164 number what phonenumbers says."""

import random
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberType
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from interceptor.engine.plan import NumberingPlan, NumberType

# Without it the oracle spends six times as long compiling the same expressions over and over.
getattr(phonenumbers, "enable_pattern_cache", lambda: None)()

DESCRIPTIONS = [
    "general_desc", "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number",
    "voip", "pager", "uan", "voicemail",
]  # fmt: skip

TYPES = {
    PhoneNumberType.UNKNOWN: NumberType.TYPE_UNKNOWN,
    PhoneNumberType.FIXED_LINE: NumberType.TYPE_FIXED_LINE,
    PhoneNumberType.MOBILE: NumberType.TYPE_MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberType.TYPE_FIXED_LINE_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: NumberType.TYPE_TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: NumberType.TYPE_PREMIUM_RATE,
    PhoneNumberType.SHARED_COST: NumberType.TYPE_SHARED_COST,
    PhoneNumberType.VOIP: NumberType.TYPE_VOIP,
    PhoneNumberType.PERSONAL_NUMBER: NumberType.TYPE_PERSONAL,
    PhoneNumberType.PAGER: NumberType.TYPE_PAGER,
    PhoneNumberType.UAN: NumberType.TYPE_UAN,
    PhoneNumberType.VOICEMAIL: NumberType.TYPE_VOICEMAIL,
}


def every_metadata() -> Iterator[PhoneMetadata]:
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        for region in regions:
            metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
            assert metadata is not None
            yield metadata


@cache
def example_numbers() -> dict[str, list[str]]:
    """E.164 digits of every region's and type's example, by "region type"."""
    examples: dict[str, list[str]] = {}
    for metadata in every_metadata():
        for name in DESCRIPTIONS:
            desc = getattr(metadata, name)
            if desc is not None and desc.example_number:
                key = f"{metadata.id} {name}"
                examples.setdefault(key, []).append(f"{metadata.country_code}{desc.example_number}")
    return examples


def said_by_phonenumbers(digits: str) -> tuple[bool, str, NumberType] | None:
    """None where phonenumbers does not read these digits as they are."""
    try:
        number = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return None
    if f"{number.country_code}{phonenumbers.national_significant_number(number)}" != digits:
        return None
    region = phonenumbers.region_code_for_number(number)
    valid = phonenumbers.is_valid_number(number)
    return valid, region or "ZZ", TYPES[phonenumbers.number_type(number)]


def test_every_regions_example_number_of_every_type(plan: NumberingPlan) -> None:
    compared = 0
    for key, examples in example_numbers().items():
        for digits in examples:
            expected = said_by_phonenumbers(digits)
            if expected is not None:
                assert plan.classify(digits.encode()) == expected, (key, digits)
                assert expected[0], (key, digits)
                compared += 1
    assert compared > 1000


def mutated(rng: random.Random, digits: str) -> str:
    """A near neighbour: a digit changed, added, dropped, or the end drawn anew."""
    at = rng.randrange(len(digits))
    digit = str(rng.randrange(10))
    kind = rng.randrange(6)
    if kind == 0:
        return digits[:at] + digit + digits[at + 1 :]
    if kind == 1:
        return digits[:at] + digit + digits[at:]
    if kind == 2:
        return digits[:at] + digits[at + 1 :]
    return digits[:at] + "".join(rng.choices("0123456789", k=len(digits) - at))


def numbers_of_all_kinds(rng: random.Random, n: int) -> Iterator[str]:
    examples = [digits for group in example_numbers().values() for digits in group]
    codes = [str(code) for code in COUNTRY_CODE_TO_REGION_CODE]
    for i in range(n):
        if i % 5 == 0:
            yield rng.choice(codes) + "".join(rng.choices("0123456789", k=rng.randrange(2, 13)))
        elif i % 50 == 1:
            yield "".join(rng.choices("0123456789", k=rng.randrange(3, 16)))
        else:
            yield mutated(rng, rng.choice(examples))


def test_random_and_mutated_numbers(plan: NumberingPlan, scale: Callable[[int, int], int]) -> None:
    rng = random.Random(86)
    compared = valid = 0
    while compared < scale(60_000, 5_000_000):
        for digits in numbers_of_all_kinds(rng, 10_000):
            if len(digits) > 15:
                continue
            expected = said_by_phonenumbers(digits)
            if expected is not None:
                assert plan.classify(digits.encode()) == expected, digits
                compared += 1
                valid += expected[0]
    assert 0.2 < valid / compared < 0.9


def test_many_numbers_at_once_are_what_each_is_alone(plan: NumberingPlan) -> None:
    numbers = [d[:16].encode() for d in numbers_of_all_kinds(random.Random(1), 10_000)]
    numbers += [b"", b"86x", b"8613800138x00", b"1" * 16, b"8613800138\xff00"]
    valid, regions, types = plan.classify_many(np.array(numbers, "S16"))
    for i, number in enumerate(numbers):
        assert (valid[i], plan.regions[regions[i]], types[i]) == plan.classify(number), number


@pytest.mark.parametrize(
    "digits", [b"", b"1" * 16, b"1" * 1000, b"86 1380013800", b"86\x0013800138000", b"\xff86"]
)
def test_what_is_no_number_is_not_valid(plan: NumberingPlan, digits: bytes) -> None:
    assert plan.classify(digits) == (False, "ZZ", NumberType.TYPE_UNKNOWN)


def test_numbers_of_no_geography_are_of_the_world(plan: NumberingPlan) -> None:
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        if regions == ("001",):
            assert plan.classify(b"%d0000" % code)[1] == "001"


def test_regions_have_an_index(plan: NumberingPlan) -> None:
    assert plan.regions[0] == "ZZ"
    assert all(plan.region_index(name) == i for i, name in enumerate(plan.regions))
    with pytest.raises(ValueError, match="'XX' is no region"):
        plan.region_index("XX")


def test_types_have_the_names_policies_use(plan: NumberingPlan) -> None:
    assert plan.type_names[NumberType.TYPE_FIXED_LINE_OR_MOBILE] == "fixed-line-or-mobile"
    assert plan.type_names[NumberType.TYPE_WITHHELD] == "withheld"
    assert len(plan.type_names) == len(NumberType)


def test_the_plan_is_small(plan: NumberingPlan) -> None:
    assert plan.nbytes < 400_000
