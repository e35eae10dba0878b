"""How an entry of a list is written when it is shown: the one text of each key."""

from interceptor.engine.keys import KeyKind, key_digits_of
from interceptor.engine.spec import ListKind

#: kinds whose keys do not tell their texts: the store keeps those beside them
NAMED = frozenset({ListKind.DOMAIN, ListKind.TRUNK, ListKind.NETWORK})

#: between the called subscriber's number and the caller's
PAIRED_BY = ":"

_WHOLE_PREFIX = {ListKind.DEVICE: (8,), ListKind.SUBSCRIBER: (5, 6)}  # digits of a prefix that needs no "*"


def text_of(kind: ListKind, key: int, key2: int = 0, name: str = "") -> str:
    """The canonical text of an entry: what `entries.Reader` reads as that entry again.

    ``+8613800138000``, ``10086``, ``+33162*``, ``35209900`` (a TAC), ``46000`` (MCC and MNC), ``CALLEE:CALLER`` of a
    pair; domains, trunks and networks have keys that tell nothing: their `name`.

    Parameters
    ----------
    kind
        Of the list.
    key, key2
        As the engine has them or as the store has them (signed); `key2` is the caller of a pair.
    name
        What the store's table of names has for it.
    """
    key, key2 = key & 0xFFFF_FFFF_FFFF_FFFF, key2 & 0xFFFF_FFFF_FFFF_FFFF
    if kind in NAMED:
        return name
    if kind is ListKind.PAIR:
        return f"{_number(key)}{PAIRED_BY}{_number(key2)}"
    if key >> 58 == KeyKind.KEY_PREFIX:
        digits = key_digits_of(key).decode()
        if kind is ListKind.PREFIX:
            return f"+{digits}*"
        return digits if len(digits) in _WHOLE_PREFIX[kind] else f"{digits}*"
    return _number(key) if kind is ListKind.NUMBER else key_digits_of(key).decode()


def _number(key: int) -> str:
    if key >> 58 == KeyKind.KEY_SHORT:  # layout: keys.pxd
        return f"{(key & (1 << 54) - 1) >> 10:0{key >> 54 & 15}d}"
    return f"+{key_digits_of(key).decode()}"
