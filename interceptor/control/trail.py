"""Methods of AdminService about the audit trail, and the erasure of a person's number."""

import json
from collections.abc import Mapping

from interceptor.control.answering import Method
from interceptor.control.authorising import Caller
from interceptor.control.lists import invalid, wanted
from interceptor.pb.v1 import access_pb2 as pb
from interceptor.runtime.live import LiveLists
from interceptor.store.trail import AuditTrail
from interceptor.store.words import AuditRecord

MOST, SHOWN = 1_000, 100


class Trail:
    """What was done, by whom, and whether that record is whole."""

    def __init__(self, audit: AuditTrail, lists: LiveLists) -> None:
        self._audit = audit
        self._lists = lists

    def methods(self) -> Mapping[str, Method]:
        return {
            "ListAudit": Method(self.log, pb.ListAuditRequest),
            "VerifyAudit": Method(self.verify, pb.VerifyAuditRequest, long=True),
            "EraseNumber": Method(self.erase, pb.EraseNumberRequest, long=True),
        }

    def log(self, request: pb.ListAuditRequest, _caller: Caller) -> pb.ListAuditResponse:
        if request.limit > MOST:
            raise invalid(f"limit: {request.limit} is more than {MOST:,}; before goes on")
        records = self._audit.log(
            request.limit or SHOWN, before=request.before, action=request.action, actor=request.actor
        )
        return pb.ListAuditResponse(records=[entry_of(each) for each in records])

    def verify(self, request: pb.VerifyAuditRequest, _caller: Caller) -> pb.VerifyAuditResponse:
        found = self._audit.verify(deep=request.deep)
        return pb.VerifyAuditResponse(
            whole=not found.problems,
            records=found.records,
            last_hash=found.last_hash,
            problems=found.problems,
        )

    def erase(self, request: pb.EraseNumberRequest, caller: Caller) -> pb.EraseNumberResponse:
        wanted("number", request.number)
        erased = self._lists.erase(request.number, actor=caller.name, comment=request.comment)
        return pb.EraseNumberResponse(
            entries=erased.entries,
            decisions=erased.decisions,
            events=erased.events,
            not_reached=erased.not_reached,
        )


def entry_of(record: AuditRecord) -> pb.AuditEntry:
    return pb.AuditEntry(
        sequence=record.sequence,
        at_ms=record.at_ms,
        actor=record.actor,
        action=record.action,
        subject=record.subject,
        detail=json.dumps(record.detail, sort_keys=True, ensure_ascii=False),
        revision=record.revision,
        digest=record.digest,
        hash=record.hash,
    )
