"""What an entry of a list file means, by kind of list: its key or its prefix, or why it is refused."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.domains import domain_key_of, domain_text_of
from interceptor.engine.keys import KeyKind, digits_key_of, text_key_of
from interceptor.engine.number import imei_key_of, imsi_key_of, keys_of, parse
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListKind
from interceptor.engine.types import Field, Limits, NumberStatus
from interceptor.numbering.countries import covered, is_short_in_service
from interceptor.store import arrow as pa
from interceptor.store.canonical import NAMED, PAIRED_BY, text_of
from interceptor.store.content import UInt64s
from interceptor.store.networks import network_text
from interceptor.store.ranges import MARK, check_ends, decomposed, ends_of

#: of fewer texts each is looked at by Python: arrow's functions take their time before they begin
FEW = 16
#: No number in international form is shorter (Niue: +683 and four digits); a country's code and more is a prefix.
SHORTEST_NUMBER = 7

_PLAIN_PREFIX = re.compile(r"\+([1-9][0-9]{,14})\*?")
SEPARATORS = str.maketrans("", "", " -.()/")
_COVERS = "covers {}; a list holds what is known to be bad, not a country"


#: the least number of so many digits that does not begin with 0
_LEAST = np.array([0, *(10 ** (n - 1) for n in range(1, 16))], dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class Judged:
    """What the texts of some rows are. A range of numbers has several keys, a refused text none."""

    key: UInt64s
    key2: UInt64s  #: of the caller of a pair; else all 0
    row: npt.NDArray[np.intp]  #: which text it is of; in ascending order
    names: list[str] | None  #: the canonical text of each, for the kinds in `canonical.NAMED`
    bad: npt.NDArray[np.bool_]  #: by text: it is refused
    why: Callable[[int], str]  #: reason, by text that is refused


@dataclass(frozen=True)
class Entry:
    """One entry of a list."""

    key: int
    key2: int
    text: str  #: canonical


@dataclass(frozen=True)
class Reader:
    """What entries are read by: kind of list, dial plan, home region, the installation's secret."""

    kind: ListKind
    plan: NumberingPlan
    home: str
    secret: bytes

    def read(self, text: str) -> list[Entry]:
        """The entry a trimmed text is; a range of numbers is several.

        Raises
        ------
        ValueError
            With the reason, when the text is refused.
        """
        if not text:
            raise ValueError("is empty")
        match self.kind:
            case ListKind.NUMBER:
                keys = [(self._number(text), 0)]
            case ListKind.PAIR:
                keys = [self._pair(text)]
            case ListKind.PREFIX:
                keys = [(_prefix_key(digits), 0) for digits in number_prefixes(text)]
            case ListKind.DEVICE:
                keys = [(_device(text), 0)]
            case ListKind.SUBSCRIBER:
                keys = [(_subscriber(text), 0)]
            case ListKind.DOMAIN:
                return [self._domain(text)]
            case ListKind.TRUNK:
                return [self._named(Field.F_TRUNK, _trunk(text))]
            case ListKind.NETWORK:
                return [self._named(Field.F_SOURCE_IP, network_text(text))]
        return [Entry(key, key2, text_of(self.kind, key, key2)) for key, key2 in keys]

    def canonical(self, text: str) -> str:
        """The one way to write an entry; of a range that is no single prefix, its ends without separators.

        Raises
        ------
        ValueError
            With the reason, when the text is refused.
        """
        entries = self.read(text)
        if len(entries) == 1:
            return entries[0].text
        return MARK.join(f"+{number_prefix(end)}" for end in ends_of(text))

    def keys(self, entries: Any) -> Judged:
        """What trimmed texts (a large_string array) are."""
        if self.kind is ListKind.NUMBER:
            key, bad, why = self._number_keys(entries)
            row = np.flatnonzero(~bad)
            return Judged(key[row], np.zeros(len(row), np.uint64), row, None, bad, why)
        if self.kind is ListKind.PAIR:
            return self._pair_keys(entries)
        reasons: dict[int, str] = {}
        found: list[Entry] = []
        rows: list[int] = []
        for i, text in enumerate(entries.to_pylist()):
            try:
                read = self.read(text)
            except ValueError as error:
                reasons[i] = str(error)
                continue
            found += read
            rows += [i] * len(read)
        bad = np.zeros(len(entries), dtype=bool)
        bad[list(reasons)] = True
        key = np.array([entry.key for entry in found], dtype=np.uint64)
        names = [entry.text for entry in found] if self.kind in NAMED else None
        row = np.array(rows, dtype=np.intp)
        return Judged(key, np.zeros(len(key), np.uint64), row, names, bad, reasons.__getitem__)

    def _pair_keys(self, entries: Any) -> Judged:
        bad = np.array(pa.compute.count_substring(entries, PAIRED_BY)) != 1
        split = pa.compute.split_pattern(entries.filter(pa.array(~bad)), PAIRED_BY)
        ends = [pa.compute.utf8_trim_whitespace(pa.compute.list_element(split, i)) for i in (0, 1)]
        (callee, bad_callee, _), (caller, bad_caller, _) = map(self._number_keys, ends)
        refused = bad_callee | bad_caller
        bad[np.flatnonzero(~bad)[refused]] = True
        return Judged(
            callee[~refused],
            caller[~refused],
            np.flatnonzero(~bad),
            None,
            bad,
            lambda i: self._reason(entries[i].as_py()),
        )

    def _pair(self, text: str) -> tuple[int, int]:
        callee, _, caller = (part.strip() for part in text.partition(PAIRED_BY))
        if text.count(PAIRED_BY) != 1 or not callee or not caller:
            raise ValueError(
                f"{text[:60]!r}: write CALLEE{PAIRED_BY}CALLER, like +8613800138000:+861069445566"
            )
        keys = []
        for who, number in (("callee", callee), ("caller", caller)):
            try:
                keys.append(self._number(number))
            except ValueError as error:
                raise ValueError(f"{who} {error}") from None
        return keys[0], keys[1]

    def _reason(self, text: str) -> str:
        """Why a text is refused."""
        try:
            self.read(text)
        except ValueError as error:
            return str(error)
        return "is refused"

    def _number(self, text: str) -> int:
        keys, bad, why = self._number_keys(pa.array([text], pa.large_string()))
        if bad[0]:
            raise ValueError(why(0))
        return int(keys[0])

    def _number_keys(self, entries: Any) -> tuple[UInt64s, npt.NDArray[np.bool_], Callable[[int], str]]:
        offsets, data = _buffers(entries)
        keys, status = keys_of(self.plan, self.home, data, offsets)
        is_short = status == NumberStatus.NUMBER_SHORT
        bad = (keys == 0) | ((status != NumberStatus.NUMBER_E164) & ~is_short)
        digits = keys >> np.uint64(54) & np.uint64(15)  # layout: keys.pxd
        begins_with_0 = (keys & np.uint64((1 << 54) - 1)) < _LEAST[digits]
        close = ~bad & ((digits < SHORTEST_NUMBER) | (begins_with_0 & ~is_short) | _only_zeros(entries))
        if close.any():  # few different ones, however many rows: look at each
            where = np.flatnonzero(close)
            encoded = pa.compute.dictionary_encode(entries.take(pa.array(where)))
            refused = np.array([self._refusal(text) is not None for text in encoded.dictionary.to_pylist()])
            bad[where[refused[encoded.indices.to_numpy()]]] = True
        return keys, bad, lambda i: self._refusal(entries[i].as_py()) or "is no telephone number"

    def _refusal(self, text: str) -> str | None:
        """Why a text is no entry of a list of numbers; None when it is one."""
        if not text:
            return "is empty"
        shown = repr(text[:40])
        digits = text.translate(SEPARATORS).removesuffix("*")
        bare = digits.removeprefix("+") if digits.startswith("+") else digits.removeprefix("00")
        number = parse(self.plan, self.home, text.encode())
        is_short = number.status == NumberStatus.NUMBER_SHORT and not digits.startswith("+")
        if not bare or (bare.isascii() and bare.isdigit()):
            whole = covered(bare)
            if whole is not None and not (is_short and is_short_in_service(self.home, digits)):
                return f"{shown} {_COVERS.format(whole)}"
        if text.endswith("*"):
            return f"{shown} is a prefix; a list of kind prefix holds prefixes"
        if MARK in text:
            return f"{shown} is a range; a list of kind prefix holds ranges"
        if number.status == NumberStatus.NUMBER_WITHHELD:
            return f"{shown} stands for a withheld number, which no list can hold"
        if number.key == 0:
            return f"{shown} is no telephone number of {self.home} and none in international form (+...)"
        if is_short:
            return None
        if number.text.startswith("+0"):
            return f"{shown} reads as {number.text}: no number begins with +0"
        if len(number.text) <= SHORTEST_NUMBER:
            return f"{shown} is too short for a number; a list of kind prefix holds prefixes"
        return None

    def _named(self, field: Field, name: str) -> Entry:
        return Entry(text_key_of(self.secret, KeyKind.KEY_TEXT + field, name.encode()), 0, name)

    def _domain(self, text: str) -> Entry:
        shown = repr(text[:40])
        if text.startswith(("*", ".")):
            raise ValueError(
                f"{shown}: a domain covers everything below it; write it without '*' and leading dot"
            )
        if not text.isascii():
            raise ValueError(f"{shown}: write an internationalised domain in its ASCII form (xn--...)")
        key = domain_key_of(self.secret, text.encode())
        if key == 0:
            raise ValueError(f"{shown} is no domain name or address")
        if "." not in text.removesuffix(".") and ":" not in text:
            raise ValueError(f"{shown} {_COVERS.format('a whole top-level domain')}")
        return Entry(key, 0, domain_text_of(text.encode()))


def _only_zeros(texts: Any) -> npt.NDArray[np.bool_]:
    if len(texts) < FEW:
        return np.array([not text.strip("0+ -.()/*") for text in texts.to_pylist()], dtype=bool)
    left = pa.compute.ascii_trim(texts, characters="0+ -.()/*")
    return np.asarray(pa.compute.equal(pa.compute.binary_length(left), 0).to_numpy(zero_copy_only=False))


def _buffers(texts: Any) -> tuple[npt.NDArray[np.int64], Any]:
    """Offsets (int64, one more than texts) and bytes of a large_string array."""
    if len(texts) == 0:
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    _, offsets, data = texts.buffers()
    start = texts.offset
    offsets = np.frombuffer(offsets, dtype=np.int64)[start : start + len(texts) + 1]
    return offsets, np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)


def _prefix_key(digits: str) -> int:
    key = digits_key_of(KeyKind.KEY_PREFIX, digits.encode())
    if key == 0:
        raise ValueError(f"{digits[:40]!r}: a prefix has 1 to {Limits.MAX_DIGITS} digits")
    return key


def number_prefix(text: str) -> str:
    """The E.164 digits of ``+33162*``, ``+33 162`` or ``0033162``; ValueError with the reason for anything else."""
    plain = _PLAIN_PREFIX.fullmatch(text)
    if plain is not None and covered(plain[1]) is None:
        return plain[1]
    shown = repr(text[:40])
    digits = text.removesuffix("*").translate(SEPARATORS)
    international = digits.startswith(("+", "00"))
    digits = digits.removeprefix("+") if digits.startswith("+") else digits.removeprefix("00")
    whole = covered(digits) if not digits or digits.isdigit() else None
    if whole is not None:
        raise ValueError(f"{shown} {_COVERS.format(whole)}")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{shown} is no prefix of numbers; write it like +33162*")
    if not international:
        raise ValueError(f"{shown}: write a prefix in international form, like +33162*")
    if digits.startswith("0"):
        raise ValueError(f"{shown}: no number begins with +0")
    return digits


def number_prefixes(text: str) -> list[str]:
    """E.164 digits of a prefix, or of the prefixes that make up a range; ValueError with the reason."""
    if MARK not in text:
        return [number_prefix(text)]
    ends = ends_of(text)
    for end in ends:
        if end.endswith("*"):
            raise ValueError(f"{text[:60]!r}: write the ends of a range without '*'")
    first, last = map(number_prefix, ends)
    check_ends(text, first, last)
    prefixes = decomposed(first, last)
    for digits in prefixes:
        whole = covered(digits)
        if whole is not None:
            raise ValueError(f"{text[:60]!r} {_COVERS.format(whole)}")
    return prefixes


def _trunk(text: str) -> str:
    if len(text.encode()) > Limits.MAX_FIELD or not text.isprintable():
        raise ValueError(f"{text[:40]!r} is no name of a trunk: at most {Limits.MAX_FIELD} printable bytes")
    return text


def _digits(text: str) -> tuple[str, bool]:
    """Digits without separators, and whether a ``*`` ended them."""
    bare = text.removesuffix("*").translate(SEPARATORS)
    if not (bare.isascii() and bare.isdigit()):
        bare = ""
    return bare, text.endswith("*")


def _device(text: str) -> int:
    digits, starred = _digits(text)
    if len(digits) == 8 or (starred and 8 < len(digits) < 14):
        return _prefix_key(digits)
    key = 0 if starred else imei_key_of((digits or text).encode())  # the text may be a URN
    if key == 0:
        raise ValueError(f"{text[:40]!r}: a device is an IMEI of 14 to 16 digits or a TAC of 8")
    return key


def _subscriber(text: str) -> int:
    digits, starred = _digits(text)
    if len(digits) in (5, 6) or (starred and 6 < len(digits) < 15):
        return _prefix_key(digits)
    if digits and len(digits) < 5:
        raise ValueError(f"{text[:40]!r} {_COVERS.format('every operator of a country')}")
    if starred or not 7 <= len(digits) <= 15:
        raise ValueError(
            f"{text[:40]!r}: a subscriber is an IMSI of up to 15 digits, or an MCC and MNC of 5 or 6"
        )
    return imsi_key_of(digits.encode())
