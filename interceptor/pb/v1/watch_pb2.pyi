from interceptor.pb.v1 import interception_pb2 as _interception_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchDecisionsRequest(_message.Message):
    __slots__ = ("span_s", "rows", "callers", "whole_numbers")
    SPAN_S_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    CALLERS_FIELD_NUMBER: _ClassVar[int]
    WHOLE_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    span_s: int
    rows: int
    callers: int
    whole_numbers: bool
    def __init__(self, span_s: _Optional[int] = ..., rows: _Optional[int] = ..., callers: _Optional[int] = ..., whole_numbers: _Optional[bool] = ...) -> None: ...

class WatchDecisionsResponse(_message.Message):
    __slots__ = ("time_ms", "span_ms", "policy_revision", "policy", "decided", "decided_per_second", "passed_per_second", "warned_per_second", "blocked_per_second", "repeated_per_second", "p50_ns", "p99_ns", "rules", "lists", "callers", "callers_span_ms", "pass_sample", "masked", "unseen")
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    SPAN_MS_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    DECIDED_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    PASSED_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    WARNED_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    REPEATED_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    P50_NS_FIELD_NUMBER: _ClassVar[int]
    P99_NS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    CALLERS_FIELD_NUMBER: _ClassVar[int]
    CALLERS_SPAN_MS_FIELD_NUMBER: _ClassVar[int]
    PASS_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    MASKED_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_FIELD_NUMBER: _ClassVar[int]
    time_ms: int
    span_ms: int
    policy_revision: int
    policy: str
    decided: int
    decided_per_second: float
    passed_per_second: float
    warned_per_second: float
    blocked_per_second: float
    repeated_per_second: float
    p50_ns: int
    p99_ns: int
    rules: _containers.RepeatedCompositeFieldContainer[RuleRate]
    lists: _containers.RepeatedCompositeFieldContainer[ListRate]
    callers: _containers.RepeatedCompositeFieldContainer[CallerCalls]
    callers_span_ms: int
    pass_sample: int
    masked: bool
    unseen: int
    def __init__(self, time_ms: _Optional[int] = ..., span_ms: _Optional[int] = ..., policy_revision: _Optional[int] = ..., policy: _Optional[str] = ..., decided: _Optional[int] = ..., decided_per_second: _Optional[float] = ..., passed_per_second: _Optional[float] = ..., warned_per_second: _Optional[float] = ..., blocked_per_second: _Optional[float] = ..., repeated_per_second: _Optional[float] = ..., p50_ns: _Optional[int] = ..., p99_ns: _Optional[int] = ..., rules: _Optional[_Iterable[_Union[RuleRate, _Mapping]]] = ..., lists: _Optional[_Iterable[_Union[ListRate, _Mapping]]] = ..., callers: _Optional[_Iterable[_Union[CallerCalls, _Mapping]]] = ..., callers_span_ms: _Optional[int] = ..., pass_sample: _Optional[int] = ..., masked: _Optional[bool] = ..., unseen: _Optional[int] = ...) -> None: ...

class RuleRate(_message.Message):
    __slots__ = ("rule", "verdict", "reason", "shadow", "demoted", "per_second", "total")
    RULE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    DEMOTED_FIELD_NUMBER: _ClassVar[int]
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    rule: str
    verdict: _interception_pb2.Verdict
    reason: str
    shadow: bool
    demoted: bool
    per_second: float
    total: int
    def __init__(self, rule: _Optional[str] = ..., verdict: _Optional[_Union[_interception_pb2.Verdict, str]] = ..., reason: _Optional[str] = ..., shadow: _Optional[bool] = ..., demoted: _Optional[bool] = ..., per_second: _Optional[float] = ..., total: _Optional[int] = ...) -> None: ...

class ListRate(_message.Message):
    __slots__ = ("list", "per_second", "total", "entries")
    LIST_FIELD_NUMBER: _ClassVar[int]
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    list: str
    per_second: float
    total: int
    entries: int
    def __init__(self, list: _Optional[str] = ..., per_second: _Optional[float] = ..., total: _Optional[int] = ..., entries: _Optional[int] = ...) -> None: ...

class CallerCalls(_message.Message):
    __slots__ = ("caller", "blocked", "warned", "passes_seen", "rule")
    CALLER_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    WARNED_FIELD_NUMBER: _ClassVar[int]
    PASSES_SEEN_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    caller: str
    blocked: int
    warned: int
    passes_seen: int
    rule: str
    def __init__(self, caller: _Optional[str] = ..., blocked: _Optional[int] = ..., warned: _Optional[int] = ..., passes_seen: _Optional[int] = ..., rule: _Optional[str] = ...) -> None: ...
