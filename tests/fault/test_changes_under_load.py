"""Policies and lists change while data-plane threads answer: no reply is lost, none is of a policy not in force.

Everything runs in one process, so that ThreadSanitizer sees all of it (`make sanitize-threads`).
"""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from dataplane.switch import Switch
from interceptor.dataplane.phrasebook import Phrasebook
from interceptor.dataplane.server import DataPlane
from interceptor.engine.engine import Engine, ListContent
from interceptor.engine.keys import KeyKind, digits_key_of
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import Spec
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.policy import load_policy
from service.running import CALLEE, LISTED

DECIDE = "/interceptor.v1.InterceptionService/Decide"
THREADS, SWITCHES, CALLS_A_CONNECTION = 3, 4, 25
#: By revision: even and odd policies tell the same call apart.
RULES = ("known", "listed")
POLICY = """\
version: 1
lists:
  fraud: {{kind: number}}
  watch: {{kind: number}}
counters:
  calls: {{count: call, per: caller, window: 1m}}
  callees: {{distinct: callee, per: caller, window: 1h}}
rules:
  - {{id: {rule}, when: call.caller in lists.fraud, verdict: block, class: list, reason: {rule}-fraud}}
  - {{id: often, when: counters.calls > 1000000 || counters.callees > 1000, verdict: warn}}
  - {{id: watched, when: call.caller in lists.watch, verdict: warn}}
default: pass
"""
POLICIES = [load_policy(rule, POLICY.format(rule=rule)) for rule in RULES]


def contents(*numbers: str) -> ListContent:
    keys = [digits_key_of(KeyKind.KEY_NUMBER, number.removeprefix("+").encode()) for number in numbers]
    return ListContent(np.array(keys, np.uint64))


class Publisher:
    """Publishes policies in turn, and knows which may be in force."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._words: Phrasebook | None = None
        self.begun = self.done = 0  #: the newest revision whose publication has begun, and has ended

    def publish(self) -> None:
        revision = self.begun = self.begun + 1
        rule, spec = self.rule(revision), self.spec(revision)
        told = ("default", "", 0, ""), ("emergency", "", 0, "")
        rules = [(rule, f"{rule}-fraud", 603, ""), ("often", "", 0, ""), ("watched", "", 0, "")]
        self._words = Phrasebook(revision, [], rules, *told, [], self._words)
        lists = {"fraud": contents(LISTED), "watch": contents()}
        self._engine.publish(spec, lists, revision=revision, companion=self._words)
        self.done = revision

    @staticmethod
    def rule(revision: int) -> str:
        return RULES[revision % 2]

    @staticmethod
    def spec(revision: int) -> Spec:
        return POLICIES[revision % 2]


class Caller(threading.Thread):
    """A switch that asks about a listed number, on a new connection every now and then, until it is told to hang up."""

    def __init__(self, address: str, publisher: Publisher) -> None:
        super().__init__()
        self._address, self._publisher = address, publisher
        self._over = threading.Event()
        self.asked = 0
        self.failed: list[str] = []

    def run(self) -> None:
        message = pb.DecideRequest(caller=LISTED, callee=CALLEE).SerializeToString()
        try:
            while not self._over.is_set():
                with Switch(self._address) as switch:
                    for _ in range(CALLS_A_CONNECTION):
                        oldest = self._publisher.done
                        reply = pb.DecideResponse.FromString(switch.ask(DECIDE, message))
                        self.asked += 1
                        self._judge(reply, oldest, self._publisher.begun)
        except (AssertionError, OSError) as error:
            self.failed.append(f"{type(error).__name__}: {error}")

    def _judge(self, reply: pb.DecideResponse, oldest: int, newest: int) -> None:
        revision, rule = reply.policy_revision, Publisher.rule(reply.policy_revision)
        if not oldest <= revision <= newest:
            self.failed.append(f"{revision} was not in force: {oldest}..{newest}")
        if (reply.verdict, reply.rule, reply.reason) != (pb.VERDICT_BLOCK, rule, f"{rule}-fraud"):
            self.failed.append(f"not what policy {revision} says: {reply}")

    def hang_up(self) -> None:
        self._over.set()
        self.join()


@pytest.fixture
def engine(plan: NumberingPlan) -> Engine:
    return Engine(plan, repeats=1 << 12, events=1 << 12, pass_sample=1)


@pytest.fixture
def plane(engine: Engine) -> Iterator[DataPlane]:
    made = DataPlane(
        engine, listen=["127.0.0.1:0"], threads=THREADS, clock_offset_ns=0, tls=None, client_names=None
    )
    made.start()
    yield made
    made.close(0)


def test_every_reply_is_of_a_policy_that_was_in_force(
    engine: Engine, plane: DataPlane, scale: Callable[[int, int], int]
) -> None:
    publisher = Publisher(engine)
    publisher.publish()
    plane.open()
    callers = [Caller(plane.addresses[0], publisher) for _ in range(SWITCHES)]
    for caller in callers:
        caller.start()
    events = 0
    for turn in range(scale(60, 3_000)):
        publisher.publish()
        number = f"+8613{turn:09}"
        assert engine.add("watch", contents(number)) == 1
        events += len(engine.drain_events())
        assert engine.remove("watch", contents(number)) == 1
        assert engine.stats()["verdicts"]["block"] >= events
        plane.traffic()
        if not any(caller.is_alive() for caller in callers):
            break
    for caller in callers:
        caller.hang_up()
    assert [caller.failed for caller in callers] == [[]] * SWITCHES
    answered = sum(plane.traffic()["requests"]["decide"].values())
    assert answered == sum(caller.asked for caller in callers) > 0
    assert engine.stats()["verdicts"]["block"] == answered
