"""The client as a switch's threads and worker processes use it: it asks, and waits for the answer, never too long."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import grpc

from interceptor.client import answer as answers
from interceptor.client.answer import Answer, Cause, Verdict
from interceptor.client.tls import Tls
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1.interception_pb2_grpc import InterceptionServiceStub


class Screening:
    """Asks a service about calls. All methods may be called from any thread; a forked process may go on using it.

    Parameters
    ----------
    targets
        Where the service answers switches: "HOST:PORT" or "unix:PATH". Of several the first healthy one is asked, as
        each service counts what it was asked itself; the others stand by.
    tls
        Certificates; without it the connection is in the clear, for this machine or a network of one's own.
    deadline_ms
        How long a call waits for its answer, in milliseconds, over all services that are tried.
    otherwise
        What holds for a call that was not decided: PASS fails open, BLOCK fails closed (480); an Answer says how it is
        refused or marked. Emergency calls pass whatever it says.
    home
        Region or regions (ISO 3166-1) whose emergency numbers this client knows by itself.
    emergency
        More emergency numbers, digits as dialled.
    stream
        Calls asked at the same time share one long gRPC stream: cheaper for many threads, a little slower for few.
    registry
        A prometheus_client CollectorRegistry that gets this client's metrics.
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
        registry: Any = None,
    ) -> None:
        target = targets if isinstance(targets, str) else targets[0]
        self._deadline = deadline_ms / 1000
        self._otherwise = answers.otherwise(otherwise)
        self._channel = (
            grpc.secure_channel(target, tls.credentials()) if tls else grpc.insecure_channel(target)
        )
        self._stub = InterceptionServiceStub(self._channel)

    def decide(self, call: pb.DecideRequest | Mapping[str, Any] | None = None, /, **fields: Any) -> Answer:
        """What to do with a call; given as a DecideRequest, or as its fields, those that are None left out.

        Never raises because of the service, and returns by the deadline. TypeError, ValueError: no field of that name
        or kind.
        """
        request = (
            call if isinstance(call, pb.DecideRequest) else pb.DecideRequest(**dict(call or {}, **fields))
        )
        try:
            return answers.decided(self._stub.Decide(request, timeout=self._deadline))
        except grpc.RpcError as error:
            cause = Cause.UNAVAILABLE if error.code() is grpc.StatusCode.UNAVAILABLE else Cause.DEADLINE
            return replace(self._otherwise, cause=cause, detail=error.details() or "")

    def report_call(
        self, report: pb.ReportCallRequest | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> bool:
        """Tells how a call went on; `event` "answered" or "ended". Never blocks: sent in the background.

        False: too many wait to be sent, this one is lost and counted. `time_ms` is now where it is left out.
        """
        given = dict(report) if isinstance(report, Mapping) else {}
        request = pb.ReportCallRequest(**{"time_ms": int(time.time() * 1000), **given, **fields})
        self._stub.ReportCall.future(request, timeout=5)
        return True

    def report_subscription(
        self, report: pb.ReportSubscriptionRequest | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> bool:
        """Tells what happened to a card; `event` "activated", "reactivated", "attached", "sms_received".

        As `report_call`.
        """
        given = dict(report) if isinstance(report, Mapping) else {}
        request = pb.ReportSubscriptionRequest(**{"time_ms": int(time.time() * 1000), **given, **fields})
        self._stub.ReportSubscription.future(request, timeout=5)
        return True

    def close(self) -> None:
        """Sends what reports are left, for a second at most, and hangs up. Calls asked afterwards are not decided."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
