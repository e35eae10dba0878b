"""The engine as one thing: publishing, reloading, batches, threads. What a decision means is in tests/conformance."""

import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.engine import CALL_DTYPE, CallError, Engine, ListContent
from interceptor.engine.keys import digits_key_of
from interceptor.engine.spec import Spec
from interceptor.engine.state import StateDirectory
from interceptor.engine.types import Verdict
from interceptor.numbering import load_plan
from interceptor.policy import load_policy

NOW = 1_700_000_000_000
CALLER, CALLEE = "+8613800138000", "+8613900139000"

POLICY = """
version: 1
lists:
  fraud: {kind: number}
  block: {kind: prefix}
counters:
  calls: {count: call, per: caller, window: 1m}
  people: {distinct: callee, per: caller, window: 1h}
rules:
  - {id: listed, when: call.caller in lists.fraud || call.caller in lists.block, verdict: block, class: list}
  - {id: busy, when: counters.calls > 3, verdict: warn}
  - {id: quiet, when: counters.people > 2, verdict: warn, mode: shadow}
default: pass
"""


def policy(text: str = POLICY) -> Spec:
    return load_policy("policy.yaml", text)


def numbers(*texts: str) -> ListContent:
    return ListContent(
        np.array([digits_key_of(1, t.removeprefix("+").encode()) for t in texts], dtype=np.uint64)
    )


def made() -> Engine:
    engine = Engine(load_plan(), secret=bytes(16), pass_sample=0)
    engine.publish(policy(), {}, revision=1)
    return engine


ENGINE = made()  # for what only explains


@pytest.fixture
def engine() -> Iterator[Engine]:
    yield made()


def call(**fields: object) -> dict[str, object]:
    return {"caller": CALLER, "callee": CALLEE, **fields}


def rows(count: int, caller: bytes = CALLER.encode()) -> np.ndarray:
    made = np.zeros(count, dtype=CALL_DTYPE)
    made["caller"], made["callee"] = caller, CALLEE.encode()
    return made


def test_an_engine_without_a_policy_says_so() -> None:
    with pytest.raises(RuntimeError, match="publish one first"):
        Engine(load_plan()).decide(call(), NOW)


def test_a_listed_number_is_blocked_from_the_next_call_on_and_free_from_the_next_call_on(
    engine: Engine,
) -> None:
    assert engine.decide(call(), NOW).verdict == Verdict.PASS
    assert engine.add("fraud", numbers(CALLER)) == 1
    blocked = engine.decide(call(), NOW)
    assert (blocked.verdict, blocked.rule) == (Verdict.BLOCK, "listed")
    assert engine.remove("fraud", numbers(CALLER)) == 1
    assert engine.decide(call(), NOW).verdict == Verdict.PASS


def test_a_listed_prefix_can_be_added_and_taken_off(engine: Engine) -> None:
    prefix = ListContent(np.empty(0, np.uint64), [(0, b"8613800")])
    assert engine.add("block", prefix) == 1
    assert engine.decide(call(), NOW).rule == "listed"
    assert engine.stats()["list_sizes"]["block"] == 1
    assert engine.remove("block", prefix) == 1
    assert engine.decide(call(), NOW).rule == "default"


def test_a_list_grows_far_beyond_what_it_was_built_for(engine: Engine) -> None:
    many = ListContent(np.arange(1, 200_001, dtype=np.uint64) | np.uint64(digits_key_of(1, b"10000000000")))
    added = engine.add("fraud", many)
    assert engine.stats()["list_sizes"]["fraud"] == added
    assert all(engine.contains("fraud", int(key)) for key in many.keys[::1000])


def test_an_unknown_list_is_named_with_those_there_are(engine: Engine) -> None:
    with pytest.raises(KeyError, match="no list 'fruad'; the policy has fraud, block"):
        engine.add("fruad", numbers(CALLER))


def test_a_reload_keeps_every_counter_whose_definition_did_not_change(engine: Engine) -> None:
    for _ in range(3):
        engine.decide(call(), NOW)
    renamed = POLICY.replace("calls:", "setups:").replace("counters.calls", "counters.setups")
    more = renamed.replace("  people:", "  per_callee: {count: call, per: callee, window: 1m}\n  people:")
    engine.publish(policy(more), {}, revision=2)
    fourth = engine.decide(call(), NOW)
    assert (fourth.rule, fourth.revision, fourth.shadow) == ("busy", 2, ())
    counters = {c.counter: c.value for c in engine.explain(call(), NOW).counters}
    assert counters == {"setups": 5, "per_callee": 2, "people": 1}


def test_a_reload_forgets_a_counter_that_now_means_something_else(engine: Engine) -> None:
    for _ in range(5):
        engine.decide(call(), NOW)
    engine.publish(
        policy(POLICY.replace("per: caller, window: 1m", "per: caller, window: 2m")), {}, revision=2
    )
    assert engine.decide(call(), NOW).rule == "default"


def test_a_table_goes_when_its_last_counter_does(engine: Engine) -> None:
    engine.publish(policy("version: 1\nrules: []\ndefault: pass\n"), {}, revision=2)
    assert engine.stats()["entities"] == []


def test_totals_of_a_rule_go_on_across_reloads_and_a_dropped_rule_is_forgotten(engine: Engine) -> None:
    for _ in range(5):
        engine.decide(call(), NOW)
    engine.publish(policy(POLICY.replace("id: quiet", "id: calm")), {}, revision=2)
    engine.decide(call(), NOW)
    stats = engine.stats()
    assert stats["rules"]["busy"]["decided"] == 3
    assert set(stats["rules"]) == {"listed", "busy", "calm"}
    assert stats["verdicts"] == {"pass": 3, "warn": 3, "block": 0}
    assert sum(stats["latency"]["counts"]) == 6


def test_an_entry_a_rule_made_outlives_the_rule_but_not_its_time(engine: Engine) -> None:
    text = """
version: 1
trunks: {default: {own_subscribers: true}}
lists: {held: {kind: number}}
counters: {calls: {count: call, per: caller, window: 1m}}
rules:
  - {id: held, when: call.caller in lists.held, verdict: block, class: analytics}
  - {id: fast, when: counters.calls > 1, verdict: warn, add_to: {list: held, key: caller, for: 1h}}
default: pass
"""
    engine.publish(policy(text), {}, revision=2)
    assert [engine.decide(call(), NOW).rule for _ in range(3)] == ["default", "fast", "held"]
    without = "\n".join(line for line in text.splitlines() if "id: fast" not in line)
    engine.publish(policy(without), {}, revision=3)
    assert engine.decide(call(), NOW + 3_599_999).rule == "held"
    assert engine.decide(call(), NOW + 3_600_000).rule == "default"


@pytest.mark.parametrize("verdict", ["pass", "warn"])
def test_what_a_rule_added_is_in_the_event_of_its_decision(engine: Engine, verdict: str) -> None:
    text = f"""
version: 1
lists: {{devices: {{kind: device}}, held: {{kind: number}}}}
rules:
  - {{id: device, when: has(call.imei), verdict: {verdict}, add_to: {{list: devices, key: imei, for: 1h}}}}
  - {{id: number, when: "true", verdict: {verdict}, add_to: {{list: held, key: callee, for: 1h}}}}
default: pass
"""
    engine.publish(policy(text), {}, revision=2)
    for fields in ({"imei": "35-693803-564380-9"}, {}, {}):
        engine.decide(call(**fields), NOW)
    told = [row for row in engine.drain_events() if row["added"]]
    assert [(row["rule"], row["added_text"], row["time_ms"]) for row in told] == [
        (0, b"35693803564380", NOW),
        (1, CALLEE.encode(), NOW),
    ]
    assert told[1]["added_key"] == numbers(CALLEE).keys[0]


def test_a_failed_publish_keeps_the_old_policy(engine: Engine) -> None:
    broken = policy()
    object.__setattr__(broken, "trunks", {"default": type(next(iter(broken.trunks.values())))(region="XX")})
    with pytest.raises(ValueError, match="XX"):
        engine.publish(broken, {}, revision=9)
    assert engine.revision == 1
    assert engine.decide(call(), NOW).verdict == Verdict.PASS


def test_a_batch_sees_its_own_calls_in_order_whatever_the_chunk() -> None:
    answers = []
    for chunk in (1, 2, 7, 64):
        engine = Engine(load_plan(), secret=bytes(16))
        engine.publish(policy(), {}, revision=1)
        times = NOW + np.arange(100, dtype=np.int64) * 5_000
        answers.append(engine.decide_batch(rows(100), times, chunk=chunk))
    for other in answers[1:]:
        for name in ("verdict", "rule", "shadow", "errors"):
            assert (other[name] == answers[0][name]).all()


def test_a_batch_with_one_malformed_row_decides_nothing(engine: Engine) -> None:
    batch = rows(10)
    batch["user_agent"][7] = b"bad\x01agent"
    with pytest.raises(CallError, match=r"user_agent: row 7"):
        engine.decide_batch(batch, np.full(10, NOW))
    assert sum(engine.stats()["verdicts"].values()) == 0
    assert engine.explain(call(), NOW).counters[0].value == 1


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("caller", "1" * 1_000_000, "at most 1024"),
        ("caller", "+86138\n00138000", "control character"),
        ("callee", b"+86\xff\xfe", "UTF-8"),
        ("callee", "\ud800", "UTF-8"),
        ("user_agent", b"a\x00b", "control character"),
        ("trunk", 5, "must be text, not int"),
        ("roaming", 1, "must be true or false, not int"),
        ("sim_age_days", True, "must be a whole number, not bool"),
        ("sim_age_days", -1, "out of range"),
        ("redirecting", "+861", "must be a sequence"),
        ("redirecting", ["+861", "\x7f"], r"\[1\] holds a control character"),
        ("tags", ["x"], "must be a mapping"),
        ("calle", "x", "no such field; a call has caller, callee"),
    ],
)
def test_a_malformed_field_is_named_and_nothing_is_counted(
    engine: Engine, field: str, value: object, problem: str
) -> None:
    with pytest.raises(CallError, match=problem) as raised:
        engine.decide(call(**{field: value}), NOW)
    assert raised.value.field == field
    assert sum(engine.stats()["verdicts"].values()) == 0


def test_an_emergency_call_goes_through_whatever_else_is_malformed(engine: Engine) -> None:
    assert engine.decide(call(callee="110", caller="\x00", user_agent=b"\xff"), NOW).rule == "emergency"


def test_decision_ids_are_unique_across_workers_and_restarts() -> None:
    ids: set[str] = set()
    for boot in (NOW, NOW + 1):
        engine = Engine(load_plan(), boot_ms=boot)
        engine.publish(policy(), {}, revision=1)
        threads = [
            threading.Thread(target=lambda e=engine: ids.update(e.decide(call(), NOW).id for _ in range(200)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(ids) == 2 * 4 * 200


def test_threads_decide_while_policies_are_published_and_lists_change(engine: Engine) -> None:
    done, failures, decided = threading.Event(), [], [0] * 3
    wide = POLICY.replace(
        "per: caller, window: 1m", 'per: "prefix(caller, 7)", window: 1m'
    )  # counts beyond 65,535
    engine.publish(policy(wide), {}, revision=2)

    def decide(which: int) -> None:
        batch, times = rows(256, f"+861380013800{which}".encode()), np.full(256, NOW)
        try:
            while not done.is_set():
                if (engine.decide_batch(batch, times)["verdict"] == 0).any():
                    failures.append("a call without a verdict")
                decided[which] += len(batch)
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=decide, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for revision in range(3, 60):
        limit = "counters.calls > 3" if revision % 2 else "counters.calls > 1000"
        engine.publish(policy(wide.replace("counters.calls > 3", limit)), {}, revision=revision)
        start = revision * 5000
        engine.add("fraud", ListContent(np.arange(start, start + 5000, dtype=np.uint64) | np.uint64(7 << 58)))
        engine.stats()
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    stats = engine.stats()
    assert sum(stats["verdicts"].values()) == sum(decided)
    assert engine.explain(call(), NOW).counters[0].value - 1 == sum(decided)


@given(
    st.one_of(
        st.binary(max_size=40),
        st.text(max_size=20).map(str.encode),
        st.text("az09 ~", max_size=40).map(str.encode),
    )
)
def test_a_text_is_refused_exactly_when_it_is_not_utf_8_or_holds_a_control_character(data: bytes) -> None:
    try:
        wanted = not any(unicodedata.category(character) == "Cc" for character in data.decode())
    except UnicodeDecodeError:
        wanted = False
    try:
        ENGINE.explain(call(user_agent=data), NOW)
        taken = True
    except CallError:
        taken = False
    assert taken == wanted


def test_a_control_character_is_found_at_every_place() -> None:
    for length in range(1, 40):
        for at in range(length):
            for bad in (0x00, 0x01, 0x1F, 0x7F, 0x80, 0xC0, 0xFF):
                data = bytearray(b"x" * length)
                data[at] = bad
                with pytest.raises(CallError):
                    ENGINE.explain(call(user_agent=bytes(data)), NOW)


def test_explain_shows_the_pair_and_the_networks_that_put_a_call_on_a_list() -> None:
    text = """
version: 1
lists:
  unwanted: {kind: pair}
  wanted: {kind: pair}
  networks: {kind: network}
rules:
  - {id: wanted, when: call.caller in lists.wanted, verdict: pass}
  - {id: unwanted, when: call.caller in lists.unwanted, verdict: block, class: subscriber}
  - {id: network, when: call.source_ip in lists.networks, verdict: warn}
"""
    engine = Engine(load_plan(), secret=bytes(16))
    callee, caller = (int(numbers(text).keys[0]) for text in (CALLEE, CALLER))
    pairs = np.array([[callee, caller]], dtype=np.uint64)
    mapped = bytes(10) + b"\xff\xff"
    networks = [(mapped + bytes([192, 0, 2, 0]), 120), (mapped + bytes([192, 0, 2, 7]), 128)]
    contents = {"unwanted": ListContent(pairs=pairs), "networks": ListContent(networks=networks)}
    engine.publish(policy(text), contents, revision=1)
    call = {"caller": "13800138000", "callee": CALLEE, "source_ip": "::ffff:192.0.2.7"}
    told = engine.explain(call, NOW)
    assert told.decision.rule == "unwanted"
    assert [(entry.field, entry.list, entry.entry) for entry in told.lists] == [
        ("caller", "unwanted", f"{CALLEE}:{CALLER}"),
        ("source_ip", "networks", "192.0.2.0/24"),
        ("source_ip", "networks", "192.0.2.7"),
    ]
    assert engine.contains("unwanted", (callee, caller)) and not engine.contains("wanted", (callee, caller))
    assert engine.add("wanted", ListContent(pairs=pairs)) == 1
    assert engine.decide(call, NOW).rule == "wanted"
    assert engine.remove("wanted", ListContent(pairs=pairs)) == 1
    assert engine.apply("unwanted", ListContent(), ListContent(pairs=pairs[[0, 0]])) == (0, 1)
    assert engine.decide(call, NOW).rule == "network"
    assert engine.remove("networks", ListContent(networks=networks)) == 2
    assert engine.decide(call, NOW).rule == "default"


def test_tables_that_reloads_have_split_are_joined_by_a_start_that_finds_no_state(tmp_path: Path) -> None:
    def growing(counters: int) -> Spec:
        windows = "".join(
            f"  c{n}: {{count: call, per: caller, window: {n + 2}m}}\n" for n in range(counters)
        )
        sums = " + ".join(f"counters.c{n}" for n in range(counters))
        rule = f"[{{id: many, when: {sums} > 10000, verdict: warn}}]"
        return policy(f"version: 1\nentities: {{caller: 1000}}\ncounters:\n{windows}rules: {rule}\n")

    def started(directory: Path) -> tuple[Engine, StateDirectory]:
        state = StateDirectory(directory, bytes(16))
        engine = Engine(
            load_plan(), secret=bytes(16), state=state, repeats=1024, added=1024, calls_in_flight=1024
        )
        return engine, state

    engine, state = started(tmp_path / "state")
    for counters in range(1, 65):
        engine.publish(growing(counters), {}, revision=counters)
    words = r"live in 65 places, and 64 are the most: .* a start that finds no state \(--state none\), which joins"
    with pytest.raises(ValueError, match=words):
        engine.publish(growing(65), {}, revision=65)
    del engine
    state.close()
    engine, state = started(tmp_path / "state")
    with pytest.raises(ValueError, match=words):
        engine.publish(growing(65), {}, revision=1)
    del engine
    state.close()
    engine, state = started(tmp_path / "new")
    engine.publish(growing(65), {}, revision=1)
    assert len(engine.stats()["entities"]) < 5
    del engine
    state.close()
