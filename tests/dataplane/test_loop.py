"""What a data-plane thread owes its connections when some of them are slow, late, encrypted, or all at once."""

import os
import re
import ssl
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import hpack
import pytest

from dataplane.planes import Serve, ended, eventually
from dataplane.switch import TIMEOUT, Switch, connect
from interceptor.dataplane.server import DataPlane
from interceptor.dataplane.tls import TlsServer
from service.certificates import Authority, needs_openssl

SERVING = b"\x08\x01"
DECIDE = "/interceptor.v1.InterceptionService/Decide"
REQUEST = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/grpc.health.v1.Health/Check"),
    (":authority", "localhost"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000 04 00 00000000")
WIDE_OPEN = bytes.fromhex("000004 08 00 00000000 7fff0000")  # WINDOW_UPDATE of the whole connection
HEADERS, END_STREAM = 1, 1


def checks(many: int) -> bytes:
    """A client's whole side of a connection that asks for health `many` times and waits for nothing."""
    block = hpack.Encoder().encode([(name, value, True) for name, value in REQUEST], huffman=False)
    sent = [PREFACE, WIDE_OPEN]
    for i in range(many):
        stream = (2 * i + 1).to_bytes(4)
        sent += [len(block).to_bytes(3) + b"\1\4" + stream, block, b"\0\0\5\0\1" + stream + bytes(5)]
    return b"".join(sent)


def answers(data: bytes) -> int:
    """How many streams the server has ended in `data`."""
    count = at = 0
    while at + 9 <= len(data):
        count += data[at + 3] == HEADERS and data[at + 4] & END_STREAM
        at += 9 + int.from_bytes(data[at : at + 3])
    return count


# --- its core


def slice_ns(thread: Path) -> int:
    """For how long the scheduler lets a thread have its core in one go; 0: it does not say, or is told nothing."""
    said = re.search(r"(?m)^se\.slice +: +(\d+)$", (thread / "sched").read_text())
    return 0 if said is None else int(said[1])


def test_threads_that_decide_ask_for_brief_turns_and_others_do_not(serve: Serve) -> None:
    """So the kernel gives them their core when they wake, and not when another's turn is over."""
    version = tuple(int(part) for part in os.uname().release.split(".")[:2])
    mine = Path(f"/proc/self/task/{threading.get_native_id()}")
    if version < (6, 12) or not (mine / "sched").exists() or not slice_ns(mine):
        pytest.skip("this kernel knows no brief turns")
    serve(threads=2)
    brief, usual = 100_000, slice_ns(mine)

    def slices(name: str) -> set[int]:
        return {
            slice_ns(each)
            for each in Path("/proc/self/task").iterdir()
            if (each / "comm").read_text().startswith(name)
        }

    eventually(lambda: slices("ic-data-") == {brief})
    assert slices("ic-accept") == {usual} != {brief}


# --- slow readers


def flooded(plane: DataPlane, one: Any, data: bytes) -> threading.Thread:
    """Sends `data` from a thread; returns when the server has stopped taking it, as nobody reads its answers."""

    def send() -> None:
        with suppress(OSError):  # it is thrown out
            one.sendall(data)

    sending = threading.Thread(target=send)
    sending.start()
    taken = -1
    while taken != (taken := plane.traffic()["bytes_in"]) or taken == 0:
        time.sleep(0.1)
    assert taken < len(data), "all was taken: nothing made the client wait"
    return sending


def test_who_reads_late_gets_every_answer(serve: Serve, tmp_path: Path) -> None:
    plane = serve(listen=[f"unix:{tmp_path}/calls.sock"])
    many = 20_000
    with closing(connect(plane.addresses[0])) as late, Switch(plane.addresses[0]) as other:
        sending = flooded(plane, late, checks(many))
        assert other.ask() == SERVING
        heard = b""
        while answers(heard) < many:
            heard += late.recv(1 << 20)
        sending.join()
    counted = plane.traffic()
    assert counted["requests"]["health_check"] == {"OK": many + 1}
    eventually(lambda: sum(plane.traffic()["latency"]) == many + 1)


def test_who_never_reads_has_to_go_and_holds_nobody_up(serve: Serve, tmp_path: Path) -> None:
    plane = serve(listen=[f"unix:{tmp_path}/calls.sock"], stall_s=0.5)
    with closing(connect(plane.addresses[0])) as greedy, Switch(plane.addresses[0]) as other:
        sending = flooded(plane, greedy, checks(20_000))
        while not ended(plane):
            assert other.ask() == SERVING
        assert ended(plane) == {"stalled": 1}
        sending.join()


# --- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> TlsServer:
    identity = authority.issue("localhost", "DNS:localhost")
    return TlsServer(str(identity.certificate), str(identity.key), str(authority.ca))


def shown(authority: Authority, name: str) -> ssl.SSLContext:
    """What a client of that name has."""
    identity = authority.issue(name, f"DNS:{name}")
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.load_cert_chain(identity.certificate, identity.key)
    context.set_alpn_protocols(["h2"])
    return context


@needs_openssl
def test_a_client_that_is_not_on_the_list_is_told_so_and_others_are_answered(
    serve: Serve, authority: Authority, server: TlsServer
) -> None:
    names = frozenset({"switch-1", "switch-11", "a", "zz"})
    plane = serve(tls=server, client_names=names)
    for name in ("switch-1", "switch-11"):
        with Switch(plane.addresses[0], tls=shown(authority, name)) as known:
            assert known.ask() == SERVING
    for name in ("switch", "switch-111", "b"):
        with Switch(plane.addresses[0], tls=shown(authority, name)) as stranger:
            stream = stranger.begin(DECIDE)
            stranger.send()
            said = stranger.until(lambda s=stream, who=stranger: who.trailers(s))
            assert said["grpc-status"] == "7"
            assert name in said["grpc-message"]


@needs_openssl
def test_more_than_one_turn_s_bytes_of_tls_are_all_answered(
    serve: Serve, authority: Authority, server: TlsServer
) -> None:
    plane = serve(tls=server)
    many = 3_000
    one = shown(authority, "switch-2").wrap_socket(connect(plane.addresses[0]), server_hostname="localhost")
    with closing(one):
        one.sendall(checks(many))
        heard = b""
        while answers(heard) < many:
            heard += one.recv(1 << 16)


@needs_openssl
def test_who_does_not_shake_hands_has_to_go(serve: Serve, server: TlsServer) -> None:
    plane = serve(tls=server, stall_s=0.3)
    with closing(connect(plane.addresses[0])) as silent:
        assert silent.recv(1) == b""
    assert ended(plane) == {"stalled": 1}


@needs_openssl
def test_whoever_shakes_hands_when_the_end_comes_is_answered(
    serve: Serve, authority: Authority, server: TlsServer
) -> None:
    """A process that leaves to another one has accepted it: nobody else will."""
    plane, tls = serve(tls=server), shown(authority, "switch")
    with Switch(plane.addresses[0], tls=tls) as other, closing(connect(plane.addresses[0])) as slow:
        other.ask()
        eventually(lambda: plane.traffic()["opened"] == 2)
        closing_it = threading.Thread(target=plane.close, args=(TIMEOUT,), daemon=True)
        closing_it.start()
        other.until(lambda: other.goaways or None)
        with tls.wrap_socket(slow, server_hostname="localhost") as shaken:
            shaken.sendall(checks(1))
            heard = b""
            while answers(heard) == 0:
                heard += shaken.recv(1 << 16)
        other.until_closed()
        closing_it.join()
    assert ended(plane).keys() <= {"drained", "by_client"}


@needs_openssl
def test_plain_bytes_on_a_tls_port_are_a_failed_handshake(serve: Serve, server: TlsServer) -> None:
    plane = serve(tls=server)
    with closing(connect(plane.addresses[0])) as plain:
        plain.sendall(PREFACE)
        while plain.recv(1024):
            pass
    counted = plane.traffic()
    assert counted["tls_failed"] == 1
    assert ended(plane) == {"tls": 1}


@needs_openssl
def test_who_only_asks_whether_a_tls_port_is_open_is_no_failed_handshake(
    serve: Serve, server: TlsServer
) -> None:
    plane = serve(tls=server)
    with closing(connect(plane.addresses[0])):
        eventually(lambda: plane.traffic()["opened"] == 1)
    eventually(lambda: ended(plane) == {"by_client": 1})
    assert plane.traffic()["tls_failed"] == 0


@needs_openssl
def test_a_goodbye_ends_the_connection_though_the_socket_stays_open(
    serve: Serve, authority: Authority, server: TlsServer
) -> None:
    plane = serve(tls=server)
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    with closing(connect(plane.addresses[0])) as leaving:
        client = shown(authority, "switch").wrap_bio(heard, said, server_hostname="localhost")
        shaken = False
        while not shaken:
            try:
                client.do_handshake()
                shaken = True
            except ssl.SSLWantReadError:
                leaving.sendall(said.read())
                heard.write(leaving.recv(1 << 16))
        client.write(PREFACE)
        with suppress(ssl.SSLWantReadError):
            client.unwrap()
        leaving.sendall(said.read())
        eventually(lambda: ended(plane) == {"by_client": 1})


@needs_openssl
def test_far_too_many_connections_are_closed_without_a_word(serve: Serve, server: TlsServer) -> None:
    plane = serve(tls=server, max_connections=1)
    with ExitStack() as open_now:
        for _ in range(1 + 64):
            open_now.enter_context(closing(connect(plane.addresses[0])))
        with closing(connect(plane.addresses[0])) as last:
            assert last.recv(1) == b""
        assert plane.traffic()["refused"] == 1
        assert plane.traffic()["connections"] == [65]
