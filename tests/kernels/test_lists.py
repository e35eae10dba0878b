"""Which keys are on which lists: the kernel's table against sets, and readers beside a writer."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from interceptor.engine.keys import KeyKind, digits_key_of
from interceptor.engine.lists import ListTable
from tests.model.lists import Lists

LISTS = (0, 1, 63)
# Few keys, so that the same one comes and goes; 0 is "no key".
keys = st.integers(0, 60) | st.sampled_from([2**63, 2**64 - 1])
lists = st.sampled_from(LISTS)


def column(keys: list[int]) -> np.ndarray:
    return np.array(keys, dtype=np.uint64)


class TableIsSets(RuleBasedStateMachine):
    """A table of any initial capacity, small enough to grow and to be at its fullest again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.table = ListTable(0, 7)
        self.model = Lists()
        self.fresh = 1000

    @rule(key=keys, index=lists)
    def add(self, key: int, index: int) -> None:
        assert self.table.add(key, index) == self.model.add(key, index)

    @rule(key=keys, index=lists)
    def remove(self, key: int, index: int) -> None:
        assert self.table.remove(key, index) == self.model.remove(key, index)

    @rule(some=st.lists(keys, max_size=40), index=lists)
    def add_many(self, some: list[int], index: int) -> None:
        assert self.table.add_many(column(some), index) == self.model.add_many(some, index)

    @rule(some=st.lists(keys, max_size=40), index=lists)
    def remove_many(self, some: list[int], index: int) -> None:
        assert self.table.remove_many(column(some), index) == self.model.remove_many(some, index)

    @rule(index=lists)
    def clear(self, index: int) -> None:
        self.table.clear_list(index)
        self.model.clear_list(index)

    @precondition(lambda self: self.table.capacity < 500)
    @rule(index=lists)
    def fill_to_the_brim(self, index: int) -> None:
        while self.table.used < self.table.capacity:
            self.fresh += 1
            assert self.table.add(self.fresh, index) == self.model.add(self.fresh, index)

    @rule(some=st.lists(keys, max_size=80), prefetch=st.booleans())
    def look_up(self, some: list[int], prefetch: bool) -> None:
        out = np.zeros(len(some), dtype=np.uint64)
        expected = [self.model.find(key) for key in some]
        assert self.table.find_many(column(some), out, prefetch=prefetch) == sum(b != 0 for b in expected)
        assert out.tolist() == expected

    @invariant()
    def same_as_the_sets(self) -> None:
        assert [self.table.count(index) for index in LISTS] == [self.model.count(index) for index in LISTS]
        assert len(self.table) == len(self.model)
        assert len(self.table) <= self.table.used <= self.table.capacity
        for key in (0, 1, 2, 60, 61, self.fresh, self.fresh + 1, 2**63):
            assert self.table.find(key) == self.model.find(key)


TestTableIsSets = TableIsSets.TestCase


def random_numbers(n: int, seed: int) -> np.ndarray:
    """Keys of `n` different 11-digit numbers, in no order."""
    base = digits_key_of(KeyKind.KEY_NUMBER, b"10000000000")
    return np.random.default_rng(seed).permutation(np.arange(base, base + 7 * n, 7, dtype=np.uint64))


def test_every_listed_number_is_found_and_no_other(scale: Callable[[int, int], int]) -> None:
    n = scale(423_100, 10_000_000)
    listed = random_numbers(n, 1)
    table = ListTable(n, 99)
    assert table.add_many(listed, 5) == n
    bitmaps = np.zeros(n, dtype=np.uint64)
    assert table.find_many(listed, bitmaps) == n
    assert (bitmaps == 1 << 5).all()
    for step in range(1, 7):
        assert table.find_many(listed + np.uint64(step)) == 0
    assert table.nbytes / n <= 32


def test_a_table_that_grows_stays_within_32_bytes_a_number(scale: Callable[[int, int], int]) -> None:
    n = scale(100_000, 2_000_000)
    table = ListTable(0, 99)
    for part in np.array_split(random_numbers(n, 2), 37):
        table.add_many(part, 0)
        assert table.nbytes / len(table) <= 33 or len(table) < 10_000
    assert len(table) == n


def test_growing_drops_the_slots_of_removed_numbers() -> None:
    table = ListTable(1000, 3)
    for start in range(0, 100_000, 500):
        batch = np.arange(start + 1, start + 501, dtype=np.uint64)
        table.add_many(batch, 0)
        table.remove_many(batch, 0)
    assert len(table) == 0
    assert table.nbytes < 64 * 1024


def test_a_number_named_twice_in_a_file_counts_once() -> None:
    table = ListTable(10, 3)
    assert table.add_many(column([5, 6, 5, 5]), 0) == 2
    assert table.add_many(column([5, 6, 7]), 1) == 3
    assert (table.count(0), table.count(1), len(table)) == (2, 3, 3)


def test_readers_beside_the_writer_miss_no_listed_number_and_find_no_other() -> None:
    always, never, moving = (random_numbers(3000, 4) + np.uint64(offset) for offset in (0, 1, 2))
    table = ListTable(30_000, 5)
    table.add_many(always, 0)
    stop = threading.Event()
    wrong: list[str] = []

    def read(prefetch: bool) -> None:
        while not stop.is_set():
            if table.find_many(always, prefetch=prefetch) != len(always):
                wrong.append("a listed number was missed")
            if table.find_many(never, prefetch=prefetch) != 0:
                wrong.append("a number never listed was found")
            bitmaps = np.zeros(len(moving), dtype=np.uint64)
            table.find_many(moving, bitmaps, prefetch=prefetch)
            if not np.isin(bitmaps, (0, 2, 4, 6)).all():
                wrong.append("a number was on a list it was never put on")

    readers = [threading.Thread(target=read, args=(prefetch,)) for prefetch in (False, True)]
    for reader in readers:
        reader.start()
    for turn in range(30):
        for part in np.array_split(moving, 5):
            table.add_many(part, 1)
            table.add_many(part, 2)
        for key in moving[:50].tolist():
            table.remove(key, 1 + turn % 2)
        table.add_many(np.arange(1 + 700 * turn, 701 + 700 * turn, dtype=np.uint64), 3)
        table.remove_many(moving, 1)
        table.clear_list(2)
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert table.used < table.capacity  # it has not grown


@pytest.mark.parametrize("index", [-1, 64, 1000])
def test_a_list_that_cannot_be_is_named_in_the_error(index: int) -> None:
    table = ListTable(10, 1)
    for call in (lambda: table.add(1, index), lambda: table.count(index), lambda: table.clear_list(index)):
        with pytest.raises(ValueError, match=str(index)):
            call()


def test_a_table_no_machine_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        ListTable(1 << 40, 1)
    with pytest.raises(ValueError, match="capacity"):
        ListTable(-1, 1)


def test_a_result_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 keys"):
        ListTable(10, 1).find_many(column([1, 2]), np.zeros(1, dtype=np.uint64))


def test_an_empty_column_is_fine() -> None:
    table = ListTable(0, 1)
    none = column([])
    assert (
        table.add_many(none, 0)
        == table.remove_many(none, 0)
        == table.find_many(none)
        == table.lines(none)
        == 0
    )


def test_a_lookup_touches_two_lines_at_most_on_average() -> None:
    listed = random_numbers(100_000, 6)
    table = ListTable(len(listed), 8)
    table.add_many(listed, 0)
    assert table.lines(listed) / len(listed) < 1.3
    assert table.lines(listed + np.uint64(1)) / len(listed) < 1.7
