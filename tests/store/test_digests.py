"""The digest of a change: which entries it added and removed, in whatever order and pieces they come."""

import hashlib
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.store import digests
from interceptor.store.digests import ChangeDigest, MacPile, entry_key, joined, number_mac
from interceptor.store.words import Keys
from model.siphash import siphash_128

KEY = bytes(range(32))
SIGNED = st.integers(-(2**63), 2**63 - 1)
#: (list, source, key, key2)
ENTRIES = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), SIGNED, SIGNED), max_size=20)
Entry = tuple[int, int, int, int]


def keys(pairs: list[tuple[int, int]]) -> Keys:
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Keys(both[:, 0].copy(), both[:, 1].copy())


def expected(added: list[Entry], removed: list[Entry]) -> str:
    """The digest, said plainly."""
    if not added and not removed:
        return ""
    both = hashlib.sha256()
    for its in added, removed:
        macs = sorted(
            siphash_128(
                entry_key(KEY, list_id, source),
                b"".join((word & 2**64 - 1).to_bytes(8, "little") for word in (key, key2)),
            )
            for list_id, source, key, key2 in its
        )
        inner = hashlib.sha256(b"".join(macs)).hexdigest() if macs else ""
        both.update(f"{len(macs)}:{inner},".encode())
    return both.hexdigest()


@given(added=ENTRIES, removed=ENTRIES, chance=st.randoms(use_true_random=False))
def test_the_digest_is_over_sorted_macs_of_what_was_added_and_of_what_was_removed(
    added: list[Entry], removed: list[Entry], chance: Random
) -> None:
    digest = ChangeDigest(KEY)
    for its, take in (added, digest.add), (removed, digest.remove):
        for list_id, source, key, key2 in chance.sample(its, len(its)):
            take(list_id, source, keys([(key, key2)]))
    assert digest.hexdigest() == expected(added, removed)


def test_entries_of_several_sources_can_come_together() -> None:
    one = ChangeDigest(KEY)
    one.add(7, np.array([2, 1, 2]), keys([(5, 0), (5, 0), (6, 0)]))
    assert one.hexdigest() == expected([(7, 2, 5, 0), (7, 1, 5, 0), (7, 2, 6, 0)], [])


def test_a_digest_tells_list_source_key_and_side_apart() -> None:
    seen = {
        expected([(1, 1, 5, 0)], []),
        expected([(2, 1, 5, 0)], []),
        expected([(1, 2, 5, 0)], []),
        expected([(1, 1, 6, 0)], []),
        expected([(1, 1, 5, 1)], []),
        expected([], [(1, 1, 5, 0)]),
        expected([(1, 1, 5, 0)], [(1, 1, 5, 0)]),
        expected([], []),
    }
    assert len(seen) == 8


def test_many_entries_are_laid_down_in_files_and_give_the_same_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = keys([(i * 7919, i % 3) for i in range(5_000)])

    def digest_of_many() -> str:
        digest = ChangeDigest(KEY, tmp_path)
        for start in range(0, 5_000, 700):
            digest.add(1, 1, Keys(many.key[start : start + 700], many.key2[start : start + 700]))
            digest.remove(1, 2, Keys(many.key[start : start + 70], many.key2[start : start + 70]))
        return digest.hexdigest()

    in_memory = digest_of_many()
    monkeypatch.setattr(digests, "IN_MEMORY", 999)
    assert digest_of_many() == in_memory
    assert not list(tmp_path.iterdir())


@given(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0, 1, 2**63, 2**64 - 1]), st.integers(0, 3))),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_a_pile_sums_the_macs_of_each_change_in_a_range(
    laid: list[tuple[int, int, int]], low: int, high: int
) -> None:
    macs = [first.to_bytes(8, "big") + second.to_bytes(8, "big") for _, first, second in laid]
    with MacPile() as pile:
        for (change, _, _), mac in zip(laid, macs, strict=True):
            pile.take(np.frombuffer(mac, dtype=np.uint8).reshape(1, 16), np.array([change]))
        found = pile.digests(low, high)
    of_change: dict[int, list[bytes]] = {}
    for (change, _, _), mac in zip(laid, macs, strict=True):
        of_change.setdefault(change, []).append(mac)
    assert found == {
        change: (len(its), hashlib.sha256(b"".join(sorted(its))).digest())
        for change, its in of_change.items()
        if low <= change < high
    }


def test_nothing_added_and_nothing_removed_is_no_digest() -> None:
    assert joined(None, None) == ""


def test_a_number_is_named_by_a_mac_that_needs_the_stores_key() -> None:
    assert number_mac(KEY, 5) == number_mac(KEY, 5) != number_mac(bytes(32), 5)
    assert number_mac(KEY, -1) == number_mac(KEY, 2**64 - 1)
