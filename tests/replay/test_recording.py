"""Files of recorded calls: columns under other names and of other types, and what is said of those that are no good."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from interceptor.replay.play import replay
from interceptor.replay.recording import Recording, RecordingError
from tests.replay import recorded
from tests.replay.recorded import Row, policy, rows_of, said, write_csv, write_parquet


def rows(calls: int = 5) -> list[Row]:
    return [
        {
            "time_ms": recorded.BEGIN + 1_000 * i,
            "caller": f"+86138000000{i:02}",
            "callee": "+8613900000000",
            "sim_age_days": 3,
            "ended_ms": recorded.BEGIN + 1_000 * i + 500,
        }
        for i in range(calls)
    ]


BAD: list[tuple[str, int, Any, str]] = [
    ("caller", 3, "+861\x07", "row 4, column 'caller': holds a control character"),
    ("callee", 1, "9" * 1_025, "row 2, column 'callee': is longer than 1,024 bytes"),
    ("time_ms", 2, None, "row 3, column 'time_ms': holds no time since 1970"),
    ("time_ms", 4, recorded.BEGIN, "row 5, column 'time_ms': goes back: sort the calls by time"),
    (
        "ended_ms",
        0,
        recorded.BEGIN - 1,
        "row 1, column 'ended_ms': is before the call began, or was answered",
    ),
    ("sim_age_days", 2, "old", "row 3, column 'sim_age_days': 'old' is not a whole number"),
    ("event", 1, "hung up", "row 2, column 'event': is none of call, activated, reactivated, attached, sms"),
]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("bad", BAD, ids=[problem for *_, problem in BAD])
def test_a_row_that_is_no_call_is_named_and_can_be_passed_over(
    tmp_path: Path, form: str, bad: tuple[str, int, Any, str]
) -> None:
    column, row, value, problem = bad
    spec, calls = policy(tmp_path), rows()
    calls[row] = calls[row] | {column: value}
    path = tmp_path / f"calls.{form}"
    if form == "csv":
        write_csv(path, calls)
    else:
        names = [*dict.fromkeys(name for call in calls for name in call)]
        columns = {name: [call.get(name) for call in calls] for name in names}
        if column == "sim_age_days":
            columns[column] = [str(value) for value in columns[column]]
        pyarrow.parquet.write_table(pa.table(columns), path)
    following = spec if column != "ended_ms" else policy(tmp_path, FOLLOWS, "follows.yaml")
    with pytest.raises(RecordingError) as error:
        replay(path, following)
    assert str(error.value) == f"{path}: {problem}"
    outcome = replay(path, following, skip_bad=True)
    assert (outcome.calls, outcome.skipped) == (4, 1)
    assert f"row {outcome.bad[0].row}, column {outcome.bad[0].column!r}: {outcome.bad[0].problem}" == problem
    assert outcome.answers["verdict"][row] == 0


FOLLOWS = """
version: 1
trunks: {default: {region: CN}}
counters: {ended_1h: {count: ended, per: caller, window: 1h}}
rules: [{id: ended, when: counters.ended_1h > 2, verdict: warn, class: analytics, reason: x}]
default: pass
"""


def test_columns_have_the_names_that_the_file_gives_them(tmp_path: Path) -> None:
    spec, calls = policy(tmp_path), rows_of(7, 300)
    plain = replay(write_parquet(tmp_path / "plain.parquet", calls), spec)
    names = {"caller": "A_NUMBER", "callee": "B_NUMBER", "tags.dealer": "SHOP"}
    renamed = [{names.get(name, name): value for name, value in call.items()} for call in calls]
    for path in (
        write_csv(tmp_path / "calls.csv", renamed),
        write_parquet(tmp_path / "calls.parquet", renamed),
    ):
        assert said(spec, replay(path, spec, columns=names).answers) == said(spec, plain.answers)
    with pytest.raises(RecordingError, match=r"has no column 'caller'; .*: say --column caller=NAME"):
        Recording(tmp_path / "calls.csv")
    with pytest.raises(RecordingError, match="has no column 'C_NUMBER' for caller; it has time_ms"):
        Recording(tmp_path / "calls.csv", {"caller": "C_NUMBER"})
    with pytest.raises(RecordingError, match="'calling' is no field of a recorded call; there are event"):
        Recording(tmp_path / "calls.csv", {"calling": "A_NUMBER"})


def test_values_may_come_in_other_types(tmp_path: Path) -> None:
    spec, calls = policy(tmp_path), rows(50)
    plain = replay(write_parquet(tmp_path / "plain.parquet", calls), spec)
    table = pa.table(
        {
            "time_ms": pa.array([call["time_ms"] for call in calls], pa.timestamp("ms", "Asia/Shanghai")),
            "caller": pa.array([call["caller"] for call in calls], pa.large_string()),
            "callee": pa.array([call["callee"] for call in calls]).dictionary_encode().cast(
                pa.dictionary(pa.int8(), pa.string())
            ),
            "sim_age_days": pa.array([float(call["sim_age_days"]) for call in calls]),
        }
    )  # fmt: skip
    pyarrow.parquet.write_table(table, tmp_path / "calls.parquet")
    assert np.array_equal(replay(tmp_path / "calls.parquet", spec).answers, plain.answers)
    path = write_csv(tmp_path / "calls.csv", calls)
    dated = [
        f"{np.datetime64(call['time_ms'], 'ms').item().isoformat()},{call['caller']},{call['callee']},3"
        for call in calls
    ]
    path.write_text("\n".join(["time_ms,caller,callee,sim_age_days", *dated]) + "\n")
    assert np.array_equal(replay(path, spec).answers, plain.answers)
    packed = tmp_path / "calls.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(replay(packed, spec).answers, plain.answers)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("calls.csv", b"", "is empty: a CSV file begins with the names of its columns"),
        ("calls.csv", b"\xff\xfe\n", "is not in UTF-8; save it as UTF-8"),
        ("calls.csv", b"time_ms,caller,callee\n1,2\n", "is not a readable CSV file"),
        ("calls.parquet", b"PAR1 or so", "is not a readable Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    spec, path = policy(tmp_path), tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordingError) as error:
        replay(path, spec)
    assert str(error.value).startswith(f"{path}") and problem in str(error.value)
