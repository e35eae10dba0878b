"""The database under the store: who may open it, what it is made of, what is said when it is not there."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import bindparam, select

from interceptor.engine.plan import NumberingPlan
from interceptor.store.database import APPLICATION_ID, FILE, MIGRATIONS, NEWEST, Database, Turns
from interceptor.store.directory import DataDirectory
from interceptor.store.prepared import Prepared
from interceptor.store.schema import lists, metadata
from interceptor.store.store import Store
from interceptor.store.words import StoreRefusedError, StoreUnavailableError
from store.conftest import Open, opened
from store.deeds import NUMBER, exported, listed, numbers, put
from store.postgres import Cluster

# ---- opening -------------------------------------------------------------------------------------------------


def test_what_was_acknowledged_is_there_after_a_restart(reopen: Open) -> None:
    before = reopen()
    put(before, NUMBER)
    identity, secret, text = before.identity, before.secret, exported(before)
    before.close()
    after = reopen()
    assert (after.identity, after.secret, exported(after)) == (identity, secret, text)
    assert after.revision() == 1


def test_the_migrations_make_what_the_schema_describes(store: Store) -> None:
    with store.database.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_indexes_of_some_rows_are_those_the_schema_describes(sqlite_store: Store) -> None:
    made = sqlalchemy.create_engine("sqlite://")
    with sqlite_store.database.read() as conn, made.begin() as fresh:
        metadata.create_all(fresh)
        ours, theirs = (
            {
                name: " ".join(sql.split())
                for name, sql in each.exec_driver_sql(
                    "SELECT name, sql FROM sqlite_master WHERE type = 'index'"
                )
                if sql
            }
            for each in (fresh, conn)
        )
    made.dispose()
    assert theirs == ours


def test_a_prepared_statement_runs_with_all_of_its_parameters_or_not_at_all(store: Store) -> None:
    of_list = Prepared(select(lists.c.kind).where(lists.c.name == bindparam("name"), lists.c.id > 0).limit(1))
    with store.database.read() as conn:
        assert of_list.rows(conn, name="number") == [("number",)]
        assert of_list.first(conn, name="nothing") is None
        with pytest.raises(Exception, match="name"):
            of_list.rows(conn)


def test_the_newest_migration_is_the_one_its_file_is_named_after() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [NEWEST]


def test_a_store_of_a_newer_version_is_refused(reopen: Open) -> None:
    store = reopen()
    with store.database.write() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    with pytest.raises(StoreRefusedError, match="newer version"):
        reopen()


def test_a_second_process_is_told_who_has_the_directory(sqlite_store: Store, tmp_path: Path) -> None:
    second = "import sys; from interceptor.store.directory import DataDirectory; from pathlib import Path\n"
    second += "DataDirectory(Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", second, str(tmp_path / "data")], capture_output=True, text=True, check=False
    )
    assert f"is in use by process {os.getpid()}" in done.stderr
    assert sqlite_store.revision() == 0


def test_a_directory_that_was_let_go_of_can_be_had(tmp_path: Path) -> None:
    DataDirectory(tmp_path).close()
    DataDirectory(tmp_path).close()


def test_numbers_of_persons_are_their_owners_alone(sqlite_store: Store, tmp_path: Path) -> None:
    put(sqlite_store, NUMBER)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    for file in (tmp_path / "data").iterdir():
        if file.is_file():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_database_of_another_program_is_left_alone(tmp_path: Path, plan: NumberingPlan) -> None:
    theirs = sqlalchemy.create_engine(f"sqlite:///{tmp_path / FILE}")
    with theirs.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE bookmarks (url TEXT)")
    theirs.dispose()
    with pytest.raises(StoreRefusedError, match="database of another program"):
        opened(tmp_path, None, plan)


def test_a_store_says_in_its_header_whose_it_is(sqlite_store: Store) -> None:
    with sqlite_store.database.read() as conn:
        assert conn.exec_driver_sql("PRAGMA application_id").scalar() == APPLICATION_ID
        assert conn.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar() == 2


@pytest.mark.parametrize(
    ("url", "why"),
    [("mysql://host/x", "neither"), ("no url", "the store's URL is none")],
)
def test_a_url_that_names_no_postgresql_is_refused(url: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(StoreRefusedError, match=why):
        Database.open(tmp_path, url)


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        Database.open(tmp_path, f"postgresql://somebody:secret@/store?host={tmp_path}")
    assert "secret" not in str(caught.value)
    assert "somebody" in str(caught.value)


# ---- what goes wrong -----------------------------------------------------------------------------------------


def test_a_damaged_file_is_told(sqlite_store: Store, tmp_path: Path, plan: NumberingPlan) -> None:
    sqlite_store.close()
    (tmp_path / "data" / FILE).write_bytes(b"no database at all, however long it is" * 100)
    with pytest.raises(StoreUnavailableError, match="the file is damaged"):
        opened(tmp_path / "data", None, plan)


def test_a_full_disk_is_told_and_nothing_is_half_done(sqlite_store: Store) -> None:
    put(sqlite_store, NUMBER)
    with sqlite_store.database.write() as conn:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    before = exported(sqlite_store)
    with pytest.raises(StoreUnavailableError, match="the disk is full: make room"):
        for i in range(40):
            put(sqlite_store, *numbers(200, first=200 * i))
    after = exported(sqlite_store)
    assert (after.count("\n") - before.count("\n")) % 200 == 0
    with sqlite_store.database.write() as conn:
        conn.exec_driver_sql("PRAGMA max_page_count = 1000000")
    put(sqlite_store, *numbers(200, first=9000))
    assert sqlite_store.audit.verify(deep=True).problems == ()


def test_a_database_that_went_away_is_told_and_found_again(
    cluster: Cluster, postgres_url: str, tmp_path: Path, plan: NumberingPlan
) -> None:
    store = opened(tmp_path, postgres_url, plan)
    put(store, NUMBER)
    keys = store.lists.keys_of("number", [NUMBER])
    cluster.stop("immediate")
    try:
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="cannot be"):
                put(store, *numbers(1))
            with pytest.raises(StoreUnavailableError, match="cannot be written"), store.database.write():
                pass
            with pytest.raises(StoreUnavailableError, match="cannot be read"):
                store.lists.effective("number", keys, 0)
    finally:
        cluster.start()
    assert listed(store, NUMBER)
    put(store, *numbers(1))
    assert store.revision() == 2
    store.close()


def test_an_exception_leaves_everything_as_it_was(store: Store) -> None:
    with pytest.raises(RuntimeError), store.database.write() as conn:
        conn.exec_driver_sql("INSERT INTO sources (name) VALUES ('somebody')")
        raise RuntimeError
    with store.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM sources").scalar() == 0


# ---- turns ---------------------------------------------------------------------------------------------------


def test_a_reader_sees_one_state_however_much_is_written_meanwhile(store: Store) -> None:
    count = "SELECT count(*) FROM changes"
    with store.database.read() as conn:
        assert conn.exec_driver_sql(count).scalar() == 0
        put(store, NUMBER)
        assert conn.exec_driver_sql(count).scalar() == 0


def test_turns_are_given_in_the_order_of_asking() -> None:
    turns, order = Turns(), []

    def take(who: int) -> None:
        with turns:
            order.append(who)

    threads = [threading.Thread(target=take, args=(who,)) for who in range(5)]
    with turns:
        for n, thread in enumerate(threads):
            thread.start()
            while turns.waiting <= n:
                pass
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_writers_of_many_threads_lose_nothing(store: Store) -> None:
    def write(who: int) -> None:
        for i in range(5):
            put(store, numbers(1, first=5 * who + i)[0], source=f"source {who}")

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.revision() == 20
    assert exported(store).count("\n") == 21
    assert store.audit.verify(deep=True).problems == ()
