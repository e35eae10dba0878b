"""What an entry of a list file means, by kind of list: its key or its prefix, or why it is refused."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from interceptor.engine.domains import domain_key_of
from interceptor.engine.keys import KeyKind, digits_key_of, text_key_of
from interceptor.engine.number import imei_key_of, imsi_key_of, keys_of, parse
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.prefixes import PrefixRoot
from interceptor.engine.spec import ListKind
from interceptor.engine.types import Field, Limits, NumberStatus
from interceptor.numbering.countries import covered, is_short_in_service

#: No number in international form is shorter (Niue: +683 and four digits); a country's code and more is a prefix.
SHORTEST_NUMBER = 7
#: Kinds of list that hold prefixes, and what digits they are of
ROOTS = {
    ListKind.PREFIX: PrefixRoot.ROOT_NUMBER,
    ListKind.DEVICE: PrefixRoot.ROOT_IMEI,
    ListKind.SUBSCRIBER: PrefixRoot.ROOT_IMSI,
}

_PLAIN_PREFIX = re.compile(r"\+([1-9][0-9]{,14})\*?")
_SEPARATORS = str.maketrans("", "", " -.()/")
_COVERS = "covers {}; a list holds what is known to be bad, not a country"


#: keys, which entries are refused, and why the i-th is
Judged = tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_], Callable[[int], str]]

#: the least number of so many digits that does not begin with 0
_LEAST = np.array([0, *(10 ** (n - 1) for n in range(1, 16))], dtype=np.uint64)


@dataclass(frozen=True)
class Reader:
    """What entries are read by: dial plan, home region, the installation's secret."""

    kind: ListKind
    plan: NumberingPlan
    home: str
    secret: bytes

    def keys(
        self, entries: pa.Array
    ) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_], Callable[[int], str]]:
        """Keys of trimmed texts, which of them are refused, and why the i-th is.

        A prefix has a KEY_PREFIX key of its digits here, whatever they are digits of.
        """
        if self.kind is ListKind.NUMBER:
            return self._number_keys(entries)
        reasons: dict[int, str] = {}
        keys = np.zeros(len(entries), dtype=np.uint64)
        for i, text in enumerate(entries.to_pylist()):
            try:
                keys[i] = self.key(text)
            except ValueError as error:
                reasons[i] = str(error)
        bad = np.zeros(len(entries), dtype=bool)
        bad[list(reasons)] = True
        return keys, bad, reasons.__getitem__

    def _number_keys(self, entries: Any) -> Judged:
        offsets, data = _buffers(entries)
        keys, status = keys_of(self.plan, self.home, data, offsets)
        is_short = status == NumberStatus.NUMBER_SHORT
        bad = (keys == 0) | ((status != NumberStatus.NUMBER_E164) & ~is_short)
        digits = keys >> np.uint64(54) & np.uint64(15)  # layout: keys.pxd
        begins_with_0 = (keys & np.uint64((1 << 54) - 1)) < _LEAST[digits]
        close = ~bad & ((digits < SHORTEST_NUMBER) | (begins_with_0 & ~is_short) | _only_zeros(entries))
        if close.any():  # few different ones, however many rows: look at each
            where = np.flatnonzero(close)
            encoded = pyarrow.compute.dictionary_encode(entries.take(pa.array(where)))
            refused = np.array([self._refusal(text) is not None for text in encoded.dictionary.to_pylist()])
            bad[where[refused[encoded.indices.to_numpy()]]] = True
        return keys, bad, lambda i: self._refusal(entries[i].as_py()) or "is no telephone number"

    def _refusal(self, text: str) -> str | None:
        """Why a text is no entry of a list of numbers; None when it is one."""
        if not text:
            return "is empty"
        shown = repr(text[:40])
        digits = text.translate(_SEPARATORS).removesuffix("*")
        bare = digits.removeprefix("+") if digits.startswith("+") else digits.removeprefix("00")
        number = parse(self.plan, self.home, text.encode())
        is_short = number.status == NumberStatus.NUMBER_SHORT and not digits.startswith("+")
        if not bare or (bare.isascii() and bare.isdigit()):
            whole = covered(bare)
            if whole is not None and not (is_short and is_short_in_service(self.home, digits)):
                return f"{shown} {_COVERS.format(whole)}"
        if text.endswith("*"):
            return f"{shown} is a prefix; a list of kind prefix holds prefixes"
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

    def key(self, text: str) -> int:
        """The key of one trimmed text; ValueError with the reason when it is refused."""
        if not text:
            raise ValueError("is empty")
        match self.kind:
            case ListKind.NUMBER:
                keys, bad, why = self._number_keys(pa.array([text], pa.large_string()))
                if bad[0]:
                    raise ValueError(why(0))
                return int(keys[0])
            case ListKind.PREFIX:
                return _prefix_key(number_prefix(text))
            case ListKind.DEVICE:
                return _device(text)
            case ListKind.SUBSCRIBER:
                return _subscriber(text)
            case ListKind.DOMAIN:
                return self._domain(text)
            case ListKind.TRUNK:
                name = text.encode()
                if len(name) > Limits.MAX_FIELD or not text.isprintable():
                    raise ValueError(
                        f"{text[:40]!r} is no name of a trunk: at most {Limits.MAX_FIELD} printable bytes"
                    )
                return text_key_of(self.secret, KeyKind.KEY_TEXT + Field.F_TRUNK, name)

    def _domain(self, text: str) -> int:
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
        return key


def prefix_digits(key: int) -> bytes:
    """The digits of a KEY_PREFIX key (layout: keys.pxd)."""
    return b"%0*d" % (key >> 54 & 15, key & ((1 << 54) - 1))


def _only_zeros(texts: Any) -> npt.NDArray[np.bool_]:
    left = pyarrow.compute.ascii_trim(texts, characters="0+ -.()/*")
    return np.asarray(
        pyarrow.compute.equal(pyarrow.compute.binary_length(left), 0).to_numpy(zero_copy_only=False)
    )


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
    digits = text.removesuffix("*").translate(_SEPARATORS)
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


def _digits(text: str) -> tuple[str, bool]:
    """Digits without separators, and whether a ``*`` ended them."""
    bare = text.removesuffix("*").translate(_SEPARATORS)
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
