"""Ranges of numbers, ``+331620000..+331629999``: the least set of prefixes that covers one exactly."""

from interceptor.engine.types import Limits

MARK = ".."


def decomposed(first: str, last: str) -> list[str]:
    """The prefixes of the numbers whose first digits lie from `first` to `last`, both included, in order.

    Both have the same number of digits. No set of fewer prefixes covers the same numbers: each one taken is the
    shortest that begins where the last ended and does not reach beyond `last`.
    """
    length = len(first)
    low, high = int(first), int(last)
    prefixes = []
    while low <= high:
        dropped = 0
        while dropped < length - 1:
            block = 10 ** (dropped + 1)
            if low % block or low + block - 1 > high:
                break
            dropped += 1
        prefixes.append(f"{low // 10**dropped:0{length - dropped}d}")
        low += 10**dropped
    return prefixes


def ends_of(text: str) -> tuple[str, str]:
    """The two ends of a range as they are written; ValueError when it has not two."""
    first, _, last = text.partition(MARK)
    if not first.strip() or not last.strip() or MARK in last:
        raise ValueError(f"{text[:60]!r}: write a range like +331620000..+331629999")
    return first.strip(), last.strip()


def check_ends(text: str, first: str, last: str) -> None:
    """Raises ValueError when the digits are no ends of one range."""
    shown = repr(text[:60])
    if len(first) != len(last):
        raise ValueError(
            f"{shown}: the ends of a range have the same number of digits; these have {len(first)} and {len(last)}"
        )
    if len(first) > Limits.MAX_DIGITS:
        raise ValueError(f"{shown}: a number has at most {Limits.MAX_DIGITS} digits")
    if first > last:
        raise ValueError(f"{shown}: the range ends before it begins; write +{last}..+{first}")
