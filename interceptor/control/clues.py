"""Methods of AdminService about clues for the police."""

import re
from collections.abc import Mapping

from interceptor.control.answering import Method
from interceptor.control.authorising import Caller
from interceptor.control.lists import invalid, wanted
from interceptor.pb.v1 import clues_pb2 as pb
from interceptor.runtime.clues import Clues as Gathered
from interceptor.runtime.clues import Subject
from interceptor.store.trail import AuditTrail
from interceptor.store.words import Action

SUBJECTS: Mapping[pb.ClueSubject, Subject | None] = {
    pb.CLUE_SUBJECT_UNSPECIFIED: None,
    pb.CLUE_SUBJECT_NUMBER: Subject.NUMBER,
    pb.CLUE_SUBJECT_DEVICE: Subject.DEVICE,
    pb.CLUE_SUBJECT_CARD: Subject.CARD,
    pb.CLUE_SUBJECT_CELL: Subject.CELL,
}
_HASH = re.compile(r"[0-9a-f]{64}")


class Clues:
    """Clues, and whether one was made here."""

    def __init__(self, clues: Gathered, audit: AuditTrail) -> None:
        self._clues = clues
        self._audit = audit

    def methods(self) -> Mapping[str, Method]:
        return {
            "GatherClue": Method(self.gather, pb.GatherClueRequest, long=True),
            "CheckClue": Method(self.check, pb.CheckClueRequest),
        }

    def gather(self, request: pb.GatherClueRequest, caller: Caller) -> pb.GatherClueResponse:
        wanted("text", request.text)
        if request.subject not in SUBJECTS:
            raise invalid(f"subject: {request.subject} is none that this service knows")
        if request.since_ms < 0:
            raise invalid("since_ms: is before 1970")
        clue = self._clues.gather(
            request.text,
            kind=SUBJECTS[request.subject],
            since_ms=request.since_ms or None,
            actor=caller.name,
        )
        return pb.GatherClueResponse(
            pack=clue.pack,
            hash=clue.hash,
            subject=next(number for number, subject in SUBJECTS.items() if subject is clue.subject),
            text=clue.text,
            decisions=clue.decisions,
        )

    def check(self, request: pb.CheckClueRequest, _caller: Caller) -> pb.CheckClueResponse:
        if not _HASH.fullmatch(request.hash):
            raise invalid("hash: a seal's hash has 64 hexadecimal digits")
        found = self._audit.find(Action.CLUE, request.hash)
        if found is None:
            return pb.CheckClueResponse()
        return pb.CheckClueResponse(known=True, at_ms=found.at_ms, actor=found.actor, sequence=found.sequence)
