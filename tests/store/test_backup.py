"""A backup that is put back: nothing of another store may lie beside it."""

import shutil
from pathlib import Path

import pytest

from interceptor.engine.plan import NumberingPlan
from interceptor.store.backup import make, restore
from interceptor.store.words import StoreRefusedError
from store.conftest import opened


def test_a_backup_is_not_put_beside_what_is_left_of_a_store(tmp_path: Path, plan: NumberingPlan) -> None:
    store = opened(tmp_path / "data", None, plan)
    store.images.save(0)
    store.close()
    make(tmp_path / "data", tmp_path / "copy")
    other = tmp_path / "other"
    other.mkdir()
    for name in ("store.sqlite-wal", "decisions.sqlite", "decisions.sqlite-wal"):
        (other / name).write_bytes(b"of before")
        with pytest.raises(StoreRefusedError, match=f"{name} is there: move it aside first"):
            restore(tmp_path / "copy", other)
        assert (other / name).read_bytes() == b"of before"
        (other / name).unlink()
    shutil.copy(tmp_path / "data" / "lists.image", other)  # of a time after the backup, it would be believed
    restore(tmp_path / "copy", other)
    assert sorted(path.name for path in other.iterdir()) == ["decisions.sqlite", "lock", "store.sqlite"]
