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

#: wire types (protobuf encoding, "Message Structure")
VARINT, FIXED64, LENGTH, GROUP, GROUP_END, FIXED32 = range(6)
MAX_VARINT = 10  # bytes of a 64-bit varint; ...
MAX_TAG = 5  # ... of a field's tag or length
MAX_DEPTH = 100  # messages and groups within one another
TEXT = FieldDescriptor.TYPE_STRING
NUMBERS = {FieldDescriptor.TYPE_BOOL, FieldDescriptor.TYPE_INT64}

CALL = pb.DecideRequest.DESCRIPTOR
REPORT = pb.ReportCallRequest.DESCRIPTOR
CARD = pb.ReportSubscriptionRequest.DESCRIPTOR
STREAMED = pb.DecideStreamRequest.DESCRIPTOR
#: fields of a call that are absent or present by themselves, zero or not
SCALARS = tuple(each.name for each in CALL.fields if each.has_presence)
TEXTS = tuple(each.name for each in CALL.fields if each.type == TEXT and not each.is_repeated)
IN_ORDER = tuple(each.name for each in CALL.fields)
#: The service goes by its own clock; with a report it tells how long ago the call was set up.
IGNORED = "event_time_ms"
#: what the engine calls the events
CALL_EVENTS = {pb.CALL_EVENT_ANSWERED: "answered", pb.CALL_EVENT_ENDED: "ended"}
CARD_EVENTS = {
    pb.SUBSCRIPTION_EVENT_ACTIVATED: "activated",
    pb.SUBSCRIPTION_EVENT_REACTIVATED: "reactivated",
    pb.SUBSCRIPTION_EVENT_ATTACHED: "attached",
    pb.SUBSCRIPTION_EVENT_SMS_RECEIVED: "sms",
}

Call = dict[str, Any]

LARGEST_CALL = 64 * 1024  # bytes of a message about one call; an operator's may be larger


@dataclass(frozen=True)
class Unreadable:
    """Bytes that are no request at all."""

    message: str
    too_large: bool = False


@dataclass(frozen=True)
class Streamed:
    """One message of a DecideStream."""

    id: int
    deadline_ms: int
    call: Call | Unreadable
    arrived: float  #: on the monotonic clock, in seconds


def read_call(data: bytes) -> Call | Unreadable:
    """The call in a DecideRequest. Never raises: grpcio would answer INTERNAL and say nothing."""
    if len(data) > LARGEST_CALL:
        return too_large(data)
    try:
        request = pb.DecideRequest.FromString(data)
    except DecodeError:
        return walked(data)
    # To protobuf a known field of a wrong wire type is an unknown field.
    return walked(data) if mistyped(request) else call_of(request)


def read_streamed(data: bytes) -> Streamed:
    """One message of a DecideStream, as `read_call` reads a call."""
    now = time.monotonic()
    if len(data) > LARGEST_CALL:
        return Streamed(0, 0, too_large(data), now)
    try:
        message = pb.DecideStreamRequest.FromString(data)
    except DecodeError:
        return walked_streamed(data, now)
    if mistyped(message) or mistyped(message.call):
        return walked_streamed(data, now)
    return Streamed(message.id, message.deadline_ms, call_of(message.call), now)


def read_explain(data: bytes) -> Call | Unreadable:
    """The call in an ExplainRequest, as `read_call` reads it."""
    wanted = admin_pb2.ExplainRequest.DESCRIPTOR
    if len(data) > LARGEST_CALL:
        return too_large(data)
    try:
        return call_in(
            [
                value if wire_type == LENGTH else None
                for number, wire_type, value in fields(data)
                if number == wanted.fields_by_name["call"].number
            ]
        )
    except ValueError as error:
        return Unreadable(f"the request is no {wanted.full_name}: {error}")


def read_report(data: bytes) -> Call | Unreadable:
    """The mapping `Engine.report` takes, of a ReportCallRequest."""
    if len(data) > LARGEST_CALL:
        return too_large(data)
    report: Call = {}
    parts: list[bytes | None] = []
    try:
        for number, wire_type, value in fields(data):
            field = REPORT.fields_by_number.get(number)
            if field is not None and field.name == "call":
                parts.append(value if wire_type == LENGTH else None)
            elif field is not None:
                report[field.name] = own_value(field, wire_type, value)
    except ValueError as error:
        return Unreadable(f"the request is no {REPORT.full_name}: {error}")
    if parts:
        call = call_in(parts, timed=True)
        if isinstance(call, Unreadable):
            return call
        report["call"] = call
    report["event"] = CALL_EVENTS.get(report.get("event", 0), report.get("event", 0))
    return report


def read_subscription(data: bytes) -> Call | Unreadable:
    """The mapping `Engine.report_subscription` takes, of a ReportSubscriptionRequest, and its `event`."""
    if len(data) > LARGEST_CALL:
        return too_large(data)
    card: Call = {}
    tags: dict[str, int | bytes] = {}
    try:
        for number, wire_type, value in fields(data):
            field = CARD.fields_by_number.get(number)
            if field is None:
                continue
            if field.name != "tags":
                card[field.name] = own_value(field, wire_type, value)
            elif wire_type == LENGTH:
                name, text = tag(value, MAX_DEPTH - 1)
                tags[name] = text
            else:
                card["tags"] = 0
    except ValueError as error:
        return Unreadable(f"the request is no {CARD.full_name}: {error}")
    if tags:
        card.setdefault("tags", tags)
    card["event"] = CARD_EVENTS.get(card.get("event", 0), card.get("event", 0))
    return {each.name: card[each.name] for each in CARD.fields if each.name in card}


def own_value(field: Any, wire_type: int, value: Any) -> int | bytes:
    """A text as bytes, a number in the width of its field (a descriptor); something of another type for a field that
    came as one."""
    if field.type == TEXT:
        return value if wire_type == LENGTH else 0
    if wire_type != VARINT:
        return b""
    if field.type == FieldDescriptor.TYPE_UINT32:
        return int(value) & 0xFFFF_FFFF
    bits = 32 if field.type == FieldDescriptor.TYPE_ENUM else 64
    number = int(value) & ((1 << bits) - 1)
    return number - (1 << bits) if number >> (bits - 1) else number


def too_large(data: bytes) -> Unreadable:
    return Unreadable(
        f"the message has {len(data):,} bytes, and one about a call at most {LARGEST_CALL:,}", too_large=True
    )


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
    return ordered(call)


def ordered(call: Call) -> Call:
    """The call, its fields in the contract's order: the first that is malformed is the one the client hears of."""
    return {name: call[name] for name in IN_ORDER if name in call}


def mistyped(message: Message) -> bool:
    """Whether a field the contract knows came with a wire type of something else."""
    known = message.DESCRIPTOR.fields_by_number
    unknown = UnknownFieldSet(message)
    return any(unknown[i].field_number in known for i in range(len(unknown)))


def walked(*parts: bytes, depth: int = MAX_DEPTH, timed: bool = False) -> Call | Unreadable:
    """The call in the bytes of a DecideRequest, field by field: texts as bytes, and something of another type for a
    field that came as one. `timed`: its event_time_ms counts."""
    call: Call = {}
    redirecting: list[bytes] = []
    tags: dict[str, int | bytes] = {}
    try:
        for number, wire_type, value in (field for part in parts for field in fields(part, depth)):
            field = CALL.fields_by_number.get(number)
            if field is None or (field.name == IGNORED and not timed):
                continue
            if wire_type != (VARINT if field.type in NUMBERS else LENGTH):
                call[field.name] = b"" if field.type in NUMBERS else 0
            elif field.name == "redirecting":
                redirecting.append(value)
            elif field.name == "tags":
                name, text = tag(value, depth - 1)
                tags[name] = text
            elif field.type == FieldDescriptor.TYPE_BOOL:
                call[field.name] = bool(value)
            elif field.type == FieldDescriptor.TYPE_INT64:
                call[field.name] = value - (1 << 64) if value >> 63 else value
            else:
                call[field.name] = value
    except ValueError as error:
        return Unreadable(f"the request is no {CALL.full_name}: {error}")
    if redirecting:
        call.setdefault("redirecting", redirecting)
    if tags:
        call.setdefault("tags", tags)
    return ordered(call)


def tag(entry: bytes, depth: int) -> tuple[str, int | bytes]:
    """Name and text of an entry of `tags`. A name that is none names no tag."""
    name: bytes = b""
    text: int | bytes = b""
    for number, wire_type, value in fields(entry, depth):
        if number == 1:
            name = value if wire_type == LENGTH else b""
        elif number == 2:
            text = value if wire_type == LENGTH else 0
    return name.decode(errors="replace"), text


def walked_streamed(data: bytes, now: float) -> Streamed:
    numbers = {"id": 0, "deadline_ms": 0}
    parts: list[bytes | None] = []
    try:
        for number, wire_type, value in fields(data):
            field = STREAMED.fields_by_number.get(number)
            if field is None:
                continue
            if field.name == "call":
                parts.append(value if wire_type == LENGTH else None)
            elif wire_type == VARINT:
                numbers[field.name] = value
    except ValueError as error:
        return Streamed(numbers["id"], 0, Unreadable(f"the message is no {STREAMED.full_name}: {error}"), now)
    return Streamed(numbers["id"], numbers["deadline_ms"] & 0xFFFF_FFFF, call_in(parts), now)


def call_in(parts: list[bytes | None], *, timed: bool = False) -> Call | Unreadable:
    """The call in a message's field `call`, whose parts merge (protobuf encoding, "Last One Wins"); None: it came as
    something else."""
    there = [part for part in parts if part is not None]
    if len(there) < len(parts):
        return Unreadable("call must be a message, not a number")
    return walked(*there, depth=MAX_DEPTH - 1, timed=timed)


def fields(data: bytes, depth: int = MAX_DEPTH) -> Iterator[tuple[int, int, Any]]:
    """Field numbers, wire types and values of a message's bytes, in order. Raises ValueError where they make no sense.

    It takes what protobuf takes; `depth` messages and groups may lie within one another.
    """
    at = 0
    while at < len(data):
        begun = at
        try:
            key, at = varint(data, at, MAX_TAG)
            number, wire_type = key >> 3, key & 7
            if number == 0 or key >> 32:
                raise ValueError("no field number")
            if wire_type == GROUP:
                value, at = None, behind_group(data, at, number, depth)
            else:
                value, at = value_at(data, at, wire_type)
        except ValueError as error:
            raise ValueError(f"byte {begun}: {error}") from None
        yield number, wire_type, value


def value_at(data: bytes, at: int, wire_type: int) -> tuple[int | bytes, int]:
    if wire_type == VARINT:
        return varint(data, at, MAX_VARINT)
    if wire_type == LENGTH:
        length, at = varint(data, at, MAX_TAG)
    elif wire_type in (FIXED64, FIXED32):
        length = 8 if wire_type == FIXED64 else 4
    else:
        raise ValueError(f"wire type {wire_type}")
    if at + length > len(data):
        raise ValueError(f"a field that ends {at + length - len(data)} bytes behind the end")
    return data[at : at + length], at + length


def behind_group(data: bytes, at: int, number: int, depth: int) -> int:
    """Where the group `number` ends, whose content begins at `at`."""
    groups = [number]
    try:
        while groups and len(groups) <= depth:
            key, at = varint(data, at, MAX_TAG)
            if key >> 32:
                break
            if key & 7 == GROUP:
                groups.append(key >> 3)
            elif key & 7 == GROUP_END and key >> 3 == groups[-1]:
                groups.pop()
            else:
                _, at = value_at(data, at, key & 7)
    except ValueError:
        pass
    if groups:
        raise ValueError("a malformed group")
    return at


def varint(data: bytes, at: int, longest: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[at : at + longest]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + place + 1
    raise ValueError("a number without an end")
