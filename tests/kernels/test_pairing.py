"""Which calls of one place are said to have begun and ended together."""

import threading
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from interceptor.engine.engine import Engine
from interceptor.engine.pairing import PairingTable
from interceptor.numbering import load_plan
from interceptor.policy import load_policy
from tests.model.pairing import RING, PairingModel

NOW = 1_790_000_000_000
CELL, OTHER_CELL = 7, 8
A, B, C = 100, 200, 300


def table() -> PairingTable:
    return PairingTable(100, 5000)


def test_calls_go_together_that_begin_and_end_within_the_time_given() -> None:
    pairs = table()
    assert pairs.ended(CELL, A, NOW, NOW + 60_000) == []
    assert pairs.ended(CELL, B, NOW + 5000, NOW + 55_000) == [(A, True)]


@pytest.mark.parametrize(
    ("began", "ended"), [(5001, 60_000), (-5001, 60_000), (0, 65_001), (0, 54_999), (5001, 65_001)]
)
def test_calls_that_begin_or_end_further_apart_do_not(began: int, ended: int) -> None:
    pairs = table()
    pairs.ended(CELL, A, NOW, NOW + 60_000)
    assert pairs.ended(CELL, B, NOW + began, NOW + ended) == []


def test_calls_of_another_place_or_of_the_same_subscriber_do_not() -> None:
    pairs = table()
    pairs.ended(CELL, A, NOW, NOW + 60_000)
    assert pairs.ended(OTHER_CELL, B, NOW, NOW + 60_000) == []
    assert pairs.ended(CELL, A, NOW, NOW + 60_000) == []


def test_reports_may_come_in_any_order() -> None:
    pairs = table()
    pairs.ended(CELL, A, NOW + 100_000, NOW + 160_000)
    pairs.ended(CELL, C, NOW - 500_000, NOW - 400_000)
    assert pairs.ended(CELL, B, NOW + 98_000, NOW + 158_000) == [(A, True)]


def test_a_call_that_goes_with_two_is_new_to_the_first_alone() -> None:
    pairs = table()
    pairs.ended(CELL, A, NOW, NOW + 60_000)
    assert pairs.ended(CELL, B, NOW, NOW + 60_000) == [(A, True)]
    assert pairs.ended(CELL, C, NOW, NOW + 60_000) == [(A, False), (B, False)]


def test_each_subscriber_is_told_once_and_no_more_than_asked_for() -> None:
    pairs = table()
    for who in (A, A, B, C):
        pairs.ended(CELL, who, NOW, NOW + 60_000)
    assert pairs.ended(CELL, 400, NOW, NOW + 60_000, most=2) == [(A, False), (B, False)]


def test_of_a_place_with_too_many_calls_the_oldest_goes_and_is_counted_if_it_matters() -> None:
    pairs = table()
    pairs.ended(CELL, A, NOW, NOW + 60_000)
    for call in range(RING):
        pairs.ended(CELL, B, NOW + 10_000, NOW + 64_000 + call)
    assert pairs.stats["crowded"] == 1
    assert pairs.ended(CELL, C, NOW, NOW + 60_000) == []
    for call in range(RING):
        pairs.ended(CELL, B, NOW, NOW + 200_000 + 10_000 * call)
    assert pairs.stats["crowded"] == 1 + 1  # and one that B's own replaced just now


def test_a_place_that_is_new_takes_that_of_the_longest_silence() -> None:
    pairs = PairingTable(4, 5000)
    for cell in range(1, 6):
        pairs.ended(cell, A, NOW, NOW + 60_000 - 1000 * (cell == 3))
    assert pairs.stats == pairs.stats | {"places": 4, "used": 4, "evicted": 1}
    assert pairs.ended(3, B, NOW, NOW + 60_000) == []
    assert pairs.ended(5, B, NOW, NOW + 60_000) == [(A, True)]


def test_a_table_that_cannot_be_says_why() -> None:
    with pytest.raises(ValueError, match="places: 0"):
        PairingTable(0, 5000)
    with pytest.raises(ValueError, match="apart_ms: -1"):
        PairingTable(1, -1)
    with pytest.raises(ValueError, match="a key is not 0"):
        table().ended(0, A, NOW, NOW)


def test_threads_at_one_place_lose_no_call() -> None:
    pairs = PairingTable(4, 0)
    found: list[int] = []

    def work(who: int) -> None:
        found.append(sum(len(pairs.ended(CELL, who, NOW, NOW + call)) for call in range(20_000)))

    threads = [threading.Thread(target=work, args=(who,)) for who in (A, B)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # a call of A's and one of B's that end at one moment are found once at most: by the later one
    assert sum(found) <= 20_000
    assert pairs.stats["used"] == 1


POLICY = """
version: 1
trunks: {default: {region: CN, own_subscribers: true}}
counters:
  paired:  {paired: call, per: caller, in: cell, apart: 5s, window: 24h}
  partner: {paired: partner, per: caller, in: cell, apart: 5s, window: 24h}
rules:
  - {id: relay, when: counters.paired > 2 && counters.partner > 2, verdict: warn}
default: pass
"""


def test_two_handsets_side_by_side_are_seen_by_their_fourth_calls() -> None:
    engine = Engine(load_plan(), home="CN")
    engine.publish(load_policy(Path("relay.yaml"), POLICY), {}, revision=1)
    callers = {
        "+8613800138001": 0,
        "+8613800138002": 1500,
        "+8613800138003": 30_000,
    }  # when each begins, and ends
    rules = []
    for turn in range(4):
        start = NOW + 600_000 * turn
        for caller, later in callers.items():
            call = {"caller": caller, "callee": f"+861391234567{turn}", "cell": "46000123"}
            named = {"call_id": f"{caller}-{turn}", "switch": "msc"}
            rules.append(engine.decide({**call, **named}, start + later).rule)
        for caller, later in callers.items():
            ended = start + 60_000 + later
            report = {
                "call_id": f"{caller}-{turn}",
                "switch": "msc",
                "event": "ended",
                "time_ms": ended,
                "cause": 16,
            }
            engine.report(report, ended)
    assert rules == ["default"] * 9 + ["relay", "relay", "default"]


class PairingMachine(RuleBasedStateMachine):
    """A set or two, few subscribers, calls that lie close together."""

    @initialize(places=st.sampled_from([1, 4, 8]), apart=st.integers(0, 10), seed=st.integers(0, 2**64 - 1))
    def begin(self, places: int, apart: int, seed: int) -> None:
        self.table, self.model = PairingTable(places, apart, seed), PairingModel(places, apart, seed)
        self.now = NOW

    @rule(
        place=st.integers(1, 6),
        who=st.integers(1, 8),
        began=st.integers(-20, 0),
        step=st.integers(-2, 3),
        most=st.sampled_from([0, 1, 2, RING]),
    )
    def call_ends(self, place: int, who: int, began: int, step: int, most: int) -> None:
        self.now += step
        call = (place, who, self.now + began, self.now, most)
        assert self.table.ended(*call) == self.model.ended(*call)

    @rule(place=st.integers(1, 6), n=st.integers(1, 70), step=st.integers(0, 2))
    def many_calls_end(self, place: int, n: int, step: int) -> None:
        for call in range(n):
            self.call_ends(place, call % 9 + 1, -call % 7, step, RING)

    @invariant()
    def keeps_the_same_books(self) -> None:
        model = self.model
        books = {"used": model.used, "evicted": model.evicted, "crowded": model.crowded}
        assert self.table.stats == self.table.stats | books


TestPairing = PairingMachine.TestCase
