"""Recorded calls as a Parquet file: rows of the simulation in the columns that a replay reads."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from interceptor.simulation import calls, numbers
from interceptor.simulation.clock import DAY

#: Rows of a row group.
GROUP = 131_072

_WORDS = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("event", _WORDS),
        ("time_ms", pa.int64()),
        ("answered_ms", pa.int64()),
        ("ended_ms", pa.int64()),
        ("cause", pa.int32()),
        ("call_id", pa.string()),
        ("switch", _WORDS),
        ("caller", pa.string()),
        ("callee", pa.string()),
        ("redirecting", pa.list_(pa.string())),
        ("trunk", _WORDS),
        ("imsi", pa.string()),
        ("imei", pa.string()),
        ("cell", _WORDS),
        ("international_ingress", pa.bool_()),
        ("roaming", pa.bool_()),
        ("sim_age_days", pa.int64()),
        ("tags.dealer", _WORDS),
        ("tags.document", pa.string()),
        ("label", _WORDS),
        ("instance", pa.int32()),
        ("fraud", pa.bool_()),
    ]
)


class Recording:
    """A file that is written in groups of sorted rows, and is there once it is whole.

    Parameters
    ----------
    path
        Where; a file there is replaced.
    cells, dealers
        How many there are: their names are made once.
    told
        What the file says of itself, by key.
    """

    def __init__(self, path: Path, cells: int, dealers: int, told: dict[str, str]) -> None:
        self._cells = pa.array([numbers.cell_name(cell) for cell in range(cells)])
        self._dealers = pa.array([f"dealer-{dealer:05d}" for dealer in range(dealers)])
        self._written = 0
        self._waiting: list[calls.Rows] = []
        plain = {"call_id", "time_ms", "answered_ms", "ended_ms", "tags.document"}
        self._path, self._part = path, path.with_name(path.name + ".part")
        self._writer = pq.ParquetWriter(
            self._part,
            SCHEMA.with_metadata(told),
            compression="zstd",
            use_dictionary=[name for name in SCHEMA.names if name not in plain],
            store_schema=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        whole = False
        try:
            if kind is None and self._waiting:
                self._write(np.concatenate(self._waiting))
            self._writer.close()
            whole = kind is None
        finally:
            if whole:
                self._part.replace(self._path)
            else:
                self._part.unlink(missing_ok=True)

    def add(self, rows: calls.Rows) -> None:
        """More rows, later than all before."""
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) < GROUP:
            return
        rows = np.concatenate(self._waiting)
        whole = len(rows) // GROUP * GROUP
        self._write(rows[:whole])
        self._waiting = [rows[whole:].copy()]

    def _write(self, rows: calls.Rows) -> None:
        if len(rows):
            self._writer.write_table(self._table(rows), row_group_size=GROUP)
            self._written += len(rows)

    def _table(self, rows: calls.Rows) -> Any:
        call = rows["event"] == calls.SETUP
        time = rows["time"]
        talked = call & (rows["talk"] > 0)
        begin = time + rows["ring"]
        card = rows["activated"] != 0
        at = np.arange(self._written, self._written + len(rows))
        columns = {
            "event": _word(calls.EVENTS, rows["event"]),
            "time_ms": pa.array(time),
            "answered_ms": pa.array(begin, mask=~talked),
            "ended_ms": pa.array(begin + rows["talk"], mask=~call),
            "cause": pa.array(rows["cause"].astype(np.int32), mask=~call),
            "call_id": _digits(at, call, "c"),
            "switch": _word(numbers.SWITCHES, numbers.switch_name(rows["trunk"], rows["cell"])),
            "caller": _telephone(rows["caller"]),
            "callee": _telephone(rows["callee"]),
            "redirecting": _lists(rows["forwarded"]),
            "trunk": _word(numbers.TRUNKS, rows["trunk"]),
            "imsi": _digits(rows["imsi"], rows["imsi"] > 0),
            "imei": _digits(rows["imei"], rows["imei"] > 0),
            "cell": _word(self._cells, rows["cell"]),
            "international_ingress": pa.array(rows["international"] > 0, mask=rows["international"] < 0),
            "roaming": pa.array(rows["roaming"] > 0, mask=rows["roaming"] < 0),
            "sim_age_days": pa.array(np.maximum(time - rows["activated"], 0) // DAY, mask=~card),
            "tags.dealer": _word(self._dealers, rows["dealer"]),
            "tags.document": _digits(rows["document"], ~call & (rows["document"] > 0)),
            "label": _word(calls.LABELS, rows["label"]),
            "instance": pa.array(rows["instance"], mask=rows["instance"] < 0),
            "fraud": pa.array(np.ascontiguousarray(rows["fraud"])),
        }
        return pa.table(columns, schema=self._writer.schema)


def _word(names: Any, index: Any) -> Any:
    index = np.ascontiguousarray(index, np.int32)
    names = names if isinstance(names, pa.Array) else pa.array(names)
    return pa.DictionaryArray.from_arrays(pa.array(index, mask=index < 0), names)


def _digits(values: Any, known: Any, before: Any = None) -> Any:
    text = pc.cast(pa.array(np.ascontiguousarray(values), mask=~known), pa.string())
    return pc.binary_join_element_wise(before, text, "") if before is not None else text


def _telephone(values: Any) -> Any:
    """Numbers in E.164; service numbers as they are dialled."""
    return _digits(values, values > 0, pa.array(np.where(values < 1_000_000, "", "+")))


def _lists(numbers_: Any) -> Any:
    there = numbers_ > 0
    offsets = np.concatenate([[0], np.cumsum(there)]).astype(np.int32)
    values = _telephone(numbers_[there])
    offsets_ = pa.array(offsets, mask=np.append(~there, False))
    return pa.ListArray.from_arrays(offsets_, values)
