"""A service that is killed, stopped or reloaded while switches ask it."""

import json
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import grpc
import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1 import interception_pb2_grpc
from service.running import CALLEE, LISTED, Front, Running

Start = Callable[..., Running]
SWITCHES = 4
PATIENCE = 60.0


class Switches:
    """Switches that ask about a listed number until they are told to hang up, each on a connection of its own."""

    def __init__(self, front: Front) -> None:
        self._address = front.address
        self._hang_up = Event()
        self._warm = [Event() for _ in range(SWITCHES)]
        self._pool = ThreadPoolExecutor(SWITCHES)
        self._lines = [self._pool.submit(self._ask, warm) for warm in self._warm]
        for warm in self._warm:
            assert warm.wait(PATIENCE), "a switch got no first answer"

    def _ask(self, warm: Event) -> tuple[list[pb.DecideResponse], grpc.StatusCode | None]:
        answers: list[pb.DecideResponse] = []
        # Several channels of one process share a connection unless they are told not to.
        with grpc.insecure_channel(self._address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            stub = interception_pb2_grpc.InterceptionServiceStub(channel)
            while not self._hang_up.is_set():
                try:
                    answers.append(
                        stub.Decide(pb.DecideRequest(caller=LISTED, callee=CALLEE), timeout=PATIENCE)
                    )
                except grpc.RpcError as error:
                    return answers, error.code()
                warm.set()
        return answers, None

    def hang_up(self) -> tuple[list[pb.DecideResponse], list[grpc.StatusCode]]:
        """Every answer, and how the lines broke that did."""
        self._hang_up.set()
        return self.broken()

    def broken(self) -> tuple[list[pb.DecideResponse], list[grpc.StatusCode]]:
        """The same, when something else ends the calls."""
        lines = [line.result(2 * PATIENCE) for line in self._lines]
        self._pool.shutdown()
        answers = [answer for answered, _ in lines for answer in answered]
        return answers, [status for _, status in lines if status is not None]


def heard(service: Running, event: str, times: int) -> None:
    """Waits until the log has said `event` so many times."""
    after = 0
    for _ in range(times):
        service.event(event, after=after)
        after += 1 + [line["event"] for line in service.events()[after:]].index(event)


BOTH = pytest.mark.parametrize("name", ["data", "control"])


@BOTH
def test_a_killed_service_comes_back_on_its_port_with_its_lists(
    tmp_path: Path, policy: Path, start: Start, name: str
) -> None:
    log = tmp_path / "decisions.log"
    service = start(policy, "--decision-log", log)
    switches = Switches(service.front(name))
    service.signal(signal.SIGKILL)
    before, broken = switches.broken()
    assert broken == [grpc.StatusCode.UNAVAILABLE] * SWITCHES
    assert {answer.verdict for answer in before} == {pb.VERDICT_BLOCK}

    ports = ("--listen", service.data.address, "--control", service.control.address)
    again = start(policy, "--decision-log", log, *ports)
    after = again.front(name).decide(caller=LISTED, callee=CALLEE)
    assert after.verdict == pb.VERDICT_BLOCK
    assert after.decision_id not in {answer.decision_id for answer in before}
    assert again.stop() == 0
    # What was cut off in the middle of a line costs that line; those of the next start are whole.
    assert json.loads(log.read_text().splitlines()[-1])["decision_id"] == after.decision_id


@BOTH
def test_sigterm_under_load_answers_what_it_took_and_ends(policy: Path, start: Start, name: str) -> None:
    service = start(policy)
    switches = Switches(service.front(name))
    assert service.stop() == 0
    answers, broken = switches.broken()
    assert {answer.rule for answer in answers} == {"listed"}
    # CANCELLED: read off the wire, not yet looked at when the server stopped.
    assert set(broken) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert len(broken) == SWITCHES


@BOTH
def test_reloads_under_load_drop_no_call_and_never_mix_two_policies(
    policy: Path, start: Start, name: str
) -> None:
    service = start(policy)
    switches = Switches(service.front(name))
    odd = policy.read_text()
    even = odd.replace("id: listed", "id: known").replace("listed-fraud", "known-fraud")
    for revision in range(2, 8):
        policy.write_text(odd if revision % 2 else even)
        service.signal(signal.SIGHUP)
        heard(service, "policy in force", times=revision)
    last = service.decide(caller=LISTED, callee=CALLEE)
    answers, broken = switches.hang_up()
    assert broken == []
    assert last.policy_revision == 7
    assert {answer.verdict for answer in answers} == {pb.VERDICT_BLOCK}
    told = {(answer.policy_revision % 2, answer.rule, answer.reason) for answer in [*answers, last]}
    assert told <= {(1, "listed", "listed-fraud"), (0, "known", "known-fraud")}


def test_a_broken_policy_under_sighup_leaves_the_good_one_in_force(policy: Path, start: Start) -> None:
    service = start(policy)
    broken = ("version: 1\nrules: [", "version: 9\n", "\x00", "")
    for failures, text in enumerate(broken, start=1):
        policy.write_text(text)
        service.signal(signal.SIGHUP)
        heard(service, "reload failed, the last good policy stays", times=failures)
    policy.unlink()
    service.signal(signal.SIGHUP)
    heard(service, "reload failed, the last good policy stays", times=len(broken) + 1)

    answer = service.decide(caller=LISTED, callee=CALLEE)
    assert (answer.rule, answer.policy_revision) == ("listed", 1)
    assert service.metric("interceptor_policy_reloads_total", result="failed") == len(broken) + 1
    assert service.metric("interceptor_policy_last_reload_successful") == 0
