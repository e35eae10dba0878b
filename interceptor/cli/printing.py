"""Answers as a command prints them: tables for a person, JSON for everything else."""

import json
import sys
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message


def to_person() -> bool:
    """Whether somebody reads what is printed."""
    return sys.stdout.isatty()


def show(message: Message) -> None:
    """Prints a message as JSON."""
    print(in_full(message))


def in_full(message: Message) -> str:
    """A message as JSON, with the contract's names in its order, zeros and empty texts included."""
    plain = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(in_order(message, plain), ensure_ascii=False, indent=2)


def in_order(message: Message, plain: dict[str, Any]) -> dict[str, Any]:
    """`plain` with its fields in the order the contract lists them."""
    ordered: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = plain.get(field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            ordered[field.name] = dict(sorted((value or {}).items()))
        elif field.type == FieldDescriptor.TYPE_MESSAGE and isinstance(value, dict):
            ordered[field.name] = in_order(getattr(message, field.name), value)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and isinstance(value, list):
            parts = getattr(message, field.name)
            ordered[field.name] = [in_order(part, each) for part, each in zip(parts, value, strict=True)]
        elif value is not None:
            ordered[field.name] = value
    return ordered
