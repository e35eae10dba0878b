"""Which leading digits stand for a whole country, and which short numbers a region has in service.

phonenumbers is loaded by the first question: most starts ask none.
"""

import re
from functools import cache


def covered(digits: str) -> str | None:
    """What the E.164 numbers beginning with these digits are all of, if that is a country or more.

    ``"1242"`` is ``"all of +1242 (BS)"``; ``"8"`` and the empty text cover more; ``"33162"`` is None.
    """
    if not digits.strip("0"):
        return "every number"
    return _whole_countries().get(digits)


def is_short_in_service(region: str, digits: str) -> bool:
    """Whether libphonenumber knows the digits as a short number of the region, as dialled."""
    import phonenumbers as known  # noqa: PLC0415 - not before a question

    code = known.country_code_for_region(region)
    if code == 0 or digits.startswith("0"):
        return False
    number = known.PhoneNumber(country_code=code, national_number=int(digits))
    return bool(known.is_valid_short_number_for_region(number, region))


def is_part_of_a_number(digits: str) -> bool:
    """Whether E.164 digits can be no number, for they are too few: an area code, or a number without one."""
    import phonenumbers as known  # noqa: PLC0415 - not before a question

    try:
        found = known.is_possible_number_with_reason(known.parse(f"+{digits}"))
    except known.NumberParseException:
        return False
    return found in (known.ValidationResult.TOO_SHORT, known.ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


def is_area_code(region: str, digits: str) -> bool:
    """Whether digits as dialled in a region can be no number, but the code of an area with what is dialled before it.

    So is ``"021"`` in China, where no short number begins with 0.
    """
    import phonenumbers as known  # noqa: PLC0415 - not before a question

    metadata = known.PhoneMetadata.metadata_for_region(region)
    dialled = metadata.national_prefix if metadata is not None else None
    if not dialled or not digits.startswith(dialled) or is_short_in_service(region, digits):
        return False
    try:
        found = known.is_possible_number_with_reason(known.parse(digits, region))
    except known.NumberParseException:
        return False
    return bool(found == known.ValidationResult.TOO_SHORT)


@cache
def _whole_countries() -> dict[str, str]:
    """Country codes, the codes of countries that share one (+1242), and whatever is shorter."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata  # noqa: PLC0415 - as above

    found: dict[str, str] = {}
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        for region in regions:
            metadata = PhoneMetadata.metadata_for_region(region)
            common = (
                _common(metadata.leading_digits) if metadata is not None and metadata.leading_digits else ""
            )
            whole = f"{code}{common}"
            for length in range(len(whole), 0, -1):
                more = "" if length == len(whole) else " and more"
                found.setdefault(whole[:length], f"all of +{whole} ({region}){more}")
    return found | {str(code): f"all of +{code}" for code in COUNTRY_CODE_TO_REGION_CODE}


def _common(pattern: str) -> str:
    """Digits that everything a leading-digits pattern of libphonenumber matches begins with (or fewer of them)."""
    literal = re.compile(r"(?:[0-9](?![?*{]))*")
    first, *others = (str(start[0]) for part in pattern.split("|") if (start := literal.match(part)))
    while not all(other.startswith(first) for other in others):
        first = first[:-1]
    return first
