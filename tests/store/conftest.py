"""Stores to test on: SQLite in a directory, and a real PostgreSQL; whatever takes `store` runs on both."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListKind
from interceptor.store.store import Store
from store.deeds import NOW

Open = Callable[[], Store]


@pytest.fixture
def sqlite_store(tmp_path: Path, plan: NumberingPlan) -> Iterator[Store]:
    made = opened(tmp_path / "data", None, plan)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def reopen(tmp_path: Path, plan: NumberingPlan, url: str | None) -> Iterator[Open]:
    """Opens the same store again, after it was closed."""
    made: list[Store] = []

    def opening() -> Store:
        made.append(opened(tmp_path / "data", url, plan))
        return made[-1]

    yield opening
    for one in made:
        one.close()


@pytest.fixture
def store(reopen: Open) -> Store:
    """A store with an empty list of each kind, named as its kind."""
    return reopen()


def opened(data: Path, url: str | None, plan: NumberingPlan) -> Store:
    made = Store.open(data, url, plan=plan, home="CN", clock=lambda: NOW)
    made.lists.ensure({kind.value: kind for kind in ListKind})
    return made
