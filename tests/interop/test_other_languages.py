"""Clients that are not grpcio - grpc-js from npm and Go's grpc - get what grpcio gets."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop.programs import Program, go_program, node_program, write_descriptors
from service.running import CALLEE, LISTED, Running

PROGRAMS = {"grpc-js": node_program, "go": go_program}


@pytest.fixture(scope="module", params=PROGRAMS)
def command(request: pytest.FixtureRequest) -> list[str]:
    return PROGRAMS[request.param]()


@pytest.fixture(scope="module")
def descriptors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_descriptors(tmp_path_factory.mktemp("descriptors") / "services.binpb")


@pytest.fixture(scope="module")
def connect(command: list[str], descriptors: Path) -> Iterator[Callable[..., Program]]:
    """``connect(address, CA=..., Certificate=..., Key=...)`` runs such a client."""
    programs: list[Program] = []

    def begin(address: str, **identity: Path) -> Program:
        programs.append(Program(command, address, descriptors, **identity))
        return programs[-1]

    yield begin
    for program in programs:
        program.close()


@pytest.fixture(scope="module")
def client(connect: Callable[..., Program], service: Running) -> Program:
    return connect(service.data.address)


def test_a_call_is_decided(client: Program) -> None:
    listed, other = client.decide(
        {"caller": LISTED, "callee": CALLEE}, {"caller": "+8613700000001", "callee": CALLEE}
    )
    assert (listed["verdict"], listed["rule"], listed["reason"]) == (
        "VERDICT_BLOCK",
        "listed",
        "credit-record",
    )
    assert (other["verdict"], other["rule"]) == ("VERDICT_PASS", "default")


def test_every_field_of_a_call_arrives(client: Program) -> None:
    call = {"caller": "+8613700000002", "callee": CALLEE, "tags": {"dealer": "bad"}, "roaming": False}
    assert client.decide(call)[0]["rule"] == "dealer"


def test_a_thousand_at_once_are_all_answered(client: Program) -> None:
    answers = client.decide(*({"caller": f"+861360000{i:04}", "callee": CALLEE} for i in range(1000)))
    assert [answer.get("verdict") for answer in answers] == ["VERDICT_PASS"] * 1000


def test_a_refusal_comes_with_code_and_message(client: Program) -> None:
    (answer,) = client.decide({"caller": "+86137", "userAgent": "x" * 5000})
    assert (answer["code"], answer["message"].split()[0]) == ("INVALID_ARGUMENT", "user_agent:")


def test_a_stream_with_1024_in_flight_is_answered_whole(client: Program) -> None:
    calls = ({"id": i, "call": {"caller": f"+861350000{i:04}", "callee": CALLEE}} for i in range(1024))
    answers, code = client.stream(*calls)
    assert code == "OK"
    assert sorted(int(answer.get("id", 0)) for answer in answers) == list(range(1024))
    assert {answer["decision"]["verdict"] for answer in answers} == {"VERDICT_PASS"}


def test_a_deadline_ends_an_open_stream_and_nothing_else(client: Program) -> None:
    call = {"caller": "+8613700000003", "callee": CALLEE}
    answers, code = client.stream({"id": 7, "call": call}, hold=True, timeout=0.5)
    assert (len(answers), code) == (1, "DEADLINE_EXCEEDED")
    assert client.decide(call)[0]["verdict"] == "VERDICT_PASS"


def test_a_cancelled_stream_ends_and_nothing_else(client: Program) -> None:
    call = {"caller": "+8613700000004", "callee": CALLEE}
    for _ in range(20):
        answers, code = client.stream({"id": 7, "call": call}, hold=True, cancel_after=1)
        assert (len(answers), code) == (1, "CANCELLED")
    assert client.decide(call)[0]["rule"] == "busy"


def test_health_is_watched(client: Program) -> None:
    assert list(client.watch(cancel_after=1)) == ["SERVING", "CANCELLED"]
    assert list(client.watch("interceptor.v1.InterceptionService", cancel_after=1)) == [
        "SERVING",
        "CANCELLED",
    ]
    assert list(client.watch("nobody", cancel_after=1)) == ["SERVICE_UNKNOWN", "CANCELLED"]
