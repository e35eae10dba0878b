from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClueSubject(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLUE_SUBJECT_UNSPECIFIED: _ClassVar[ClueSubject]
    CLUE_SUBJECT_NUMBER: _ClassVar[ClueSubject]
    CLUE_SUBJECT_DEVICE: _ClassVar[ClueSubject]
    CLUE_SUBJECT_CARD: _ClassVar[ClueSubject]
    CLUE_SUBJECT_CELL: _ClassVar[ClueSubject]
CLUE_SUBJECT_UNSPECIFIED: ClueSubject
CLUE_SUBJECT_NUMBER: ClueSubject
CLUE_SUBJECT_DEVICE: ClueSubject
CLUE_SUBJECT_CARD: ClueSubject
CLUE_SUBJECT_CELL: ClueSubject

class GatherClueRequest(_message.Message):
    __slots__ = ("text", "subject", "since_ms")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    text: str
    subject: ClueSubject
    since_ms: int
    def __init__(self, text: _Optional[str] = ..., subject: _Optional[_Union[ClueSubject, str]] = ..., since_ms: _Optional[int] = ...) -> None: ...

class GatherClueResponse(_message.Message):
    __slots__ = ("pack", "hash", "subject", "text", "decisions")
    PACK_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    pack: bytes
    hash: str
    subject: ClueSubject
    text: str
    decisions: int
    def __init__(self, pack: _Optional[bytes] = ..., hash: _Optional[str] = ..., subject: _Optional[_Union[ClueSubject, str]] = ..., text: _Optional[str] = ..., decisions: _Optional[int] = ...) -> None: ...

class CheckClueRequest(_message.Message):
    __slots__ = ("hash",)
    HASH_FIELD_NUMBER: _ClassVar[int]
    hash: str
    def __init__(self, hash: _Optional[str] = ...) -> None: ...

class CheckClueResponse(_message.Message):
    __slots__ = ("known", "at_ms", "actor", "sequence")
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    known: bool
    at_ms: int
    actor: str
    sequence: int
    def __init__(self, known: _Optional[bool] = ..., at_ms: _Optional[int] = ..., actor: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...
