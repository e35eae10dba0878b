"""The decisions that are remembered: bounded, forgotten when they are old or erased, and never in the way."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from interceptor.store import decisions
from interceptor.store.decisions import Remembered, RememberedDecisions, Stopped
from interceptor.store.words import StoreUnavailableError

NOW = 1_795_000_000_000
CALLER, CALLEE = "+8613800138000", "+861069445566"


def decision(
    i: int, caller: str = CALLER, verdict: str = "BLOCK", time_ms: int = NOW, **more: str
) -> Remembered:
    return Remembered(
        decision_id=f"{i:016x}",
        time_ms=time_ms,
        verdict=verdict,
        rule="listed",
        reason="fraud",
        block_class="list",
        policy_revision=3,
        caller=caller,
        callee=CALLEE,
        **more,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.sqlite"


@pytest.fixture
def kept(path: Path) -> Iterator[RememberedDecisions]:
    made = RememberedDecisions(path, max_rows=100, max_age_ms=1000)
    yield made
    made.close()


def ids(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as db:
        return [int(row[0], 16) for row in db.execute("SELECT decision_id FROM decisions ORDER BY n")]


def test_a_decision_is_told_as_it_was(kept: RememberedDecisions, path: Path) -> None:
    one = decision(1, trunk="t1", imei="35209900176148", imsi="460001234567890", shadow_rules="a,b")
    kept.remember([one, decision(2)], NOW)
    kept.close()
    again = RememberedDecisions(path)
    assert again.get(one.decision_id) == one
    assert again.get("f" * 16) is None
    again.close()


def test_a_repeated_decision_is_remembered_once(kept: RememberedDecisions, path: Path) -> None:
    kept.remember([decision(1), decision(1, verdict="WARN")], NOW)
    kept.remember([decision(1)], NOW)
    assert ids(path) == [1]


def test_what_is_noted_is_there_for_whoever_asks_and_written_with_the_next_batch(
    kept: RememberedDecisions, path: Path
) -> None:
    kept.note([decision(1)])
    assert ids(path) == []
    assert kept.stopped_by(CALLER).stopped == 1
    assert ids(path) == [1]
    kept.note([decision(2)])
    kept.note([decision(3, caller="+8613900139000")])
    assert kept.erase("+8613900139000") == [f"{3:016x}"]
    kept.note([decision(4)])
    kept.remember([decision(5)], NOW)
    assert ids(path) == [1, 2, 4, 5]
    kept.note([decision(6)])
    kept.close()
    assert ids(path) == [1, 2, 4, 5, 6]


def test_the_calls_of_a_number_are_counted_and_the_last_of_them_named(kept: RememberedDecisions) -> None:
    kept.remember([decision(i, verdict="WARN" if i % 3 == 0 else "BLOCK") for i in range(1, 10)], NOW)
    kept.remember([decision(20, caller="+8613900139000")], NOW)
    assert kept.stopped_by(CALLER, 2) == Stopped(6, 3, (f"{9:016x}", f"{8:016x}"))
    assert kept.stopped_by("+33612345678") == Stopped()


def test_beyond_its_bound_the_oldest_go(kept: RememberedDecisions, path: Path) -> None:
    for start in range(0, 500, 50):
        kept.remember([decision(i) for i in range(start, start + 50)], NOW)
        assert len(ids(path)) <= 100
    assert ids(path) == list(range(400, 500))


def test_what_is_too_old_goes_in_batches(
    kept: RememberedDecisions, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "PRUNED", 10)
    kept.remember([decision(i) for i in range(25)], NOW)
    kept.remember([decision(30, time_ms=NOW + 1001)], NOW + 1001)
    assert ids(path) == [*range(10, 25), 30]
    kept.remember([], NOW + 1001)
    kept.remember([], NOW + 1001)
    assert ids(path) == [30]


def test_an_erased_number_is_in_no_decision_and_in_no_file(kept: RememberedDecisions, path: Path) -> None:
    other = "+8613900139000"
    kept.remember(
        [decision(1), decision(2, caller=other), decision(3, caller=other, imei="352099001761481")], NOW
    )
    kept.remember([decision(4, caller=other, imsi="460001234567890")], NOW)
    assert kept.erase(CALLER) == [f"{1:016x}"]
    assert kept.erase("35209900176148") == [f"{3:016x}"]  # an IMEI with its check digit is the same device
    assert kept.erase("460001234567890") == [f"{4:016x}"]
    assert kept.erase("+33612345678") == []
    assert ids(path) == [2]
    everything = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert CALLER.encode() not in everything
    assert other.encode() in everything


def test_its_files_are_their_owners_alone(kept: RememberedDecisions, path: Path) -> None:
    kept.remember([decision(1)], NOW)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("content", [b"no database " * 1000, b"SQLite format 3\0" + bytes(5000)])
def test_a_broken_file_is_set_aside_and_begun_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    made = RememberedDecisions(path)
    made.remember([decision(1)], NOW)
    assert made.get(f"{1:016x}") == decision(1)
    made.close()
    assert path.with_name("decisions.sqlite.broken").read_bytes()[:12] == content[:12]


def test_what_is_erased_is_not_in_a_file_that_was_set_aside_either(path: Path) -> None:
    path.write_bytes(b"what is left of +8613800138000")
    made = RememberedDecisions(path)
    made.erase("+8613900139000")
    made.close()
    assert [each.name for each in path.parent.iterdir()] == ["decisions.sqlite"]


def test_a_directory_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"nowhere.decisions\.sqlite cannot be read or written"):
        RememberedDecisions(tmp_path / "nowhere" / "decisions.sqlite")


def test_a_batch_that_cannot_be_written_is_a_clear_error_and_the_next_one_is_kept(
    kept: RememberedDecisions, path: Path
) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE decisions RENAME TO away")
    with pytest.raises(StoreUnavailableError, match="cannot be read or written"):
        kept.remember([decision(1)], NOW)
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE away RENAME TO decisions")
    kept.remember([decision(2)], NOW)
    assert ids(path) == [2]


def test_a_file_of_the_version_before_keeps_its_decisions(path: Path) -> None:
    RememberedDecisions(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        for index in ("device", "card", "cell"):
            db.execute(f"DROP INDEX decisions_of_{index}")
        db.execute("ALTER TABLE decisions DROP COLUMN cell")
        db.execute("PRAGMA user_version = 1")
        db.execute(
            "INSERT INTO decisions VALUES (1, '00000000000000aa', 5, 'WARN', 'r', '', '', 3, ?, ?, '', '', '', '')",
            (CALLER, CALLEE),
        )
    kept = RememberedDecisions(path)
    assert [each.decision_id for each in kept.of("caller", CALLER, 0, NOW, 10)] == ["00000000000000aa"]
    kept.remember([decision(2, cell="460-00-1-2")], NOW)
    assert [each.cell for each in kept.of("cell", "460-00-1-2", 0, NOW + 1, 10)] == ["460-00-1-2"]
    kept.close()


def test_decisions_are_found_by_caller_device_card_and_cell(kept: RememberedDecisions) -> None:
    device, card, cell = "350000000000019", "460001234567890", "460-00-1-2"
    some = [
        decision(i, imei=device if i % 2 else "", imsi=card, cell=cell, time_ms=NOW + i) for i in range(8)
    ]
    kept.remember(some, NOW)
    until = NOW + 8
    assert kept.of("cell", cell, NOW + 2, until - 1, 100) == some[2:7]
    assert kept.of("caller", CALLER, NOW, until, 3) == some[5:]
    assert kept.of("imei", device[:14] + "77", NOW, until, 100) == some[1::2]
    assert kept.of("imsi", card, until, until + 1, 100) == []
