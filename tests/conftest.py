"""What every test may use: the option ``--long``, the fixtures ``scale`` and ``postgres_url``, and Hypothesis'
two profiles."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

import interceptor
from interceptor.engine.plan import NumberingPlan
from interceptor.numbering import load_plan
from store.postgres import Cluster, program

# Same examples on every run and no deadline: a shared machine may be slow, a test must not be.
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "long",
    settings.get_profile("ci"),
    derandomize=False,
    max_examples=2_000,
    stateful_step_count=200,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long form of every test that has one")


def pytest_configure(config: pytest.Config) -> None:
    tree = os.environ.get("INTERCEPTOR_TREE")
    if tree and not Path(interceptor.__file__).is_relative_to(Path(tree).resolve()):
        raise pytest.UsageError(f"the tests are to run on {tree} but would import {interceptor.__file__}")
    config.addinivalue_line("markers", "long: runs only with --long")
    # A shell that runs the tests in the background has them ignore Ctrl-C, and so would every command they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.load_profile("long" if config.getoption("--long") else "ci")


def pytest_report_header() -> str:
    return f"interceptor: {Path(interceptor.__file__).parent}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="the long form: pytest --long"))


@pytest.fixture(scope="session")
def scale(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """``scale(short, long)`` is the size a test runs at: `short` in the suite, `long` with ``--long``."""

    def pick(short: int, long: int) -> int:
        return long if request.config.getoption("--long") else short

    return pick


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """A log is set up for the process, and writes where a test's output went: nowhere, once the test is over."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> NumberingPlan:
    """The world's numbering plan, built from the installed metadata."""
    return load_plan(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of the tests' own."""
    if program("initdb") is None:
        pytest.skip("PostgreSQL is not installed")
    made = Cluster()
    yield made
    made.close()


@pytest.fixture
def postgres_url(cluster: Cluster) -> str:
    """URL of an empty PostgreSQL database."""
    return cluster.database()


def pytest_collection_finish() -> None:
    """What thousands of collected tests consist of is no garbage: looking through it again and again is a seventh of
    the CPU's time."""
    gc.collect()
    gc.freeze()
