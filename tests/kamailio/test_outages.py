"""Load, and an engine that dies, hangs or is not there: no call fails, and calls are screened again when it is back."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kamailio.telephony import Called, Callers, Kamailio, Kind
from kamailio.world import CALLS, FIRST_OF_SIMBOX, KINDS, calls, settings, write_policy
from service.running import Running

#: Calls of a listed number among others: refused, or let through while nobody is there to say so.
MIXED = Kind(
    [row for pair in zip(calls("load"), calls("listed"), strict=True) for row in pair], 603, scenario="either"
)
Scale = Callable[[int, int], int]


class Switch:
    """A Kamailio, and the service it asks, which may die and come back."""

    def __init__(self, directory: Path) -> None:
        self._policy = write_policy(directory)
        self.service = Running(self._policy)
        self.address = self.service.data.address
        self.called = Called(directory, record=False)
        try:
            self.kamailio = Kamailio(directory, settings(self.address, deadline=50), self.called.port)
        except BaseException:
            self.called.stop()
            self.service.stop()
            raise

    def counted(self, name: str) -> int:
        return self.kamailio.counted(name) or 0

    def grows(self, name: str, by: int) -> None:
        """Waits until so many more calls are counted so."""
        least = self.counted(name) + by
        for _ in range(600):
            if self.counted(name) >= least:
                return
            time.sleep(0.1)
        raise AssertionError(f"no {by} more calls are {name}:\n{self.kamailio.log()[-3000:]}")

    def settled(self) -> None:
        """Waits until calls go undecided no more."""
        before = -1
        for _ in range(120):
            now = self.counted("undecided")
            if now == before:
                return
            before = now
            time.sleep(1)
        raise AssertionError(f"calls go undecided for ever:\n{self.kamailio.log()[-3000:]}")

    def kill(self) -> None:
        self.service.signal(signal.SIGKILL)
        self.service.process.wait()
        self.service.stop()

    def back(self) -> None:
        self.service = Running(self._policy, "--listen", self.address)

    def freeze(self) -> None:
        self.service.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.service.signal(signal.SIGCONT)

    def stop(self) -> None:
        self.kamailio.stop()
        self.called.stop()
        self.thaw()
        self.service.stop()


@pytest.fixture(scope="module")
def lasting(telephony: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    made = Switch(tmp_path_factory.mktemp("outages"))
    yield made
    made.stop()


@pytest.fixture
def switch(lasting: Switch) -> Switch:
    if lasting.service.process.poll() is not None:
        lasting.back()
    return lasting


def test_two_hundred_calls_a_second_fail_none(tmp_path: Path, switch: Switch, scale: Scale) -> None:
    number = 200 * scale(5, 30)
    made = Callers(tmp_path, "load", MIXED, switch.kamailio, rate=200, calls=number, record=False).over()
    assert (made.successful, made.failed) == (number, 0), made.trouble()
    assert switch.counted("failed") == 0, switch.kamailio.log()[-3000:]
    assert switch.counted("blocked") + switch.counted("undecided") >= number // 2
    assert switch.counted("blocked") > 0


def test_calls_go_on_without_the_engine_and_are_screened_again(tmp_path: Path, switch: Switch) -> None:
    made = Callers(tmp_path, "outage", MIXED, switch.kamailio, rate=100, calls=100_000, record=False)
    try:
        for dies, returns in ((switch.kill, switch.back), (switch.freeze, switch.thaw)):
            switch.grows("blocked", 50)
            dies()
            switch.grows("undecided", 200)  # each worker has its turns
            refused = switch.counted("blocked")
            switch.grows("passed", 100)
            assert switch.counted("blocked") - refused < 50, "nobody is there to refuse them"
            returns()
            switch.grows("blocked", 50)
            switch.settled()
        assert made.end().failed == 0, made.trouble()
        assert made.successful > 600
        assert switch.counted("failed") == 0, switch.kamailio.log()[-3000:]
    finally:
        made.stop()


def test_an_installation_that_fails_closed_lets_emergency_calls_through(
    tmp_path: Path, switch: Switch
) -> None:
    closed = settings(switch.address, otherwise="block", analytics=603)
    kamailio = Kamailio(tmp_path, closed, switch.called.port, workers=4)
    try:
        first = Callers(tmp_path, "first", FIRST_OF_SIMBOX, kamailio).over()
        blocked = Callers(tmp_path, "simbox", KINDS["simbox"]._replace(status=603), kamailio)
        scanner = Callers(tmp_path, "scanner", KINDS["scanner"], kamailio).over()
        assert [made.failed for made in (first, blocked.over(), scanner)] == [0, 0, 0], blocked.trouble()
        said = {(answer.first, answer.one("Reason"), answer.one("Call-Info")) for answer in blocked.finals()}
        text = "v=analytics1;url=https://operator.example/blocked"
        assert said == {("SIP/2.0 603 Network Blocked", f'SIP;cause=603;text="{text}";location=RLN', "")}

        switch.kill()
        ordinary = Kind(calls("ordinary"), 480, "refused")
        undecided = Callers(tmp_path, "undecided", ordinary, kamailio)
        emergency = Callers(tmp_path, "emergency", KINDS["emergency"], kamailio)
        named = Callers(tmp_path, "named", KINDS["emergency, by its name"], kamailio)
        for made in (undecided, emergency, named):
            assert (made.over().successful, made.failed) == (CALLS, 0), made.trouble()
        reasons = {answer.one("Reason") for answer in undecided.finals()}
        assert reasons == {'SIP;cause=480;text="Screening unavailable"'}
        assert (kamailio.counted("undecided") or 0) >= CALLS
    finally:
        kamailio.stop()
