"""The command line: what it prints, what it exits with, one line per error."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service.running import (
    CALLEE,
    LISTED,
    POLICY,
    PORTS,
    Cli,
    Done,
    Running,
    command,
    environment,
    run,
    write_policy,
)


def one_line(done: Done, code: int) -> str:
    """The one line an error is."""
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("interceptor: ")
    return line


def test_decide_prints_the_answer_as_json(cli: Cli, service: Running) -> None:
    done = cli("decide", "--server", service.data.address, "--caller", LISTED, "--callee", CALLEE)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert list(answer)[:4] == ["verdict", "rule", "reason", "block_class"]
    assert (answer["verdict"], answer["rule"], answer["sip_code"]) == ("VERDICT_BLOCK", "listed", 603)
    assert answer["shadow_rules"] == []


def test_explain_takes_every_field_of_a_call(cli: Cli, service: Running) -> None:
    fields = {
        "caller": "+8613744444444", "callee": CALLEE, "call-id": "x", "asserted-identity": "+8613744444444",
        "privacy": "id", "trunk": "t", "domain": "d.example", "user-agent": "friendly", "source-ip": "192.0.2.1",
        "imsi": "460001234567890", "imei": "490154203237518", "cell": "c", "verstat": "TN-Validation-Passed",
        "attestation": "A", "sim-age-days": "0", "tag": "dealer=x",
    }  # fmt: skip
    options = [part for name, value in fields.items() for part in (f"--{name}", value)]
    flags = [
        "--international-ingress",
        "--no-roaming",
        "--redirecting",
        "+8613755555555",
        "--redirecting",
        "10086",
    ]
    done = cli("explain", "--server", service.control.address, *options, *flags)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["decision"]["rule"] == "scanner"
    assert [number["field"] for number in found["numbers"]][:2] == ["caller", "callee"]
    assert found["counters"][0] == {
        "counter": "caller_calls_1h", "value": "1", "counted": True, "per": "caller", "window_ms": "3600000",
    }  # fmt: skip


def test_a_malformed_call_is_one_line(cli: Cli, service: Running) -> None:
    done = cli("decide", "--server", service.data.address, "--caller", "1\t2", "--callee", CALLEE)
    assert (
        one_line(done, 1)
        == "interceptor: the service says INVALID_ARGUMENT: caller: holds a control character"
    )


def test_nobody_there_is_one_line_and_exit_code_3(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
    line = one_line(cli("decide", "--server", nobody, "--caller", LISTED, "--callee", CALLEE), 3)
    assert nobody in line
    assert "interceptor serve" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("decide", "--tag", "dealer"),
        ("decide", "--tls-cert", "x.pem"),
        ("decide", "--sim-age-days", str(2**70)),
    ],
    ids=["tag", "tls", "range"],
)
def test_options_that_make_no_call_are_one_line_and_exit_code_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    one_line(cli(*arguments), 2)


def test_decide_starts_without_the_engine() -> None:
    script = (
        "import sys; from interceptor.cli import asking, main;"
        "heavy = {'numpy', 'pyarrow', 'structlog', 'interceptor.engine', 'interceptor.policy', 'prometheus_client'};"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_policy_check_sums_a_good_policy_up(cli: Cli, tmp_path: Path) -> None:
    done = cli("policy", "check", write_policy(tmp_path), "--lists")
    assert (done.returncode, done.stderr) == (0, "")
    assert "policy.yaml: good" in done.stdout
    for part in (
        "6, 1 of them shadow",
        "caller_calls_1h, caller_people_1h",
        "instructions a call",
        "MiB",
        "2 entries",
    ):
        assert part in done.stdout


@pytest.mark.parametrize("name", ["default", "antifraud-cn"])
def test_the_shipped_policies_are_good_by_name(cli: Cli, name: str) -> None:
    done = cli("policy", "check", name, "--lists")
    assert (done.returncode, done.stderr) == (0, "")


def test_policy_check_shows_every_problem_with_a_caret(cli: Cli, tmp_path: Path) -> None:
    broken = POLICY.replace("lists.fraud", "lists.frauds").replace("> 5", "> 'five'")
    done = cli("policy", "check", write_policy(tmp_path, broken))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("^") == 2
    assert done.stderr.splitlines()[-1].endswith("policy.yaml has 2 problems")
    assert "Traceback" not in done.stderr


def test_a_policy_that_is_not_there_is_one_line_that_names_the_shipped_ones(cli: Cli, tmp_path: Path) -> None:
    for arguments in (("policy", "check", tmp_path / "none.yaml"), ("serve", "--policy", "defualt")):
        line = one_line(cli(*arguments), 1)
        assert "antifraud-cn, default" in line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--listen", "0.0.0.0:0"), "--insecure"),
        (("--listen", "nonsense"), "HOST:PORT"),
        (("--listen", "unix:/nonexistent/switch.sock"), "/nonexistent"),
        (("--control", "0.0.0.0:0"), "--insecure"),
        (("--metrics", "0.0.0.0:0"), "--insecure"),
        (("--control", "nonsense"), "HOST:PORT"),
        (("--control", "127.0.0.1:99999"), "HOST:PORT"),
        (("--home", "XX"), "XX"),
        (("--tls-cert", "/nonexistent.pem", "--tls-key", "/nonexistent.key"), "/nonexistent"),
        (("--decision-log", "/nonexistent/decisions.log"), "/nonexistent"),
    ],
    ids=[
        "open",
        "no address for switches",
        "no socket",
        "open control",
        "open metrics",
        "no address",
        "no port",
        "no region",
        "no certificate",
        "no directory",
    ],
)
def test_what_cannot_be_served_is_one_line(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    given = dict.fromkeys(PORTS, "127.0.0.1:0")
    given.update(zip(arguments[::2], arguments[1::2], strict=True))
    done = cli(
        "serve", "--policy", write_policy(tmp_path), *(part for pair in given.items() for part in pair)
    )
    assert told in one_line(done, 1)


def test_a_port_in_use_is_one_line(cli: Cli, service: Running, tmp_path: Path) -> None:
    taken = (service.data.address, service.control.address, service.metrics)
    for port, address in zip(PORTS, taken, strict=True):
        ports = {**dict.fromkeys(PORTS, "127.0.0.1:0"), port: address}
        done = cli(
            "serve", "--policy", write_policy(tmp_path), *(part for pair in ports.items() for part in pair)
        )
        assert address in one_line(done, 1)


def test_a_broken_policy_or_list_ends_the_start(cli: Cli, tmp_path: Path) -> None:
    address = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--metrics", "")
    done = cli("serve", "--policy", write_policy(tmp_path, fraud="not a number\n"), *address)
    assert "fraud.csv" in one_line(done, 1)
    done = cli("serve", "--policy", write_policy(tmp_path, POLICY.replace("> 5", "> 'five'")), *address)
    assert done.returncode == 1
    assert done.stderr.startswith("interceptor: ")
    assert "^" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_of_its_own_ends_the_same_way(tmp_path: Path) -> None:
    line = one_line(run("serve", "--policy", tmp_path / "none.yaml"), 1)
    assert "antifraud-cn, default" in line


def test_help_names_the_commands_and_the_exit_codes(cli: Cli) -> None:
    done = cli("--help")
    assert done.returncode == 0
    for part in ("serve", "decide", "explain", "policy", "Exit codes"):
        assert part in done.stdout
    assert cli("serve", "--help").returncode == 0
    assert cli("nonsense").returncode == 2


def test_the_service_listens_on_unix_sockets(tmp_path: Path) -> None:
    sockets = [f"unix:{tmp_path}/{name}.sock" for name in ("switch", "operator")]
    ports = ("--listen", sockets[0], "--control", sockets[1], "--metrics", "")
    serve = command("serve", "--policy", write_policy(tmp_path), *ports)
    process = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True, env=environment())
    assert process.stderr is not None
    assert any('"event": "serving"' in line for line in process.stderr)
    for each in sockets:
        done = run("decide", "--server", each, "--caller", LISTED, "--callee", CALLEE)
        assert json.loads(done.stdout)["rule"] == "listed"
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not (tmp_path / "switch.sock").exists()
