"""Where bytes of strangers become calls: wire bytes -> the mapping the engine takes.

The engine judges what the fields say. To let it, a request that protobuf gives up on (a text that is no UTF-8) or half
ignores (a field of another type than the contract's) is walked field by field and handed over as it is: the engine
names the first field that is wrong, and lets an emergency call through whatever else is malformed.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from interceptor.pb.v1 import admin_pb2
from interceptor.pb.v1 import interception_pb2 as pb

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types (protobuf encoding, "Message Structure")
MAX_VARINT = 10  # bytes of a 64-bit varint
TEXT = FieldDescriptor.TYPE_STRING
MESSAGE = FieldDescriptor.TYPE_MESSAGE

CALL = pb.DecideRequest.DESCRIPTOR
STREAMED = pb.DecideStreamRequest.DESCRIPTOR
#: fields of a call that are absent or present by themselves, zero or not
SCALARS = tuple(each.name for each in CALL.fields if each.has_presence)
TEXTS = tuple(each.name for each in CALL.fields if each.type == TEXT and not each.is_repeated)
#: The service goes by its own clock.
IGNORED = "event_time_ms"

Call = dict[str, Any]


@dataclass(frozen=True)
class Unreadable:
    """Bytes that are no request at all."""

    message: str


@dataclass(frozen=True)
class Streamed:
    """One message of a DecideStream."""

    id: int
    deadline_ms: int
    call: Call | Unreadable
    arrived: float  #: on the monotonic clock, in seconds


def read_call(data: bytes) -> Call | Unreadable:
    """The call in a DecideRequest. Never raises: grpcio would answer INTERNAL and say nothing."""
    try:
        request = pb.DecideRequest.FromString(data)
    except DecodeError:
        return walked(data)
    # To protobuf a known field of a wrong wire type is an unknown field.
    return walked(data) if mistyped(request) else call_of(request)


def read_streamed(data: bytes) -> Streamed:
    """One message of a DecideStream, as `read_call` reads a call."""
    now = time.monotonic()
    try:
        message = pb.DecideStreamRequest.FromString(data)
    except DecodeError:
        return walked_streamed(data, now)
    if mistyped(message) or mistyped(message.call):
        return walked_streamed(data, now)
    return Streamed(message.id, message.deadline_ms, call_of(message.call), now)


def read_explain(data: bytes) -> Call | Unreadable:
    """The call in an ExplainRequest, as `read_call` reads it."""
    inner = part(admin_pb2.ExplainRequest, data, "call")
    return inner if isinstance(inner, Unreadable) else read_call(inner)


def read_reload(data: bytes) -> admin_pb2.ReloadRequest | Unreadable:
    try:
        return admin_pb2.ReloadRequest.FromString(data)
    except DecodeError:
        return Unreadable("the request is no interceptor.v1.ReloadRequest")


def call_of(request: pb.DecideRequest) -> Call:
    """The mapping `Engine.decide` takes: what is absent is left out."""
    call: Call = {name: text for name in TEXTS if (text := getattr(request, name))}
    for name in SCALARS:
        if name != IGNORED and request.HasField(name):
            call[name] = getattr(request, name)
    if request.redirecting:
        call["redirecting"] = list(request.redirecting)
    if request.tags:
        call["tags"] = dict(request.tags)
    return call


def mistyped(message: Message) -> bool:
    """Whether a field the contract knows came with a wire type of something else."""
    known = message.DESCRIPTOR.fields_by_number
    unknown = UnknownFieldSet(message)
    return any(unknown[i].field_number in known for i in range(len(unknown)))


def walked(data: bytes) -> Call | Unreadable:
    """The call in the bytes of a DecideRequest, field by field: texts as bytes, a field of a wrong type as it came."""
    call: Call = {}
    redirecting: list[bytes] = []
    tags: dict[str, int | bytes] = {}
    try:
        for number, value in fields(data):
            field = CALL.fields_by_number.get(number)
            if field is None or field.name == IGNORED:
                continue
            if field.name == "redirecting" and isinstance(value, bytes):
                redirecting.append(value)
            elif field.name == "tags" and isinstance(value, bytes):
                entry = dict(fields(value))
                tags[tag_name(entry.get(1, b""))] = entry.get(2, b"")
            elif field.type == FieldDescriptor.TYPE_BOOL and isinstance(value, int):
                call[field.name] = bool(value)
            elif field.type == FieldDescriptor.TYPE_INT64 and isinstance(value, int):
                call[field.name] = value - (1 << 64) if value >> 63 else value
            else:
                call[field.name] = value
    except ValueError as error:
        return Unreadable(f"the request is no {CALL.full_name}: {error}")
    if redirecting:
        call.setdefault("redirecting", redirecting)
    if tags:
        call.setdefault("tags", tags)
    return call


def walked_streamed(data: bytes, now: float) -> Streamed:
    numbers = {"id": 0, "deadline_ms": 0}
    try:
        for number, value in fields(data):
            field = STREAMED.fields_by_number.get(number)
            if field is not None and field.name in numbers and isinstance(value, int):
                numbers[field.name] = value
    except ValueError as error:
        return Streamed(numbers["id"], 0, Unreadable(f"the message is no {STREAMED.full_name}: {error}"), now)
    inner = part(pb.DecideStreamRequest, data, "call")
    call = inner if isinstance(inner, Unreadable) else read_call(inner)
    return Streamed(numbers["id"], numbers["deadline_ms"], call, now)


def part(kind: type[Message], data: bytes, name: str) -> bytes | Unreadable:
    """Bytes of a message's field `name`; none when it is not there."""
    wanted = kind.DESCRIPTOR.fields_by_name[name].number
    found = b""
    try:
        for number, value in fields(data):
            if number == wanted:
                if not isinstance(value, bytes):
                    return Unreadable(f"{name} must be a message, not a number")
                found += value  # parts of one message on the wire merge (protobuf encoding, "Last One Wins")
    except ValueError as error:
        return Unreadable(f"the request is no {kind.DESCRIPTOR.full_name}: {error}")
    return found


def tag_name(name: int | bytes) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of a message's bytes, in order. Raises ValueError where they make no sense."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise ValueError(f"field number 0 at byte {at}")
        if wire_type == VARINT:
            value, at = varint(data, at)
            yield number, value
            continue
        if wire_type == LENGTH:
            length, at = varint(data, at)
        elif wire_type in (FIXED64, FIXED32):
            length = 8 if wire_type == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type} at byte {at}")
        if at + length > len(data):
            raise ValueError(f"field {number} ends {at + length - len(data)} bytes behind the end")
        piece = data[at : at + length]
        at += length
        yield number, piece if wire_type == LENGTH else int.from_bytes(piece, "little")


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[at : at + MAX_VARINT]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError(f"a number without an end at byte {at}")
