from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ShowEntityRequest(_message.Message):
    __slots__ = ("key", "kind")
    KEY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    key: _containers.RepeatedScalarFieldContainer[str]
    kind: str
    def __init__(self, key: _Optional[_Iterable[str]] = ..., kind: _Optional[str] = ...) -> None: ...

class ShowEntityResponse(_message.Message):
    __slots__ = ("entities",)
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    entities: _containers.RepeatedCompositeFieldContainer[Entity]
    def __init__(self, entities: _Optional[_Iterable[_Union[Entity, _Mapping]]] = ...) -> None: ...

class Entity(_message.Message):
    __slots__ = ("kind", "last_counted_ms", "counters")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LAST_COUNTED_MS_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    last_counted_ms: int
    counters: _containers.RepeatedCompositeFieldContainer[EntityCounter]
    def __init__(self, kind: _Optional[str] = ..., last_counted_ms: _Optional[int] = ..., counters: _Optional[_Iterable[_Union[EntityCounter, _Mapping]]] = ...) -> None: ...

class EntityCounter(_message.Message):
    __slots__ = ("name", "value", "meaning", "window_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    WINDOW_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: int
    meaning: str
    window_ms: int
    def __init__(self, name: _Optional[str] = ..., value: _Optional[int] = ..., meaning: _Optional[str] = ..., window_ms: _Optional[int] = ...) -> None: ...

class ResetEntityRequest(_message.Message):
    __slots__ = ("key", "kind", "comment")
    KEY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    key: _containers.RepeatedScalarFieldContainer[str]
    kind: str
    comment: str
    def __init__(self, key: _Optional[_Iterable[str]] = ..., kind: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class ResetEntityResponse(_message.Message):
    __slots__ = ("kinds",)
    KINDS_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kinds: _Optional[_Iterable[str]] = ...) -> None: ...
