"""Methods of AdminService about the counters of one entity."""

from collections.abc import Mapping

from interceptor.control.answering import Method
from interceptor.control.authorising import Caller
from interceptor.control.lists import invalid
from interceptor.control.reads import Reads
from interceptor.pb.v1 import entities_pb2 as pb
from interceptor.runtime.entities import Entities as Looked

MOST_PARTS = 2


class Entities:
    """What is counted of a caller, a handset, a cell ..., and its end."""

    def __init__(self, entities: Looked, reads: Reads) -> None:
        self._entities = entities
        self._reads = reads

    def methods(self) -> Mapping[str, Method]:
        return {
            "ShowEntity": Method(self.show, pb.ShowEntityRequest),
            "ResetEntity": Method(self.reset, pb.ResetEntityRequest),
        }

    def show(self, request: pb.ShowEntityRequest, caller: Caller) -> pb.ShowEntityResponse:
        _check(request)
        found = self._entities.show(request.key, request.kind)
        for text in request.key:
            self._reads.of_text(caller, "entity", text, len(found))
        return pb.ShowEntityResponse(
            entities=[
                pb.Entity(
                    kind=each.kind,
                    last_counted_ms=each.seen_ms,
                    counters=[
                        pb.EntityCounter(
                            name=counter.name,
                            value=counter.value,
                            meaning=counter.meaning,
                            window_ms=counter.window_ms,
                        )
                        for counter in each.counters
                    ],
                )
                for each in found
            ]
        )

    def reset(self, request: pb.ResetEntityRequest, caller: Caller) -> pb.ResetEntityResponse:
        _check(request)
        kinds = self._entities.reset(request.key, request.kind, actor=caller.name, comment=request.comment)
        return pb.ResetEntityResponse(kinds=kinds)


def _check(request: pb.ShowEntityRequest | pb.ResetEntityRequest) -> None:
    if not 1 <= len(request.key) <= MOST_PARTS or not all(request.key):
        raise invalid(f"key: give one text, or {MOST_PARTS} for a pair")
