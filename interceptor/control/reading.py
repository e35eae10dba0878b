"""Requests of operators: wire bytes -> message, or what is wrong with them. Bounds of texts stand here."""

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from interceptor.control.border import Unreadable

Request = TypeVar("Request", bound=Message)

#: characters of a text, by the name of its field; a policy's text is bounded by its message alone
LONGEST = {
    "list": 64,
    "source": 128,
    "reason": 64,
    "text": 1024,
    "texts": 1024,
    "note": 2000,
    "comment": 2000,
    "name": 128,
    "page": 1024,
    "origin": 1024,
    "file_name": 1024,
    "sha256": 64,
    "hash": 64,
    "number": 1024,
    "domain": 1024,
}
OTHERS = 128
#: these may have lines
OF_LINES = {"note", "comment"}
POLICIES = {"interceptor.v1.PutPolicyRequest.text", "interceptor.v1.StartTrialRequest.text"}


def reader(kind: type[Request], most: int) -> Callable[[bytes], Request | Unreadable]:
    """Reads requests of `kind` of up to `most` bytes. Never raises: grpcio would answer INTERNAL and say nothing."""

    def read(data: bytes) -> Request | Unreadable:
        name = kind.DESCRIPTOR.full_name
        if len(data) > most:
            return Unreadable(
                f"the request has {len(data):,} bytes, and {name} at most {most:,}", too_large=True
            )
        try:
            request = kind.FromString(data)
        except DecodeError:
            return Unreadable(f"the request is no {name}")
        problem = complaint(request)
        return request if problem is None else Unreadable(problem)

    return read


def complaint(message: Message, path: str = "") -> str | None:
    """The first field that is not as the contract or our bounds have it, by its path, and why."""
    known = message.DESCRIPTOR.fields_by_number
    unknown = UnknownFieldSet(message)
    for i in range(len(unknown)):  # a known field of a wrong wire type is an unknown field to protobuf
        if (field := known.get(unknown[i].field_number)) is not None:
            return f"{path}{field.name}: is of another type than the contract's"
    for field, value in message.ListFields():
        each = value if field.is_repeated else [value]
        for place, item in enumerate(each):
            where = f"{path}{field.name}[{place}]" if field.is_repeated else f"{path}{field.name}"
            found = None
            if field.type == FieldDescriptor.TYPE_STRING:
                found = text_complaint(field, item)
                found = found and f"{where}: {found}"
            elif field.type == FieldDescriptor.TYPE_MESSAGE:
                found = complaint(item, f"{where}.")
            if found is not None:
                return found
    return None


def text_complaint(field: FieldDescriptor, text: str) -> str | None:
    if field.full_name in POLICIES:
        return None
    longest = LONGEST.get(field.name, OTHERS)
    if len(text) > longest:
        return f"has {len(text):,} characters, and at most {longest:,} are taken"
    if not text.isprintable():
        lines = text.replace("\n", "").replace("\t", "") if field.name in OF_LINES else text
        if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in lines):
            return "holds a control character"
    return None
