"""The method of AdminService that tells how calls are being decided, once a second."""

import threading
import time
from collections.abc import Iterator, Mapping

import grpc

from interceptor.control.answering import Method
from interceptor.control.authorising import Caller
from interceptor.control.lists import invalid
from interceptor.control.messages import VERDICTS
from interceptor.control.reads import Reads
from interceptor.control.refusing import Refusal
from interceptor.pb.v1 import watch_pb2 as pb
from interceptor.runtime.service import NotReadyError, Service
from interceptor.runtime.watching import LONGEST, Look, Picture

WATCHERS = 8  # at once: each holds a thread of the server
LASTS = 600.0  # seconds of a stream: who may no longer ask watches no longer than this
MOST_ROWS, ROWS = 100, 20


class Watch:
    """Decisions as they are made."""

    def __init__(self, service: Service, reads: Reads) -> None:
        self._service = service
        self._reads = reads
        self._seats = threading.BoundedSemaphore(WATCHERS)

    def methods(self) -> Mapping[str, Method]:
        return {"WatchDecisions": Method(self.watch, pb.WatchDecisionsRequest)}

    def watch(self, request: pb.WatchDecisionsRequest, caller: Caller) -> Iterator[pb.WatchDecisionsResponse]:
        look = look_of(request)
        watching = self._service.watching
        if not self._service.ready:
            raise NotReadyError("the service has no policy in force yet: ask again when health says SERVING")
        if not self._seats.acquire(blocking=False):
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{WATCHERS} are watching already: ask again when one has left",
            )
        try:
            if look.callers:
                self._reads.of_callers(caller, look.callers, whole=watching.may_show(look.whole))
            over = time.monotonic() + LASTS
            with watching.watched() as watcher:
                while time.monotonic() < over and watcher.wait():
                    yield response_of(watcher.picture(look), watching.pass_sample)
        finally:
            self._seats.release()


def look_of(request: pb.WatchDecisionsRequest) -> Look:
    if request.span_s > LONGEST:
        raise invalid(f"span_s: {request.span_s} is more than {LONGEST}")
    for field, wanted in (("rows", request.rows), ("callers", request.callers)):
        if wanted > MOST_ROWS:
            raise invalid(f"{field}: {wanted} is more than {MOST_ROWS}")
    return Look(request.span_s or 1, request.rows or ROWS, request.callers, request.whole_numbers)


def response_of(picture: Picture, pass_sample: int) -> pb.WatchDecisionsResponse:
    rates = picture.per_second
    return pb.WatchDecisionsResponse(
        time_ms=picture.time_ms,
        span_ms=round(picture.span_s * 1000),
        policy_revision=picture.revision,
        policy=picture.policy,
        decided=picture.decided,
        decided_per_second=rates["decided"],
        passed_per_second=rates["pass"],
        warned_per_second=rates["warn"],
        blocked_per_second=rates["block"],
        repeated_per_second=rates["repeated"],
        p50_ns=picture.p50_ns,
        p99_ns=picture.p99_ns,
        rules=[
            pb.RuleRate(
                rule=each.rule,
                verdict=VERDICTS[each.verdict],
                reason=each.reason,
                shadow=each.shadow,
                demoted=each.demoted,
                per_second=each.per_second,
                total=each.total,
            )
            for each in picture.rules
        ],
        lists=[
            pb.ListRate(list=each.name, per_second=each.per_second, total=each.total, entries=each.entries)
            for each in picture.lists
        ],
        callers=[
            pb.CallerCalls(
                caller=each.caller,
                blocked=each.blocked,
                warned=each.warned,
                passes_seen=each.passed,
                rule=each.rule,
            )
            for each in picture.callers
        ],
        callers_span_ms=round(picture.callers_span_s * 1000),
        pass_sample=pass_sample,
        masked=picture.masked,
        unseen=picture.unseen,
    )
