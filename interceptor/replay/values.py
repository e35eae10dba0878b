"""Values of a column of recorded calls, as Arrow arrays of the few types that the kernel reads."""

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    WHOLE = "a whole number"
    TIME = "milliseconds since 1970, or a date and time"
    FLAG = "true or false"
    TEXTS = "texts, separated by blanks"


_TEXTS = (
    "event call_id switch caller callee asserted_identity privacy trunk domain user_agent source_ip imsi imei cell "
    "verstat attestation label"
)
_FEW = "event switch privacy trunk domain user_agent source_ip cell verstat attestation label"
#: field of a recorded call -> what it holds; beside these there are tags
KINDS = {
    **dict.fromkeys(_TEXTS.split(), Kind.TEXT),
    **dict.fromkeys(("time_ms", "answered_ms", "ended_ms", "event_time_ms"), Kind.TIME),
    **dict.fromkeys(("cause", "sim_age_days", "instance"), Kind.WHOLE),
    **dict.fromkeys(("international_ingress", "roaming", "fraud"), Kind.FLAG),
    "redirecting": Kind.TEXTS,
}
TAG = "tags."
#: texts of which there are few different ones: read as codes where the file has them so
FEW = frozenset(_FEW.split())
#: row -> (field, what is wrong with its value)
Flawed = dict[int, tuple[str, str]]

CODED = pa.dictionary(pa.int32(), pa.string())
_LISTS = pa.list_(pa.string())
_HELD = {
    Kind.TEXT: pa.string(),
    Kind.TEXTS: _LISTS,
    Kind.WHOLE: pa.int64(),
    Kind.TIME: pa.int64(),
    Kind.FLAG: pa.bool_(),
}
_TRUE, _FALSE = ("true", "True", "TRUE", "t", "yes", "1"), ("false", "False", "FALSE", "f", "no", "0")


def kind_of(field: str) -> Kind:
    return KINDS.get(field, Kind.TEXT)


def read_as(kind: Kind, array: Any, field: str, flawed: Flawed) -> Any:
    """The array as string (or dictionary of int32 and string), int64, bool or list of string.

    What cannot be read is null there, and noted in `flawed` unless something in that row was before.
    """
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    try:
        return _read(kind, array)
    except (pa.ArrowException, OverflowError):
        pass
    good: list[Any] = []  # one by one: it takes long, and says which
    for i in range(len(array)):
        try:
            good.append(_read(kind, array.slice(i, 1))[0].as_py())
        except (pa.ArrowException, OverflowError):
            flawed.setdefault(i, (field, f"{str(array[i])[:40]!r} is not {kind.value}"))
            good.append(None)
    return pa.array(good, _HELD[kind])


def _read(kind: Kind, array: Any) -> Any:
    if kind is Kind.TEXT:
        return _texts(array)
    if kind is Kind.TEXTS:
        return _lists(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind is Kind.TIME:
        return _times(array)
    return _flags(array) if kind is Kind.FLAG else _wholes(array)


def _texts(array: Any) -> Any:
    held = array.type
    if held == pa.string() or held == CODED:
        return array
    if pa.types.is_dictionary(held):
        words = _texts(array.dictionary)
        return pa.DictionaryArray.from_arrays(array.indices.cast(pa.int32()), words)
    if pa.types.is_floating(held) or pa.types.is_decimal(held):
        array = array.cast(pa.int64())  # numbers beside nulls are often kept as doubles
    elif pa.types.is_timestamp(held) or pa.types.is_nested(held):
        raise pa.ArrowInvalid(f"{held} is no text")
    return array.cast(pa.string())


def _texty(held: Any) -> bool:
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held))


def _wholes(array: Any) -> Any:
    if pa.types.is_boolean(array.type):
        raise pa.ArrowInvalid("true or false is no number")
    return array.cast(pa.int64())


def _times(array: Any) -> Any:
    if pa.types.is_timestamp(array.type):  # in UTC, whatever zone it is to be shown in
        return array.cast(pa.timestamp("ms", array.type.tz), safe=False).cast(pa.int64())
    if not _texty(array.type):
        return _wholes(array)
    try:
        return array.cast(pa.int64())
    except pa.ArrowException:
        pass
    try:
        return array.cast(pa.timestamp("ms", "UTC")).cast(pa.int64())
    except pa.ArrowException:  # no zone: UTC
        return array.cast(pa.timestamp("ms")).cast(pa.int64())


def _flags(array: Any) -> Any:
    if not _texty(array.type):
        return array.cast(pa.bool_())
    found = pc.index_in(array, pa.array([*_TRUE, *_FALSE]))
    if found.null_count > array.null_count:
        raise pa.ArrowInvalid("neither true nor false")
    return pc.less(found, len(_TRUE))


def _lists(array: Any) -> Any:
    held = array.type
    if pa.types.is_list(held) or pa.types.is_large_list(held):
        return array if held == _LISTS else array.cast(_LISTS)
    array = _texts(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(array)).cast(_LISTS)


def codes_of(array: Any, words: tuple[str, ...]) -> npt.NDArray[np.int32]:
    """The place of each text among `words`; -1: it is none of them; of a null 0."""
    if pa.types.is_dictionary(array.type):
        among = pc.index_in(array.dictionary, pa.array(words)).fill_null(-1)
        found = pc.take(among, array.indices)
    else:
        found = pc.index_in(array, pa.array(words)).fill_null(-1)
        found = pc.if_else(pc.is_null(array), pa.scalar(0, pa.int32()), found)
    return np.asarray(found.fill_null(0), dtype=np.int32)
