"""Durations as a policy writes them: `1h30m`, `250ms`, in nanoseconds; a policy's own keys know days too (`31d`)."""

import re
from fractions import Fraction

#: nanoseconds by unit, as in CEL's duration() (Go's time.ParseDuration)
UNITS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ns": 1,
}
DAY = 24 * UNITS["h"]

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1

_PART = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h|d)"
_DURATION = re.compile(rf"[-+]?(?:{_PART})+")
_PARTS = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d)")


def is_duration(text: str) -> bool:
    return len(text) <= 64 and _DURATION.fullmatch(text) is not None


def nanoseconds(text: str, *, days: bool = False) -> int:
    """A duration in nanoseconds; what is finer is cut off.

    Raises
    ------
    ValueError
        It is no duration, or does not fit 64 bits of nanoseconds (292 years).
    """
    if text in ("0", "+0", "-0"):
        return 0
    if not is_duration(text) or ("d" in text and not days):
        example = "`90s`, `1h30m` or `7d`" if days else '"90s" or "1h30m"'
        raise ValueError(f"{text[:40]!r} is no duration; write {example}")
    total = Fraction(0)
    for number, unit in _PARTS.findall(text):
        total += Fraction(number if number[0] != "." else "0" + number) * (
            DAY if unit == "d" else UNITS[unit]
        )
    value = int(-total if text[0] == "-" else total)
    if not INT64_MIN <= value <= INT64_MAX:
        raise ValueError(f"{text[:40]!r} is longer than 292 years")
    return value


def milliseconds(text: str) -> int:
    """A duration of a policy's key (`window`, `for`, `grace`) in whole milliseconds."""
    value = nanoseconds(text, days=True)
    if value % UNITS["ms"]:
        raise ValueError(f"{text[:40]!r} is finer than a millisecond")
    return value // UNITS["ms"]
