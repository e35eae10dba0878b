"""Imports that are cut: what was received is kept, what was staged is never seen, and the next attempt succeeds."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from interceptor.store import spool
from interceptor.store.schema import changes, entries
from interceptor.store.store import Store
from interceptor.store.words import Mode, StoreRefusedError, StoreUnavailableError
from store.conftest import NOW, Open
from store.feeds import feed, order, texts

NUMBERS = [f"+86138001{i:05}" for i in range(300)]
CONTENT = "".join(f"{number}\n" for number in NUMBERS).encode()

#: imports CONTENT into the store in argv[1], and is killed at the n-th step (argv[2]) of staging and summing up
KILLED = """
import os, signal, sys
from pathlib import Path
from interceptor.numbering import load_plan
from interceptor.store import staging
from interceptor.store.store import Store
from store.conftest import NOW
from store.feeds import feed
from store.test_import_cuts import CONTENT
from interceptor.store.words import Mode

staging.AT_ONCE = 50
left = int(sys.argv[2])

def tell(phase, done, total):
    global left
    if phase in ("stage", "apply"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

store = Store.open(Path(sys.argv[1]), sys.argv[3] or None, plan=load_plan(), home="CN", clock=lambda: NOW)
feed(store, CONTENT, mode=Mode.REPLACEMENT, progress=tell)
"""


# ---- receiving -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [0, 1, 2345, len(CONTENT) - 1, len(CONTENT)])
def test_a_file_is_gone_on_with_where_it_was_cut(sqlite_store: Store, cut: int) -> None:
    first = sqlite_store.imports.open(order(CONTENT))
    first.receive(0, CONTENT[:cut])
    first.close()
    second = sqlite_store.imports.open(order(CONTENT))
    assert second.send_from == cut
    if cut < len(CONTENT):
        second.receive(cut, CONTENT[cut:])
    assert len(second.difference(NOW).difference.added) == len(NUMBERS)
    second.close()


def test_a_file_that_was_applied_is_not_kept(sqlite_store: Store, tmp_path: Path) -> None:
    feed(sqlite_store, CONTENT)
    assert list((tmp_path / "data" / "imports").iterdir()) == []


def test_a_file_is_what_was_announced_or_is_sent_again(sqlite_store: Store) -> None:
    announced = order(CONTENT)
    made = sqlite_store.imports.open(announced)
    with pytest.raises(StoreRefusedError, match="byte 0 of the file is next, and not 5"):
        made.receive(5, CONTENT[5:])
    with pytest.raises(StoreRefusedError, match="longer than the"):
        made.receive(0, CONTENT + b"x")
    with pytest.raises(StoreRefusedError, match="another SHA-256"):
        made.receive(0, CONTENT.swapcase().replace(b"1", b"2"))
    assert made.send_from == 0
    with pytest.raises(StoreRefusedError, match="0 of 4500 bytes were received"):
        made.difference(NOW)
    with pytest.raises(StoreRefusedError, match="is being imported already"):
        sqlite_store.imports.open(announced)
    made.receive(0, CONTENT)
    made.close()


def test_what_a_crash_left_of_a_file_is_checked(sqlite_store: Store, tmp_path: Path) -> None:
    made = sqlite_store.imports.open(order(CONTENT))
    made.receive(0, CONTENT)
    made.close()
    (kept,) = (tmp_path / "data" / "imports").iterdir()
    kept.write_bytes(bytes(len(CONTENT)))  # as a file system does that wrote the length and not the bytes
    made = sqlite_store.imports.open(order(CONTENT))
    assert made.send_from == 0
    made.close()


def test_files_nobody_went_on_with_make_room(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_BYTES", 3 * len(CONTENT))
    folder = tmp_path / "data" / "imports"
    others = [CONTENT.replace(b"+861", b"+86%d" % i) for i in range(1, 6)]
    for i, content in enumerate(others):
        made = sqlite_store.imports.open(order(content))
        made.receive(0, content[:-1])
        made.close()
        os.utime(folder / f"{order(content).sha256}.part", (NOW / 1000 + i, NOW / 1000 + i))
    assert {path.stem for path in folder.iterdir()} == {order(content).sha256 for content in others[-3:]}


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """What a full disk does, to every file of this process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_and_what_was_received_stays(sqlite_store: Store) -> None:
    made = sqlite_store.imports.open(order(CONTENT))
    made.receive(0, CONTENT[:1000])
    with no_file_longer_than(1500), pytest.raises(StoreUnavailableError, match="make room"):
        made.receive(1000, CONTENT[1000:])
    assert made.send_from == 1000
    made.receive(1000, CONTENT[1000:])
    made.close()


# ---- staging -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [2, 5, 9, 12])
def test_kill_9_while_it_is_staged_leaves_nothing_to_be_seen(
    reopen: Open, tmp_path: Path, url: str | None, step: int
) -> None:
    store = reopen()
    old = [f"+86139001{i:05}" for i in range(120)]
    feed(store, "\n".join(old))
    store.close()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "data"), str(step), url or ""],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    store = reopen()
    assert texts(store) == old
    store.imports.clean()
    with store.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(entries)).scalar_one() == len(old)
        assert conn.execute(select(func.count()).where(changes.c.revision.is_(None))).scalar_one() == 0
    assert store.imports.open(order(CONTENT)).send_from == len(CONTENT)
    store.close()
    store = reopen()
    feed(store, CONTENT, mode=Mode.REPLACEMENT)
    assert texts(store) == NUMBERS
    assert store.audit.verify(deep=True).problems == ()
