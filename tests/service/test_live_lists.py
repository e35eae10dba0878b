"""Lists of the store in a running service: on disk, in force with the next call, gone on time, back after a restart."""

import hashlib
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interceptor.engine.types import Verdict
from interceptor.runtime import upkeep
from interceptor.runtime.guard import GuardRefusedError
from interceptor.runtime.live import Changed
from interceptor.runtime.loader import LoadError
from interceptor.runtime.logs import open_log
from interceptor.runtime.service import Service, Settings
from interceptor.runtime.standing import StandingCollector
from interceptor.store.words import (
    Mode,
    NewEntry,
    StaleRevisionError,
    StoreRefusedError,
    StoreUnavailableError,
)
from service.running import environment

POLICY = """\
version: 1
lists:
  blocked: {kind: number}
  watch: {kind: number}
  allowed: {kind: number}
  own: {kind: number}
  hosts: {kind: domain}
counters:
  calls_1h: {count: call, per: caller, window: 1h}
guard: {protected: [own]}
appeals: {list: allowed, for: 30d}
rules:
  - {id: allowed, when: call.caller in lists.allowed, verdict: pass}
  - {id: listed, when: call.caller in lists.blocked, verdict: block, class: list, reason: known}
  - {id: host, when: call.domain in lists.hosts, verdict: block, class: list, reason: host}
  - {id: watched, when: call.caller in lists.watch, verdict: warn, class: list, reason: watched}
  - {id: scanner, when: call.user_agent.startsWith("friendly"), verdict: warn, class: analytics, reason: scanner,
     add_to: {list: watch, key: caller, for: 1h}}
  - {id: busy, when: counters.calls_1h > 1000, verdict: block, class: analytics, reason: busy}
"""
CALLER, CALLEE, OTHER = "+8613800138000", "+8613900139000", "+8613800138001"

Begin = Callable[..., Service]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """``begin()`` runs a service on the test policy; again, once it is stopped, on what the first one kept."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    services: list[Service] = []

    def make(**settings: object) -> Service:
        for each in services:
            each.stop()
        services.clear()
        given = {"policy": tmp_path / "policy.yaml", "data": tmp_path / "data", **settings}
        service = Service(Settings(**given), open_log("error"))  # type: ignore[arg-type]
        services.append(service)
        service.open(service.load())
        return service

    yield make
    for each in services:
        each.stop()


def rule_of(service: Service, caller: str = CALLER, **call: object) -> str:
    return service.decide({"caller": caller, "callee": CALLEE, **call}).rule


def eventually(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def add(service: Service, name: str, *texts: str, **words: int) -> int:
    entries = [NewEntry(text, **words) for text in texts]  # type: ignore[arg-type]
    return service.lists.add(name, "desk", entries, actor="local").revision


def test_the_next_call_sees_what_was_acknowledged(begin: Begin) -> None:
    service = begin()
    for at in range(50):
        caller = f"+86138001380{at:02d}"
        assert rule_of(service, caller) == "default"
        add(service, "blocked", caller)
        assert rule_of(service, caller) == "listed"
        assert service.lists.remove("blocked", [caller], actor="local").removed == 1
        assert rule_of(service, caller) == "default"
    assert service.store.revision() == 101


def test_what_several_sources_hold_goes_with_the_last(begin: Begin) -> None:
    service = begin()
    for source in ("police", "bank"):
        service.lists.add("blocked", source, [NewEntry(CALLER)], actor="local")
    service.lists.remove("blocked", [CALLER], source="police", actor="local")
    assert rule_of(service) == "listed"
    service.lists.remove("blocked", [CALLER], source="bank", actor="local")
    assert rule_of(service) == "default"


def test_what_is_on_the_lists_is_there_after_a_restart(begin: Begin) -> None:
    service = begin()
    add(service, "blocked", CALLER)
    add(service, "hosts", "bad.example")
    service.store.images.save(service.clock.now_ms())
    add(service, "blocked", OTHER)
    service.lists.remove("blocked", [CALLER], actor="local")
    again = begin()
    assert [rule_of(again, caller) for caller in (CALLER, OTHER)] == ["default", "listed"]
    assert rule_of(again, "+8613800138009", domain="www.bad.example") == "host"
    assert [held.text for held in again.lists.check_domain("www.bad.example")] == ["bad.example"]
    assert again.engine.revision == 1


def test_entries_begin_and_end_on_time(begin: Begin) -> None:
    service = begin()
    now = service.clock.now_ms()
    add(service, "blocked", CALLER, valid_until_ms=now + 1500)
    add(service, "blocked", OTHER, valid_from_ms=now + 1500)
    assert [rule_of(service, caller) for caller in (CALLER, OTHER)] == ["listed", "default"]
    eventually(lambda: [rule_of(service, caller) for caller in (CALLER, OTHER)] == ["default", "listed"])
    assert service.clock.now_ms() - now >= 1500


def test_what_ends_while_the_service_is_down_is_gone_when_it_is_back(begin: Begin) -> None:
    service = begin()
    add(service, "blocked", CALLER, valid_until_ms=service.clock.now_ms() + 700)
    service.store.images.save(service.clock.now_ms())
    service.stop()
    time.sleep(0.8)
    assert rule_of(begin()) == "default"


def test_what_a_rule_adds_is_kept_as_the_rules_doing(begin: Begin) -> None:
    service = begin()
    assert rule_of(service, user_agent="friendly-scanner") == "scanner"
    assert rule_of(service) == "watched"
    eventually(lambda: service.additions.kept == 1)
    (held,) = service.lists.show(CALLER).entries
    assert (held.list_name, held.source, held.added_by, held.reason) == (
        "watch", "rule:scanner", "rule:scanner", "scanner",
    )  # fmt: skip
    assert held.valid_until_ms is not None
    assert 3_590_000 < held.valid_until_ms - service.clock.now_ms() <= 3_600_000
    assert service.store.audit.log(1)[0].actor == "rule:scanner"
    assert rule_of(begin()) == "watched"


KILLED = """\
import sys
from pathlib import Path
from interceptor.runtime.logs import open_log
from interceptor.runtime.service import Service, Settings
from interceptor.store.words import NewEntry

service = Service(Settings(Path(sys.argv[1]) / "policy.yaml", Path(sys.argv[1]) / "data"), open_log("error"))
service.open(service.load())
for at in range(int(sys.argv[2]), 100):
    service.lists.add("blocked", "desk", [NewEntry(f"+86138001380{at:02d}")], actor="local")
    service.lists.remove("blocked", [f"+86138001380{at - 1:02d}"], actor="local")
    print(at, flush=True)
"""


def test_a_kill_loses_nothing_that_was_acknowledged(
    begin: Begin, tmp_path: Path, scale: Callable[..., int]
) -> None:
    begin().stop()
    acknowledged = 0
    for _ in range(scale(2, 50)):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, tmp_path, str(acknowledged + 1)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged % 7 == 0:
                break
        process.send_signal(signal.SIGKILL)
        acknowledged = int((process.stdout.readlines() or [acknowledged])[-1])
        process.wait()
        process.stdout.close()
    service = begin()
    assert rule_of(service, f"+86138001380{acknowledged:02d}") == "listed"
    assert rule_of(service, f"+86138001380{acknowledged - 1:02d}") == "default"
    assert service.store.audit.verify(deep=True).problems == ()


def test_an_undo_puts_back_what_was(begin: Begin) -> None:
    service = begin()
    add(service, "blocked", CALLER)
    revision = add(service, "blocked", OTHER, "+8613800138002")
    tried = service.lists.undo(revision, actor="local", dry_run=True)
    assert (tried.revision, tried.removed) == (0, 2)
    assert rule_of(service, OTHER) == "listed"
    service.lists.undo(revision, actor="local")
    assert [rule_of(service, caller) for caller in (CALLER, OTHER)] == ["listed", "default"]


def test_a_list_that_is_a_file_is_changed_there(begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "fraud.csv").write_text(f"number\n{CALLER}\n")
    (tmp_path / "policy.yaml").write_text(
        POLICY.replace("blocked: {kind: number}", "blocked: {kind: number, file: fraud.csv}")
    )
    service = begin()
    assert rule_of(service) == "listed"
    with pytest.raises(StoreRefusedError, match=r"lists.blocked is read from .*fraud.csv: change that file"):
        add(service, "blocked", OTHER)
    with pytest.raises(StoreRefusedError, match="the store has no list"):
        add(service, "blocket", OTHER)


def test_protected_numbers_need_a_confirmation(begin: Begin) -> None:
    service = begin()
    add(service, "own", "95588")
    for text, why in (
        ("110", "emergency number"),
        ("95588", "protected list own"),
        ("+12025551", "area code"),
    ):
        with pytest.raises(GuardRefusedError, match=why) as refused:
            add(service, "blocked", text)
        assert refused.value.impact.refused
    add(service, "allowed", "110")  # it lets through
    assert service.tally.changes_refused == 3
    assert service.store.audit.log(1, action="refused")[0].subject == "blocked"

    with pytest.raises(GuardRefusedError) as refused:
        add(service, "blocked", "95588")
    shown = refused.value.impact.revision
    add(service, "watch", OTHER)
    entry = [NewEntry("95588")]
    with pytest.raises(StaleRevisionError):
        service.lists.add("blocked", "desk", entry, actor="local", confirmed=shown)
    now = service.store.revision()
    assert service.lists.add("blocked", "desk", entry, actor="local", confirmed=now).added == 1
    assert service.store.audit.log(1, action="confirmed")[0].detail["protected"] == 1


def flood(service: Service, callers: list[str], seconds: float = 2.0) -> None:
    """Calls for a while, so that a sample of them is kept."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for caller in callers:
            rule_of(service, caller)
            time.sleep(0.07)
    eventually(lambda: len(service.recent) > 10)


def test_the_guard_refuses_what_turns_recent_calls(begin: Begin) -> None:
    service = begin(show_numbers=True)
    flood(service, [CALLER, OTHER])
    with pytest.raises(GuardRefusedError, match="recent calls would have been answered otherwise") as refused:
        add(service, "blocked", CALLER)
    impact = refused.value.impact
    assert impact.flipped >= 3
    assert (impact.first[0].caller, impact.first[0].was, impact.first[0].would_be) == (
        CALLER, "PASS default", "BLOCK listed",
    )  # fmt: skip
    assert rule_of(service) == "default"
    add(service, "blocked", "+8613800138005")  # nobody of late
    tried = service.lists.add("blocked", "desk", [NewEntry(CALLER)], actor="local", dry_run=True)
    assert tried.impact is not None
    assert (tried.revision, tried.added, tried.impact.refused) == (0, 1, True)
    service.lists.add("blocked", "desk", [NewEntry(CALLER)], actor="local", confirmed=tried.impact.revision)
    assert rule_of(service) == "listed"


def test_policies_are_put_guarded_and_rolled_back(begin: Begin) -> None:
    service = begin(policy=None)
    assert service.engine.spec.digest == service.policies.get().policy.digest
    first = service.policies.put(POLICY, origin="mine.yaml", actor="local")
    assert (first.in_force, first.rules, service.engine.revision) == (True, 6, first.policy.revision)
    add(service, "blocked", CALLER)
    assert rule_of(service) == "listed"
    flood(service, [OTHER])
    harsh = POLICY.replace("calls_1h > 1000", "calls_1h > 1")
    with pytest.raises(GuardRefusedError) as refused:
        service.policies.put(harsh, origin="mine.yaml", actor="local")
    with pytest.raises(LoadError, match=r"mine.yaml:\d+:\d+: unknown counter"):
        service.policies.put(
            POLICY.replace("counters.calls_1h", "counters.calls"), origin="mine.yaml", actor="local"
        )
    confirmed = refused.value.impact.revision
    second = service.policies.put(harsh, origin="mine.yaml", actor="local", confirmed=confirmed)
    assert rule_of(service, OTHER) == "busy"
    assert rule_of(service) == "listed"  # lists are what they were
    tried = service.policies.put(POLICY, origin="mine.yaml", actor="local", dry_run=True)
    assert tried.policy.revision == 0
    assert tried.impact is not None
    back = service.policies.rollback(first.policy.revision, actor="local", confirmed=service.store.revision())
    assert [each.policy.revision for each in service.policies.history()][:3] == [
        back.policy.revision, second.policy.revision, first.policy.revision,
    ]  # fmt: skip
    assert rule_of(service, OTHER) == "default"
    assert begin(policy=None).engine.revision == back.policy.revision


def test_a_service_that_follows_a_file_is_not_put_another(begin: Begin, tmp_path: Path) -> None:
    service = begin()
    with pytest.raises(StoreRefusedError, match=r"follows the policy file .*policy.yaml"):
        service.policies.put(POLICY, origin="x.yaml", actor="local")
    (tmp_path / "policy.yaml").write_text(POLICY + "default: pass\n")
    assert service.reload().revision == 2
    assert service.reload().revision == 2
    assert [each.policy.actor for each in service.policies.history()] == ["file", "file"]


def test_why_and_a_wrong_block_released_in_one_step(begin: Begin) -> None:
    service = begin()
    add(service, "blocked", CALLER)
    decision = service.decide({"caller": CALLER, "callee": CALLEE})
    eventually(lambda: service.remembering.kept == 1)
    told = service.decisions.explain_decision(decision.id)
    assert (told.verdict, told.rule, told.sip_code, told.caller) == ("BLOCK", "listed", 603, "+86138******00")
    assert [(held.text, held.source) for held in told.entries] == [(CALLER, "desk")]
    assert any("call.caller in lists.blocked" in word for word in told.words)
    assert f"interceptor feedback {decision.id} wrong" in told.undo
    noted = service.decisions.give_feedback(decision.id, right=False, actor="local")
    assert noted.released
    assert rule_of(service) == "allowed"
    assert service.decisions.explain_decision(decision.id).feedback == "wrong"
    assert service.store.feedback.precision().by_source["desk"].wrong == 1
    assert service.lists.show(CALLER).stopped == 1
    with pytest.raises(StoreRefusedError, match="is not remembered"):
        service.decisions.explain_decision("0" * 16)


def test_a_demoted_rule_stays_so_until_somebody_promotes_it(begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("calls_1h > 1000", "calls_1h > 0"))
    service = begin()
    assert service.decide({"caller": OTHER, "callee": CALLEE}).verdict is Verdict.BLOCK
    condition = "counters.calls_1h > 0"
    service.store.demotions.set(
        "busy", {"condition": condition}, actor="guard", now_ms=service.clock.now_ms()
    )
    again = begin()
    assert again.decide({"caller": OTHER, "callee": CALLEE}).verdict is Verdict.WARN
    again.reload()
    assert again.engine.demoted == {"busy"}
    again.policies.promote("busy", actor="local")
    assert again.decide({"caller": OTHER, "callee": CALLEE}).verdict is Verdict.BLOCK
    assert begin().engine.demoted == frozenset()


def test_while_the_database_is_away_decisions_go_on_and_changes_say_so(begin: Begin, tmp_path: Path) -> None:
    service = begin()
    add(service, "blocked", CALLER, valid_until_ms=service.clock.now_ms() + 2_000)
    eventually(lambda: service.upkeep.known.revision == service.store.revision())
    with sqlite3.connect(tmp_path / "data" / "store.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="cannot be written"):
            add(service, "blocked", OTHER)
        assert rule_of(service, OTHER) == "default"
        assert rule_of(service, "+8613700000001", user_agent="friendly-scanner") == "scanner"
        other.execute("ROLLBACK")
    other.close()
    add(service, "blocked", OTHER)
    assert rule_of(service, OTHER) == "listed"
    eventually(lambda: rule_of(service) == "default" and service.additions.kept == 1)


def test_import_is_swapped_in_as_a_whole_and_single_changes_meanwhile_stay(
    begin: Begin, scale: Callable[..., int]
) -> None:
    service = begin()
    size = scale(20_000, 1_000_000)
    rows = "number\n" + "".join(f"+86139{at:08d}\n" for at in range(size))
    data = rows.encode()
    going = service.lists.begin_import(
        "blocked",
        "feed",
        Mode.REPLACEMENT,
        file_name="feed.csv",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        actor="local",
    )
    going.receive(going.send_from, data)
    over = threading.Event()
    lost: list[str] = []

    def change() -> None:
        for at in range(10_000):
            caller = f"+86137{at:08d}"
            add(service, "blocked", caller)
            if rule_of(service, caller) != "listed":
                lost.append(caller)
            if over.is_set():
                return

    thread = threading.Thread(target=change)
    thread.start()
    done = going.finish()
    going.close()
    over.set()
    thread.join()
    assert isinstance(done, Changed)
    assert (done.added, lost) == (size, [])
    assert rule_of(service, f"+86139{size - 1:08d}") == "listed"
    assert rule_of(service, "+8613700000000") == "listed"
    service.lists.undo(done.revision, actor="local")
    assert rule_of(service, f"+86139{size - 1:08d}") == "default"
    assert rule_of(service, "+8613700000000") == "listed"


def test_metrics_tell_of_store_feeds_guard_and_feedback(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FACTS", 0.0)
    service = begin()
    add(service, "blocked", CALLER)
    with pytest.raises(GuardRefusedError):
        add(service, "blocked", "110")
    decision = service.decide({"caller": CALLER, "callee": CALLEE})
    eventually(lambda: service.remembering.kept == 1)
    service.decisions.give_feedback(decision.id, right=True, actor="local")
    eventually(lambda: bool(service.upkeep.known.precision.by_rule))
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in StandingCollector(service).collect()
        for sample in family.samples
    }
    assert told["interceptor_store_up",] == 1
    assert told["interceptor_store_revision",] == 2
    assert told["interceptor_guard_refusals_total",] == 1
    assert told["interceptor_decisions_remembered_total", "kept"] == 1
    assert told["interceptor_source_precision", "desk"] == told["interceptor_rule_precision", "listed"] == 1
    changed = told["interceptor_list_last_change_timestamp_seconds", "blocked", "desk"]
    assert 0 <= service.clock.now_ms() / 1000 - changed < 60
    assert not any("138" in label for key in told for label in key[1:])
