from interceptor.pb.v1 import access_pb2 as _access_pb2
from interceptor.pb.v1 import clues_pb2 as _clues_pb2
from interceptor.pb.v1 import entities_pb2 as _entities_pb2
from interceptor.pb.v1 import interception_pb2 as _interception_pb2
from interceptor.pb.v1 import lists_pb2 as _lists_pb2
from interceptor.pb.v1 import policies_pb2 as _policies_pb2
from interceptor.pb.v1 import watch_pb2 as _watch_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RuleOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RULE_OUTCOME_UNSPECIFIED: _ClassVar[RuleOutcome]
    RULE_OUTCOME_MATCH: _ClassVar[RuleOutcome]
    RULE_OUTCOME_NO_MATCH: _ClassVar[RuleOutcome]
    RULE_OUTCOME_ABSENT: _ClassVar[RuleOutcome]
    RULE_OUTCOME_ERROR: _ClassVar[RuleOutcome]
    RULE_OUTCOME_NOT_REACHED: _ClassVar[RuleOutcome]
    RULE_OUTCOME_GRACED: _ClassVar[RuleOutcome]
RULE_OUTCOME_UNSPECIFIED: RuleOutcome
RULE_OUTCOME_MATCH: RuleOutcome
RULE_OUTCOME_NO_MATCH: RuleOutcome
RULE_OUTCOME_ABSENT: RuleOutcome
RULE_OUTCOME_ERROR: RuleOutcome
RULE_OUTCOME_NOT_REACHED: RuleOutcome
RULE_OUTCOME_GRACED: RuleOutcome

class ExplainRequest(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: _interception_pb2.DecideRequest
    def __init__(self, call: _Optional[_Union[_interception_pb2.DecideRequest, _Mapping]] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("decision", "emergency", "graced", "rules", "counters", "lists", "numbers")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    EMERGENCY_FIELD_NUMBER: _ClassVar[int]
    GRACED_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    decision: _interception_pb2.DecideResponse
    emergency: bool
    graced: bool
    rules: _containers.RepeatedCompositeFieldContainer[RuleTrace]
    counters: _containers.RepeatedCompositeFieldContainer[CounterTrace]
    lists: _containers.RepeatedCompositeFieldContainer[ListTrace]
    numbers: _containers.RepeatedCompositeFieldContainer[NumberTrace]
    def __init__(self, decision: _Optional[_Union[_interception_pb2.DecideResponse, _Mapping]] = ..., emergency: _Optional[bool] = ..., graced: _Optional[bool] = ..., rules: _Optional[_Iterable[_Union[RuleTrace, _Mapping]]] = ..., counters: _Optional[_Iterable[_Union[CounterTrace, _Mapping]]] = ..., lists: _Optional[_Iterable[_Union[ListTrace, _Mapping]]] = ..., numbers: _Optional[_Iterable[_Union[NumberTrace, _Mapping]]] = ...) -> None: ...

class RuleTrace(_message.Message):
    __slots__ = ("rule", "outcome", "shadow", "decides", "condition", "line")
    RULE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    DECIDES_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    rule: str
    outcome: RuleOutcome
    shadow: bool
    decides: bool
    condition: str
    line: int
    def __init__(self, rule: _Optional[str] = ..., outcome: _Optional[_Union[RuleOutcome, str]] = ..., shadow: _Optional[bool] = ..., decides: _Optional[bool] = ..., condition: _Optional[str] = ..., line: _Optional[int] = ...) -> None: ...

class CounterTrace(_message.Message):
    __slots__ = ("counter", "value", "counted", "per", "window_ms")
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COUNTED_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    WINDOW_MS_FIELD_NUMBER: _ClassVar[int]
    counter: str
    value: int
    counted: bool
    per: str
    window_ms: int
    def __init__(self, counter: _Optional[str] = ..., value: _Optional[int] = ..., counted: _Optional[bool] = ..., per: _Optional[str] = ..., window_ms: _Optional[int] = ...) -> None: ...

class ListTrace(_message.Message):
    __slots__ = ("list", "field", "entry", "reason", "source", "valid_until_ms")
    LIST_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    list: str
    field: str
    entry: str
    reason: str
    source: str
    valid_until_ms: int
    def __init__(self, list: _Optional[str] = ..., field: _Optional[str] = ..., entry: _Optional[str] = ..., reason: _Optional[str] = ..., source: _Optional[str] = ..., valid_until_ms: _Optional[int] = ...) -> None: ...

class NumberTrace(_message.Message):
    __slots__ = ("field", "status", "text", "valid", "region", "type")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    field: str
    status: str
    text: str
    valid: bool
    region: str
    type: str
    def __init__(self, field: _Optional[str] = ..., status: _Optional[str] = ..., text: _Optional[str] = ..., valid: _Optional[bool] = ..., region: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...

class ReloadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReloadResponse(_message.Message):
    __slots__ = ("policy_revision", "policy_digest", "rules", "lists")
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    policy_revision: int
    policy_digest: str
    rules: int
    lists: _containers.RepeatedCompositeFieldContainer[ListState]
    def __init__(self, policy_revision: _Optional[int] = ..., policy_digest: _Optional[str] = ..., rules: _Optional[int] = ..., lists: _Optional[_Iterable[_Union[ListState, _Mapping]]] = ...) -> None: ...

class ListState(_message.Message):
    __slots__ = ("list", "entries", "bad_rows")
    LIST_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    BAD_ROWS_FIELD_NUMBER: _ClassVar[int]
    list: str
    entries: int
    bad_rows: int
    def __init__(self, list: _Optional[str] = ..., entries: _Optional[int] = ..., bad_rows: _Optional[int] = ...) -> None: ...
