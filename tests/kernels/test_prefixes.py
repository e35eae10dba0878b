"""Listed prefixes: the kernel's trie against comparing every entry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.prefixes import PrefixRoot, PrefixTrie
from tests.model.prefixes import Prefixes

roots = st.sampled_from([PrefixRoot.ROOT_NUMBER, PrefixRoot.ROOT_IMEI, PrefixRoot.ROOT_IMSI])
# Few digits, so that prefixes share paths and are prefixes of one another.
digits = st.text("019", min_size=1, max_size=15).map(str.encode)
entries = st.lists(st.tuples(roots, digits, st.sampled_from([0, 1, 31, 32, 63])), max_size=60)
asked = st.text("0189a+", max_size=20).map(str.encode)


@given(entries, st.lists(st.tuples(roots, asked), max_size=30))
def test_the_trie_answers_as_if_every_prefix_were_compared(
    listed: list[tuple[int, bytes, int]], questions: list[tuple[int, bytes]]
) -> None:
    trie, model = PrefixTrie(listed), Prefixes(listed)
    for root, text in questions + [(root, prefix + b"7") for root, prefix, _ in listed]:
        assert trie.find(root, text) == model.find(root, text)
        assert trie.matches(root, text) == model.matches(root, text)
    for index in range(64):
        assert trie.count(index) == model.count(index)


def test_a_listed_prefix_covers_the_numbers_below_it_and_no_other() -> None:
    trie = PrefixTrie(iter([(PrefixRoot.ROOT_NUMBER, b"33162", 3), (PrefixRoot.ROOT_NUMBER, b"3316", 4)]))
    assert trie.find(PrefixRoot.ROOT_NUMBER, b"33162123456") == 1 << 3 | 1 << 4
    assert trie.find(PrefixRoot.ROOT_NUMBER, b"33163123456") == 1 << 4
    assert trie.find(PrefixRoot.ROOT_NUMBER, b"331") == 0
    assert trie.matches(PrefixRoot.ROOT_NUMBER, b"33162123456") == [(4, 1 << 4), (5, 1 << 3)]


def test_an_operator_of_imsis_is_no_prefix_of_numbers() -> None:
    trie = PrefixTrie([(PrefixRoot.ROOT_IMSI, b"46000", 0)])
    assert trie.find(PrefixRoot.ROOT_IMSI, b"460001234567890") == 1
    assert trie.find(PrefixRoot.ROOT_NUMBER, b"460001234567890") == 0


def test_a_trie_without_prefixes_finds_nothing() -> None:
    trie = PrefixTrie([])
    assert trie.find(PrefixRoot.ROOT_NUMBER, b"33162") == 0
    assert trie.matches(PrefixRoot.ROOT_IMEI, b"35") == []


def test_prefixes_take_16_bytes_a_node() -> None:
    trie = PrefixTrie((0, b"861%06d" % n, 0) for n in range(20_000))
    assert trie.count(0) == 20_000
    assert trie.nbytes < 20_000 * 16 * 1.2 + 4096


@pytest.mark.parametrize(
    "entry",
    [
        (3, b"1", 0),
        (-1, b"1", 0),
        (0, b"", 0),
        (0, b"1" * 16, 0),
        (0, b"1a", 0),
        (0, b"1", 64),
        (0, b"1", -1),
    ],
)
def test_an_entry_that_cannot_be_is_shown_in_the_error(entry: tuple[int, bytes, int]) -> None:
    with pytest.raises(ValueError, match="prefix b'"):
        PrefixTrie([entry])


def test_a_root_that_cannot_be_is_refused() -> None:
    for trie in (PrefixTrie([]), PrefixTrie([(0, b"1", 0)])):
        for ask in (trie.find, trie.matches):
            with pytest.raises(ValueError, match="root 3"):
                ask(3, b"1")
