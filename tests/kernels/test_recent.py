"""What happened lately: entries that end by themselves, in a table that never grows."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from interceptor.engine.recent import RecentTable
from tests.model.recent import Recent

WAYS = 15
key_pairs = st.tuples(st.integers(0, 5) | st.just(2**64 - 1), st.integers(0, 5))


class SetIsDict(RuleBasedStateMachine):
    """A table of one set, so that what makes room for what is known."""

    BY_A = False

    def __init__(self) -> None:
        super().__init__()
        self.table = RecentTable(WAYS, 3, by_a=self.BY_A)
        self.model = Recent(WAYS)
        self.now = 0

    @initialize(now=st.sampled_from([0, 1, 1_700_000_000_000]))
    def start(self, now: int) -> None:
        self.now = now

    @rule(step=st.integers(0, 40))
    def pass_time(self, step: int) -> None:
        self.now += step

    @rule(
        key=key_pairs,
        lasts=st.integers(-2, 100),
        value=st.binary(max_size=32),
        fresh_only=st.booleans(),
        bounded=st.booleans(),
    )
    def put(self, key: tuple[int, int], lasts: int, value: bytes, fresh_only: bool, bounded: bool) -> None:
        # Ends differ in their last digits, so that one entry alone is nearest its end.
        taken = {entry.until for entry in self.model.entries.values()}
        until = self.now + lasts
        while until in taken:
            until += 1
        expected = self.model.put(key, self.now, until, value, fresh_only=fresh_only, bounded=bounded)
        assert self.table.put(*key, self.now, until, value, fresh_only, bounded) == expected

    @rule(key=key_pairs)
    def find(self, key: tuple[int, int]) -> None:
        assert self.table.find(*key, self.now) == self.model.find(key, self.now)
        assert self.table.until(*key, self.now) == self.model.until(key, self.now)

    @invariant()
    def same_as_the_dict(self) -> None:
        assert self.table.live(self.now) == len(self.model.live(self.now))
        assert len(self.table) == len(self.model.entries)
        assert (self.table.evicted, self.table.refused) == (self.model.evicted, self.model.refused)


class ByA(SetIsDict):
    """Of one that keeps the entries of one `a` together."""

    BY_A = True

    @invariant()
    def nobody_who_is_there_is_missed(self) -> None:
        assert all(self.table.any(a) for a, _ in self.model.live(self.now))


TestSetIsDict = SetIsDict.TestCase
TestByA = ByA.TestCase


def test_an_entry_is_there_until_its_end() -> None:
    table = RecentTable(100, 1)
    assert table.put(1, 2, 1000, 33_000, b"first answer")
    assert table.find(1, 2, 32_999) == b"first answer".ljust(32, b"\0")
    assert table.until(1, 2, 32_999) == 33_000
    assert table.find(1, 2, 33_000) is None
    assert table.until(1, 2, 33_000) is None
    assert table.find(2, 1, 1000) is None


def test_a_repeated_call_id_gets_the_first_answer() -> None:
    table = RecentTable(100, 1)
    assert table.put(1, 2, 0, 32_000, b"first", fresh_only=True)
    assert not table.put(1, 2, 10, 32_010, b"second", fresh_only=True)
    assert table.find(1, 2, 20) == b"first".ljust(32, b"\0")
    assert table.put(1, 2, 32_000, 64_000, b"second", fresh_only=True)


def test_a_full_table_lets_the_entry_nearest_its_end_go() -> None:
    table = RecentTable(WAYS, 1)
    for key in range(WAYS):
        table.put(key, 0, 0, 1000 + key)
    assert not table.put(100, 0, 0, 5000, bounded=True)
    assert (table.refused, table.evicted) == (1, 0)
    assert table.put(100, 0, 0, 5000)
    assert (table.refused, table.evicted) == (1, 1)
    assert table.find(0, 0, 0) is None
    assert all(table.find(key, 0, 0) is not None for key in [*range(1, WAYS), 100])


def test_ended_entries_make_room_without_being_missed() -> None:
    table = RecentTable(WAYS, 1)
    for key in range(100):
        assert table.put(key, 0, 10 * key, 10 * key + 10, bounded=True)
    assert (table.evicted, table.refused, table.live(995)) == (0, 0, 1)


def test_one_look_tells_that_nothing_is_there_of_a_key() -> None:
    table = RecentTable(1000, 1, by_a=True)
    for a in range(1, 200):
        assert table.put(a, a % 7, 0, 1000, bounded=True)
    assert all(table.any(a) for a in range(1, 200))
    assert sum(table.any(a) for a in range(200, 10_000)) < 100
    with pytest.raises(ValueError, match="by_a"):
        RecentTable(1, 1).any(1)


def test_a_key_is_in_one_set_whatever_its_other_half() -> None:
    table = RecentTable(1000, 1, by_a=True)
    assert [table.put(5, b, 0, 1000, bounded=True) for b in range(16)] == [True] * 15 + [False]
    assert table.refused == 1


def test_a_value_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 32 bytes, not 33"):
        RecentTable(1, 1).put(1, 1, 0, 1, b"x" * 33)
    with pytest.raises(ValueError, match="entries 0"):
        RecentTable(0, 1)


def test_an_end_beyond_what_is_kept_is_as_good_as_for_ever() -> None:
    table = RecentTable(1, 1)
    assert table.put(1, 1, 0, 2**63 - 1)
    assert table.until(1, 1, 2**45) == 2**47 - 1


def test_at_half_its_capacity_a_table_keeps_nearly_all(scale: Callable[[int, int], int]) -> None:
    n = scale(20_000, 1_000_000)
    table = RecentTable(2 * n, 5)
    for key in range(n):
        table.put(key, key * key, 0, 1000)
    assert table.evicted < n / 500
    assert len(table) + table.evicted == n
    assert table.nbytes / table.capacity < 73


def test_threads_never_read_a_value_half_written() -> None:
    table = RecentTable(WAYS * 2, 1)
    wrong: list[bytes] = []

    def use(thread: int) -> None:
        for turn in range(6000):
            key = (turn * 7 + thread) % 40
            table.put(key, key, turn, turn + 50, bytes([thread]) * 32)
            value = table.find((key * 3) % 40, (key * 3) % 40, turn)
            if value is not None and len(set(value)) != 1:
                wrong.append(value)

    threads = [threading.Thread(target=use, args=(i,)) for i in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(table) <= table.capacity
