"""Numbers that no list which warns or blocks may hold: emergency numbers, the policy's protected lists, area codes."""

from collections.abc import Callable, Iterator
from itertools import chain, islice

import numpy as np
import numpy.typing as npt

from interceptor.engine.engine import ListContent
from interceptor.engine.keys import KeyKind
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListKind, Spec
from interceptor.numbering.countries import is_area_code, is_part_of_a_number
from interceptor.store.canonical import text_of

UInt64s = npt.NDArray[np.uint64]

#: hits that are told one by one
TOLD = 20
#: a number of fewer digits than this may be the beginning of longer ones
WHOLE = 10
#: so many short numbers of an import are looked at
LOOKED_AT = 10_000
#: keys that are looked at together
PIECE = 1 << 18


class Protection:
    """Finds what a change of a list would hit. contents: what is on a list now, by its name."""

    def __init__(self, plan: NumberingPlan, home: str, contents: Callable[[str], ListContent]) -> None:
        self._plan = plan
        self._home = home
        self._contents = contents

    def hit(self, spec: Spec, kind: ListKind, put: ListContent) -> tuple[str, ...]:
        """What must not be put on a list of that kind, each with the reason; at most TOLD of them."""
        if kind not in (ListKind.NUMBER, ListKind.PREFIX):
            return ()
        hits = chain(self._short(spec, put.keys), self._listed(spec, put), _parts(put.keys))
        return tuple(islice(hits, TOLD))

    def _short(self, spec: Spec, keys: UInt64s) -> Iterator[str]:
        regions = {trunk.region or self._home for trunk in spec.trunks.values()} | {self._home}
        own = {number for numbers in spec.emergency.values() for number in numbers}
        for piece in pieces(keys):
            for key in piece[kinds(piece) == KeyKind.KEY_SHORT].tolist():
                digits = text_of(ListKind.NUMBER, key)
                known = (self._plan.is_emergency(region, digits.encode()) for region in regions)
                if digits in own or any(known):
                    yield f"{digits} is an emergency number"
                elif is_area_code(self._home, digits):
                    yield f"{digits} is an area code, not a number"

    def _listed(self, spec: Spec, put: ListContent) -> Iterator[str]:
        for name in spec.guard.protected:
            theirs = self._contents(name)
            beginnings = [digits for _, digits in theirs.prefixes]
            for piece in pieces(put.keys):
                for key in np.intersect1d(piece, theirs.keys).tolist():
                    yield f"{text_of(ListKind.NUMBER, key)} is on the protected list {name}"
                for digits in beginnings:
                    for key in piece[begin_with(piece, digits)].tolist():
                        shown = text_of(ListKind.NUMBER, key)
                        yield f"{shown} is on the protected list {name} (+{digits.decode()}*)"
            for _, digits in put.prefixes:
                for key in theirs.keys[begin_with(theirs.keys, digits)].tolist():
                    shown = text_of(ListKind.NUMBER, key)
                    yield f"+{digits.decode()}* covers {shown} of the protected list {name}"
                for other in beginnings:
                    if other.startswith(digits) or digits.startswith(other):
                        yield f"+{digits.decode()}* meets +{other.decode()}* of the protected list {name}"


def _parts(keys: UInt64s) -> Iterator[str]:
    short = (
        piece[(kinds(piece) == KeyKind.KEY_NUMBER) & (digits_of(piece) < WHOLE)] for piece in pieces(keys)
    )
    for key in islice(chain.from_iterable(each.tolist() for each in short), LOOKED_AT):
        text = text_of(ListKind.NUMBER, key)
        if is_part_of_a_number(text.removeprefix("+")):
            yield f"{text} is an area code or a part of a number, not a number"


def pieces(keys: UInt64s) -> Iterator[UInt64s]:
    """A bounded number of keys at a time: what is found of millions on the way takes several times their memory."""
    for start in range(0, len(keys), PIECE):
        yield keys[start : start + PIECE]


def kinds(keys: UInt64s) -> UInt64s:
    """KeyKind of each key (layout: keys.pxd)."""
    return keys >> np.uint64(58)


def digits_of(keys: UInt64s) -> UInt64s:
    """How many digits an exact key has."""
    return keys >> np.uint64(54) & np.uint64(15)


def begin_with(keys: UInt64s, digits: bytes) -> npt.NDArray[np.bool_]:
    """Which are keys of E.164 numbers that begin with some digits."""
    have = digits_of(keys).astype(np.int64)
    value = keys & np.uint64((1 << 54) - 1)
    scale = (10 ** np.maximum(have - len(digits), 0)).astype(np.uint64)
    begins = (value // scale) == np.uint64(int(digits))
    return np.asarray((kinds(keys) == KeyKind.KEY_NUMBER) & (have >= len(digits)) & begins)
