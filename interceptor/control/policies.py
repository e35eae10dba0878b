"""Methods of AdminService about policies: put, told, tried, taken back; and reloading a policy file."""

from collections.abc import Mapping

import grpc

from interceptor.control.answering import Method
from interceptor.control.authorising import Caller
from interceptor.control.impacts import flipped, impact_of
from interceptor.control.lists import confirmed, invalid, wanted
from interceptor.control.messages import reloaded
from interceptor.control.refusing import Refusal
from interceptor.pb.v1 import admin_pb2
from interceptor.pb.v1 import policies_pb2 as pb
from interceptor.runtime.loader import LoadError
from interceptor.runtime.policies import LivePolicies, PolicyState, TrialState
from interceptor.runtime.service import Service

LARGEST = 1 << 20  # bytes of a policy
MOST, SHOWN = 1_000, 100
LONGEST_TRIAL_MS = 31 * 24 * 3_600_000


class Policies:
    """Policies as operators change them."""

    def __init__(self, service: Service, policies: LivePolicies) -> None:
        self._service = service
        self._policies = policies

    def methods(self) -> Mapping[str, Method]:
        return {
            "Reload": Method(self.reload, admin_pb2.ReloadRequest, long=True),
            "PutPolicy": Method(self.put, pb.PutPolicyRequest, LARGEST, long=True),
            "GetPolicy": Method(self.get, pb.GetPolicyRequest),
            "ListPolicies": Method(self.history, pb.ListPoliciesRequest),
            "RollbackPolicy": Method(self.rollback, pb.RollbackPolicyRequest, long=True),
            "StartTrial": Method(self.start_trial, pb.StartTrialRequest, LARGEST, long=True),
            "GetTrial": Method(self.trial, pb.GetTrialRequest),
            "StopTrial": Method(self.stop_trial, pb.StopTrialRequest),
            "PromoteRule": Method(self.promote, pb.PromoteRuleRequest),
        }

    def reload(self, _request: admin_pb2.ReloadRequest, _caller: Caller) -> admin_pb2.ReloadResponse:
        try:
            return reloaded(self._service.reload())
        except LoadError as error:
            raise LoadError(error.fault, f"the last good policy stays in force: {error}") from error

    def put(self, request: pb.PutPolicyRequest, caller: Caller) -> pb.PutPolicyResponse:
        wanted("text", request.text)
        state = self._policies.put(
            request.text,
            origin=request.origin,
            actor=caller.name,
            comment=request.comment,
            confirmed=confirmed(request),
            dry_run=request.dry_run,
        )
        return pb.PutPolicyResponse(policy=state_of(state))

    def get(self, request: pb.GetPolicyRequest, _caller: Caller) -> pb.GetPolicyResponse:
        return pb.GetPolicyResponse(policy=state_of(self._policies.get(request.revision)))

    def history(self, request: pb.ListPoliciesRequest, _caller: Caller) -> pb.ListPoliciesResponse:
        if request.limit > MOST:
            raise invalid(f"limit: {request.limit} is more than {MOST}")
        states = self._policies.history(request.limit or SHOWN)
        return pb.ListPoliciesResponse(policies=[state_of(each, text=False) for each in states])

    def rollback(self, request: pb.RollbackPolicyRequest, caller: Caller) -> pb.RollbackPolicyResponse:
        state = self._policies.rollback(
            request.revision, actor=caller.name, comment=request.comment, confirmed=confirmed(request)
        )
        return pb.RollbackPolicyResponse(policy=state_of(state))

    def start_trial(self, request: pb.StartTrialRequest, caller: Caller) -> pb.StartTrialResponse:
        wanted("text", request.text)
        if not 0 < request.for_ms <= LONGEST_TRIAL_MS:
            raise invalid("for_ms: a trial takes more than 0 and at most 31 days")
        state = self._policies.start_trial(
            request.text, origin=request.origin, for_ms=request.for_ms, actor=caller.name
        )
        return pb.StartTrialResponse(trial=trial_of(state))

    def trial(self, _request: pb.GetTrialRequest, _caller: Caller) -> pb.GetTrialResponse:
        state = self._policies.trial()
        if state is None:
            raise Refusal(
                grpc.StatusCode.NOT_FOUND,
                "no policy was tried since the start: `interceptor policy trial FILE --for 1h` begins a trial",
            )
        return pb.GetTrialResponse(trial=trial_of(state))

    def stop_trial(self, _request: pb.StopTrialRequest, caller: Caller) -> pb.StopTrialResponse:
        return pb.StopTrialResponse(trial=trial_of(self._policies.stop_trial(actor=caller.name)))

    def promote(self, request: pb.PromoteRuleRequest, caller: Caller) -> pb.PromoteRuleResponse:
        wanted("rule", request.rule)
        revision = self._policies.promote(request.rule, actor=caller.name, comment=request.comment)
        return pb.PromoteRuleResponse(revision=revision)


def state_of(state: PolicyState, *, text: bool = True) -> pb.PolicyState:
    policy = state.policy
    return pb.PolicyState(
        revision=policy.revision,
        digest=policy.digest,
        text=policy.text if text else "",
        origin=policy.origin,
        actor=policy.actor,
        put_ms=policy.put_ms,
        comment=policy.comment,
        in_force=state.in_force,
        rules=state.rules,
        impact=None if state.impact is None else impact_of(state.impact),
    )


def trial_of(state: TrialState) -> pb.TrialState:
    return pb.TrialState(
        running=state.running,
        origin=state.origin,
        digest=state.digest,
        begun_ms=state.begun_ms,
        ends_ms=state.ends_ms,
        calls=state.calls,
        differing=state.differing,
        kinds=state.kinds,
        last=[flipped(each) for each in state.last],
        unknown_counters=state.unknown_counters,
        unknown_tags=state.unknown_tags,
        stopped=state.stopped,
    )
