"""Called subscribers' own entries: the kernel's table against sets, and readers beside a writer."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from interceptor.engine.keys import KeyKind, digits_key_of, short_key_of
from interceptor.engine.pairs import PairLimits, PairTable
from tests.model.pairs import Pair, Pairs

LISTS = (0, 2, 3, 7, 20, 31, 62, 63)

# Few keys, so that the same pair comes and goes; numbers and short numbers of the same digits, and the extremes.
FEW = [
    *(
        digits_key_of(KeyKind.KEY_NUMBER, digits)
        for digits in (b"1", b"01", b"10086", b"861380013800", b"9" * 15)
    ),
    *(short_key_of(digits, region) for digits, region in ((b"10086", 0), (b"10086", 1), (b"9" * 12, 1023))),
]
keys = st.sampled_from(FEW)
pairs = st.tuples(keys, keys)
lists = st.sampled_from(LISTS)


def rows(pairs: list[Pair]) -> np.ndarray:
    return np.array(pairs, dtype=np.uint64).reshape(-1, 2)


class TableIsSets(RuleBasedStateMachine):
    """A table of any initial capacity, small enough to grow and to be at its fullest again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.table = PairTable(0, 7)
        self.model = Pairs(LISTS)
        self.fresh = digits_key_of(KeyKind.KEY_NUMBER, b"8613800000000")

    @rule(pair=pairs, index=lists)
    def add(self, pair: Pair, index: int) -> None:
        assert self.table.add(*pair, index) == self.model.add(pair, index)

    @rule(pair=pairs, index=lists)
    def remove(self, pair: Pair, index: int) -> None:
        assert self.table.remove(*pair, index) == self.model.remove(pair, index)

    @rule(some=st.lists(pairs, max_size=40), index=lists)
    def add_many(self, some: list[Pair], index: int) -> None:
        assert self.table.add_many(rows(some), index) == self.model.add_many(some, index)

    @rule(some=st.lists(pairs, max_size=40), index=lists)
    def remove_many(self, some: list[Pair], index: int) -> None:
        assert self.table.remove_many(rows(some), index) == self.model.remove_many(some, index)

    @rule(seven=st.permutations(LISTS).map(lambda order: order[:7]), swapped=st.booleans())
    def go_over_to_another_policy(self, seven: list[int], swapped: bool) -> None:
        """Seven lists stay, at other places; one goes and one comes."""
        kept = dict(zip(seven, sorted(seven) if swapped else seven, strict=True))
        self.table = self.table.remapped(kept, room=3)
        self.model = self.model.remapped(kept, LISTS)

    @precondition(lambda self: self.table.capacity < 500)
    @rule(index=lists)
    def fill_to_the_brim(self, index: int) -> None:
        while self.table.used < self.table.capacity:
            self.fresh += 1
            pair = FEW[0], self.fresh
            assert self.table.add(*pair, index) == self.model.add(pair, index)

    @rule(some=st.lists(pairs, max_size=80))
    def look_up(self, some: list[Pair]) -> None:
        out = np.zeros(len(some), dtype=np.uint64)
        expected = [self.model.find(pair) for pair in some]
        assert self.table.find_many(rows(some), out) == sum(b != 0 for b in expected)
        assert out.tolist() == expected

    @invariant()
    def same_as_the_sets(self) -> None:
        assert [self.table.count(index) for index in LISTS] == [self.model.count(index) for index in LISTS]
        assert len(self.table) == len(self.model)
        assert len(self.table) <= self.table.used <= self.table.capacity
        for pair in ((FEW[0], FEW[1]), (FEW[1], FEW[0]), (FEW[0], self.fresh), (self.fresh, FEW[0])):
            assert self.table.find(*pair) == self.model.find(pair)


TestTableIsSets = TableIsSets.TestCase


def subscribers_entries(n: int, seed: int) -> np.ndarray:
    """`n` different pairs: a few entries of each subscriber, in no order."""
    callee = digits_key_of(KeyKind.KEY_NUMBER, b"8613800000000")
    caller = digits_key_of(KeyKind.KEY_NUMBER, b"861000000000")
    i = np.arange(n, dtype=np.uint64)
    made = np.column_stack((np.uint64(callee) + i // np.uint64(3), np.uint64(caller) + i * np.uint64(7)))
    return np.random.default_rng(seed).permutation(made)


def test_every_pair_is_found_and_no_other(scale: Callable[[int, int], int]) -> None:
    n = scale(200_000, 6_000_000)
    listed = subscribers_entries(n, 1)
    table = PairTable(n, 99)
    assert table.add_many(listed, 5) == n
    bitmaps = np.zeros(n, dtype=np.uint64)
    assert table.find_many(listed, bitmaps) == n
    assert (bitmaps == 1 << 5).all()
    other = listed.copy()
    other[:, 1] += np.uint64(1)
    assert table.find_many(other) == 0
    assert table.find_many(np.ascontiguousarray(listed[:, ::-1])) == 0
    assert table.nbytes / n <= 27


def test_a_lookup_touches_little_more_than_one_line_on_average() -> None:
    listed = subscribers_entries(100_000, 6)
    table = PairTable(len(listed), 8)
    table.add_many(listed, 0)
    assert table.lines(listed) / len(listed) < 1.3
    assert table.lines(np.ascontiguousarray(listed[:, ::-1])) / len(listed) < 1.3


def test_a_table_that_grows_stays_within_32_bytes_a_pair(scale: Callable[[int, int], int]) -> None:
    n = scale(100_000, 2_000_000)
    table = PairTable(0, 99)
    for part in np.array_split(subscribers_entries(n, 2), 37):
        table.add_many(np.ascontiguousarray(part), 0)
        assert table.nbytes / len(table) <= 33 or len(table) < 10_000
    assert len(table) == n


def test_growing_drops_the_slots_of_removed_pairs() -> None:
    table = PairTable(1000, 3)
    for part in np.array_split(subscribers_entries(100_000, 3), 200):
        table.add_many(np.ascontiguousarray(part), 0)
        table.remove_many(np.ascontiguousarray(part), 0)
    assert len(table) == 0
    assert table.nbytes < 64 * 1024


def test_readers_beside_the_writer_miss_no_pair_and_find_no_other() -> None:
    always = subscribers_entries(3000, 4)
    never, moving = always.copy(), always.copy()
    never[:, 1] += np.uint64(1)
    moving[:, 1] += np.uint64(2)
    table = PairTable(30_000, 5)
    table.add_many(always, 0)
    stop = threading.Event()
    wrong: list[str] = []

    def read() -> None:
        while not stop.is_set():
            if table.find_many(always) != len(always):
                wrong.append("a listed pair was missed")
            if table.find_many(never) != 0:
                wrong.append("a pair never listed was found")
            bitmaps = np.zeros(len(moving), dtype=np.uint64)
            table.find_many(moving, bitmaps)
            if not np.isin(bitmaps, (0, 1 << 2, 1 << 63, 1 << 2 | 1 << 63)).all():
                wrong.append("a pair was on a list it was never put on")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(20):
        for part in np.array_split(moving, 5):
            table.add_many(np.ascontiguousarray(part), 2)
            table.add_many(np.ascontiguousarray(part), 63)
        more = subscribers_entries(700, turn)
        more[:, 0] += np.uint64(10_000 * (turn + 1))
        table.add_many(more, 3)
        table.remove_many(moving, 2)
        table.remove_many(moving, 63)
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(table) == 3000 + 20 * 700


def test_pairs_are_on_at_most_eight_lists() -> None:
    table = PairTable(10, 1)
    assert len(LISTS) == PairLimits.MAX_PAIR_LISTS
    for index in LISTS:
        table.add(FEW[0], FEW[1], index)
    with pytest.raises(ValueError, match="list 40: pairs are on at most 8 lists"):
        table.add(FEW[0], FEW[1], 40)
    assert table.find(FEW[0], FEW[1]) == sum(1 << index for index in LISTS)
    assert (table.count(40), table.remove(FEW[0], FEW[1], 40)) == (0, False)


@pytest.mark.parametrize("index", [-1, 64, 1000])
def test_a_list_that_cannot_be_is_named_in_the_error(index: int) -> None:
    table = PairTable(10, 1)
    for change in (table.add, table.remove):
        with pytest.raises(ValueError, match=f"list {index}"):
            change(FEW[0], FEW[1], index)
    with pytest.raises(ValueError, match=f"list {index}"):
        table.count(index)


@pytest.mark.parametrize("wrong", [0, 1, digits_key_of(KeyKind.KEY_IMEI, b"35209900176148"), 2**64 - 1])
def test_only_numbers_make_pairs_and_nothing_changes_when_one_is_none(wrong: int) -> None:
    table = PairTable(10, 1)
    for pair in ((wrong, FEW[0]), (FEW[0], wrong)):
        assert table.find(*pair) == 0
        for change in (table.add_many, table.remove_many):
            with pytest.raises(ValueError, match="pair 1, "):
                change(rows([(FEW[0], FEW[1]), pair]), 0)
        with pytest.raises(ValueError, match="pair 0, "):
            table.add(*pair, 0)
    assert len(table) == 0


def test_a_column_that_holds_no_pairs_is_refused() -> None:
    table = PairTable(10, 1)
    with pytest.raises(ValueError, match="2 keys"):
        table.add_many(np.zeros((4, 3), dtype=np.uint64), 0)
    with pytest.raises(ValueError, match="2 pairs"):
        table.find_many(rows([(FEW[0], FEW[1])] * 2), np.zeros(1, dtype=np.uint64))
    none = rows([])
    assert (
        table.add_many(none, 0)
        == table.remove_many(none, 0)
        == table.find_many(none)
        == table.lines(none)
        == 0
    )


def test_a_table_no_machine_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        PairTable(1 << 40, 1)
    with pytest.raises(ValueError, match="capacity"):
        PairTable(-1, 1)
