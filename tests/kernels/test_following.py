"""What happens to calls after their setup, and to cards: counted once, whatever is lost, repeated, late or early."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from interceptor.engine.engine import CALL_DTYPE, CallError, Engine
from interceptor.engine.spec import Counter, Spec
from interceptor.engine.types import Field, Happening, Verdict
from interceptor.numbering import load_plan
from interceptor.policy import load_policy
from tests.model import following as model

NOW = 1_700_000_000_000
HOUR = 3600 * 1000
CALLERS = ["+8613800138000", "+8613800138001"]
CALLEES = ["+8613900139000", "+8613900139001"]
IMEIS = ["490154203237518", "356938035643809"]
BAD = "bad.example"

#: what is counted, as a policy writes it; what a policy of setups alone cannot say is put in by `made`
POLICY = """
version: 1
counters:
  answered: {count: call, per: caller, window: 24h}
  ended: {count: call, per: caller, window: 24h}
  unanswered: {count: call, per: caller, window: 24h}
  short: {count: call, per: caller, window: 24h}
  talked: {count: call, per: caller, window: 24h}
  longest: {count: call, per: [caller, callee], window: 24h}
  met: {distinct: callee, per: caller, window: 24h}
  abroad: {count: call, per: caller, window: 24h, where: call.roaming}
  active: {count: call, per: imei, window: 4h}
  active_abroad: {count: call, per: caller, window: 4h, where: call.roaming}
  texts: {count: call, per: caller, window: 24h}
  devices: {distinct: imei, per: caller, window: 24h}
  late_answered: {count: call, per: callee, window: 24h}
  late_ended: {count: call, per: imei, window: 24h, where: "call.callee.endsWith('1')"}
  late_active: {count: call, per: callee, window: 4h}
rules:
  - {id: bad, when: call.domain == "bad.example", verdict: block, class: analytics}
  - id: reads
    when: >-
      counters.answered + counters.ended + counters.unanswered + counters.short + counters.talked + counters.met
      + counters.longest + counters.abroad + counters.active + counters.active_abroad + counters.texts
      + counters.devices + counters.late_answered + counters.late_ended + counters.late_active > 1000000
    verdict: warn
"""
FED: dict[str, dict[str, Any]] = {
    "answered": {"happening": Happening.H_ANSWERED},
    "ended": {"happening": Happening.H_ENDED},
    "unanswered": {"happening": Happening.H_ENDED, "answered": False},
    "short": {"happening": Happening.H_ENDED, "answered": True, "under_ms": 10_000},
    "talked": {"happening": Happening.H_ENDED, "measure": "sum"},
    "longest": {"happening": Happening.H_ENDED, "measure": "max"},
    "met": {"happening": Happening.H_ANSWERED},
    "abroad": {"happening": Happening.H_ANSWERED},
    "active": {"measure": "active"},
    "active_abroad": {"measure": "active"},
    "texts": {"happening": Happening.H_SMS},
    "devices": {"happening": Happening.H_ATTACHED},
    "late_answered": {"happening": Happening.H_ANSWERED},
    "late_ended": {"happening": Happening.H_ENDED},
    "late_active": {"measure": "active"},
}
HAPPENINGS = {
    Happening.H_ANSWERED: "answered",
    Happening.H_ENDED: "ended",
    Happening.H_SMS: "sms",
    Happening.H_ATTACHED: "attached",
    Happening.H_CALL: "active",
}
WHERE = {
    "abroad": lambda call: call.get("roaming", False),
    "active_abroad": lambda call: call.get("roaming", False),
    "late_ended": lambda call: call.get("callee", "").endswith("1"),
}
#: counters of each policy that is published, one after the other
STAGES = [
    [name for name in FED if not name.startswith("late")],
    [name for name in FED if name != "late_active"],
    list(FED),
]


def made(names: list[str]) -> Spec:
    """A policy that has these counters."""
    text = "\n".join(
        line
        for line in POLICY.splitlines()
        if not line.startswith("  ")
        or line.strip().split(":")[0] not in FED
        or line.strip().split(":")[0] in names
    )
    for name in set(FED) - set(names):
        text = text.replace(f"+ counters.{name}", "")
    spec = load_policy("policy.yaml", text)
    counters = tuple(dataclasses.replace(counter, **FED[counter.name]) for counter in spec.counters)
    small = {visited: 1 << 10 for counter in counters for visited in [counter.entity]}
    return dataclasses.replace(spec, counters=counters, entities=small)


SPECS = [made(names) for names in STAGES]


def modelled(counter: Counter) -> model.Counter:
    """The same counter of the model."""
    names = {Field.F_CALLER: "caller", Field.F_CALLEE: "callee", Field.F_IMEI: "imei"}
    return model.Counter(
        HAPPENINGS[counter.happening],
        tuple(names[Field(part.field)] for part in counter.per),
        counter.measure,
        "" if counter.element is None else names[Field(counter.element)],
        counter.answered,
        counter.under_ms,
        WHERE.get(counter.name),
        counter.window_ms,
    )


def fresh(stage: int = 2) -> Engine:
    engine = Engine(load_plan(), secret=bytes(16), pass_sample=0, calls_in_flight=1000, repeats=1000)
    engine.publish(SPECS[stage], {}, revision=1)
    return engine


def values(engine: Engine, call: Mapping[str, Any], now: int) -> dict[str, int | None]:
    """What conditions would read, were the call made now; it is part of what is active."""
    told = engine.explain(call, now).counters
    return {one.counter: one.value - one.counted if one.readable else None for one in told}


def test_the_counters_of_a_call_follow_it() -> None:
    engine = fresh()
    call = {"caller": CALLERS[0], "callee": CALLEES[0], "imei": IMEIS[0], "call_id": "a"}
    engine.decide(call, NOW)
    assert values(engine, call, NOW + 1)["active"] == 1
    assert engine.report({"call_id": "a", "event": "answered"}, NOW + 5000) == "joined"
    assert engine.report({"call_id": "a", "event": "ended", "duration_ms": 7400}, NOW + 12_400) == "joined"
    read = values(engine, call, NOW + 12_401)
    assert (read["answered"], read["ended"], read["unanswered"], read["short"]) == (1, 1, 0, 1)
    assert (read["talked"], read["longest"], read["met"], read["active"]) == (7, 7, 1, 0)


@pytest.mark.parametrize(
    ("answered", "ended", "talked"),
    [
        ({}, {"duration_ms": 3600}, 4),  # what the switch says
        ({"time_ms": 1000}, {"time_ms": 31_000}, 30),  # the two reports' times, by its clock
        ({}, {}, 9),  # our clock
        ({"time_ms": 31_000}, {"time_ms": 1000}, 0),  # nonsense
        ({"time_ms": 1}, {"time_ms": 10**15}, 31 * 24 * 3600),
        ({}, {"duration_ms": 10**15}, 31 * 24 * 3600),
    ],
)
def test_how_long_a_call_lasted(answered: dict[str, int], ended: dict[str, int], talked: int) -> None:
    engine = fresh()
    call = {"caller": CALLERS[0], "callee": CALLEES[0], "call_id": "a"}
    engine.decide(call, NOW)
    engine.report({"call_id": "a", "event": "answered", **answered}, NOW + 1000)
    engine.report({"call_id": "a", "event": "ended", **ended}, NOW + 10_000)
    assert values(engine, call, NOW + 10_001)["talked"] == talked


def test_a_report_is_joined_to_the_decision_of_its_own_switch() -> None:
    engine = fresh()
    call = {"caller": CALLERS[0], "callee": CALLEES[0], "call_id": "a", "switch": "north"}
    engine.decide(call, NOW)
    ended = {"call_id": "a", "event": "ended"}
    assert engine.report({**ended, "switch": "south"}, NOW + 1) == "early"
    assert engine.report({**ended, "switch": "north"}, NOW + 1) == "joined"
    assert engine.report({**ended, "switch": "north"}, NOW + 2) == "repeated"


def test_a_blocked_call_is_never_active_and_its_reports_count_nothing() -> None:
    engine = fresh()
    call = {"caller": CALLERS[0], "callee": CALLEES[0], "imei": IMEIS[0], "call_id": "a", "domain": BAD}
    assert engine.decide(call, NOW).verdict == Verdict.BLOCK
    assert values(engine, call, NOW)["active"] == 0
    assert engine.report({"call_id": "a", "event": "answered"}, NOW) == "blocked"
    assert engine.report({"call_id": "a", "event": "ended", "duration_ms": 5}, NOW) == "blocked"
    assert not any(values(engine, call, NOW).values())


def test_an_emergency_call_is_not_counted() -> None:
    engine = fresh()
    call = {"caller": CALLERS[0], "callee": "110", "imei": IMEIS[0], "call_id": "a"}
    assert engine.decide(call, NOW).rule == "emergency"
    assert engine.report({"call_id": "a", "event": "answered", "call": call}, NOW) == "early"
    del call["call_id"]
    assert engine.report({"event": "ended", "call": call}, NOW) == "unknown"
    assert not any(values(engine, {**call, "callee": CALLEES[0]}, NOW).values())


def test_a_carried_call_tells_when_it_was_set_up() -> None:
    engine = fresh()
    call = {"caller": CALLERS[0], "callee": CALLEES[0], "imei": IMEIS[0]}
    engine.decide(call, NOW)  # without a call_id
    engine.decide(call, NOW + 2 * HOUR)
    ended = {"event": "ended", "time_ms": 2 * HOUR + 500_000, "call": {**call, "event_time_ms": 500_000}}
    assert engine.report(ended, NOW + 2 * HOUR) == "carried"
    assert values(engine, call, NOW + 2 * HOUR)["active"] == 1
    assert values(engine, call, NOW + 5 * HOUR)["active"] == 1  # the first would have gone by itself


def test_the_end_of_a_call_that_came_before_a_counter_does_not_end_what_it_counts() -> None:
    engine = fresh(0)
    call = {"caller": CALLERS[0], "callee": CALLEES[0], "call_id": "old"}
    engine.decide(call, NOW)
    engine.publish(SPECS[2], {}, revision=2)
    engine.decide({**call, "call_id": "new"}, NOW + 1)
    assert engine.report({"call_id": "old", "event": "ended"}, NOW + 2) == "joined"
    assert values(engine, call, NOW + 3)["late_active"] == 1
    assert values(engine, call, NOW + 3)["ended"] == 1


def test_calls_of_eight_policies_are_understood() -> None:
    engine = fresh(0)
    call = {"caller": CALLERS[0], "callee": CALLEES[0]}
    for generation in range(1, 12):
        engine.decide({**call, "call_id": f"call-{generation}"}, NOW)
        engine.publish(SPECS[generation % 2], {}, revision=generation + 1)
    for generation in range(1, 12):
        engine.report({"call_id": f"call-{generation}", "event": "ended"}, NOW + 1)
    assert values(engine, call, NOW + 2)["ended"] == 7  # the eighth layout is that of the policy in force


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ({"event": "ended"}, "call_id: a report names its call, or carries it: give call_id or call"),
        ({"call_id": "a"}, "event: must be answered or ended, not 0"),
        ({"call_id": "a", "event": "begun"}, "event: must be answered or ended, not begun"),
        ({"call_id": "a", "event": "ended", "duration_ms": -1}, "duration_ms: -1 is out of range"),
        ({"call_id": "a", "event": "ended", "cause": 128}, "cause: 128 is out of range"),
        ({"call_id": "a", "event": "ended", "time_ms": "x"}, "time_ms: must be a whole number, not str"),
        ({"call_id": "a\n", "event": "ended"}, "call_id: holds a control character"),
        ({"event": "ended", "call": {"imei": b"\xff"}}, "call.imei: not valid UTF-8"),
        ({"call_id": "a", "event": "ended", "reason": 1}, "reason: no such field"),
    ],
)
def test_a_malformed_report_names_its_field(report: dict[str, Any], told: str) -> None:
    with pytest.raises(CallError) as error:
        fresh().report(report, NOW)
    assert str(error.value).startswith(told)


def test_a_malformed_card_names_its_field() -> None:
    engine = fresh()
    for event, card, told in [
        ("sold", {}, "event: must be activated, reactivated, attached or sms, not sold"),
        ("sms", {"number": b"\xff"}, "number: not valid UTF-8"),
        ("sms", {"report_id": 5}, "report_id: must be text, not int"),
        ("sms", {"time_ms": -1}, "time_ms: -1 is out of range"),
    ]:
        with pytest.raises(CallError) as error:
            engine.report_subscription(event, card, NOW)
        assert str(error.value).startswith(told)


def test_calls_of_one_call_id_between_several_parties_are_calls_of_their_own() -> None:
    """Whoever calls chooses the call_id: it buys him neither an answer nor a counter."""
    engine = fresh()
    calls = [
        {"caller": caller, "callee": callee, "imei": IMEIS[0], "call_id": "a"}
        for caller in CALLERS[:2]
        for callee in CALLEES[:2]
    ]
    for n, call in enumerate(calls):
        assert not engine.decide(call, NOW + n).repeated
        assert engine.decide(call, NOW + n).repeated
    asked = {"caller": CALLERS[0], "callee": CALLEES[0], "imei": IMEIS[0]}
    for n in range(4):  # each end is of another call: none is active for ever, none less than never
        assert values(engine, asked, NOW + 100)["active"] == 4 - n
        assert (
            engine.report({"call_id": "a", "event": "ended", "duration_ms": 5000}, NOW + 10 + n) == "joined"
        )
    assert engine.report({"call_id": "a", "event": "ended", "duration_ms": 5000}, NOW + 20) == "repeated"
    read = values(engine, asked, NOW + 100)
    assert (read["active"], read["ended"], read["short"]) == (0, 2, 2)


def test_a_call_is_the_same_however_its_numbers_are_written() -> None:
    engine = fresh()
    call = {"caller": "+8613800138000", "callee": "+8613900139000", "call_id": "a"}
    assert not engine.decide(call, NOW).repeated
    for caller in ("sip:+8613800138000@example.com;user=phone", "008613800138000", "tel:+86-138-0013-8000"):
        assert engine.decide({**call, "caller": caller}, NOW + 1).repeated
    assert not engine.decide({**call, "caller": call["callee"], "callee": call["caller"]}, NOW + 2).repeated
    for unreadable in ("sip:alice@example.com", "sip:bob@example.com"):  # without a key its text tells
        for parties in ({"caller": unreadable}, {"callee": unreadable}):
            assert not engine.decide({**call, **parties}, NOW + 3).repeated
            assert engine.decide({**call, **parties}, NOW + 4).repeated


def test_a_policy_that_counts_no_reports_follows_no_calls() -> None:
    engine = Engine(load_plan(), secret=bytes(16))
    engine.publish(load_policy("p.yaml", "version: 1\nrules: []\ndefault: pass\n"), {}, revision=1)
    engine.decide({"caller": CALLERS[0], "call_id": "a"}, NOW)
    assert engine.report({"call_id": "a", "event": "ended"}, NOW) == "unknown"
    stats = engine.stats()
    assert stats["in_flight"]["bytes"] == 0
    assert stats["reports"]["unknown"] == 1


def test_recorded_calls_count_as_they_did_when_they_came() -> None:
    one, other = fresh(), fresh()
    calls = np.zeros(40, dtype=CALL_DTYPE)
    for i in range(40):
        calls[i]["caller"], calls[i]["callee"] = CALLERS[i % 2].encode(), CALLEES[i % 2].encode()
        calls[i]["imei"], calls[i]["call_id"] = IMEIS[i % 2].encode(), f"call-{i}".encode()
        calls[i]["domain"] = BAD.encode() if i % 7 == 0 else b""
    events = [(NOW + 100 * i, Happening.H_CALL, i, -1) for i in range(40)]
    events += [(NOW + 100 * i + 450, Happening.H_ANSWERED, i, -1) for i in range(0, 40, 2)]
    events += [(NOW + 100 * i + 5000, Happening.H_ENDED, i, 3000 if i % 4 == 0 else -1) for i in range(38)]
    events += [(NOW + 9000, Happening.H_SMS, 1, -1)]
    events.sort(key=lambda event: event[0])
    times, happening, rows, durations = (np.array(column) for column in zip(*events, strict=True))
    answers = one.replay_batch(calls, times, happening, rows, durations)
    for (now, what, row, duration), answer in zip(events, answers, strict=True):
        call = {n: calls[row][n].decode() for n in ("caller", "callee", "imei", "call_id", "domain")}
        call = {name: text for name, text in call.items() if text}
        if what == Happening.H_CALL:
            assert other.decide(call, now).verdict == answer["verdict"]
        elif what == Happening.H_SMS:
            other.report_subscription("sms", {"number": call["caller"]}, now)
            assert answer["verdict"] == 0
        else:
            event = "answered" if what == Happening.H_ANSWERED else "ended"
            told = {"duration_ms": int(duration)} if duration >= 0 else {}
            other.report({"call_id": call["call_id"], "event": event, "time_ms": int(now), **told}, int(now))
    for i in range(2):
        call = {"caller": CALLERS[i], "callee": CALLEES[i], "imei": IMEIS[i]}
        assert values(one, call, NOW + 10_000) == values(other, call, NOW + 10_000)
    assert one.stats()["reports"]["joined"] == other.stats()["reports"]["joined"] > 0


names = st.sampled_from(["a", "b", "c", None])
calls = st.fixed_dictionaries(
    {"caller": st.sampled_from(CALLERS), "callee": st.sampled_from(CALLEES)},
    optional={"imei": st.sampled_from(IMEIS), "roaming": st.booleans()},
)
times = st.sampled_from([0, 0, 5000, 12_000, 60_000])


class KernelIsModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.stage = 0
        self.engine = fresh(0)
        self.model = model.Following()
        self.model.publish({one.name: modelled(one) for one in SPECS[0].counters})
        self.answered_until: dict[tuple[str, str, str], int] = {}

    @rule(step=st.sampled_from([1, 900, 12_000, 33_000]))
    def pass_time(self, step: int) -> None:
        self.now += step

    @rule()
    def publish(self) -> None:
        if self.stage < 2:
            self.stage += 1
            self.engine.publish(SPECS[self.stage], {}, revision=self.stage + 1)
            self.model.publish({one.name: modelled(one) for one in SPECS[self.stage].counters})

    @rule(name=names, call=calls, blocked=st.booleans())
    def decide(self, name: str | None, call: dict[str, Any], blocked: bool) -> None:
        self.now += 1  # of two calls of a millisecond none is the newer one
        sent = {**call, "domain": BAD if blocked else "example.org"}
        if name is not None:
            sent["call_id"] = name
        decision = self.engine.decide(sent, self.now)
        same = (name or "", call["caller"], call["callee"])
        repeated = name is not None and self.answered_until.get(same, 0) > self.now
        assert decision.repeated == repeated
        if not repeated:
            self.model.decide(name, call, self.now, blocked=blocked)
            self.answered_until[same] = self.now + 32_000

    @rule(
        name=names,
        event=st.sampled_from(["answered", "ended", "ended"]),
        call=st.none() | calls,
        time_ms=times,
        duration=st.none() | st.sampled_from([0, 4000, 11_000]),
    )
    def report(
        self, name: str | None, event: str, call: dict[str, Any] | None, time_ms: int, duration: int | None
    ) -> None:
        if name is None and call is None:
            return
        self.now += 1
        duration = duration if event == "ended" else None
        sent = {"call_id": name, "event": event, "time_ms": time_ms, "duration_ms": duration, "call": call}
        outcome = self.engine.report(sent, self.now)
        assert outcome == self.model.report(name, model.News(event, time_ms, duration), self.now, call)

    @rule(
        name=st.sampled_from(["a", "x", "y", None]),
        event=st.sampled_from(["sms", "attached"]),
        number=st.sampled_from(CALLERS),
        imei=st.none() | st.sampled_from(IMEIS),
    )
    def card(self, name: str | None, event: str, number: str, imei: str | None) -> None:
        outcome = self.engine.report_subscription(
            event, {"report_id": name, "number": number, "imei": imei}, self.now
        )
        card = {"caller": number} | ({} if imei is None else {"imei": imei})
        assert outcome == self.model.card(name, event, card)

    @rule(caller=st.sampled_from(CALLERS), callee=st.sampled_from(CALLEES), imei=st.sampled_from(IMEIS))
    def counters_are_the_models(self, caller: str, callee: str, imei: str) -> None:
        call = {"caller": caller, "callee": callee, "imei": imei}
        read = values(self.engine, call, self.now)
        assert read == {name: self.model.value(name, call) for name in read}
        assert all(value >= 0 for value in read.values() if value is not None)

    def teardown(self) -> None:
        for caller, callee, imei in zip(CALLERS, CALLEES, IMEIS, strict=True):
            self.counters_are_the_models(caller, callee, imei)


TestKernelIsModel = KernelIsModel.TestCase
TestKernelIsModel.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
