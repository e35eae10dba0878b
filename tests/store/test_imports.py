"""Imports: what a file says is what its source has afterwards, whatever else happens meanwhile."""

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from interceptor.engine.spec import ListKind
from interceptor.store.schema import changes, entries, lots, names
from interceptor.store.store import Store
from interceptor.store.words import (
    Mode,
    NewEntry,
    StaleRevisionError,
    StoreRefusedError,
)
from store.conftest import NOW
from store.feeds import feed, found, held, sent, texts

A, B, C, D = (f"+861380013800{i}" for i in range(4))
REPLACEMENT = {"mode": Mode.REPLACEMENT}
DAY = 86_400_000


def put(store: Store, text: str, source: str = "police", **words: Any) -> None:
    store.lists.add("number", source, [NewEntry(text, **words)], actor="local", now_ms=NOW)


def at(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)


# ---- what a file does ----------------------------------------------------------------------------------------


def test_an_addition_adds_and_leaves_the_rest(store: Store) -> None:
    put(store, A)
    done = feed(store, f"{B}\n{C}\n")
    assert texts(store) == [A, B, C]
    assert (done.added, done.removed, done.unchanged, done.revision) == (2, 0, 0, 2)
    assert done.touched.key.tolist() == store.lists.keys_of("number", [B, C]).key.tolist()


def test_a_replacement_takes_away_what_the_file_no_longer_has(store: Store) -> None:
    feed(store, f"{A}\n{B}\n")
    put(store, A, source="desk")
    done = feed(store, f"{B}\n{C}\n", **REPLACEMENT)
    assert [each[:2] for each in held(store)] == [(A, "desk"), (B, "police"), (C, "police")]
    assert (done.added, done.removed, done.unchanged) == (1, 1, 1)
    assert done.touched.key.tolist() == store.lists.keys_of("number", [A, C]).key.tolist()


def test_the_same_file_twice_changes_nothing(store: Store) -> None:
    content = f"number,reason,valid_until\n{A},spam,2027-01-01\n{B},,\n"
    assert feed(store, content, **REPLACEMENT).revision == 1
    for mode in Mode:
        again = feed(store, content, mode=mode)
        assert (again.revision, again.added, again.removed, again.unchanged) == (0, 0, 0, 2)
    assert store.revision() == 1


def test_an_empty_file_replaces_everything(sqlite_store: Store) -> None:
    feed(sqlite_store, f"{A}\n{B}\n")
    assert feed(sqlite_store, "", **REPLACEMENT).removed == 2
    assert texts(sqlite_store) == []
    assert feed(sqlite_store, "").revision == 0


def test_rows_say_why_and_from_when_until_when(store: Store) -> None:
    rows = [
        "number,reason,source,note,valid_from,valid_until",
        f'{A},fake-police,,"case 7, page 2",2026-12-01,2027-01-31',
        f"{B},,customs,,2026-12-01T08:00:00Z,",
        f"{C},,,,,",
    ]
    feed(store, "\n".join(rows), reason="other")
    assert held(store) == [
        (A, "police", "fake-police", "case 7, page 2", at(2026, 12, 1), at(2027, 2, 1)),
        (B, "customs", "other", "", at(2026, 12, 1, 8), None),
        (C, "police", "other", "", None, None),
    ]
    effective = store.lists.effective("number", store.lists.keys_of("number", [A, B, C]), NOW)
    assert effective.tolist() == [False, False, True]


def test_an_entry_with_other_words_is_changed(store: Store) -> None:
    feed(store, f"{A},spam\n{B},spam\n")
    would = found(store, f"{A},fraud\n{B},spam\n")
    assert (len(would.difference.added), would.difference.changed, would.difference.unchanged) == (0, 1, 1)
    done = feed(store, f"{A},fraud\n{B},spam\n")
    assert (done.added, done.removed, done.unchanged) == (1, 0, 1)
    assert [each[::2][:2] for each in held(store)] == [(A, "fraud"), (B, "spam")]


def test_a_difference_changes_nothing(sqlite_store: Store) -> None:
    feed(sqlite_store, f"{A}\n")
    would = found(sqlite_store, f"{B}\n{C}\nnone\n", allow_bad=True, **REPLACEMENT)
    assert (len(would.difference.added), len(would.difference.removed)) == (2, 1)
    assert (would.rows, would.bad_rows, would.difference.revision) == (3, 1, 1)
    assert would.first_bad[0].startswith("line 3: 'none' is no telephone number")
    assert texts(sqlite_store) == [A]


def test_of_rows_with_the_same_number_the_one_that_ends_last_counts(sqlite_store: Store) -> None:
    rows = [f"{A},one,,2027-01-01", f"{A},two,,", "13800138000,three,,", f"{A},four,,2028-01-01"]
    feed(sqlite_store, "\n".join(rows))
    assert [(each[0], each[2]) for each in held(sqlite_store)] == [(A, "two")]


def test_rows_that_have_ended_count_as_absent(sqlite_store: Store) -> None:
    feed(sqlite_store, f"{A}\n")
    content = f"{A},,,2020-01-01\n{B},,,\n"
    assert found(sqlite_store, content, **REPLACEMENT).ended == 1
    feed(sqlite_store, content, **REPLACEMENT)
    assert texts(sqlite_store) == [B]


def test_each_source_of_a_file_has_its_own_entries(store: Store) -> None:
    done = feed(store, f"{A},,customs\n{A},,\n{B},,customs\n")
    assert [each[:2] for each in held(store)] == [(A, "customs"), (A, "police"), (B, "customs")]
    assert (done.added, len(done.touched)) == (3, 2)


def test_parquet_and_gzip_are_read_too(sqlite_store: Store, tmp_path: Any) -> None:
    path = tmp_path / "feed.parquet"
    pq.write_table(pa.table({"number": [A, B], "note": ["x", None]}), path)
    feed(sqlite_store, path.read_bytes(), file_name="feed.parquet")
    assert [(each[0], each[3]) for each in held(sqlite_store)] == [(A, "x"), (B, "")]


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("prefix", "+33162*\n+331620000..+331620019\n", ["+33162*", "+33162000*", "+33162001*"]),
        ("domain", "WWW.Example.com.\nexample.org\n", ["example.org", "www.example.com"]),
        ("network", "192.0.2.0/24\n2001:db8::/32\n", ["192.0.2.0/24", "2001:db8::/32"]),
        ("pair", f"{A}:{B}\n{A}:{C}\n{B}:{A}\n", [f"{A}:{B}", f"{A}:{C}", f"{B}:{A}"]),
        ("device", "35209900\n352099001761481\n", ["35209900", "35209900176148"]),
        ("trunk", "north\nsouth\n", ["north", "south"]),
    ],
)
def test_every_kind_of_list_takes_its_entries(
    store: Store, kind: str, content: str, expected: list[str]
) -> None:
    feed(store, content, kind, **REPLACEMENT)
    assert texts(store, kind) == sorted(expected)
    assert feed(store, content, kind, **REPLACEMENT).revision == 0
    first, *rest = content.splitlines()
    assert feed(store, "\n".join(rest), kind, **REPLACEMENT).removed == 1
    assert feed(store, "", kind, **REPLACEMENT).removed == len(expected) - 1
    assert feed(store, first, kind).added == 1


def test_an_end_that_retention_gave_is_renewed_when_half_of_it_is_over(store: Store) -> None:
    store.lists.set_retention(list_name="number", retention_ms=10 * DAY, actor="local", now_ms=NOW)
    feed(store, f"{A}\n")
    assert [each[5] for each in held(store)] == [NOW + 10 * DAY]
    assert feed(store, f"{A}\n", now_ms=NOW + 4 * DAY).revision == 0
    assert feed(store, f"{A}\n", now_ms=NOW + 6 * DAY).added == 1
    assert [each[5] for each in held(store)] == [NOW + 16 * DAY]


# ---- what is refused -----------------------------------------------------------------------------------------


def refused(store: Store, content: str, **said: Any) -> str:
    """Why an import is refused; nothing has changed then."""
    before, revision = held(store), store.revision()
    with pytest.raises(StoreRefusedError) as refusal:
        feed(store, content, **said)
    assert (held(store), store.revision()) == (before, revision)
    return str(refusal.value)


def test_what_is_refused_says_why(sqlite_store: Store) -> None:
    assert "feed.csv: 1 of 2 rows are bad (line 2: 'x' is no telephone number" in refused(
        sqlite_store, f"{A}\nx\n"
    )
    assert "no list 'other'" in refused(sqlite_store, "", to="other")
    assert "line 2 is of source 'customs': a replacement is of one source, here 'police'" in refused(
        sqlite_store, f"{A},,\n{B},,customs\n", **REPLACEMENT
    )
    assert "unknown column 'colour'" in refused(sqlite_store, f"number,colour\n{A},red\n")
    assert "no name of a source" in refused(sqlite_store, A, source=" ")
    assert "valid_from 'soon' is no date" in refused(sqlite_store, f"number,valid_from\n{A},soon\n")
    assert "ends before it begins" in refused(
        sqlite_store, f"number,valid_from,valid_until\n{A},2028-01-01,2027-01-01\n"
    )
    assert "reason has more than 64 characters" in refused(sqlite_store, f"{A},{'x' * 65}\n")
    assert "is not a readable Parquet" in refused(sqlite_store, "PAR1xx", file_name="x.parquet")


def test_bad_rows_may_be_allowed(sqlite_store: Store) -> None:
    feed(sqlite_store, f"{A}\nx\n", allow_bad=True)
    assert texts(sqlite_store) == [A]


def test_a_confirmation_holds_for_its_revision_alone(sqlite_store: Store) -> None:
    put(sqlite_store, A)
    with pytest.raises(StaleRevisionError, match="revision 0 was confirmed, and 1 is live"):
        feed(sqlite_store, f"{B}\n", expected=0)
    assert texts(sqlite_store) == [A]
    assert feed(sqlite_store, f"{B}\n", expected=1).revision == 2


# ---- what others do meanwhile --------------------------------------------------------------------------------


def meanwhile(do: Callable[[], None]) -> Callable[[str, int, int], None]:
    """A progress that does something, once, when everything is staged."""
    left = [do]

    def tell(phase: str, done: int, total: int) -> None:
        if phase == "apply" and left:
            left.pop()()

    return tell


def test_what_others_do_meanwhile_counts_at_once_and_stays(store: Store) -> None:
    feed(store, f"{A}\n{B}\n")

    def others() -> None:
        put(store, D, source="desk")
        put(store, C, reason="mine")
        store.lists.remove("number", [B], actor="local", now_ms=NOW)
        assert texts(store) == [A, C, D]

    feed(store, f"{B},new\n{C},new\n{A},new\n", progress=meanwhile(others), **REPLACEMENT)
    assert [each[:3] for each in held(store)] == [
        (A, "police", "new"), (C, "police", "mine"), (D, "desk", "")
    ]  # fmt: skip
    assert store.audit.verify(deep=True).problems == ()


def test_an_import_of_which_others_did_everything_has_no_revision(store: Store) -> None:
    done = feed(store, f"{A}\n", progress=meanwhile(lambda: put(store, A)))
    assert done.revision == 0
    assert store.revision() == 1
    assert left_behind(store) == {"entries": 0, "lots": 0, "changes": 0}


def test_another_import_waits_for_its_turn(sqlite_store: Store) -> None:
    first = sent(sqlite_store, f"{A}\n{B}\n", **REPLACEMENT)
    first.difference(NOW)
    second = threading.Thread(target=feed, args=(sqlite_store, f"{C}\n"), kwargs=REPLACEMENT)
    second.start()
    first.apply(actor="local", comment="", now_ms=NOW)
    assert texts(sqlite_store) == [A, B]
    first.close()
    second.join()
    assert texts(sqlite_store) == [C]


def test_the_trail_is_whole_after_imports(store: Store) -> None:
    for content in (f"{A},\n{B},x\n", f"{B},y,\n{C},,customs\n", f"{A}:{B}\n"):
        feed(store, content, "pair" if ":" in content else "number")
    feed(store, f"{D}\n", **REPLACEMENT)
    assert store.audit.verify(deep=True).problems == ()
    last = store.audit.log(1)[0]
    assert (last.action, last.subject, last.detail["added"], last.detail["removed"]) == (
        "import",
        "number",
        1,
        2,
    )


# ---- imports that come to nothing ----------------------------------------------------------------------------


def left_behind(store: Store) -> dict[str, int]:
    """Rows of changes that are not live."""
    dead = select(changes.c.id).where(changes.c.revision.is_(None))
    count = select(func.count())
    with store.database.read() as conn:
        return {
            "entries": conn.execute(
                count.where(entries.c.change_id.in_(dead) | entries.c.gone.in_(dead))
            ).scalar_one(),
            "lots": conn.execute(count.where(lots.c.change_id.in_(dead))).scalar_one(),
            "changes": conn.execute(count.select_from(dead.subquery())).scalar_one(),
        }


class Cancelled(Exception):
    """The client has gone."""


@pytest.mark.parametrize("phase", ["stage", "apply"])
def test_an_import_that_is_cancelled_leaves_nothing_behind(store: Store, phase: str) -> None:
    feed(store, "a.example\n", "domain")

    def tell(reached: str, done: int, total: int) -> None:
        if reached == phase and total == done:
            raise Cancelled

    with pytest.raises(Cancelled):
        feed(store, "b.example\n", "domain", progress=tell, **REPLACEMENT)
    assert texts(store, "domain") == ["a.example"]
    assert left_behind(store) == {"entries": 0, "lots": 0, "changes": 0}
    with store.database.read() as conn:
        assert conn.execute(select(names.c.text)).scalars().all() == ["a.example"]
    feed(store, "b.example\n", "domain", **REPLACEMENT)
    assert texts(store, "domain") == ["b.example"]


# ---- any files at all ----------------------------------------------------------------------------------------

NUMBERS = st.sampled_from([f"+86138001380{i:02}" for i in range(12)])
ROWS = st.lists(st.tuples(NUMBERS, st.sampled_from(["", "spam", "fraud"])), max_size=12)
SERIAL = itertools.count()
STEPS = st.lists(
    st.tuples(st.sampled_from(["police", "desk"]), st.sampled_from(list(Mode)), ROWS), max_size=6
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(steps=STEPS)
def test_a_list_holds_what_its_files_said(sqlite_store: Store, steps: list[Any]) -> None:
    store = sqlite_store
    name = f"list-{next(SERIAL)}"
    store.lists.ensure({name: ListKind.NUMBER})
    expected: dict[str, dict[str, str]] = {"police": {}, "desk": {}}
    for source, mode, rows in steps:
        said = dict(reversed(rows))  # of rows that end at the same time the first
        had = expected[source]
        would = said if mode is Mode.REPLACEMENT else had | said
        done = feed(store, "".join(f"{row[0]},{row[1]}\n" for row in rows), name, source=source, mode=mode)
        assert done.added == sum(had.get(number) != reason for number, reason in would.items())
        assert done.removed == len(had.keys() - would.keys())
        assert (done.revision == 0) == (had == would)
        expected[source] = would
        assert [each[:3] for each in held(store, name)] == sorted(
            (number, of, reason) for of, its in expected.items() for number, reason in its.items()
        )
