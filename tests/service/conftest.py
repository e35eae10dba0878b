"""Services for tests: one that a file's tests share, and ones of a test's own."""

import gc
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from interceptor.cli import main
from service.operating import Ask, asking, put
from service.running import Cli, Done, Front, Running, write_policy


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service on the test policy, shared: a test uses callers of its own and leaves policy and process alone."""
    running = Running(write_policy(tmp_path_factory.mktemp("service")), "--pass-sample", "0")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def operated() -> Iterator[Running]:
    """A service as operators work with it, shared: a test uses numbers and sources of its own, and leaves the policy
    as it was."""
    running = Running(None)
    try:
        put(running)
        yield running
    finally:
        running.stop()


@pytest.fixture
def ask(cli: Cli, service: Running) -> Ask:
    """Runs commands at `service`."""
    return asking(cli, service)


@pytest.fixture(params=["data", "control"])
def front(request: pytest.FixtureRequest, service: Running) -> Front:
    """Each of the shared service's ports that answer switches: what a call means is the same at both."""
    return service.front(request.param)


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """``start(policy, *arguments)`` runs a service of the test's own, stopped at its end."""
    services: list[Running] = []

    def begin(policy: Path | str | None, *arguments: str | Path, within: Iterable[str] = ()) -> Running:
        services.append(Running(policy, *arguments, within=within))
        return services[-1]

    yield begin
    for each in services:
        each.stop()


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Cli]:
    """``cli("decide", ...)`` runs a command that comes to an end, in this process: starting Python takes longer."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["interceptor", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        try:
            main.main()
        except SystemExit as ended:
            code = ended.code or 0
        assert isinstance(code, int)
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    yield call
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    gc.enable()  # a service that does not come to serve leaves it off
