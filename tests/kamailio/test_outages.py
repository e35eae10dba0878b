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


@pytest.fixture
def called(telephony: None, tmp_path: Path) -> Iterator[Called]:
    made = Called(tmp_path, record=False)
    yield made
    made.stop()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return write_policy(tmp_path)


class Switch:
    """A Kamailio, and the service it asks, which may die and come back."""

    def __init__(self, directory: Path, policy: Path, called: Called, **said: object) -> None:
        self._policy, self._directory = policy, directory
        self.service = Running(policy)
        self.address = self.service.data.address
        try:
            self.kamailio = Kamailio(directory, settings(self.address, **said), called.port)
        except BaseException:
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
        self.thaw()
        self.service.stop()


@pytest.fixture
def switch(tmp_path: Path, policy: Path, called: Called) -> Iterator[Switch]:
    made = Switch(tmp_path, policy, called, deadline=50)
    yield made
    made.stop()


def test_two_hundred_calls_a_second_fail_none(
    tmp_path: Path, policy: Path, called: Called, scale: Scale
) -> None:
    switch = Switch(tmp_path, policy, called)
    try:
        number = 200 * scale(5, 30)
        made = Callers(tmp_path, "load", MIXED, switch.kamailio, rate=200, calls=number, record=False)
        made.over()
        assert (made.successful, made.failed) == (number, 0), made.trouble()
        assert (switch.counted("undecided"), switch.counted("failed")) == (0, 0), switch.kamailio.log()[
            -3000:
        ]
        assert switch.counted("blocked") >= number // 2
        assert switch.counted("passed") >= number // 2
    finally:
        switch.stop()


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
        made.end()
        assert made.failed == 0, made.trouble()
        assert made.successful > 600
        assert switch.counted("failed") == 0, switch.kamailio.log()[-3000:]
    finally:
        made.stop()


def test_an_installation_that_fails_closed_lets_emergency_calls_through(
    tmp_path: Path, policy: Path, called: Called
) -> None:
    switch = Switch(tmp_path, policy, called, otherwise="block", analytics=603)
    try:
        callers = [
            Callers(tmp_path, "first", FIRST_OF_SIMBOX, switch.kamailio),
            Callers(tmp_path, "scanner", KINDS["scanner"], switch.kamailio),
        ]
        assert [made.over().failed for made in callers] == [0, 0]
        blocked = Callers(tmp_path, "simbox", KINDS["simbox"]._replace(status=603), switch.kamailio).over()
        said = {(answer.first, answer.one("Reason"), answer.one("Call-Info")) for answer in blocked.finals()}
        text = "v=analytics1;url=https://operator.example/blocked"
        assert said == {("SIP/2.0 603 Network Blocked", f'SIP;cause=603;text="{text}";location=RLN', "")}

        switch.kill()
        closed = Kind(calls("ordinary"), 480, "refused")
        undecided = Callers(tmp_path, "closed", closed, switch.kamailio).over()
        emergency = Callers(tmp_path, "emergency", KINDS["emergency"], switch.kamailio).over()
        named = Callers(tmp_path, "named", KINDS["emergency, by its name"], switch.kamailio).over()
        assert [made.failed for made in (undecided, emergency, named)] == [0, 0, 0]
        assert [made.successful for made in (undecided, emergency, named)] == [CALLS, CALLS, CALLS]
        assert {answer.one("Reason") for answer in undecided.finals()} == {
            'SIP;cause=480;text="Screening unavailable"'
        }
        assert switch.counted("undecided") >= CALLS
    finally:
        switch.stop()
