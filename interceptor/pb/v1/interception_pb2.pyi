from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_PASS: _ClassVar[Verdict]
    VERDICT_WARN: _ClassVar[Verdict]
    VERDICT_BLOCK: _ClassVar[Verdict]

class BlockClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BLOCK_CLASS_UNSPECIFIED: _ClassVar[BlockClass]
    BLOCK_CLASS_LIST: _ClassVar[BlockClass]
    BLOCK_CLASS_ANALYTICS: _ClassVar[BlockClass]
    BLOCK_CLASS_INVALID: _ClassVar[BlockClass]
    BLOCK_CLASS_SUBSCRIBER: _ClassVar[BlockClass]

class CallEvent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CALL_EVENT_UNSPECIFIED: _ClassVar[CallEvent]
    CALL_EVENT_ANSWERED: _ClassVar[CallEvent]
    CALL_EVENT_ENDED: _ClassVar[CallEvent]

class SubscriptionEvent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBSCRIPTION_EVENT_UNSPECIFIED: _ClassVar[SubscriptionEvent]
    SUBSCRIPTION_EVENT_ACTIVATED: _ClassVar[SubscriptionEvent]
    SUBSCRIPTION_EVENT_REACTIVATED: _ClassVar[SubscriptionEvent]
    SUBSCRIPTION_EVENT_ATTACHED: _ClassVar[SubscriptionEvent]
    SUBSCRIPTION_EVENT_SMS_RECEIVED: _ClassVar[SubscriptionEvent]
VERDICT_UNSPECIFIED: Verdict
VERDICT_PASS: Verdict
VERDICT_WARN: Verdict
VERDICT_BLOCK: Verdict
BLOCK_CLASS_UNSPECIFIED: BlockClass
BLOCK_CLASS_LIST: BlockClass
BLOCK_CLASS_ANALYTICS: BlockClass
BLOCK_CLASS_INVALID: BlockClass
BLOCK_CLASS_SUBSCRIBER: BlockClass
CALL_EVENT_UNSPECIFIED: CallEvent
CALL_EVENT_ANSWERED: CallEvent
CALL_EVENT_ENDED: CallEvent
SUBSCRIPTION_EVENT_UNSPECIFIED: SubscriptionEvent
SUBSCRIPTION_EVENT_ACTIVATED: SubscriptionEvent
SUBSCRIPTION_EVENT_REACTIVATED: SubscriptionEvent
SUBSCRIPTION_EVENT_ATTACHED: SubscriptionEvent
SUBSCRIPTION_EVENT_SMS_RECEIVED: SubscriptionEvent

class DecideRequest(_message.Message):
    __slots__ = ("call_id", "caller", "callee", "asserted_identity", "privacy", "redirecting", "trunk", "domain", "user_agent", "source_ip", "imsi", "imei", "cell", "verstat", "attestation", "international_ingress", "roaming", "sim_age_days", "event_time_ms", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    CALLEE_FIELD_NUMBER: _ClassVar[int]
    ASSERTED_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    PRIVACY_FIELD_NUMBER: _ClassVar[int]
    REDIRECTING_FIELD_NUMBER: _ClassVar[int]
    TRUNK_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_IP_FIELD_NUMBER: _ClassVar[int]
    IMSI_FIELD_NUMBER: _ClassVar[int]
    IMEI_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    VERSTAT_FIELD_NUMBER: _ClassVar[int]
    ATTESTATION_FIELD_NUMBER: _ClassVar[int]
    INTERNATIONAL_INGRESS_FIELD_NUMBER: _ClassVar[int]
    ROAMING_FIELD_NUMBER: _ClassVar[int]
    SIM_AGE_DAYS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    caller: str
    callee: str
    asserted_identity: str
    privacy: str
    redirecting: _containers.RepeatedScalarFieldContainer[str]
    trunk: str
    domain: str
    user_agent: str
    source_ip: str
    imsi: str
    imei: str
    cell: str
    verstat: str
    attestation: str
    international_ingress: bool
    roaming: bool
    sim_age_days: int
    event_time_ms: int
    tags: _containers.ScalarMap[str, str]
    def __init__(self, call_id: _Optional[str] = ..., caller: _Optional[str] = ..., callee: _Optional[str] = ..., asserted_identity: _Optional[str] = ..., privacy: _Optional[str] = ..., redirecting: _Optional[_Iterable[str]] = ..., trunk: _Optional[str] = ..., domain: _Optional[str] = ..., user_agent: _Optional[str] = ..., source_ip: _Optional[str] = ..., imsi: _Optional[str] = ..., imei: _Optional[str] = ..., cell: _Optional[str] = ..., verstat: _Optional[str] = ..., attestation: _Optional[str] = ..., international_ingress: _Optional[bool] = ..., roaming: _Optional[bool] = ..., sim_age_days: _Optional[int] = ..., event_time_ms: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class DecideResponse(_message.Message):
    __slots__ = ("verdict", "rule", "reason", "block_class", "sip_code", "sip_reason", "decision_id", "policy_revision", "shadow_rules")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BLOCK_CLASS_FIELD_NUMBER: _ClassVar[int]
    SIP_CODE_FIELD_NUMBER: _ClassVar[int]
    SIP_REASON_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    SHADOW_RULES_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    rule: str
    reason: str
    block_class: BlockClass
    sip_code: int
    sip_reason: str
    decision_id: str
    policy_revision: int
    shadow_rules: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, verdict: _Optional[_Union[Verdict, str]] = ..., rule: _Optional[str] = ..., reason: _Optional[str] = ..., block_class: _Optional[_Union[BlockClass, str]] = ..., sip_code: _Optional[int] = ..., sip_reason: _Optional[str] = ..., decision_id: _Optional[str] = ..., policy_revision: _Optional[int] = ..., shadow_rules: _Optional[_Iterable[str]] = ...) -> None: ...

class DecideStreamRequest(_message.Message):
    __slots__ = ("id", "deadline_ms", "call")
    ID_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    id: int
    deadline_ms: int
    call: DecideRequest
    def __init__(self, id: _Optional[int] = ..., deadline_ms: _Optional[int] = ..., call: _Optional[_Union[DecideRequest, _Mapping]] = ...) -> None: ...

class DecideStreamResponse(_message.Message):
    __slots__ = ("id", "decision", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: int
    decision: DecideResponse
    error: CallError
    def __init__(self, id: _Optional[int] = ..., decision: _Optional[_Union[DecideResponse, _Mapping]] = ..., error: _Optional[_Union[CallError, _Mapping]] = ...) -> None: ...

class CallError(_message.Message):
    __slots__ = ("code", "message", "field")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    field: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., field: _Optional[str] = ...) -> None: ...

class ReportCallRequest(_message.Message):
    __slots__ = ("call_id", "event", "time_ms", "duration_ms", "cause", "call")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    event: CallEvent
    time_ms: int
    duration_ms: int
    cause: int
    call: DecideRequest
    def __init__(self, call_id: _Optional[str] = ..., event: _Optional[_Union[CallEvent, str]] = ..., time_ms: _Optional[int] = ..., duration_ms: _Optional[int] = ..., cause: _Optional[int] = ..., call: _Optional[_Union[DecideRequest, _Mapping]] = ...) -> None: ...

class ReportCallResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReportSubscriptionRequest(_message.Message):
    __slots__ = ("report_id", "event", "time_ms", "number", "imsi", "imei", "cell", "trunk", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    IMSI_FIELD_NUMBER: _ClassVar[int]
    IMEI_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    TRUNK_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    report_id: str
    event: SubscriptionEvent
    time_ms: int
    number: str
    imsi: str
    imei: str
    cell: str
    trunk: str
    tags: _containers.ScalarMap[str, str]
    def __init__(self, report_id: _Optional[str] = ..., event: _Optional[_Union[SubscriptionEvent, str]] = ..., time_ms: _Optional[int] = ..., number: _Optional[str] = ..., imsi: _Optional[str] = ..., imei: _Optional[str] = ..., cell: _Optional[str] = ..., trunk: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ReportSubscriptionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
