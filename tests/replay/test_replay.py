"""Recorded calls are decided again as an engine decides them that is asked call by call."""

from pathlib import Path

import numpy as np

from interceptor.engine.engine import ListContent
from interceptor.engine.keys import digits_key_of
from interceptor.replay.play import replay
from tests.replay.recorded import one_by_one, policy, rows_of, said, told, write_csv, write_parquet

FRAUD = {"fraud": ListContent(np.array([digits_key_of(1, b"8613800000001")], np.uint64))}


def test_a_replay_says_what_an_engine_says_that_is_asked_call_by_call(tmp_path: Path) -> None:
    spec, rows = policy(tmp_path), rows_of(1)
    outcome = replay(write_parquet(tmp_path / "calls.parquet", rows), spec, lists=FRAUD)
    decisions = one_by_one(spec, rows, FRAUD)
    assert said(spec, outcome.answers) == told(spec, decisions)
    assert {d.rule for d in decisions} >= {r.id for r in spec.rules if not r.shadow} | {
        "default",
        "emergency",
    }
    assert any(d.shadow for d in decisions) and any(d.repeated for d in decisions)
    assert outcome.calls == len(rows) and outcome.skipped == 0


def test_csv_says_what_parquet_says(tmp_path: Path) -> None:
    spec, rows = policy(tmp_path), rows_of(2)
    parquet = replay(write_parquet(tmp_path / "calls.parquet", rows), spec, lists=FRAUD)
    comma = replay(write_csv(tmp_path / "calls.csv", rows), spec, lists=FRAUD)
    assert np.array_equal(comma.answers, parquet.answers)
