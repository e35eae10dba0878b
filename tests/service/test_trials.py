"""A policy on trial, and rules that demote themselves, in a running service."""

import threading
import time
from pathlib import Path

import pytest

from interceptor.engine.types import Verdict
from interceptor.runtime import demotion, events, trials, upkeep
from interceptor.runtime.loader import LoadError
from interceptor.store.words import StoreRefusedError
from service.test_live_lists import CALLEE, CALLER, OTHER, POLICY, Begin, add, begin, eventually, rule_of

__all__ = ["begin"]


def test_a_trial_tells_what_it_would_decide_otherwise(begin: Begin) -> None:
    service = begin(show_numbers=True)
    assert service.policies.trial() is None
    with pytest.raises(StoreRefusedError, match="no policy is on trial"):
        service.policies.stop_trial(actor="local")
    with pytest.raises(LoadError, match="unknown list"):
        service.policies.start_trial(
            POLICY.replace("lists.watch", "lists.wach"), origin="x.yaml", for_ms=60_000, actor="local"
        )
    harsh = POLICY.replace("calls_1h > 1000", "calls_1h > 1")
    begun = service.policies.start_trial(harsh, origin="harsh.yaml", for_ms=3_600_000, actor="local")
    assert (begun.running, begun.origin, begun.calls) == (True, "harsh.yaml", 0)
    assert begun.ends_ms - begun.begun_ms == 3_600_000
    assert [rule_of(service) for _ in range(3)] == ["default"] * 3
    eventually(lambda: len(service.policies.trial().last) == 2)  # type: ignore[union-attr]
    state = service.policies.stop_trial(actor="local")
    assert (state.running, state.calls, state.differing) == (False, 3, 2)
    assert state.kinds == {"PASS -> BLOCK busy": 2}
    assert (state.last[0].caller, state.last[0].was, state.last[0].would_be) == (
        CALLER, "PASS default", "BLOCK busy",
    )  # fmt: skip
    assert [record.action for record in service.store.audit.log(2)] == ["trial", "trial"]


HARSH = POLICY.replace("calls_1h > 1000", "calls_1h > 0")


def test_a_trial_that_is_stopped_has_told_what_it_counted(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PERIOD", 1)
    service = begin()
    service.policies.start_trial(HARSH, origin="first.yaml", for_ms=60_000, actor="local")
    assert [rule_of(service, CALLER), rule_of(service, OTHER)] == ["default"] * 2
    service.policies.start_trial(HARSH, origin="second.yaml", for_ms=60_000, actor="local")
    assert rule_of(service) == "default"
    state = service.policies.stop_trial(actor="local")
    assert (state.origin, state.differing, len(state.last)) == ("second.yaml", 1, 1)


def test_a_trial_tells_of_every_call_from_its_first_to_its_last(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PERIOD", 0.0005)
    monkeypatch.setattr(trials, "TOLD", 100_000)
    service = begin()

    def call(over: threading.Event) -> None:
        while not over.wait(0.002):
            rule_of(service)

    for _ in range(20):
        over = threading.Event()
        calling = threading.Thread(target=call, args=(over,))
        calling.start()
        service.policies.start_trial(HARSH, origin="harsh.yaml", for_ms=60_000, actor="local")
        eventually(lambda: service.policies.trial().differing > 0)  # type: ignore[union-attr]
        over.set()
        calling.join()
        state = service.policies.stop_trial(actor="local")
        assert len(state.last) == state.differing == state.calls > 0


def test_a_trial_ends_by_itself(begin: Begin) -> None:
    service = begin()
    service.policies.start_trial(POLICY, origin="same.yaml", for_ms=1_000, actor="local")
    eventually(lambda: service.store.audit.log(1)[0].actor == "expiry")
    assert not service.policies.trial().running  # type: ignore[union-attr]


def test_a_rule_that_jumps_only_warns_from_then_on(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demotion, "BUCKET_MS", 50)
    monkeypatch.setattr(upkeep, "PERIOD", 0.05)
    policy = POLICY.replace("counters.calls_1h > 1000", "call.domain == 'flood.example'")
    (tmp_path / "policy.yaml").write_text(policy.replace("{protected: [own]}", "{minimum: 20}"))
    service = begin()
    eventually(lambda: rule_of(service) == "default" and "busy" in service.demotions.rates.usual)
    blocked = {"caller": OTHER, "callee": CALLEE, "domain": "flood.example"}

    def flood() -> set[Verdict]:
        return {service.decide(blocked).verdict for _ in range(100)}

    eventually(lambda: flood() == {Verdict.WARN})
    assert service.engine.demoted == {"busy"}
    eventually(lambda: [each.rule for each in service.demotions.all()] == ["busy"])
    assert service.store.audit.log(1, action="demote")[0].actor == "guard"
    listed = "+8613800138003"
    add(service, "blocked", listed)
    for _ in range(2000):  # however many calls a list blocks
        rule_of(service, listed)
    time.sleep(0.5)
    assert rule_of(service, listed) == "listed"
    assert service.engine.demoted == {"busy"}
