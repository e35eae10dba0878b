"""Bytes of protobuf messages, the odd ones too: for tests that hold a reader of the wire format to protobuf's."""

import random

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from hypothesis import strategies as st

VARINT, FIXED64, LENGTH, GROUP, GROUP_END, FIXED32 = range(6)


def varint(value: int, padding: int = 0) -> bytes:
    """A number, with that many bytes more than it takes."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    for _ in range(padding):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def tag(number: int, wire_type: int, padding: int = 0) -> bytes:
    return varint(number << 3 | wire_type, padding)


def text(number: int, value: bytes, padding: int = 0) -> bytes:
    return tag(number, LENGTH) + varint(len(value), padding) + value


def integer(number: int, value: int, padding: int = 0) -> bytes:
    return tag(number, VARINT) + varint(value, padding)


def as_bytes(kind: type[Message]) -> type[Message]:
    """The message with `bytes` for every text: what protobuf makes of its structure alone."""
    file = descriptor_pb2.FileDescriptorProto()
    kind.DESCRIPTOR.file.CopyToProto(file)
    file.name, file.package = f"untexted/{file.name}", "untexted"
    file.ClearField("service")

    def untext(message: descriptor_pb2.DescriptorProto) -> None:
        message.options.ClearField("map_entry")
        for field in message.field:
            if field.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
                field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            elif field.type_name:
                field.type_name = field.type_name.replace(".interceptor.v1.", ".untexted.")
        for each in message.nested_type:
            untext(each)

    for message in file.message_type:
        untext(message)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"untexted.{kind.DESCRIPTOR.name}"))


NUMBERS = st.integers(0, 2**64 - 1) | st.integers(0, 300) | st.sampled_from([2**62 - 1, 2**62, 2**63])
PADDINGS = st.integers(0, 3) | st.integers(0, 11)
VALUES = (
    st.text(max_size=12).map(str.encode)
    | st.binary(max_size=12)
    | st.sampled_from(
        [b"", b"110", b"112", b"+8613800138000", b"x" * 1024, b"x" * 1025, b"\x7f", b"\xc2\x85"]
    )
)


@st.composite
def pieces(draw: st.DrawFn, known: int, depth: int = 2) -> bytes:
    """One field: of any number and wire type; numbers up to `known` are likely."""
    number = draw(st.integers(1, known) | st.sampled_from([known + 1, 1000, 2**29 - 1]))
    wire_type = draw(st.sampled_from([VARINT, LENGTH, LENGTH, LENGTH, GROUP, FIXED32, FIXED64]))
    if wire_type == GROUP and depth:
        inner = b"".join(draw(st.lists(pieces(known, depth - 1), max_size=2)))
        return tag(number, GROUP) + inner + tag(number, GROUP_END)
    if wire_type == FIXED32:
        return tag(number, FIXED32) + draw(st.binary(min_size=4, max_size=4))
    if wire_type == FIXED64:
        return tag(number, FIXED64) + draw(st.binary(min_size=8, max_size=8))
    padding = draw(st.integers(0, 1)) and draw(PADDINGS)
    if wire_type == VARINT:
        return tag(number, VARINT, padding % 5) + varint(draw(NUMBERS), padding)
    return text(number, draw(VALUES), padding)


def damaged(data: bytes, seed: int) -> bytes:
    """With a few bytes changed, lost or doubled."""
    out, dice = bytearray(data), random.Random(seed)
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(out) + 1)
        match dice.randrange(4):
            case 0:
                out[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                del out[at : at + dice.randrange(4)]
            case 2:
                del out[at:]
            case _:
                out[at:at] = out[: dice.randrange(12)]
    return bytes(out)
