from interceptor.pb.v1 import interception_pb2 as _interception_pb2
from interceptor.pb.v1 import lists_pb2 as _lists_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PutPolicyRequest(_message.Message):
    __slots__ = ("text", "origin", "comment", "dry_run", "confirmation")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    text: str
    origin: str
    comment: str
    dry_run: bool
    confirmation: _lists_pb2.Confirmation
    def __init__(self, text: _Optional[str] = ..., origin: _Optional[str] = ..., comment: _Optional[str] = ..., dry_run: _Optional[bool] = ..., confirmation: _Optional[_Union[_lists_pb2.Confirmation, _Mapping]] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class ListPoliciesRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ListPoliciesResponse(_message.Message):
    __slots__ = ("policies",)
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[PolicyState]
    def __init__(self, policies: _Optional[_Iterable[_Union[PolicyState, _Mapping]]] = ...) -> None: ...

class RollbackPolicyRequest(_message.Message):
    __slots__ = ("revision", "comment", "confirmation")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    comment: str
    confirmation: _lists_pb2.Confirmation
    def __init__(self, revision: _Optional[int] = ..., comment: _Optional[str] = ..., confirmation: _Optional[_Union[_lists_pb2.Confirmation, _Mapping]] = ...) -> None: ...

class PolicyState(_message.Message):
    __slots__ = ("revision", "digest", "text", "origin", "actor", "put_ms", "comment", "in_force", "rules", "impact")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    PUT_MS_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    IMPACT_FIELD_NUMBER: _ClassVar[int]
    revision: int
    digest: str
    text: str
    origin: str
    actor: str
    put_ms: int
    comment: str
    in_force: bool
    rules: int
    impact: _lists_pb2.Impact
    def __init__(self, revision: _Optional[int] = ..., digest: _Optional[str] = ..., text: _Optional[str] = ..., origin: _Optional[str] = ..., actor: _Optional[str] = ..., put_ms: _Optional[int] = ..., comment: _Optional[str] = ..., in_force: _Optional[bool] = ..., rules: _Optional[int] = ..., impact: _Optional[_Union[_lists_pb2.Impact, _Mapping]] = ...) -> None: ...

class StartTrialRequest(_message.Message):
    __slots__ = ("text", "origin", "for_ms")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    text: str
    origin: str
    for_ms: int
    def __init__(self, text: _Optional[str] = ..., origin: _Optional[str] = ..., for_ms: _Optional[int] = ...) -> None: ...

class GetTrialRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopTrialRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TrialState(_message.Message):
    __slots__ = ("running", "origin", "digest", "begun_ms", "ends_ms", "calls", "differing", "kinds", "last", "unknown_counters", "unknown_tags", "stopped")
    class KindsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    BEGUN_MS_FIELD_NUMBER: _ClassVar[int]
    ENDS_MS_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_COUNTERS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_TAGS_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    running: bool
    origin: str
    digest: str
    begun_ms: int
    ends_ms: int
    calls: int
    differing: int
    kinds: _containers.ScalarMap[str, int]
    last: _containers.RepeatedCompositeFieldContainer[_lists_pb2.FlippedCall]
    unknown_counters: _containers.RepeatedScalarFieldContainer[str]
    unknown_tags: _containers.RepeatedScalarFieldContainer[str]
    stopped: str
    def __init__(self, running: _Optional[bool] = ..., origin: _Optional[str] = ..., digest: _Optional[str] = ..., begun_ms: _Optional[int] = ..., ends_ms: _Optional[int] = ..., calls: _Optional[int] = ..., differing: _Optional[int] = ..., kinds: _Optional[_Mapping[str, int]] = ..., last: _Optional[_Iterable[_Union[_lists_pb2.FlippedCall, _Mapping]]] = ..., unknown_counters: _Optional[_Iterable[str]] = ..., unknown_tags: _Optional[_Iterable[str]] = ..., stopped: _Optional[str] = ...) -> None: ...

class PromoteRuleRequest(_message.Message):
    __slots__ = ("rule", "comment")
    RULE_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    rule: str
    comment: str
    def __init__(self, rule: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class PromoteRuleResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class ExplainDecisionRequest(_message.Message):
    __slots__ = ("decision_id",)
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    def __init__(self, decision_id: _Optional[str] = ...) -> None: ...

class ExplainDecisionResponse(_message.Message):
    __slots__ = ("time_ms", "caller", "callee", "decision", "condition", "entries", "words", "undo", "feedback")
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    CALLEE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    UNDO_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    time_ms: int
    caller: str
    callee: str
    decision: _interception_pb2.DecideResponse
    condition: str
    entries: _containers.RepeatedCompositeFieldContainer[_lists_pb2.HeldEntry]
    words: _containers.RepeatedScalarFieldContainer[str]
    undo: _containers.RepeatedScalarFieldContainer[str]
    feedback: str
    def __init__(self, time_ms: _Optional[int] = ..., caller: _Optional[str] = ..., callee: _Optional[str] = ..., decision: _Optional[_Union[_interception_pb2.DecideResponse, _Mapping]] = ..., condition: _Optional[str] = ..., entries: _Optional[_Iterable[_Union[_lists_pb2.HeldEntry, _Mapping]]] = ..., words: _Optional[_Iterable[str]] = ..., undo: _Optional[_Iterable[str]] = ..., feedback: _Optional[str] = ...) -> None: ...

class GiveFeedbackRequest(_message.Message):
    __slots__ = ("decision_id", "right", "comment", "release_ms")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_MS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    right: bool
    comment: str
    release_ms: int
    def __init__(self, decision_id: _Optional[str] = ..., right: _Optional[bool] = ..., comment: _Optional[str] = ..., release_ms: _Optional[int] = ...) -> None: ...

class GiveFeedbackResponse(_message.Message):
    __slots__ = ("released", "revision", "released_until_ms")
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RELEASED_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    released: bool
    revision: int
    released_until_ms: int
    def __init__(self, released: _Optional[bool] = ..., revision: _Optional[int] = ..., released_until_ms: _Optional[int] = ...) -> None: ...

class PutPolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: PolicyState
    def __init__(self, policy: _Optional[_Union[PolicyState, _Mapping]] = ...) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: PolicyState
    def __init__(self, policy: _Optional[_Union[PolicyState, _Mapping]] = ...) -> None: ...

class RollbackPolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: PolicyState
    def __init__(self, policy: _Optional[_Union[PolicyState, _Mapping]] = ...) -> None: ...

class StartTrialResponse(_message.Message):
    __slots__ = ("trial",)
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    trial: TrialState
    def __init__(self, trial: _Optional[_Union[TrialState, _Mapping]] = ...) -> None: ...

class GetTrialResponse(_message.Message):
    __slots__ = ("trial",)
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    trial: TrialState
    def __init__(self, trial: _Optional[_Union[TrialState, _Mapping]] = ...) -> None: ...

class StopTrialResponse(_message.Message):
    __slots__ = ("trial",)
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    trial: TrialState
    def __init__(self, trial: _Optional[_Union[TrialState, _Mapping]] = ...) -> None: ...
