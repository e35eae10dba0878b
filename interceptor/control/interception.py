"""InterceptionService on grpcio: the portable front for switches; what decides is the same engine."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc

from interceptor.control import border
from interceptor.control.allowing import name_of
from interceptor.control.border import Call, Streamed, Unreadable
from interceptor.control.messages import answer
from interceptor.control.refusing import refuse
from interceptor.engine.engine import CallError
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.runtime.service import NotReadyError, Service

NAME = pb.DESCRIPTOR.services_by_name["InterceptionService"].full_name
STATUS = {status.name: status.value[0] for status in grpc.StatusCode}


class Interception:
    """Handlers of InterceptionService.

    Parameters
    ----------
    service : Service
        What decides.
    streams : int
        How many DecideStreams may be open; each holds one thread of the server.
    authenticated : bool
        Whether clients show certificates: then their name is `call.switch`.
    """

    def __init__(self, service: Service, *, streams: int, authenticated: bool) -> None:
        self._service = service
        self._streams = threading.BoundedSemaphore(streams)
        self._authenticated = authenticated

    def handlers(self) -> "grpc.GenericRpcHandler[Any, Any]":
        """To be added to a server. Requests are read by `border`: a generated servicer would answer INTERNAL to bytes
        that are no message."""
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                "Decide": grpc.unary_unary_rpc_method_handler(
                    self.decide, border.read_call, pb.DecideResponse.SerializeToString
                ),
                "DecideStream": grpc.stream_stream_rpc_method_handler(
                    self.decide_stream, border.read_streamed, pb.DecideStreamResponse.SerializeToString
                ),
                "ReportCall": grpc.unary_unary_rpc_method_handler(
                    self.report_call, border.read_report, pb.ReportCallResponse.SerializeToString
                ),
                "ReportSubscription": grpc.unary_unary_rpc_method_handler(
                    self.report_subscription,
                    border.read_subscription,
                    pb.ReportSubscriptionResponse.SerializeToString,
                ),
            },
        )

    def decide(self, call: Call | Unreadable, context: grpc.ServicerContext) -> pb.DecideResponse:
        """Decides one call."""
        with self._taken(call, context) as taken:
            return self._answer(taken, self._switch(context))

    def decide_stream(
        self, messages: Iterator[Streamed], context: grpc.ServicerContext
    ) -> Iterator[pb.DecideStreamResponse]:
        """Decides the calls of a stream, in the order they come."""
        if not self._streams.acquire(blocking=False):
            self._refuse(
                context,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "too many streams are open: put more calls on the ones you have, or ask with Decide",
            )
        try:
            switch = self._switch(context)
            for message in messages:
                yield self._streamed(message, switch)
        finally:
            self._streams.release()

    def report_call(self, report: Call | Unreadable, context: grpc.ServicerContext) -> pb.ReportCallResponse:
        """Takes a report of a call."""
        with self._taken(report, context) as taken:
            self._service.report({**taken, "switch": self._switch(context)})
            return pb.ReportCallResponse()

    def report_subscription(
        self, card: Call | Unreadable, context: grpc.ServicerContext
    ) -> pb.ReportSubscriptionResponse:
        """Takes a report of a card."""
        with self._taken(card, context) as taken:
            event = taken.pop("event")
            self._service.report_subscription(event, {**taken, "switch": self._switch(context)})
            return pb.ReportSubscriptionResponse()

    @contextmanager
    def _taken(self, request: Call | Unreadable, context: grpc.ServicerContext) -> Iterator[Call]:
        """What was read, if it may still be answered; what is wrong with it ends the request with its status."""
        left = context.time_remaining()
        if left is not None and left <= 0:
            self._refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline had passed: not decided")
        if isinstance(request, Unreadable):
            code = (
                grpc.StatusCode.RESOURCE_EXHAUSTED if request.too_large else grpc.StatusCode.INVALID_ARGUMENT
            )
            self._refuse(context, code, request.message)
        try:
            yield request
        except CallError as error:
            self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except NotReadyError as error:
            self._refuse(context, grpc.StatusCode.UNAVAILABLE, str(error))

    def _answer(self, call: Call, switch: str | None) -> pb.DecideResponse:
        if switch is not None:
            call["switch"] = switch
        return answer(self._service.decide(call), self._service.outcomes)

    def _streamed(self, message: Streamed, switch: str | None) -> pb.DecideStreamResponse:
        response = pb.DecideStreamResponse(id=message.id)
        if message.deadline_ms and (time.monotonic() - message.arrived) * 1000 > message.deadline_ms:
            return self._failed(response, "DEADLINE_EXCEEDED", "the deadline had passed: not decided")
        if isinstance(message.call, Unreadable):
            status = "RESOURCE_EXHAUSTED" if message.call.too_large else "INVALID_ARGUMENT"
            return self._failed(response, status, message.call.message)
        try:
            response.decision.CopyFrom(self._answer(message.call, switch))
        except CallError as error:
            return self._failed(response, "INVALID_ARGUMENT", str(error), error.field)
        except NotReadyError as error:
            return self._failed(response, "UNAVAILABLE", str(error))
        return response

    def _failed(
        self, response: pb.DecideStreamResponse, status: str, message: str, field: str = ""
    ) -> pb.DecideStreamResponse:
        self._service.tally.request_refused(status)
        response.error.code, response.error.message, response.error.field = STATUS[status], message, field
        return response

    def _refuse(self, context: grpc.ServicerContext, code: grpc.StatusCode, message: str) -> NoReturn:
        refuse(context, self._service.tally, code, message)

    def _switch(self, context: grpc.ServicerContext) -> str | None:
        return name_of(context) or None if self._authenticated else None
