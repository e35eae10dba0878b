"""Calls in flight: a report finds its decision, in a table that never grows."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from interceptor.engine.inflight import FlightFound, FlightState, FlightTable
from interceptor.engine.memory import Region
from interceptor.engine.types import Limits
from tests.model.inflight import Flight, InFlight

WAYS = 15
names = st.tuples(st.integers(0, 6) | st.just(2**64 - 1), st.integers(0, 6))
ANSWERED, ENDED = FlightState.FLIGHT_ANSWERED, FlightState.FLIGHT_ENDED


def bits(flight: Flight) -> FlightState:
    """The state of an entry, as the kernel writes it."""
    told = [
        (flight.decided, FlightState.FLIGHT_SETUP),
        (flight.blocked, FlightState.FLIGHT_BLOCKED),
        (flight.answered, ANSWERED),
        (flight.ended, ENDED),
        (flight.counted, FlightState.FLIGHT_COUNTED),
    ]
    return FlightState(sum(bit for is_so, bit in told if is_so))


def same(found: tuple[FlightFound, Any], expected: Flight | None) -> None:
    seen = found[1]
    assert (seen is None) == (expected is None)
    if seen is not None and expected is not None:
        state, since, answered_switch, _where, keys = seen
        assert (FlightState(state), since) == (bits(expected), expected.since)
        if expected.answered:
            assert answered_switch == expected.answered_switch
        if expected.decided:
            assert tuple(keys[: len(expected.keys)]) == expected.keys
        if expected.waits:
            assert keys[0] == (0 if expected.duration is None else expected.duration + 1)


class SetIsDict(RuleBasedStateMachine):
    """A table of one set, so that what makes room for what is known."""

    def __init__(self) -> None:
        super().__init__()
        self.table = FlightTable(WAYS, 3)
        self.model = InFlight(WAYS)
        self.now = 0

    @initialize(now=st.sampled_from([0, 1, 1_700_000_000_000]))
    def start(self, now: int) -> None:
        self.now = now

    def tick(self) -> None:
        """No two things happen at once, so that one entry alone makes room first."""
        self.now += 1
        while self.now in {flight.stays_until for flight in self.model.flights.values()} or (
            self.now + Limits.REPEAT_MS in {flight.stays_until for flight in self.model.flights.values()}
        ):
            self.now += 1

    @rule(step=st.sampled_from([5, 1000, 20_000, 90_000_000]))
    def pass_time(self, step: int) -> None:
        self.now += step

    @rule(
        name=names,
        parties=st.sampled_from([0, 1, 2**64 - 1]),
        blocked=st.booleans(),
        keys=st.tuples(*[st.integers(0, 2**64 - 1)] * 3),
    )
    def begin(self, name: tuple[int, int], parties: int, blocked: bool, keys: tuple[int, ...]) -> None:
        self.tick()
        told: dict[str, Any] = {"parties": parties, "blocked": blocked, "keys": keys}
        found = self.table.begin(*name, self.now, **told)
        same(found, self.model.begin(name, self.now, **told))

    @rule(
        name=names,
        events=st.sets(st.sampled_from(["answered", "ended"])),
        how=st.sets(st.sampled_from(["counted", "only_join"])),
        duration=st.none() | st.integers(0, 10**6),
        switch_ms=st.integers(0, 2**40),
    )
    def report(
        self, name: tuple[int, int], events: set[str], how: set[str], duration: int | None, switch_ms: int
    ) -> None:
        self.tick()
        refused = self.model.refused
        told: dict[str, Any] = {"duration": duration, **dict.fromkeys(how, True)}
        state = (ANSWERED if "answered" in events else 0) | (ENDED if "ended" in events else 0)
        found = self.table.report(*name, state, self.now, switch_ms=switch_ms, **told)
        expected = self.model.report(
            name,
            self.now,
            answered="answered" in events,
            ended="ended" in events,
            switch_ms=switch_ms if "answered" in events else 0,
            **told,
        )
        same(found, expected)
        assert (found[0] == FlightFound.FOUND_NO_ROOM) == (self.model.refused > refused)

    @invariant()
    def same_as_the_dict(self) -> None:
        assert (len(self.table), self.table.open) == (len(self.model.flights), self.model.open)
        assert (self.table.evicted, self.table.refused) == (self.model.evicted, self.model.refused)

    @invariant()
    def who_looks_ahead_sees_an_entry_of_the_name(self) -> None:
        for name in {name for name, _ in self.model.flights}:
            flights = [flight for (of, _), flight in self.model.flights.items() if of == name]
            seen = self.table.glance(*name)
            if seen is None:  # of a report that said nothing
                assert not all(bits(flight) for flight in flights)
            else:
                assert seen[:2] in [(bits(flight), flight.since) for flight in flights]
        assert self.table.glance(99, 99) is None


TestSetIsDict = SetIsDict.TestCase


def test_a_report_finds_what_was_kept_of_its_call() -> None:
    table = FlightTable(100, 1)
    assert table.begin(1, 2, 1000, keys=[7, 8], where=5) == (FlightFound.FOUND_NOTHING, None)
    found, seen = table.report(1, 2, ANSWERED, 4000, switch_ms=99)
    assert (found, seen) == (
        FlightFound.FOUND_ENTRY,
        (FlightState.FLIGHT_SETUP, 1000, 0, 5, [7, 8, *[0] * 8]),
    )
    _, seen = table.report(1, 2, ENDED, 5000)
    assert seen is not None
    assert seen[:3] == (FlightState.FLIGHT_SETUP | ANSWERED, 1000, 99)
    assert (len(table), table.open) == (1, 0)


def test_calls_of_one_name_between_several_parties_end_one_by_one() -> None:
    table = FlightTable(100, 1)
    for parties in (5, 6, 7):
        table.begin(1, 2, 1000 + parties, parties=parties, keys=[parties])
    table.begin(1, 2, 1008, parties=8, keys=[8], blocked=True)  # is not in flight
    assert table.open == 3
    ended = [table.report(1, 2, ENDED, now)[1] for now in range(2000, 2005)]
    assert [seen[4][0] for seen in ended] == [7, 6, 5, 5, 5]  # the newest first; then who was done last
    assert [bool(seen[0] & ENDED) for seen in ended] == [False, False, False, True, True]
    assert (len(table), table.open) == (4, 0)


def test_who_is_done_makes_room_before_any_call_in_flight() -> None:
    table = FlightTable(WAYS, 1)
    for call in range(WAYS):
        table.begin(call, 0, 1000 + call)
    for call in (4, 9):
        table.report(call, 0, ENDED, 2000 + call)
    table.begin(100, 0, 3000)
    table.begin(101, 0, 3001)
    assert (table.evicted, table.open) == (0, WAYS)
    table.begin(102, 0, 3002)
    assert (table.evicted, table.open) == (1, WAYS)
    assert table.report(0, 0, ENDED, 3003)[0] == FlightFound.FOUND_NO_ROOM  # the oldest had gone
    assert table.report(1, 0, ENDED, 3004)[0] == FlightFound.FOUND_ENTRY


def test_reports_of_strangers_evict_no_call_in_flight() -> None:
    table = FlightTable(WAYS, 1)
    for call in range(WAYS):
        table.begin(call, 0, 1000)
    for stranger in range(1000, 2000):
        assert table.report(stranger, 0, ENDED, 2000)[0] == FlightFound.FOUND_NO_ROOM
    assert (table.refused, table.evicted, table.open) == (1000, 0, WAYS)
    day = 24 * 3600 * 1000  # no counter waits longer for an end
    assert table.report(5000, 0, ENDED, 1000 + day)[0] == FlightFound.FOUND_NOTHING


def test_memory_is_what_is_said() -> None:
    table = FlightTable(1 << 20, 1)
    assert table.capacity >= 1 << 20
    assert table.nbytes / table.capacity < 137
    with pytest.raises(ValueError, match="entries 0"):
        FlightTable(0, 1)


def test_calls_outlive_the_process_that_decided_them(tmp_path: Path) -> None:
    size = FlightTable.bytes_for(100)
    with (tmp_path / "flights").open("w+b") as file:
        file.truncate(size)
        table = FlightTable(100, 1, Region(size, file.fileno()))
        table.begin(1, 2, 1000, keys=[7])
        table.begin(1, 3, 1000)
        table.report(1, 3, ENDED, 2000)
        again = FlightTable(100, 1, Region(size, file.fileno(), fresh=False))
    assert (len(again), again.open, again.torn) == (2, 1, 0)
    found, seen = again.report(1, 2, ENDED, 3000)
    assert found == FlightFound.FOUND_ENTRY
    assert (seen[1], seen[4][0]) == (1000, 7)
    with pytest.raises(ValueError, match="region"):
        FlightTable(1000, 1, table.region)


def test_at_half_its_capacity_a_table_keeps_nearly_all(scale: Callable[[int, int], int]) -> None:
    n = scale(20_000, 1_000_000)
    table = FlightTable(2 * n, 5)
    for call in range(n):
        table.begin(call, call * call, call)
    assert table.evicted < n / 500
    assert table.open + table.evicted == n


def test_each_event_of_a_call_is_taken_once_by_whichever_thread() -> None:
    table = FlightTable(WAYS * 4, 1)
    taken: list[int] = []

    def use(calls: range) -> None:
        for call in calls:
            table.begin(call % 40, 0, call)
            for bit in (ANSWERED, ENDED):
                _, seen = table.report(call % 40, 0, bit, call)
                if seen is not None and not seen[0] & bit:
                    taken.append(call)

    threads = [threading.Thread(target=use, args=(range(k, 6000, 3),)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 40 <= len(taken) <= 12_000
    assert 0 <= table.open <= 40
    assert len(table) == 40
