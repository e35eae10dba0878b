"""A service whose surroundings fail it: ports taken, directories closed, disks full, peers that talk rubbish."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from service.running import CALLEE, LISTED, Running, run

Start = Callable[..., Running]
RUBBISH = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00",  # the beginning of a TLS handshake
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096,  # HTTP/2 that breaks off into nonsense
)


def blocks(service: Running) -> bool:
    """Whether the service is there and does what its policy says."""
    return bool(service.decide(caller=LISTED, callee=CALLEE, timeout=60).verdict == pb.VERDICT_BLOCK)


def refusal(*options: str | Path) -> str:
    """What a service says that must not start; it says one line."""
    ended = run("serve", *options)
    assert ended.returncode == 1, ended.stderr
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(said) == 1, ended.stderr
    assert said[0].startswith("interceptor: ")
    return said[0]


def test_a_second_service_on_the_port_says_so_and_leaves_the_first_alone(policy: Path, start: Start) -> None:
    service = start(policy)
    for option, taken in (("--listen", service.data.address), ("--control", service.control.address)):
        ports = {"--listen": "127.0.0.1:0", "--control": "127.0.0.1:0", "--metrics": "", option: taken}
        said = refusal("--policy", policy, *(part for pair in ports.items() for part in pair))
        assert taken in said
        assert "in use" in said
    assert blocks(service)


def test_a_metrics_port_that_is_taken_is_named(policy: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ports = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")
        said = refusal("--policy", policy, *ports, "--metrics", address)
    assert address in said


def test_a_cache_directory_that_cannot_be_written_costs_time_and_nothing_else(
    tmp_path: Path, policy: Path, start: Start
) -> None:
    file = tmp_path / "file"
    file.write_text("no directory, for root neither")
    assert blocks(start(policy, "--cache", file / "below"))
    assert file.read_text() == "no directory, for root neither"


def test_a_spoilt_cache_is_built_again(tmp_path: Path, policy: Path, start: Start) -> None:
    cache = tmp_path / "cache"
    assert blocks(start(policy, "--cache", cache))
    (kept,) = (path for path in cache.rglob("*") if path.is_file())
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-100])
    assert blocks(start(policy, "--cache", cache))
    assert kept.read_bytes() == whole


def test_a_full_disk_under_the_decision_log_is_counted_and_calls_go_on(policy: Path, start: Start) -> None:
    service = start(policy, "--decision-log", "/dev/full")
    assert all(blocks(service) for _ in range(20))
    service.event("decision log cannot be written, decisions go on")
    assert service.metric("interceptor_decision_log_lines_total", result="lost") > 0
    assert service.stop() == 0


@pytest.mark.parametrize("name", ["data", "control"])
def test_a_peer_that_talks_rubbish_costs_the_others_nothing(policy: Path, start: Start, name: str) -> None:
    service = start(policy)
    host, _, port = service.front(name).address.rpartition(":")
    for rubbish in RUBBISH:
        peers = [socket.create_connection((host, int(port)), 60) for _ in range(20)]
        for peer in peers:
            peer.sendall(rubbish)
        assert blocks(service)
        for peer in peers:
            peer.close()
        assert blocks(service)
    assert service.process.poll() is None
