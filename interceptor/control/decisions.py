"""Methods of AdminService about decisions: what one would be, why one was made, whether it was right."""

from collections.abc import Mapping

from interceptor.control.answering import Method
from interceptor.control.authorising import Caller
from interceptor.control.border import Call, read_explain
from interceptor.control.impacts import held_entries
from interceptor.control.lists import invalid, wanted
from interceptor.control.messages import CLASS_NAMES, VERDICT_NAMES, explanation
from interceptor.control.reads import Reads
from interceptor.pb.v1 import admin_pb2
from interceptor.pb.v1 import interception_pb2 as calls
from interceptor.pb.v1 import policies_pb2 as pb
from interceptor.runtime.service import Service
from interceptor.runtime.why import Decisions as Remembered
from interceptor.runtime.why import Explained


class Decisions:
    """Decisions for people."""

    def __init__(self, service: Service, remembered: Remembered, reads: Reads) -> None:
        self._service = service
        self._remembered = remembered
        self._reads = reads

    def methods(self) -> Mapping[str, Method]:
        return {
            "Explain": Method(self.explain, admin_pb2.ExplainRequest, read=read_explain),
            "ExplainDecision": Method(self.explain_decision, pb.ExplainDecisionRequest),
            "GiveFeedback": Method(self.give_feedback, pb.GiveFeedbackRequest),
        }

    def explain(self, call: Call, _caller: Caller) -> admin_pb2.ExplainResponse:
        found, loaded = self._service.explain(call)
        return explanation(found, loaded, self._service.outcomes)

    def explain_decision(
        self, request: pb.ExplainDecisionRequest, caller: Caller
    ) -> pb.ExplainDecisionResponse:
        wanted("decision_id", request.decision_id)
        explained = self._remembered.explain_decision(request.decision_id)
        self._reads.of_decision(caller, explained.decision_id)
        return explained_of(explained)

    def give_feedback(self, request: pb.GiveFeedbackRequest, caller: Caller) -> pb.GiveFeedbackResponse:
        wanted("decision_id", request.decision_id)
        release_ms = request.release_ms if request.HasField("release_ms") else None
        if release_ms is not None and (release_ms <= 0 or request.right):
            raise invalid("release_ms: must be above 0, and only a wrong block releases anybody")
        noted = self._remembered.give_feedback(
            request.decision_id,
            right=request.right,
            actor=caller.name,
            comment=request.comment,
            release_ms=release_ms,
        )
        return pb.GiveFeedbackResponse(
            released=noted.released, revision=noted.revision, released_until_ms=noted.released_until_ms
        )


def explained_of(explained: Explained) -> pb.ExplainDecisionResponse:
    return pb.ExplainDecisionResponse(
        time_ms=explained.time_ms,
        caller=explained.caller,
        callee=explained.callee,
        decision=calls.DecideResponse(
            verdict=VERDICT_NAMES[explained.verdict],
            rule=explained.rule,
            reason=explained.reason,
            block_class=CLASS_NAMES[explained.block_class],
            sip_code=explained.sip_code,
            sip_reason=explained.sip_reason,
            decision_id=explained.decision_id,
            policy_revision=explained.policy_revision,
            shadow_rules=explained.shadow_rules,
        ),
        condition=explained.condition,
        entries=held_entries(explained.entries),
        words=explained.words,
        undo=explained.undo,
        feedback=explained.feedback,
    )
