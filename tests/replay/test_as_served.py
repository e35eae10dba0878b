"""What a service answered, a replay answers: the calls as they were sent, at the times the service gave them."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from interceptor.engine.trace import rule_id, shadow_ids
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.policy import load_policy
from interceptor.replay.play import replay
from tests.replay.recorded import Row, rows_of, write_parquet
from tests.service.running import Running

#: counts over windows long and short, what reports feed, lists that rules add to, shadow
POLICY = """
version: 1
trunks:
  default: {region: CN}
  own: {region: CN, trusted: true, own_subscribers: true}
tags: [dealer]
lists:
  watch: {kind: number}
counters:
  calls_1m: {count: call, per: caller, window: 1m}
  people_1h: {distinct: callee, per: caller, window: 1h}
  cards_1d: {distinct: imsi, per: imei, window: 24h}
  in_progress: {active: call, per: imei, ttl: 4h}
  answered_1h: {count: answered, per: caller, window: 1h}
  unanswered_1h: {count: unanswered, per: caller, window: 1h}
  short_1h: {count: short, under: 10s, per: caller, window: 1h}
rules:
  - {id: watched, when: call.caller in lists.watch, verdict: warn, class: analytics, reason: x}
  - {id: dealer, when: call.tags.dealer == "bad" && call.sim_age_days < 2, verdict: block, class: analytics, reason: x}
  - {id: cards, when: counters.cards_1d > 3 && counters.calls_1m > 2, verdict: warn, class: analytics, reason: x,
     add_to: {list: watch, key: caller, for: 1h}}
  - {id: at-once, when: counters.in_progress > 4, verdict: block, class: analytics, reason: x}
  - {id: short, when: counters.short_1h > 3, verdict: warn, class: analytics, reason: x}
  - {id: nobody, when: counters.unanswered_1h > 4, verdict: block, class: analytics, reason: x}
  - {id: people, when: counters.people_1h > 12, verdict: block, class: analytics, reason: x}
  - {id: burst, when: counters.calls_1m > 5 || counters.answered_1h > 6, verdict: warn, class: analytics, reason: x,
     mode: shadow}
default: pass
"""
CALLS = 900
ANSWERED, ENDED = "answered_ms", "ended_ms"


def sent(row: Row) -> pb.DecideRequest:
    """The row as a switch asks about it."""
    fields = {
        name: value for name, value in row.items() if value is not None and not name.startswith("tags.")
    }
    tags = {name.removeprefix("tags."): row[name] for name in row if name.startswith("tags.") and row[name]}
    return pb.DecideRequest(**fields, tags=tags)


def report(call_id: str, event: str, *, answered: bool) -> pb.ReportCallRequest:
    """What became of a call, as a switch reports it. Here nobody talks for long."""
    now = int(time.time() * 1000)
    if event == ANSWERED:
        return pb.ReportCallRequest(call_id=call_id, event=pb.CALL_EVENT_ANSWERED, time_ms=now)
    talked = 90 if answered else None
    return pb.ReportCallRequest(
        call_id=call_id, event=pb.CALL_EVENT_ENDED, time_ms=now, duration_ms=talked, cause=16
    )


def test_a_replay_answers_every_call_as_the_service_did_reports_in_between(tmp_path: Path) -> None:
    policy, log = tmp_path / "policy.yaml", tmp_path / "decisions.jsonl"
    policy.write_text(POLICY)
    calls = [row | {"call_id": f"call-{i}"} for i, row in enumerate(rows_of(21, CALLS))]
    calls = [
        {name: value for name, value in row.items() if name not in ("time_ms", "switch")} for row in calls
    ]
    #: behind which call it is reported what became of which: ends first
    reports = {i: [(i - 38, ENDED)] * (i >= 38 and i % 5 > 0) + [(i - 15, ANSWERED)] * (i >= 15 and i % 2 > 0)
               for i in range(CALLS)}  # fmt: skip
    answers = []
    service = Running(policy, "--threads", "1", "--decision-log", log, "--pass-sample", "1")
    try:
        for i, call in enumerate(calls):
            answers.append(service.data.ask("InterceptionService/Decide", sent(call), pb.DecideResponse))
            for of, event in reports[i]:
                told = report(f"call-{of}", event, answered=of % 2 == 0)
                service.data.ask("InterceptionService/ReportCall", told, pb.ReportCallResponse)
            time.sleep(0.0015)  # the next call's time is a later one
    finally:
        assert service.stop() == 0

    rows = recording(calls, answers, reports, log)
    spec = load_policy(policy)
    outcome = replay(write_parquet(tmp_path / "calls.parquet", rows), spec)
    replayed = [
        (int(answer["verdict"]), rule_id(spec, int(answer["rule"])), shadow_ids(spec, int(answer["shadow"])))
        for answer in outcome.answers
    ]
    assert replayed == [(answer.verdict, answer.rule, tuple(answer.shadow_rules)) for answer in answers]
    assert {rule for _, rule, _ in replayed} == {rule.id for rule in spec.rules if not rule.shadow} | {
        "default",
        "emergency",
    }
    assert sum(bool(shadow) for *_, shadow in replayed) > 20


def recording(
    calls: Sequence[Row],
    answers: Sequence[pb.DecideResponse],
    reports: Mapping[int, list[tuple[int, str]]],
    log: Path,
) -> list[Row]:
    """The calls at the times the service decided them, and what became of them at the time of the call behind it."""
    logged = {entry["decision_id"]: entry["time"] for entry in map(json.loads, log.read_text().splitlines())}
    rows: list[Row] = []
    now = 0
    for call, answer in zip(calls, answers, strict=True):
        at = logged.get(answer.decision_id)  # emergency calls are not logged
        now = now + 1 if at is None else round(datetime.fromisoformat(at).timestamp() * 1000)
        rows.append(call | {"time_ms": now, ANSWERED: None, ENDED: None})
    for behind in range(len(rows) - 1):
        for of, event in reports[behind]:
            rows[of][event] = rows[behind + 1]["time_ms"]
    return rows
