"""Who may ask what of the port for operators: roles, by token and by certificate; and that every try leaves a trace."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interceptor.cli.connection import on_this_machine
from interceptor.control.authorising import ROLES, Role
from interceptor.pb.v1 import access_pb2, lists_pb2
from service.certificates import Authority, needs_openssl
from service.running import CALLEE, SERVICE, Cli, Done, Running, refused, run

Start = Callable[..., Running]
ROLE_NAMES = ("viewer", "operator", "admin")


class Desk:
    """A service where an admin, an operator and a viewer were let in."""

    def __init__(self, service: Running, tokens: dict[str, Path], cli: Cli) -> None:
        self.service = service
        self.tokens = tokens
        self._cli = cli

    def run(self, role: str, *arguments: str | Path) -> Done:
        who = ("--token-file", self.tokens[role]) if role else ()
        return self._cli(*arguments, *who, "--server", self.service.control.address)

    def refusal(self, role: str, *arguments: str) -> str:
        done = self.run(role, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    def audit(self, **wanted: str) -> list[dict[str, str]]:
        """The records of which all of this is so, the last first."""
        records = json.loads(self.run("admin", "audit", "log").stdout)["records"]
        return [each for each in records if wanted.items() <= each.items()]


@pytest.fixture(scope="module")
def service(operated: Running) -> Running:
    return operated


@pytest.fixture(scope="module")
def tokens(service: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("tokens")
    found: dict[str, Path] = {}
    for role in reversed(ROLE_NAMES):  # the first one must be an admin
        to = ("--server", service.control.address, *(("--token-file", found["admin"]) if found else ()))
        done = run("access", "grant", f"the {role}", "--role", role, *to)
        assert done.returncode == 0, done.stderr
        found[role] = directory / f"{role}.token"
        found[role].write_text(done.stdout)
    return found


@pytest.fixture
def desk(service: Running, tokens: dict[str, Path], cli: Cli) -> Desk:
    return Desk(service, dict(tokens), cli)


def test_every_method_has_a_role_and_no_role_is_for_none() -> None:
    assert set(ROLES) == {method.name for method in SERVICE.methods}
    assert {int(role) for role in Role} == set(access_pb2.Role.values()) - {0}


def test_what_only_looks_takes_a_viewer_and_what_lets_others_in_an_admin() -> None:
    looking = {
        name for name in ROLES if name.startswith(("Get", "Explain", "Show", "Search", "Check", "Verify"))
    }
    assert {ROLES[name] for name in looking} == {Role.VIEWER}
    assert {ROLES[name] for name in ROLES if name.endswith("Access") or name.startswith("Erase")} == {
        Role.ADMIN
    }


def test_a_role_may_what_it_may_and_no_more(desk: Desk) -> None:
    caller = "+8613812120001"
    assert desk.run("viewer", "lists", "show", caller).returncode == 0
    told = desk.refusal("viewer", "lists", "add", caller, "--list", "fraud")
    assert "PERMISSION_DENIED" in told
    assert "operator" in told
    assert desk.service.decide(caller=caller, callee=CALLEE).rule == "default"
    assert desk.run("operator", "lists", "add", caller, "--list", "fraud").returncode == 0
    assert desk.service.decide(caller=caller, callee=CALLEE).rule == "listed"
    assert "admin" in desk.refusal("operator", "privacy", "erase", caller, "--yes")
    assert "admin" in desk.refusal("operator", "access", "list")
    grants = json.loads(desk.run("admin", "access", "list").stdout)["grants"]
    assert [(each["name"], each["role"]) for each in grants] == [
        (f"the {role}", f"ROLE_{role.upper()}") for role in sorted(ROLE_NAMES)
    ]


def test_whoever_did_it_is_on_the_audit_trail(desk: Desk) -> None:
    desk.run("operator", "lists", "add", "+8613812120002", "--list", "fraud")
    desk.run("viewer", "lists", "show", "+8613812120002")
    desk.refusal("viewer", "lists", "add", "+8613812120002", "--list", "fraud")
    assert desk.audit(action="add", actor="token:the operator")
    read = desk.audit(action="read", actor="token:the viewer")[0]
    assert read["subject"].startswith("entry ")
    assert "12120002" not in read["subject"] + read["detail"]
    assert desk.audit(action="refused", actor="token:the viewer", subject="AddEntries")


def unauthenticated(desk: Desk) -> float:
    """Requests that were refused so, whoever sent them."""
    refused = desk.service.scrape().get("interceptor_requests_refused_total", {})
    return sum(count for labels, count in refused.items() if ("status", "UNAUTHENTICATED") in labels)


def test_without_a_token_or_with_a_wrong_one_nobody_is_let_in(desk: Desk, tmp_path: Path) -> None:
    before = unauthenticated(desk)
    assert "UNAUTHENTICATED" in desk.refusal("", "lists", "stats")
    assert "--token-file" in desk.refusal("", "lists", "stats")
    wrong = tmp_path / "wrong.token"
    wrong.write_text("A" * 43)
    desk.tokens["wrong"] = wrong
    for _ in range(5):
        assert "UNAUTHENTICATED" in desk.refusal("wrong", "lists", "stats")
    assert [each["detail"] for each in desk.audit(action="refused", subject="wrong token")] == [
        '{"times": 1}'
    ]
    assert unauthenticated(desk) - before == 7
    # What switches ask on this port is not the operators' business.
    assert desk.service.control.decide(caller="+8613812120003", callee=CALLEE).rule == "default"


def test_a_revoked_or_ended_token_is_none(desk: Desk, tmp_path: Path) -> None:
    done = desk.run("admin", "access", "grant", "guest", "--role", "viewer", "--for", "30d")
    desk.tokens["guest"] = tmp_path / "guest.token"
    desk.tokens["guest"].write_text(done.stdout)
    assert desk.run("guest", "lists", "stats").returncode == 0
    assert desk.run("admin", "access", "revoke", "guest").returncode == 0
    assert "UNAUTHENTICATED" in desk.refusal("guest", "lists", "stats")
    assert "guest" in desk.refusal("admin", "access", "revoke", "guest")


def test_the_last_admin_stays(desk: Desk) -> None:
    assert "last admin" in desk.refusal("admin", "access", "revoke", "the admin")
    assert desk.refusal("admin", "access", "grant", "the admin", "--role", "viewer")
    assert desk.run("admin", "access", "list").returncode == 0


def test_the_first_one_must_be_an_admin(start: Start, cli: Cli) -> None:
    service = start(None)
    done = cli("access", "grant", "x", "--role", "viewer", "--server", service.control.address)
    assert (done.returncode, "admin" in done.stderr) == (1, True)
    assert cli("access", "list", "--server", service.control.address).returncode == 0


def test_the_store_has_no_token(start: Start, cli: Cli, tmp_path: Path) -> None:
    service = start(None, "--data", tmp_path / "data")
    done = cli("access", "grant", "x", "--role", "admin", "--server", service.control.address)
    token = done.stdout.strip().encode()
    service.stop()
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if token in path.read_bytes()]
    assert not [path for path in [tmp_path / "data", *files] if path.stat().st_mode & 0o077]


def test_a_token_from_the_environment_is_taken_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERCEPTOR_TOKEN", desk.tokens["viewer"].read_text())
    assert desk.run("", "lists", "stats").returncode == 0
    assert "PERMISSION_DENIED" in desk.refusal("", "access", "list")


@pytest.mark.parametrize("held", ["", "two words", "umläut"])
def test_a_file_without_a_token_is_said_to_be_none(cli: Cli, tmp_path: Path, held: str) -> None:
    (tmp_path / "token").write_text(held)
    done = cli("lists", "stats", "--token-file", tmp_path / "token")
    assert (done.returncode, str(tmp_path / "token") in done.stderr) == (2, True)


def test_a_token_is_not_sent_to_another_machine_in_the_clear(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    done = cli("lists", "stats", "--token-file", tmp_path / "token", "--server", "192.0.2.1:50052")
    assert (done.returncode, "--tls-ca" in done.stderr) == (2, True)


@pytest.mark.parametrize("server", ["127.fraud.example:50052", "localhost.fraud.example:50052", "127.0.0.1"])
def test_a_name_that_only_begins_like_this_machine_is_another(server: str) -> None:
    assert not on_this_machine(server)


@pytest.mark.parametrize("server", ["127.0.0.1:50052", "localhost:50052", "[::1]:50052", "unix:/run/port"])
def test_a_token_may_be_sent_on_this_machine_as_it_is(server: str) -> None:
    assert on_this_machine(server)


def test_an_open_port_where_nobody_was_let_in_is_not_served(cli: Cli, tmp_path: Path, start: Start) -> None:
    data = ("--data", tmp_path / "data")
    anywhere = ("--listen", "127.0.0.1:0", "--control", "0.0.0.0:0", "--metrics", "", "--insecure")
    done = cli("serve", *data, *anywhere)
    assert (done.returncode, done.stdout) == (1, "")
    assert "access grant" in done.stderr
    service = start(None, *data)
    assert cli("access", "grant", "x", "--role", "admin", "--server", service.control.address).returncode == 0
    service.stop()
    service = start(None, *data, "--control", "0.0.0.0:0", "--insecure")
    address = service.control.address.replace("0.0.0.0", "127.0.0.1")
    assert "UNAUTHENTICATED" in cli("lists", "stats", "--server", address).stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("identities"))


@pytest.fixture(scope="module")
def encrypted(authority: Authority) -> Iterator[Running]:
    own = authority.issue("service", "IP:127.0.0.1")
    running = Running(
        None, "--tls-cert", own.certificate, "--tls-key", own.key, "--tls-client-ca", authority.ca
    )
    yield running
    running.stop()


@needs_openssl
def test_a_certificate_has_the_role_of_its_name(
    encrypted: Running, authority: Authority, cli: Cli, tmp_path: Path
) -> None:
    def ask(name: str, *arguments: str | Path) -> tuple[int, str]:
        identity = identities[name]
        done = cli(
            *arguments,
            *("--server", encrypted.control.address, "--tls-ca", authority.ca),
            *("--tls-cert", identity.certificate, "--tls-key", identity.key),
        )
        return done.returncode, done.stdout + done.stderr

    identities = {name: authority.issue(name, f"DNS:{name}.example") for name in ("boss", "eve", "switch")}
    assert ask("boss", "access", "grant", "boss.example", "--role", "admin", "--certificate") == (0, "")
    assert ask("boss", "access", "grant", "eve.example", "--role", "viewer", "--certificate") == (0, "")
    assert ask("eve", "lists", "stats")[0] == 0
    code, told = ask("eve", "access", "list")
    assert (code, "PERMISSION_DENIED" in told) == (1, True)
    code, told = ask("switch", "lists", "stats")
    assert (code, "UNAUTHENTICATED" in told, "switch.example" in told) == (1, True, True)
    (tmp_path / "token").write_text(ask("boss", "access", "grant", "desk", "--role", "operator")[1])
    code, told = ask("switch", "policy", "get", "--token-file", tmp_path / "token")
    assert (code, "version: 1" in told) == (0, True)
    assert "cert:boss.example" in ask("boss", "audit", "log", "--action", "grant")[1]


def test_bytes_that_are_no_request_tell_nothing_to_strangers(desk: Desk) -> None:
    for method in SERVICE.methods:
        if method.client_streaming or method.server_streaming:
            continue
        status, _ = refused(
            lambda method=method: desk.service.control.raw(f"AdminService/{method.name}", b"\xff")
        )
        assert status == "UNAUTHENTICATED"


def test_streams_are_behind_the_gate_as_well(desk: Desk) -> None:
    channel = desk.service.control.channel
    export = channel.unary_stream("/interceptor.v1.AdminService/ExportList")
    request = lists_pb2.ExportListRequest(list="fraud", format="csv").SerializeToString()
    assert refused(lambda: next(iter(export(request, timeout=10))))[0] == "UNAUTHENTICATED"
    taking = channel.stream_stream("/interceptor.v1.AdminService/ImportList")
    assert refused(lambda: next(iter(taking(iter([b""]), timeout=10))))[0] == "UNAUTHENTICATED"
