"""Requests of operators: any bytes are a request or refused by the name of what is wrong; none raises."""

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from interceptor.control.admin import SERVICE
from interceptor.control.border import Unreadable
from interceptor.control.reading import reader
from interceptor.pb.v1 import access_pb2, admin_pb2, lists_pb2, policies_pb2

KINDS: list[type[Message]] = [GetMessageClass(each.input_type) for each in SERVICE.methods]
ADD = reader(lists_pb2.AddEntriesRequest, 1 << 20)


def complaint(request: Message, most: int = 1 << 16) -> str:
    found = reader(type(request), most)(request.SerializeToString())
    assert isinstance(found, Unreadable)
    return found.message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.DESCRIPTOR.name)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_request_or_unreadable(kind: type[Message], data: bytes) -> None:
    assert isinstance(reader(kind, 1 << 16)(data), kind | Unreadable)


@given(
    st.builds(
        lists_pb2.ListEntry,
        text=st.text(max_size=30),
        note=st.text(max_size=30),
        valid_until_ms=st.none() | st.integers(-(2**63), 2**63 - 1),
    )
)
def test_what_is_well_formed_is_read_as_it_was_written(entry: lists_pb2.ListEntry) -> None:
    request = lists_pb2.AddEntriesRequest(list="fraud", entries=[entry])
    found = ADD(request.SerializeToString())
    assert isinstance(found, Unreadable) or found == request


def test_the_field_that_is_wrong_is_named_by_its_path() -> None:
    entries = [lists_pb2.ListEntry(text="+8613800138000"), lists_pb2.ListEntry(text="1\n2")]
    assert complaint(lists_pb2.AddEntriesRequest(entries=entries)).startswith(
        "entries[1].text: holds a control"
    )
    assert complaint(lists_pb2.RemoveEntriesRequest(texts=["1", "x" * 2000])).startswith(
        "texts[1]: has 2,000"
    )
    assert complaint(lists_pb2.ImportListRequest(header=lists_pb2.ImportHeader(list="x" * 65))) == (
        "header.list: has 65 characters, and at most 64 are taken"
    )


def test_notes_may_have_lines_and_policies_any_length() -> None:
    note = lists_pb2.AddEntriesRequest(comment="a case\nof two lines")
    assert ADD(note.SerializeToString()) == note
    policy = policies_pb2.PutPolicyRequest(text="version: 1\n" * 10_000)
    assert reader(policies_pb2.PutPolicyRequest, 1 << 20)(policy.SerializeToString()) == policy


def test_a_field_of_another_type_is_refused_and_an_unknown_one_ignored() -> None:
    number_for_text = b"\x08\x05"  # field 1 as a varint
    found = reader(access_pb2.RevokeAccessRequest, 100)(number_for_text)
    assert isinstance(found, Unreadable)
    assert found.message.startswith("name: is of another type")
    unknown = b"\xca\x3e\x01x"  # field 1001, of a newer client
    assert isinstance(reader(admin_pb2.ReloadRequest, 100)(unknown), admin_pb2.ReloadRequest)


def test_a_request_beyond_its_bound_is_refused_unread() -> None:
    assert "at most 100" in complaint(lists_pb2.AddEntriesRequest(comment="x" * 200), most=100)
