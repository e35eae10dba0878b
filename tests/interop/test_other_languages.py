"""Clients that are not grpcio - grpc-js from npm and Go's grpc - get what grpcio gets."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop.calls import BY_SWITCH
from interop.programs import Program, go_program, node_program, write_descriptors
from service.certificates import Authority, needs_openssl
from service.running import CALLEE, LISTED, Running, write_policy

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


def test_a_unix_socket_serves_too(connect: Callable[..., Program], unix_address: str) -> None:
    answers, code = connect(unix_address).stream({"id": 1, "call": {"caller": LISTED, "callee": CALLEE}})
    assert (answers[0]["decision"]["rule"], code) == ("listed", "OK")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("identities"))


@pytest.fixture(scope="module")
def guarded(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that wants certificates, and has a rule for one of them."""
    policy = write_policy(tmp_path_factory.mktemp("guarded"), BY_SWITCH)
    own = authority.issue("service", "DNS:localhost,IP:127.0.0.1")
    running = Running(
        policy, "--tls-cert", own.certificate, "--tls-key", own.key, "--tls-client-ca", authority.ca,
        "--tls-allow", "switch-1.example",
    )  # fmt: skip
    yield running
    running.stop()


@needs_openssl
def test_a_switch_is_known_by_its_certificate(
    connect: Callable[..., Program], authority: Authority, guarded: Running
) -> None:
    call = {"caller": "+8613700000005", "callee": CALLEE}
    switch = authority.issue("switch", "DNS:switch-1.example")
    known = connect(guarded.data.address, CA=authority.ca, Certificate=switch.certificate, Key=switch.key)
    assert known.decide(call)[0]["rule"] == "mine"
    other = authority.issue("other", "DNS:switch-2.example")
    denied = connect(guarded.data.address, CA=authority.ca, Certificate=other.certificate, Key=other.key)
    assert denied.decide(call)[0]["code"] == "PERMISSION_DENIED"
    nobody = connect(guarded.data.address, CA=authority.ca)
    assert nobody.decide(call, timeout=5)[0]["code"] in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}


def test_a_watcher_hears_of_the_end(
    connect: Callable[..., Program], start: Callable[..., Running], tmp_path: Path
) -> None:
    service = start(write_policy(tmp_path))
    watch = connect(service.data.address).watch()
    assert next(watch) == "SERVING"
    service.signal(signal.SIGTERM)
    assert next(watch) == "NOT_SERVING"
    assert list(watch) == ["UNAVAILABLE"]
