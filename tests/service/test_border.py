"""Malformed requests: refused by the name of what is wrong, and nothing else changes."""

import random
from collections.abc import Iterator

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.control import border
from interceptor.control.border import Unreadable
from interceptor.pb.v1 import interception_pb2 as pb
from service.running import CALLEE, LISTED, Front, Running, refused

DECIDE = "InterceptionService/Decide"
FIELDS = pb.DecideRequest.DESCRIPTOR.fields_by_name
CALLER = "+8613700000000"
TEXTS = [
    "call_id", "caller", "callee", "asserted_identity", "privacy", "trunk", "domain", "user_agent", "source_ip", "imsi",
    "imei", "cell", "verstat", "attestation",
]  # fmt: skip


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def text(field: str, value: bytes) -> bytes:
    """A field of a DecideRequest as bytes on the wire, whatever its value."""
    return varint(FIELDS[field].number << 3 | 2) + varint(len(value)) + value


def number(field: str, value: int) -> bytes:
    return varint(FIELDS[field].number << 3) + varint(value)


GOOD = text("caller", CALLER.encode()) + text("callee", CALLEE.encode())


@pytest.fixture(autouse=True)
def nothing_changes(service: Running) -> Iterator[None]:
    """No counter after a test of this file is another than before, and no call was decided but emergency calls."""

    def state() -> tuple[float, list[int]]:
        counters = service.explain(caller=CALLER, callee=CALLEE).counters
        decisions = service.metric("interceptor_decisions_total") - service.metric(
            "interceptor_decisions_total", rule="emergency"
        )
        return decisions, [each.value for each in counters]

    before = state()
    yield
    assert state() == before


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"+86138\x000000", "control character"),
        (b"1\r\nVia: x", "control character"),
        (b"\x7f", "control character"),
        ("\u0085".encode(), "control character"),
        (b"\xff\xfe", "UTF-8"),
        (b"\xc0\xaf", "UTF-8"),
        (b"\xed\xa0\x80", "UTF-8"),
        (b"+86138\xe4\xb8", "UTF-8"),
        (b"1" * 1025, "1025"),
        (b"1" * 60_000, "60000"),
    ],
    ids=["nul", "crlf", "del", "c1", "ff", "overlong", "surrogate", "cut", "1025", "60000"],
)
def test_a_malformed_text_is_refused_by_its_name(front: Front, field: str, value: bytes, told: str) -> None:
    others = b"".join(text(each, b"+8613700000000") for each in ("caller", "callee") if each != field)
    status, message = refused(lambda: front.raw(DECIDE, others + text(field, value)))
    assert status == "INVALID_ARGUMENT"
    assert message.startswith(f"{field}: ")
    assert told in message


@pytest.mark.parametrize("value", [b"\x01", b"\xff", b"9" * 1025], ids=["control", "bytes", "long"])
def test_malformed_redirecting_numbers_and_tags_are_refused_too(front: Front, value: bytes) -> None:
    redirecting = GOOD + text("redirecting", b"+8613900000000") + text("redirecting", value)
    status, message = refused(lambda: front.raw(DECIDE, redirecting))
    assert (status, message.startswith("redirecting: [1]")) == ("INVALID_ARGUMENT", True)
    entry = b"\x0a\x06dealer\x12" + varint(len(value)) + value
    status, message = refused(lambda: front.raw(DECIDE, GOOD + text("tags", entry)))
    assert (status, message.startswith("tags: [dealer]")) == ("INVALID_ARGUMENT", True)


@pytest.mark.parametrize("field", ["caller", "imei", "redirecting", "tags"])
def test_a_number_where_the_contract_has_a_text_is_refused(front: Front, field: str) -> None:
    status, message = refused(lambda: front.raw(DECIDE, GOOD + number(field, 13800138000)))
    assert (status, message.startswith(f"{field}: must be")) == ("INVALID_ARGUMENT", True)


@pytest.mark.parametrize("field", ["roaming", "international_ingress", "sim_age_days"])
def test_a_text_where_the_contract_has_a_number_is_refused(front: Front, field: str) -> None:
    status, message = refused(lambda: front.raw(DECIDE, GOOD + text(field, b"true")))
    assert (status, message.startswith(f"{field}: must be")) == ("INVALID_ARGUMENT", True)


def test_a_negative_age_is_refused(front: Front) -> None:
    status, message = refused(lambda: front.decide(caller=CALLER, callee=CALLEE, sim_age_days=-1))
    assert (status, message.startswith("sim_age_days: ")) == ("INVALID_ARGUMENT", True)


NO_MESSAGE = pytest.mark.parametrize(
    "data",
    [b"\xff", b"\x00\x00", b"\x12\x7f12", b"\x0b", b"\x12" + b"\xff" * 10, b"GET / HTTP/1.1\r\n\r\n"],
    ids=["tag", "field 0", "short", "group", "varint", "http"],
)


@NO_MESSAGE
def test_bytes_that_are_no_message_are_refused(front: Front, data: bytes) -> None:
    status, message = refused(lambda: front.raw(DECIDE, data))
    assert status == "INVALID_ARGUMENT"
    assert "is no interceptor.v1.DecideRequest" in message


@NO_MESSAGE
def test_bytes_that_are_no_message_to_operators_are_refused(service: Running, data: bytes) -> None:
    assert refused(lambda: service.control.raw("AdminService/Explain", data))[0] == "INVALID_ARGUMENT"


def test_a_megabyte_is_refused_unread(front: Front) -> None:
    status, _ = refused(lambda: front.raw(DECIDE, text("caller", b"8" * 1_000_000)))
    assert status == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("method", ["AdminService/Explain", "AdminService/Reload"])
def test_a_megabyte_for_operators_is_refused_as_well(service: Running, method: str) -> None:
    status, _ = refused(lambda: service.control.raw(method, text("caller", b"8" * 1_000_000)))
    assert status == "RESOURCE_EXHAUSTED"


def test_explain_names_the_malformed_field_as_well(service: Running) -> None:
    call = text("caller", b"\xff") + text("callee", CALLEE.encode())
    status, message = refused(
        lambda: service.control.raw("AdminService/Explain", b"\x0a" + varint(len(call)) + call)
    )
    assert (status, message.startswith("call.caller: ")) == ("INVALID_ARGUMENT", True)


def test_a_malformed_call_costs_its_stream_nothing(front: Front) -> None:
    def message(identity: int, call: bytes) -> bytes:
        return b"\x08" + varint(identity) + b"\x1a" + varint(len(call)) + call

    calls = [
        message(1, GOOD + text("user_agent", b"\xff")),
        message(2, GOOD + number("cell", 5)),
        message(3, b"\xff"),
        b"\x08\x04\x18\x05",
        b"\xff",
        message(6, text("callee", b"112") + text("caller", b"\xff")),
    ]
    answers = {answer.id: answer for answer in front.stream(calls)}
    assert [answers[i].error.code for i in (1, 2, 3, 4, 0)] == [3] * 5
    assert (answers[1].error.field, answers[2].error.field) == ("user_agent", "cell")
    assert answers[6].decision.rule == "emergency"


@pytest.mark.parametrize(
    "rest",
    [
        text("caller", b"\xff\xff"),
        text("user_agent", b"x" * 2000),
        number("trunk", 7),
        text("sim_age_days", b"x"),
    ],
    ids=["bytes", "long", "number for text", "text for number"],
)
def test_an_emergency_call_passes_whatever_else_is_malformed(front: Front, rest: bytes) -> None:
    answer = pb.DecideResponse.FromString(front.raw(DECIDE, rest + text("callee", b"110")))
    assert (answer.verdict, answer.rule) == (pb.VERDICT_PASS, "emergency")


def test_unknown_fields_of_a_newer_client_are_ignored() -> None:
    newer = GOOD + varint(1000 << 3 | 2) + varint(3) + b"new" + varint(1001 << 3) + varint(5)
    assert border.read_call(newer) == {"caller": CALLER, "callee": CALLEE}


def test_refusals_are_counted_by_status(front: Front, service: Running) -> None:
    before = service.metric("interceptor_requests_refused_total", status="INVALID_ARGUMENT")
    refused(lambda: front.raw(DECIDE, b"\xff"))
    assert service.metric("interceptor_requests_refused_total", status="INVALID_ARGUMENT") == before + 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_call_or_unreadable(data: bytes) -> None:
    for read in (border.read_call, border.read_explain):
        assert isinstance(read(data), dict | Unreadable)
    streamed = border.read_streamed(data)
    assert isinstance(streamed.call, dict | Unreadable)


CALLS = st.builds(
    pb.DecideRequest,
    caller=st.text(max_size=20),
    callee=st.sampled_from(["", "110", CALLEE, LISTED]),
    redirecting=st.lists(st.text(max_size=9), max_size=3),
    roaming=st.none() | st.booleans(),
    sim_age_days=st.none() | st.integers(-(2**63), 2**63 - 1),
    event_time_ms=st.none() | st.integers(-(2**63), 2**63 - 1),
    tags=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)


@given(CALLS)
def test_walking_the_bytes_reads_what_protobuf_reads(call: pb.DecideRequest) -> None:
    def plain(value: object) -> object:
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, list):
            return [plain(each) for each in value]
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        return value

    read = border.read_call(call.SerializeToString())
    assert plain(border.walked(call.SerializeToString())) == read


@given(CALLS, st.integers(0, 2**32))
def test_damaged_bytes_never_raise(call: pb.DecideRequest, seed: int) -> None:
    data = bytearray(call.SerializeToString())
    dice = random.Random(seed)
    for _ in range(3):
        if data:
            data[dice.randrange(len(data))] = dice.randrange(256)
    assert isinstance(border.read_call(bytes(data)), dict | Unreadable)


def test_a_method_of_another_protocol_version_is_unimplemented(front: Front) -> None:
    def ask() -> bytes:
        answer: bytes = front.channel.unary_unary("/interceptor.v2.InterceptionService/Decide")(
            b"", timeout=10
        )
        return answer

    assert refused(ask)[0] == grpc.StatusCode.UNIMPLEMENTED.name
