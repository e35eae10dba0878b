"""Messages: what the data plane reads of bytes is what protobuf reads of them, and what the portable front says."""

import re
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from dataplane.encoding import (
    FIXED32,
    GROUP,
    GROUP_END,
    VALUES,
    as_bytes,
    damaged,
    integer,
    pieces,
    tag,
    text,
)
from interceptor.control import border
from interceptor.control.border import Unreadable
from interceptor.dataplane.messages import read_call, read_health, read_streamed
from interceptor.dataplane.phrasebook import Phrasebook
from interceptor.dataplane.reports import read_report, read_subscription
from interceptor.engine.engine import CallError, Engine
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import INSTRUCTION, Code, Spec, Trunk
from interceptor.engine.types import Limits
from interceptor.pb.v1 import interception_pb2 as pb

TAGS = ("dealer", "plan")
BOOK = Phrasebook(1, TAGS, [], ("default", "", 0, ""), ("emergency", "", 0, ""), [])
NUMBER = {field.name: field.number for field in pb.DecideRequest.DESCRIPTOR.fields}
EMERGENCY = {b"110", b"112"}
SCALARS = ("international_ingress", "roaming", "sim_age_days")
#: field of a card -> field of a call
CARD = {
    "report_id": "call_id",
    "number": "caller",
    "imsi": "imsi",
    "imei": "imei",
    "cell": "cell",
    "trunk": "trunk",
}
RAW = {
    kind: as_bytes(kind)
    for kind in (
        pb.DecideRequest,
        pb.DecideStreamRequest,
        pb.ReportCallRequest,
        pb.ReportSubscriptionRequest,
    )
}

ENTRIES = st.builds(
    lambda name, value, more: text(NUMBER["tags"], text(1, name) + value + more),
    st.sampled_from([b"dealer", b"plan", b"", b"other", b"\xff"]),
    VALUES.map(lambda value: text(2, value)),
    st.just(b"") | pieces(3),
)
CALLS = st.lists(pieces(20) | ENTRIES, max_size=8).map(b"".join)
ODD_CALLS = st.builds(damaged, CALLS, st.integers(0, 2**32)) | st.binary(max_size=60)


@pytest.fixture(scope="module")
def engine(plan: NumberingPlan) -> Engine:
    """One that decides nothing: it says what is malformed."""
    engine = Engine(plan)
    code = Code(np.empty(0, INSTRUCTION))
    engine.publish(Spec(code, (), trunks={"default": Trunk("")}, tags=TAGS), {}, revision=1)
    return engine


def well_formed(value: bytes) -> bool:
    try:
        return len(value) <= Limits.MAX_FIELD and not re.search(r"[\x00-\x1f\x7f-\x9f]", value.decode())
    except UnicodeDecodeError:
        return False


def fields_of(call: dict[str, Any]) -> dict[str, bytes | int]:
    """The well-formed fields of the call a front hands to the engine."""
    flat: dict[str, Any] = {}
    for name, value in call.items():
        if name == "redirecting" and isinstance(value, list):
            flat |= {f"redirecting[{i}]": each for i, each in enumerate(value[: Limits.MAX_REDIRECTING])}
        elif name == "tags" and isinstance(value, dict):
            flat |= {f"tags[{each}]": value[each] for each in TAGS if each in value}
        else:
            flat[name] = value
    found: dict[str, bytes | int] = {}
    for name, value in flat.items():
        if name in SCALARS:
            if isinstance(value, int) and 0 <= value < 1 << 62:
                found[name] = int(value)
            continue
        spelt = value.encode() if isinstance(value, str) else value
        if isinstance(spelt, bytes) and spelt and well_formed(spelt):
            found[name] = spelt
    return found


def mapping_of(message: Any) -> dict[str, Any]:
    """The call in a message of the contract, or of `as_bytes`, as `fields_of` takes it."""
    call = {name: getattr(message, name) for name in border.TEXTS}
    call |= {name: getattr(message, name) for name in SCALARS if message.HasField(name)}
    call["redirecting"] = list(message.redirecting)
    if isinstance(message, pb.DecideRequest):
        call["tags"] = dict(message.tags)
    else:
        call["tags"] = {entry.key.decode(errors="replace"): entry.value for entry in message.tags}
    return call


def parsed(kind: type[Message], data: bytes) -> Any:
    """What protobuf makes of the bytes when texts may be anything; None: it is no message."""
    try:
        return RAW[kind].FromString(data)
    except DecodeError:
        return None


def mistyped(message: Any) -> bool:
    """Whether a known field came as another type: protobuf ignores it, a front says so."""
    entries = [
        entry for entry in message.tags if any(each.field_number < 3 for each in UnknownFieldSet(entry))
    ]
    return bool(entries) or border.mistyped(message)


# --- against protobuf

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
GOOD_CALLS = st.builds(
    pb.DecideRequest,
    **dict.fromkeys(border.TEXTS, TEXT),
    redirecting=st.lists(TEXT, max_size=6),
    **{name: st.none() | st.booleans() for name in ("international_ingress", "roaming")},
    sim_age_days=st.none() | st.integers(0, 2**62 - 1),
    event_time_ms=st.none() | st.integers(-(2**63), 2**63 - 1),
    tags=st.dictionaries(st.sampled_from([*TAGS, "other", ""]), TEXT),
)


@given(GOOD_CALLS)
def test_a_call_in_order_is_read_as_protobuf_reads_it(call: pb.DecideRequest) -> None:
    assert read_call(call.SerializeToString(), BOOK) == (fields_of(mapping_of(call)), None)


@given(ODD_CALLS)
def test_what_is_no_message_to_protobuf_is_none(data: bytes) -> None:
    _, problem = read_call(data, BOOK)
    assert (problem is not None and problem[2]) == (parsed(pb.DecideRequest, data) is None)


@given(ODD_CALLS)
def test_any_bytes_hold_the_fields_protobuf_finds_in_them(data: bytes) -> None:
    message = parsed(pb.DecideRequest, data)
    if message is not None and not mistyped(message):
        found, problem = read_call(data, BOOK)
        assert found == fields_of(mapping_of(message))
        assert problem is None or not problem[2]


@given(st.lists(st.tuples(st.integers(1, 4), CALLS), max_size=4), st.integers(0, 2**32))
def test_streamed_calls_are_read_as_protobuf_reads_them(parts: list[tuple[int, bytes]], seed: int) -> None:
    data = damaged(b"".join(text(3, call) if k > 2 else integer(k, seed * k) for k, call in parts), seed)
    identity, deadline_ms, found, problem = read_streamed(data, BOOK)
    message = parsed(pb.DecideStreamRequest, data)
    if message is None:
        assert problem is not None
        assert problem[2]
    elif not border.mistyped(message) and not mistyped(message.call):
        assert (identity, deadline_ms) == (message.id, message.deadline_ms)
        assert found == fields_of(mapping_of(message.call))


@given(st.lists(pieces(5) | CALLS.map(lambda call: text(6, call)), max_size=6), st.integers(0, 2**32))
def test_reports_are_read_as_protobuf_reads_them(fields: list[bytes], seed: int) -> None:
    data = damaged(b"".join(fields), seed)
    own, found, problem = read_report(data, BOOK)
    message = parsed(pb.ReportCallRequest, data)
    if message is None:
        assert problem is not None
        assert problem[2]
    elif not border.mistyped(message) and not mistyped(message.call):
        since = found.pop("event_time_ms", None)
        assert found == fields_of(mapping_of(message.call))
        if message.call.HasField("event_time_ms") and 0 <= message.call.event_time_ms < 1 << 62:
            assert since == message.call.event_time_ms
        assert own["carries"] == message.HasField("call")
        assert own["call_id"] == (message.call_id if well_formed(message.call_id) else b"")
        assert own["event"] == (message.event if message.event in (1, 2) else 0)
        for name in ("time_ms", "duration_ms"):
            value = getattr(message, name)
            if 0 <= value < 1 << 62 and (name == "time_ms" or message.HasField("duration_ms")):
                assert own[name] == value
            else:
                assert not own[name]


CARD_TAGS = st.builds(
    lambda name, value: text(9, text(1, name) + text(2, value)),
    st.sampled_from([b"dealer", b"plan", b"other", b"\xff"]),
    VALUES,
)


@given(st.lists(pieces(9) | CARD_TAGS, max_size=8), st.integers(0, 2**32))
def test_cards_are_read_as_protobuf_reads_them(fields: list[bytes], seed: int) -> None:
    data = damaged(b"".join(fields), seed)
    event, found, problem = read_subscription(data, BOOK)
    message = parsed(pb.ReportSubscriptionRequest, data)
    if message is None:
        assert problem is not None
        assert problem[2]
    elif not mistyped(message):
        card = {own: getattr(message, name) for name, own in CARD.items()}
        card["tags"] = {entry.key.decode(errors="replace"): entry.value for entry in message.tags}
        assert found == fields_of(card)
        assert event == (message.event + 2 if message.event in range(1, 5) else 0)


@given(st.binary(max_size=30) | VALUES.map(lambda name: text(1, name)))
def test_health_requests_are_read_as_protobuf_reads_them(data: bytes) -> None:
    name, problem = read_health(data)
    try:
        message = health_pb2.HealthCheckRequest.FromString(data)
    except DecodeError:
        assert problem is not None
    else:
        if problem is None:
            assert name.decode() == message.service


@pytest.mark.parametrize("depth", [98, 99, 100, 101])
@pytest.mark.parametrize("kind", [pb.DecideRequest, pb.DecideStreamRequest])
def test_groups_lie_as_deep_in_one_another_as_protobuf_lets_them(kind: type[Message], depth: int) -> None:
    groups = tag(1000, GROUP) * depth + tag(1000, GROUP_END) * depth
    for data in (groups, text(3, groups), text(20, groups), text(3, text(20, groups))):
        *_, problem = (read_call if kind is pb.DecideRequest else read_streamed)(data, BOOK)
        assert bool(problem and problem[2]) == (parsed(kind, data) is None)


# --- against the portable front


def portable(engine: Engine, call: dict[str, Any] | Unreadable) -> tuple[str, str, bool] | None:
    """What the portable front says is wrong; None too when it lets an emergency call through."""
    if isinstance(call, Unreadable):
        return call.message, "", True
    try:
        engine.decide(call, 0)
    except CallError as error:
        return str(error), error.field, False
    return None


NO_CALL = "the request is no interceptor.v1.DecideRequest: "


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xff", NO_CALL + "byte 0: a number without an end"),
        (text(2, b"1") + b"\x00\x00", NO_CALL + "byte 3: no field number"),
        (b"\x80\x80\x80\x80\x10\x00", NO_CALL + "byte 0: no field number"),
        (text(2, b"1") + b"\x16", NO_CALL + "byte 3: wire type 6"),
        (tag(2, GROUP_END), NO_CALL + "byte 0: wire type 4"),
        (b"\x12\x05ab", NO_CALL + "byte 0: a field that ends 3 bytes behind the end"),
        (tag(50, FIXED32) + b"abc", NO_CALL + "byte 0: a field that ends 1 bytes behind the end"),
        (tag(50, GROUP) + tag(51, GROUP_END), NO_CALL + "byte 0: a malformed group"),
        (text(20, b"\xff"), NO_CALL + "byte 0: a number without an end"),
        (text(12, b"x" * 1025), "imei: 1025 bytes; at most 1024 are taken"),
        (text(5, b"\xc2\x80"), "privacy: holds a control character"),
        (text(6, b"1") + text(6, b"\xff"), "redirecting: [1] not valid UTF-8"),
        (text(6, b"1") * 4 + text(6, b"\xff"), None),
        (text(6, b"1") + integer(6, 1), "redirecting: must be a sequence of texts"),
        (integer(13, 1), "cell: must be text, not int"),
        (integer(13, 1) + text(13, b"1"), None),
        (text(13, b"1") + integer(13, 1), "cell: must be text, not int"),
        (tag(13, GROUP) + tag(13, GROUP_END), "cell: must be text, not int"),
        (text(17, b"1"), "roaming: must be true or false, not bytes"),
        (text(18, b"1"), "sim_age_days: must be a whole number, not bytes"),
        (integer(18, 2**64 - 1), "sim_age_days: -1 is out of range"),
        (integer(18, 2**62), f"sim_age_days: {2**62} is out of range"),
        (text(19, b"1") + integer(19, 2**64 - 1), None),
        (integer(20, 1), "tags: must be a mapping of texts"),
        (text(20, text(1, b"plan") + text(2, b"\x1b")), "tags: [plan] holds a control character"),
        (text(20, text(1, b"plan") + integer(2, 7)), "tags: [plan] must be text, not int"),
        (text(20, text(1, b"other") + text(2, b"\x1b")), None),
        (text(20, text(2, b"\x1b")), None),
        (text(18, b"") + text(7, b"\xff") + text(2, b"\xff"), "caller: not valid UTF-8"),
    ],
)
def test_both_fronts_say_what_is_wrong(engine: Engine, data: bytes, told: str | None) -> None:
    for problem in (read_call(data, BOOK)[1], portable(engine, border.read_call(data))):
        assert (problem and problem[0]) == told


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xff", "the message is no interceptor.v1.DecideStreamRequest: byte 0: a number without an end"),
        (text(3, b"\xff"), NO_CALL + "byte 0: a number without an end"),
        (text(3, b"\x12\x02a") + text(3, b"b"), NO_CALL + "byte 0: a field that ends 1 bytes behind the end"),
        (integer(3, 1), "call must be a message, not a number"),
        (text(1, b"1") + text(3, integer(2, 1)), "caller: must be text, not int"),
    ],
)
def test_both_fronts_say_what_is_wrong_in_a_stream(engine: Engine, data: bytes, told: str) -> None:
    for problem in (read_streamed(data, BOOK)[3], portable(engine, border.read_streamed(data).call)):
        assert problem is not None
        assert problem[0] == told


def portable_report(engine: Engine, report: dict[str, Any] | Unreadable) -> tuple[str, str, bool] | None:
    """What the portable front says is wrong with a report."""
    if isinstance(report, Unreadable):
        return report.message, "", True
    try:
        engine.report(report, 0)
    except CallError as error:
        return str(error), error.field.removeprefix("call."), False
    return None


def portable_card(engine: Engine, card: dict[str, Any] | Unreadable) -> tuple[str, str, bool] | None:
    if isinstance(card, Unreadable):
        return card.message, "", True
    try:
        engine.report_subscription(card.pop("event"), card, 0)
    except CallError as error:
        return str(error), error.field, False
    return None


ENDED = integer(2, 2)
NAMED = text(1, b"a@b")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xff", "the request is no interceptor.v1.ReportCallRequest: byte 0: a number without an end"),
        (text(6, b"\xff"), NO_CALL + "byte 0: a number without an end"),
        (integer(6, 1), "call must be a message, not a number"),
        (integer(1, 1), "call_id: must be text, not int"),
        (NAMED + text(2, b"1"), "event: must be a whole number, not bytes"),
        (NAMED, "event: must be answered or ended, not 0"),
        (NAMED + integer(2, 3), "event: must be answered or ended, not 3"),
        (NAMED + integer(2, 2**64 - 1), "event: must be answered or ended, not -1"),
        (NAMED + ENDED + integer(4, 2**63), f"duration_ms: {-(2**63)} is out of range"),
        (NAMED + ENDED + text(4, b"5"), "duration_ms: must be a whole number, not bytes"),
        (NAMED + ENDED + integer(5, 128), "cause: 128 is out of range"),
        (ENDED, "call_id: a report names its call, or carries it: give call_id or call"),
        (ENDED + text(6, text(2, b"\xff")) + integer(3, 2**62), f"time_ms: {2**62} is out of range"),
        (ENDED + text(6, text(2, b"\xff")), "call.caller: not valid UTF-8"),
        (ENDED + text(6, integer(19, 2**63)), f"call.event_time_ms: {-(2**63)} is out of range"),
        (NAMED + integer(2, 2**32 + 2) + integer(5, 2**32 + 16), None),
        (ENDED + text(6, b""), None),
    ],
)
def test_both_fronts_say_what_is_wrong_with_a_report(engine: Engine, data: bytes, told: str | None) -> None:
    for problem in (read_report(data, BOOK)[2], portable_report(engine, border.read_report(data))):
        assert (problem and problem[0]) == told


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            b"\xff",
            "the request is no interceptor.v1.ReportSubscriptionRequest: byte 0: a number without an end",
        ),
        (b"", "event: must be activated, reactivated, attached or sms, not 0"),
        (integer(2, 5), "event: must be activated, reactivated, attached or sms, not 5"),
        (integer(2, 1) + text(4, b"\xff"), "number: not valid UTF-8"),
        (integer(2, 1) + integer(1, 1), "report_id: must be text, not int"),
        (text(1, b"\xff"), "report_id: not valid UTF-8"),
        (integer(2, 1) + integer(3, 2**63), f"time_ms: {-(2**63)} is out of range"),
        (integer(2, 1) + text(6, b"x" * 1025), "imei: 1025 bytes; at most 1024 are taken"),
        (integer(2, 1) + integer(9, 1), "tags: must be a mapping of texts"),
        (integer(2, 1) + text(9, text(1, b"plan") + integer(2, 7)), "tags: [plan] must be text, not int"),
        (integer(2, 4) + text(4, b"+8613800138000"), None),
    ],
)
def test_both_fronts_say_what_is_wrong_with_a_card(engine: Engine, data: bytes, told: str | None) -> None:
    for problem in (read_subscription(data, BOOK)[2], portable_card(engine, border.read_subscription(data))):
        assert (problem and problem[0]) == told


@given(st.lists(pieces(6) | CALLS.map(lambda call: text(6, call)), max_size=6), st.integers(0, 2**32))
def test_both_fronts_find_the_same_in_any_report(engine: Engine, fields: list[bytes], seed: int) -> None:
    data = damaged(b"".join(fields), seed)
    assert read_report(data, BOOK)[2] == portable_report(engine, border.read_report(data))


@given(st.lists(pieces(9) | CARD_TAGS, max_size=8), st.integers(0, 2**32))
def test_both_fronts_find_the_same_in_any_card(engine: Engine, fields: list[bytes], seed: int) -> None:
    data = damaged(b"".join(fields), seed)
    assert read_subscription(data, BOOK)[2] == portable_card(engine, border.read_subscription(data))


@given(ODD_CALLS)
def test_both_fronts_find_the_same_in_any_bytes(engine: Engine, data: bytes) -> None:
    call = border.read_call(data)
    found, problem = read_call(data, BOOK)
    if not isinstance(call, Unreadable):
        assert found == fields_of(call)
    said = portable(engine, call)
    assert problem == said or (said is None and found.get("callee") in EMERGENCY)


@given(ODD_CALLS, st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), pieces(4))
def test_both_fronts_find_the_same_in_a_stream(
    engine: Engine, call: bytes, identity: int, deadline_ms: int, more: bytes
) -> None:
    data = text(3, call) + integer(1, identity) + integer(2, deadline_ms) + more
    streamed = border.read_streamed(data)
    read = read_streamed(data, BOOK)
    assert read[0] == streamed.id
    assert isinstance(streamed.call, Unreadable) or read[1] == streamed.deadline_ms
    said = portable(engine, streamed.call)
    assert read[3] == said or (said is None and read[2].get("callee") in EMERGENCY)
