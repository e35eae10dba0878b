"""The regions that have a numbering plan. phonenumbers is loaded by the first question."""

from functools import cache

UNKNOWN_REGION = "ZZ"
WORLD = "001"  # country codes of no geography: 800, 870, ...


@cache
def region_names() -> tuple[str, ...]:
    """Every region's name; its place is its index, the unknown region's 0."""
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 - not before a question

    return UNKNOWN_REGION, WORLD, *sorted(SUPPORTED_REGIONS)
