"""Recorded calls are decided again as an engine decides them that is asked call by call."""

import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from interceptor.engine.engine import ListContent
from interceptor.engine.keys import digits_key_of
from interceptor.engine.types import Verdict
from interceptor.numbering import load_plan
from interceptor.replay.needs import apart
from interceptor.replay.play import SECRET, Replay, Side, replay
from interceptor.replay.recording import Recording
from interceptor.store.listfile import read_list
from tests.replay import recorded
from tests.replay.recorded import (
    Row,
    followed,
    one_by_one,
    policy,
    rows_of,
    said,
    told,
    with_ends,
    write_csv,
    write_parquet,
)

HEAD = """
version: 1
trunks: {default: {region: CN}, own: {region: CN, trusted: true, own_subscribers: true}}
"""
#: counters that only reports feed
FOLLOWING = (
    HEAD
    + """
counters:
  in_progress: {active: call, per: imei, ttl: 4h}
  answered_1h: {count: answered, per: caller, window: 1h}
  unanswered_1h: {count: unanswered, per: caller, window: 1h}
  short_1h: {count: short, under: 10s, per: caller, window: 1h}
  talked_1h: {sum: duration, per: caller, window: 1h}
rules:
  - {id: many-at-once, when: counters.in_progress > 8, verdict: block, class: analytics, reason: x}
  - {id: short, when: counters.short_1h > 4 && counters.answered_1h < 12, verdict: warn, class: analytics, reason: x}
  - {id: talks, when: counters.talked_1h > 600, verdict: warn, class: analytics, reason: x}
  - {id: nobody, when: counters.unanswered_1h > 3, verdict: block, class: analytics, reason: x}
default: pass
"""
)
#: counters of what happens to cards
CARDS = (
    HEAD
    + """
tags: [dealer]
counters:
  woken_1h: {count: activated, per: tags.dealer, window: 1h}
  messages_1h: {count: sms, per: caller, window: 1h}
rules:
  - {id: busy-card, when: counters.messages_1h > 2, verdict: warn, class: analytics, reason: x}
  - {id: woken, when: counters.woken_1h > 20, verdict: block, class: analytics, reason: x}
default: pass
"""
)
#: nothing that one caller does changes what another is answered
APART = (
    HEAD
    + """
lists: {fraud: {kind: number}, watch: {kind: number}}
counters:
  calls_1m: {count: call, per: caller, window: 1m}
  people_1h: {distinct: callee, per: caller, window: 1h}
  pool_1h: {count: call, per: "prefix(caller, 7)", window: 1h}
  answered_1h: {count: answered, per: caller, window: 1h}
  again_1h: {count: call, per: [caller, callee], window: 1h}
rules:
  - {id: listed, when: call.caller in lists.fraud || call.caller in lists.watch, verdict: block, class: list, reason: x}
  - {id: again, when: counters.again_1h > 1, verdict: warn, class: analytics, reason: x}
  - {id: pool, when: counters.pool_1h > 60 && counters.pool_1h % 3 == 0, verdict: warn, class: analytics, reason: x}
  - {id: answered, when: counters.answered_1h > 20, verdict: warn, class: analytics, reason: x}
  - {id: often, when: counters.calls_1m > 1 || counters.people_1h > 9, verdict: block, class: analytics, reason: often}
default: pass
"""
)
LISTED = (
    HEAD
    + """
lists: {fraud: {kind: number}}
rules: [{id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: x}]
default: pass
"""
)
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


def test_answers_and_ends_count_between_the_calls_that_they_lie_between(tmp_path: Path) -> None:
    spec = policy(tmp_path, FOLLOWING)
    rows = with_ends(rows_of(3), 3)
    outcome = replay(write_parquet(tmp_path / "calls.parquet", rows), spec)
    decisions = [decision for decision in followed(spec, rows, {}) if decision is not None]
    assert said(spec, outcome.answers) == told(spec, decisions)
    assert {d.rule for d in decisions} >= {rule.id for rule in spec.rules}


def test_ends_hours_later_and_hours_without_a_call_change_nothing(tmp_path: Path) -> None:
    spec = policy(tmp_path, FOLLOWING)
    rng = random.Random(7)
    rows: list[Row] = []
    for i, row in enumerate(rows_of(7, 1_200)):
        begun = row["time_ms"] + i // 300 * rng.choice((5_000_000, 5_000_001)) * 4
        begun = max([begun, *(earlier["time_ms"] for earlier in rows[-1:])])
        answered = begun + rng.choice((0, 1, 1_023, 1_024, 4_000_000)) if rng.random() < 0.6 else None
        ended = (answered or begun) + rng.choice((0, 1, 1_024, 4_194_304, 8_388_608, 9_000_000))
        rows.append(row | {"time_ms": begun, "answered_ms": answered, "ended_ms": ended})
    outcome = replay(write_parquet(tmp_path / "calls.parquet", rows), spec)
    decisions = [decision for decision in followed(spec, rows, {}) if decision is not None]
    assert said(spec, outcome.answers) == told(spec, decisions)
    assert {"many-at-once", "nobody", "default"} <= {d.rule for d in decisions}


def test_what_happens_to_cards_counts_too(tmp_path: Path) -> None:
    spec = policy(tmp_path, CARDS)
    rng = random.Random(4)
    rows = [
        row | {"event": event, "call_id": None if event != "call" else row["call_id"]}
        for row in rows_of(4, 600)
        for event in [rng.choice(("call", "call", "activated", "attached", "sms"))]
    ]
    outcome = replay(write_parquet(tmp_path / "calls.parquet", rows), spec)
    decisions = followed(spec, rows, {})
    assert said(spec, outcome.answers[outcome.answers["verdict"] > 0]) == told(
        spec, [d for d in decisions if d]
    )
    assert [int(verdict) == 0 for verdict in outcome.answers["verdict"]] == [d is None for d in decisions]
    assert {"woken", "busy-card"} <= {d.rule for d in decisions if d}
    assert outcome.calls == sum(d is not None for d in decisions)


def test_a_call_without_an_id_is_joined_with_its_end_by_its_row(tmp_path: Path) -> None:
    spec = policy(tmp_path, FOLLOWING)
    rows = with_ends(rows_of(5, 600), 5)
    named = [row | {"call_id": f"row-{i}", "switch": None} for i, row in enumerate(rows)]
    nameless = [
        {name: value for name, value in row.items() if name not in ("call_id", "switch")} for row in rows
    ]
    first = replay(write_parquet(tmp_path / "named.parquet", named), spec)
    second = replay(write_parquet(tmp_path / "nameless.parquet", nameless), spec)
    assert np.array_equal(first.answers, second.answers)


def test_callers_apart_are_answered_as_callers_together(tmp_path: Path) -> None:
    spec = policy(tmp_path, APART)
    rows = [row | {"call_id": f"id-{i}"} for i, row in enumerate(with_ends(rows_of(6, 3_000), 6))]
    recording = Recording(write_parquet(tmp_path / "calls.parquet", rows))
    assert apart(spec) == (7, "")
    answers = []
    for cores in (1, 3):
        run = Replay(recording, [Side(spec, FRAUD)], cores=cores)
        answers.append(np.concatenate([played.answers[0] for played in run]))
        assert run.together == ("",)
    assert np.array_equal(answers[0], answers[1])
    assert len(np.unique(answers[0]["rule"])) > 3


def test_who_must_be_decided_together_is_said(tmp_path: Path) -> None:
    spec = policy(tmp_path)
    assert apart(spec) == (None, "counter cards_1d is not kept by caller but per imei")
    spec = policy(
        tmp_path,
        APART.replace("reason: often}", "reason: often, add_to: {list: watch, key: caller, for: 1h}}"),
    )
    assert apart(spec) == (None, "rule often puts callers on a list that others are held against")


def test_entries_of_a_list_file_end_when_their_time_has_come(tmp_path: Path) -> None:
    spec = policy(tmp_path, LISTED)
    end = recorded.BEGIN + 5_000
    until = datetime.fromtimestamp(end / 1000, UTC).isoformat()
    (tmp_path / "fraud.csv").write_text(f"number,reason,source,valid_until\n+8613800000001,x,y,{until}\n")
    entry = spec.lists[0]
    file = read_list(tmp_path / "fraud.csv", entry.kind, load_plan(), "CN", SECRET, recorded.BEGIN)
    rows = [
        {"time_ms": recorded.BEGIN + at, "caller": "+8613800000001", "callee": "+8613900000001"}
        for at in (0, 4_999, 5_000, 9_000)
    ]
    run = Replay(
        Recording(write_parquet(tmp_path / "calls.parquet", rows)), [Side(spec, files={"fraud": file})]
    )
    verdicts = [int(verdict) for played in run for verdict in played.answers[0]["verdict"]]
    assert verdicts == [Verdict.BLOCK, Verdict.BLOCK, Verdict.PASS, Verdict.PASS]


def test_a_row_without_a_time_moves_no_end_of_an_entry(tmp_path: Path) -> None:
    spec = policy(tmp_path, LISTED)
    until = datetime.fromtimestamp(recorded.BEGIN / 1000 + 5, UTC).isoformat()
    (tmp_path / "fraud.csv").write_text(f"number,reason,source,valid_until\n+8613800000001,x,y,{until}\n")
    file = read_list(tmp_path / "fraud.csv", spec.lists[0].kind, load_plan(), "CN", SECRET, recorded.BEGIN)
    rows: list[Row] = [
        {"time_ms": time, "caller": "+8613800000001", "callee": "+8613900000001"}
        for time in (*range(recorded.BEGIN, recorded.BEGIN + 8_000, 1_000), *[None] * 8)
    ]
    run = Replay(
        Recording(write_parquet(tmp_path / "calls.parquet", rows)),
        [Side(spec, files={"fraud": file})],
        skip_bad=True,
    )
    verdicts = [int(verdict) for played in run for verdict in played.answers[0]["verdict"]]
    assert verdicts == [Verdict.BLOCK] * 5 + [Verdict.PASS] * 3 + [0] * 8
