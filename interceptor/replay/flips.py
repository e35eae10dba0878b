"""Calls that a candidate answers otherwise than the policy it is held against: counted by kind, written as Parquet."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from interceptor.engine.answers import Answer, Differing
from interceptor.engine.spec import Spec
from interceptor.engine.trace import rule_id
from interceptor.engine.types import Verdict

#: columns of the recording that are told of a flipped call
WANTED = ("call_id", "caller", "callee", "label", "instance")
_WORDS = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("time_ms", pa.int64()),
        ("call_id", pa.string()),
        ("caller", pa.string()),
        ("callee", pa.string()),
        ("verdict_before", _WORDS),
        ("rule_before", _WORDS),
        ("verdict", _WORDS),
        ("rule", _WORDS),
        ("label", pa.string()),
        ("instance", pa.int32()),
    ]
)
_VERDICTS = ("", "pass", "warn", "block")


class Kinds(NamedTuple):
    """Flipped calls of one kind."""

    kind: Differing
    calls: int


class Flips:
    """Collects flipped calls.

    Parameters
    ----------
    before, after
        The policy in force, and the candidate.
    path
        Where each of them is written; None: nowhere.
    """

    def __init__(self, before: Spec, after: Spec, path: Path | None) -> None:
        self.before, self.after = before, after
        self.calls = 0
        self._kinds: Counter[tuple[int, int, int, int]] = Counter()
        self._writer = (
            None if path is None else pyarrow.parquet.ParquetWriter(path, SCHEMA, compression="zstd")
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(
        self, first: int, columns: Mapping[str, Any], was: npt.NDArray[np.void], would: npt.NDArray[np.void]
    ) -> None:
        """Adds what both said to a stretch."""
        rows = np.flatnonzero(was["verdict"] != would["verdict"])
        if len(rows) == 0:
            return
        self.calls += len(rows)
        was, would = was[rows], would[rows]
        self._kinds.update(
            zip(
                *(side[name].tolist() for side in (was, would) for name in ("verdict", "rule")),
                strict=True,
            )
        )
        if self._writer is not None:
            self._writer.write_table(self._table(first, rows, columns, was, would))

    def kinds(self) -> list[Kinds]:
        """The most frequent first."""
        return [
            Kinds(
                Differing(
                    Answer(Verdict(verdict), rule_id(self.before, rule)),
                    Answer(Verdict(new_verdict), rule_id(self.after, new_rule)),
                ),
                calls,
            )
            for (verdict, rule, new_verdict, new_rule), calls in self._kinds.most_common()
        ]

    def _table(
        self,
        first: int,
        rows: npt.NDArray[np.intp],
        columns: Mapping[str, Any],
        was: npt.NDArray[np.void],
        would: npt.NDArray[np.void],
    ) -> Any:
        made = {
            "row": pa.array(rows + first + 1),
            "verdict_before": _words(was["verdict"], lambda verdict: _VERDICTS[verdict]),
            "rule_before": _words(was["rule"], lambda rule: rule_id(self.before, rule)),
            "verdict": _words(would["verdict"], lambda verdict: _VERDICTS[verdict]),
            "rule": _words(would["rule"], lambda rule: rule_id(self.after, rule)),
        }
        for name in ("time_ms", *WANTED):
            held = SCHEMA.field(name).type
            column = columns[name].take(rows) if name in columns else pa.nulls(len(rows), held)
            made[name] = column if column.type == held else column.cast(held)
        return pa.table({name: made[name] for name in SCHEMA.names}, schema=SCHEMA)


def _words(codes: npt.NDArray[np.integer[Any]], word: Any) -> Any:
    different, place = np.unique(codes, return_inverse=True)
    return pa.DictionaryArray.from_arrays(
        pa.array(place.astype(np.int32)), pa.array([word(code) for code in different.tolist()])
    )
