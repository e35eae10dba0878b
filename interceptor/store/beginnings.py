"""Which keys have texts that begin with some digits: ranges of keys, as `keys.pxd` lays keys out."""

import re
from collections.abc import Iterator

from interceptor.engine.keys import KeyKind
from interceptor.engine.spec import ListKind

_INTERNATIONAL = re.compile(r"\+([0-9]{0,15})")
_PLAIN = re.compile(r"[0-9]{1,15}")

Range = tuple[int, int]  #: first and last key


def number_ranges(text: str) -> list[Range]:
    """Keys of the numbers, or short numbers, whose text begins with `text`."""
    international = _INTERNATIONAL.fullmatch(text)
    if international is not None:
        return list(_ranges(KeyKind.KEY_NUMBER, international[1], 15))
    if _PLAIN.fullmatch(text):
        return list(_ranges(KeyKind.KEY_SHORT, text, 12, 1024))
    return []


def ranges(kind: ListKind, text: str) -> list[Range]:
    """Keys of a list's entries whose text begins with `text`; of a pair the called subscriber's."""
    if kind in (ListKind.NUMBER, ListKind.PAIR):
        return number_ranges(text)
    plain = text.removesuffix("*")
    if kind is ListKind.PREFIX:
        international = _INTERNATIONAL.fullmatch(plain)
        return list(_ranges(KeyKind.KEY_PREFIX, international[1], 15)) if international is not None else []
    if not _PLAIN.fullmatch(plain):
        return []
    exact = KeyKind.KEY_IMEI if kind is ListKind.DEVICE else KeyKind.KEY_IMSI
    return [*_ranges(exact, plain, 15), *_ranges(KeyKind.KEY_PREFIX, plain, 15)]


def _ranges(kind: int, digits: str, longest: int, scale: int = 1) -> Iterator[Range]:
    for n in range(max(1, len(digits)), longest + 1):
        room = 10 ** (n - len(digits))
        base = kind << 58 | n << 54
        first = int(digits or "0") * room
        yield base | first * scale, base | ((first + room) * scale - 1)
