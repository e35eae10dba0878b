"""The image of the lists: what was on them, or nothing at all when a bit of it is not as it was written."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListKind
from interceptor.store.images import FILE
from interceptor.store.store import Store
from interceptor.store.words import Keys, NewEntry, StoreUnavailableError
from store.conftest import NOW, Open, opened
from store.feeds import feed
from store.test_import_cuts import no_file_longer_than

A, B, C = (f"+861380013800{i}" for i in range(3))


def put(store: Store, *numbers: str, source: str = "desk", to: str = "number") -> None:
    new = [NewEntry(number) for number in numbers]
    store.lists.add(to, source, new, actor="local", now_ms=NOW)


def same(a: Keys, b: Keys) -> bool:
    return bool(np.array_equal(a.key, b.key) and np.array_equal(a.key2, b.key2))


def fill(store: Store) -> None:
    put(store, A, B)
    put(store, B, C, source="police")
    put(store, f"{A}:{B}", f"{A}:{C}", f"{B}:{A}", to="pair")
    put(store, "b.example", "a.example", to="domain")
    store.lists.remove("number", [A], actor="local", now_ms=NOW)


def test_an_image_holds_what_the_lists_hold(reopen: Open) -> None:
    store = reopen()
    fill(store)
    assert store.images.save(NOW) == store.revision() == 5
    store.close()
    store = reopen()
    image = store.images.load()
    assert image is not None
    assert (image.revision, image.at_ms, set(image.lists)) == (5, NOW, {kind.value for kind in ListKind})
    for name, keys in image.lists.items():
        assert same(keys, store.lists.content(name, NOW))
    assert image.lists["number"].key.tolist() == store.lists.keys_of("number", [B, C]).key.tolist()


def test_what_changed_since_is_told_by_the_lists(sqlite_store: Store) -> None:
    put(sqlite_store, A)
    revision = sqlite_store.images.save(NOW)
    put(sqlite_store, B)
    sqlite_store.lists.remove("number", [A], actor="local", now_ms=NOW)
    ((name, touched),) = sqlite_store.lists.since(revision)
    assert (name, touched.key.tolist()) == (
        "number", sqlite_store.lists.keys_of("number", [A, B]).key.tolist()
    )  # fmt: skip


def test_a_store_without_image_has_none(sqlite_store: Store) -> None:
    assert sqlite_store.images.load() is None


def test_the_image_of_another_store_counts_for_nothing(
    sqlite_store: Store, tmp_path: Path, plan: NumberingPlan
) -> None:
    fill(sqlite_store)
    sqlite_store.images.save(NOW)
    other = opened(tmp_path / "other", None, plan)
    fill(other)
    (tmp_path / "other" / FILE).write_bytes((tmp_path / "data" / FILE).read_bytes())
    assert other.images.load() is None
    other.close()


def test_an_image_newer_than_its_database_counts_for_nothing(reopen: Open, tmp_path: Path) -> None:
    store = reopen()
    if not store.database.is_sqlite:
        pytest.skip("a database that is put back by copying its file")
    put(store, A)
    store.close()
    old = (tmp_path / "data" / "store.sqlite").read_bytes()
    store = reopen()
    put(store, B)
    store.images.save(NOW)
    store.close()
    (tmp_path / "data" / "store.sqlite").write_bytes(old)
    assert reopen().images.load() is None


def test_a_list_of_another_kind_needs_another_image(sqlite_store: Store) -> None:
    sqlite_store.images.save(NOW)
    sqlite_store.lists.ensure({"trunk": ListKind.DOMAIN})
    assert sqlite_store.images.load() is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=st.data())
def test_an_image_with_a_wrong_bit_counts_for_nothing(
    sqlite_store: Store, tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "data" / FILE
    path.unlink(missing_ok=True)
    if sqlite_store.revision() == 0:
        fill(sqlite_store)
    sqlite_store.images.save(NOW)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, 8 * len(whole) - 1))
    if data.draw(st.booleans()):
        whole[at // 8] ^= 1 << at % 8
    else:
        del whole[at // 8 :]
    path.write_bytes(whole)
    assert sqlite_store.images.load() is None


def test_a_full_disk_leaves_the_old_image(sqlite_store: Store, tmp_path: Path) -> None:
    put(sqlite_store, A)
    sqlite_store.images.save(NOW)
    feed(sqlite_store, "".join(f"+86138{i:08}\n" for i in range(20_000)))
    with no_file_longer_than(100_000), pytest.raises(StoreUnavailableError, match="make room"):
        sqlite_store.images.save(NOW)
    image = sqlite_store.images.load()
    assert image is not None
    assert (image.revision, len(image.lists["number"])) == (1, 1)
    assert [path.name for path in (tmp_path / "data").glob("lists.*")] == [FILE]
    assert (tmp_path / "data" / FILE).stat().st_mode & 0o777 == 0o600


def test_many_keys_are_found_as_few_are(store: Store) -> None:
    """Those asked for stand close together, and far apart: both ways of looking them up say the same."""
    numbers = [f"+86138{i:08}" for i in range(0, 60_000, 3)]
    feed(store, "\n".join(numbers))
    put(store, *numbers[:50], source="police")
    for step in (1, 2, 1000):
        asked = [f"+86138{i:08}" for i in range(0, 60_000, step)]
        keys = store.lists.keys_of("number", asked)
        assert store.lists.effective("number", keys, NOW).tolist() == [
            i % 3 == 0 for i in range(0, 60_000, step)
        ]
    assert same(store.lists.content("number", NOW), store.lists.keys_of("number", numbers))
