"""What both clients have in common: their settings, the lines of the process that asks, reports, and how they end."""

import os
import time
import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from interceptor.client import answer as answers
from interceptor.client.answer import Answer, Verdict
from interceptor.client.asking import CLOSED, TORN, Asking
from interceptor.client.breaker import memories
from interceptor.client.channel import Dialler, Tls
from interceptor.client.emergency import EmergencyNumbers
from interceptor.client.lines import Lines
from interceptor.client.question import call_report, subscription_report
from interceptor.client.reports import Report
from interceptor.pb.v1 import interception_pb2 as pb

#: Every client of this process, for when it forks.
CLIENTS: "weakref.WeakSet[Client]" = weakref.WeakSet()
#: Lines of the process this one was forked from: never touched again, not even to be freed.
INHERITED: list[Lines] = []


class Here:
    """This process, which may have been forked without our knowledge: from C, whose host did not call PyOS_BeforeFork.

    gRPC does not outlive a fork with threads inside it: it then crashes the worker, or lets it hang. Locks of the
    parent's are not touched to find that out, as who held them is not here.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._torn = False

    def torn(self) -> bool:
        """Whether somebody was inside gRPC, by whichever client, when this process was forked, or one it descends from.
        Asked before a client first uses lines of its own."""
        pid = os.getpid()
        if self._pid != pid:
            inherited = [client.last_lines for client in list(CLIENTS)]
            self._torn = self._torn or any(lines.in_use for lines in inherited if lines.pid != pid)
            self._pid = pid
        return self._torn


HERE = Here()


class Client:
    """Asks services about calls. All methods may be called from any thread, and in forked processes: make it before the
    fork, and what one worker finds out about a service its others know.

    Parameters
    ----------
    targets
        Where services answer switches: "HOST:PORT" or "unix:PATH". Of several the first that is well is asked, since
        each counts by itself what it was asked; the others stand by.
    tls
        Certificates. Without, the connection is in the clear: for this machine, or a network of one's own.
    deadline_ms
        How long a call waits for its answer at most, in milliseconds, over all services that are tried.
    otherwise
        What holds for a call that was not decided. PASS fails open, BLOCK fails closed (with 480); an Answer says how
        such a call is refused or marked. Emergency calls pass whatever it says.
    home
        Region or regions (ISO 3166-1) whose emergency numbers the client knows by itself.
    emergency
        More emergency numbers, digits as dialled, such as the policy's own.
    stream
        Calls that are asked at the same time share one gRPC stream instead of having one each.
    reports
        How many reports wait to be sent at most.
    registry
        A `prometheus_client.CollectorRegistry` for this client's metrics.

    Raises
    ------
    ValueError
        A setting makes no sense.
    OSError
        A PEM file cannot be read.
    """

    def __init__(
        self,
        targets: str | Sequence[str],
        *,
        tls: Tls | None = None,
        deadline_ms: float = 50,
        otherwise: Verdict | Answer = Verdict.PASS,
        home: str | Collection[str] = "CN",
        emergency: Collection[str] = (),
        stream: bool = False,
        reports: int = 10_000,
        registry: Any = None,
    ) -> None:
        self._targets = [targets] if isinstance(targets, str) else list(targets)
        if not self._targets:
            raise ValueError("targets: give one service at least, as HOST:PORT or unix:PATH")
        if deadline_ms <= 0:
            raise ValueError(f"deadline_ms: {deadline_ms:g} ms is no time to answer in")
        self._dialler = Dialler(tls)
        self._deadline = deadline_ms / 1000
        self._otherwise = answers.otherwise(otherwise)
        self._emergency = EmergencyNumbers([home] if isinstance(home, str) else home, emergency)
        self._streaming = stream
        self._room = reports
        self._closed = False
        self._breakers = memories(len(self._targets))
        self._lines = self._connected_by_nobody()
        CLIENTS.add(self)
        if registry is not None:
            from interceptor.client.metrics import ClientCollector  # noqa: PLC0415 - prometheus_client, on demand

            registry.register(ClientCollector(self.lines))

    def report_call(
        self, report: pb.ReportCallRequest | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> bool:
        """Tells how a decided call went on: `event` "answered" or "ended", `call_id`, `duration_ms`, `cause` ...

        It never waits: the report is sent from a thread, and again until a service takes it. False: too many wait
        already, or the client is closed; it is lost, and counted. `time_ms` is now where it is left out. TypeError,
        ValueError: no such field, or not of its kind.
        """
        message = call_report(report, fields)
        named = bool(message.call_id or message.call.call_id)
        return self.lines().reports.put(Report("ReportCall", message, named))

    def report_subscription(
        self, report: pb.ReportSubscriptionRequest | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> bool:
        """Tells what happened to a card: `event` "activated", "reactivated", "attached" or "sms_received", `number` ...

        As `report_call`; one without a `report_id` is sent once only, as it would count again.
        """
        message = subscription_report(report, fields)
        return self.lines().reports.put(Report("ReportSubscription", message, bool(message.report_id)))

    @property
    def last_lines(self) -> Lines:
        """Those used last, maybe by a process that this one was forked from."""
        return self._lines

    def lines(self) -> Lines:
        """Those of this process."""
        lines = self._lines
        if lines.pid != os.getpid():
            INHERITED.append(lines)
            lines = self._lines = self._connected_by_nobody()
        return lines

    def _connected_by_nobody(self) -> Lines:
        return Lines(
            self._targets,
            self._dialler,
            self._breakers,
            streaming=self._streaming,
            deadline=self._deadline,
            room=self._room,
            torn=HERE.torn(),
        )

    def _asking(self) -> Asking:
        lines = self.lines()
        if self._closed or lines.torn:
            return Asking([], self._deadline, CLOSED if self._closed else TORN)
        return Asking(lines.endpoints, self._deadline)

    def _answered(self, asking: Asking, request: pb.DecideRequest, answer: Answer | None) -> Answer:
        """Counts the answer; without one, what holds otherwise."""
        if answer is None:
            holds = answers.EMERGENCY if self._emergency.reach(request.callee) else self._otherwise
            answer = replace(holds, cause=asking.why.cause, detail=asking.why.detail)
        self.lines().tally.answer(answer, time.monotonic() - asking.began)
        return answer

    def _close(self, seconds: float) -> None:
        self._closed = True
        self.lines().close(seconds)


def before_fork() -> None:
    for client in list(CLIENTS):
        client.lines().before_fork()


def after_fork() -> None:
    for client in list(CLIENTS):
        client.lines().after_fork()


os.register_at_fork(before=before_fork, after_in_parent=after_fork)
