"""Connections of the data plane: who gets in, who has to go, and that nobody else notices. Real sockets throughout."""

import resource
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from dataplane.planes import Serve, ended, eventually
from dataplane.switch import TIMEOUT, WATCH, Switch, connect
from interceptor.dataplane.server import DataPlane
from interceptor.engine.engine import Engine
from interceptor.engine.plan import NumberingPlan
from interceptor.numbering import load_plan

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


@pytest.fixture(scope="module")
def plan() -> NumberingPlan:
    return load_plan()


def connections(plane: DataPlane) -> int:
    return sum(plane.traffic()["connections"])


def our_threads() -> set[str]:
    names = {(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
    return {name for name in names if name.startswith("ic-")}


# --- coming


def test_every_address_is_answered_on(serve: Serve, tmp_path: Path) -> None:
    plane = serve(listen=["127.0.0.1:0", "localhost:0", f"unix:{tmp_path}/calls.sock"])
    assert len(plane.addresses) == 3
    for address in plane.addresses:
        with Switch(address.replace("localhost", "127.0.0.1")) as switch:
            assert switch.ask() == SERVING


def test_health_is_not_serving_before_open(serve: Serve) -> None:
    plane = serve(opened=False)
    with Switch(plane.addresses[0]) as switch:
        assert switch.ask() == NOT_SERVING
        plane.open()
        assert switch.ask() == SERVING


def test_connections_are_spread_over_the_threads(serve: Serve) -> None:
    plane = serve(threads=3)
    with ExitStack() as open_now:
        switches = [open_now.enter_context(Switch(plane.addresses[0])) for _ in range(30)]
        assert [switch.ask() for switch in switches] == [SERVING] * 30
        assert plane.traffic()["connections"] == [10, 10, 10]
    eventually(lambda: connections(plane) == 0)
    assert ended(plane) == {"by_client": 30}


def test_the_thread_with_the_fewest_gets_the_next(serve: Serve) -> None:
    plane = serve(threads=2)
    switches = [Switch(plane.addresses[0]) for _ in range(4)]
    for switch in switches:
        switch.ask()
    for switch in switches[::2]:
        switch.socket.close()
    eventually(lambda: connections(plane) == 2)
    assert 0 in plane.traffic()["connections"]
    with Switch(plane.addresses[0]) as third, Switch(plane.addresses[0]) as fourth:
        assert third.ask() == fourth.ask() == SERVING
        assert plane.traffic()["connections"] == [2, 2]
    for switch in switches[1::2]:
        switch.socket.close()


def test_one_connection_too_many_is_told_to_go_away(serve: Serve) -> None:
    plane = serve(max_connections=2)
    with Switch(plane.addresses[0]) as first, Switch(plane.addresses[0]) as second:
        assert first.ask() == second.ask() == SERVING
        with Switch(plane.addresses[0]) as third:
            third.until_closed()
            assert third.goaways == [0]
        eventually(lambda: connections(plane) == 2)
        assert ended(plane) == {"excess": 1}
        assert first.ask() == SERVING
    eventually(lambda: connections(plane) == 0)
    with Switch(plane.addresses[0]) as next_one:
        assert next_one.ask() == SERVING


def test_without_files_connections_are_closed_and_later_ones_are_served(serve: Serve) -> None:
    plane = serve()
    host, _, port = plane.addresses[0].rpartition(":")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as open_now:
        waiting = [open_now.enter_context(closing(socket.socket())) for _ in range(3)]
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (waiting[-1].fileno() + 1, hard))
            for one in waiting:
                one.settimeout(TIMEOUT)
                one.connect((host, int(port)))
            assert [one.recv(1) for one in waiting] == [b""] * 3
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    counted = plane.traffic()
    assert (counted["starved"], counted["refused"]) == (3, 3)
    with Switch(plane.addresses[0]) as switch:
        assert switch.ask() == SERVING


# --- having to go


def test_an_idle_connection_is_closed_and_one_with_a_stream_is_not(serve: Serve) -> None:
    plane = serve(idle_s=0.3)
    with Switch(plane.addresses[0]) as idle, Switch(plane.addresses[0]) as watcher:
        stream = watcher.begin(WATCH)
        watcher.send()
        assert watcher.until(lambda: watcher.data(stream) or None)
        idle.ask()
        idle.until_closed()
        assert idle.goaways == [1]
        assert ended(plane) == {"idle": 1}
        assert watcher.ask() == SERVING


def test_an_old_connection_is_drained(serve: Serve) -> None:
    plane = serve(age_s=0.3, stall_s=0.5)
    with Switch(plane.addresses[0]) as switch:
        while not switch.goaways:
            switch.ask()
        answered = len(switch.events)
        assert switch.ask() == SERVING  # it has been warned, no more
        switch.until_closed()
        assert len(switch.events) > answered
        assert switch.goaways[0] == (1 << 31) - 1
        assert switch.goaways[1] < 1 << 31 and len(switch.goaways) == 2
    eventually(lambda: ended(plane) == {"age": 1})


def test_a_stream_that_does_not_end_holds_an_old_connection_no_longer_than_a_stall(serve: Serve) -> None:
    plane = serve(age_s=0.2, stall_s=0.5)
    with Switch(plane.addresses[0]) as switch:
        switch.begin(WATCH)
        switch.send()
        switch.until_closed()
    eventually(lambda: ended(plane) == {"age": 1})


@pytest.mark.parametrize("sent", [b"", b"PRI * HTTP/2.0\r\n"], ids=["nothing", "half a preface"])
def test_who_connects_and_does_not_greet_has_to_go(serve: Serve, sent: bytes) -> None:
    plane = serve(stall_s=0.3)
    with closing(connect(plane.addresses[0])) as silent:
        silent.sendall(sent)
        while silent.recv(4096):
            pass
    assert ended(plane) == {"stalled": 1}


def test_half_a_request_is_reset_and_its_connection_goes_on(serve: Serve) -> None:
    plane = serve(stall_s=0.3)
    with Switch(plane.addresses[0]) as slow:
        stream = slow.begin(message=None)
        slow.send()
        assert slow.until(lambda: slow.trailers(stream))
        assert slow.ask() == SERVING


def test_what_is_no_http2_costs_its_own_connection_alone(serve: Serve) -> None:
    plane = serve()
    with Switch(plane.addresses[0]) as other, closing(connect(plane.addresses[0])) as stray:
        stray.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while stray.recv(4096):
            pass
        assert ended(plane) == {"protocol": 1}
        assert other.ask() == SERVING


def test_connections_cut_in_the_middle_of_a_frame_leave_nothing(serve: Serve) -> None:
    plane = serve(threads=2)
    with Switch(plane.addresses[0]) as other:
        for cut in range(1, 120):
            switch = Switch(plane.addresses[0])
            switch.begin()
            request = switch.http.data_to_send()
            switch.socket.sendall(request[: cut % len(request) + 1])
            if cut % 2:
                switch.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            switch.socket.close()
        assert other.ask() == SERVING
        eventually(lambda: connections(plane) == 1)
    eventually(lambda: ended(plane) == {"by_client": 120})


def test_a_connection_that_another_process_still_has_is_heard_of_no_more(serve: Serve) -> None:
    plane = serve()
    with Switch(plane.addresses[0]) as switch:
        switch.ask()
        other_process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[switch.socket.fileno()])
        switch.socket.shutdown(socket.SHUT_RDWR)
    with other_process:
        eventually(lambda: connections(plane) == 0)
        with Switch(plane.addresses[0]) as other:
            woken = plane.traffic()["wakes"]
            assert [other.ask() for _ in range(20)] == [SERVING] * 20
            assert plane.traffic()["wakes"] - woken <= 4 * 20


# --- ending


def test_what_was_asked_before_the_end_is_answered(serve: Serve) -> None:
    plane = serve(threads=2)
    with ExitStack() as open_now:
        switches = [open_now.enter_context(Switch(plane.addresses[0])) for _ in range(8)]
        for switch in switches:
            switch.ask()
        asked = {switch: [switch.begin() for _ in range(50)] for switch in switches}
        for switch in switches:
            switch.send()
        closing_it = threading.Thread(target=plane.close, args=(TIMEOUT,))
        closing_it.start()
        for switch, streams in asked.items():
            switch.until_closed()
            assert all(switch.trailers(stream) == {"grpc-status": "0"} for stream in streams)
            assert switch.goaways == [(1 << 31) - 1, streams[-1]]
        closing_it.join()
    assert ended(plane) == {"drained": 8}


def test_watchers_hear_of_the_end(serve: Serve) -> None:
    plane = serve()
    with Switch(plane.addresses[0]) as switch:
        stream = switch.begin(WATCH)
        switch.send()
        switch.until(lambda: switch.data(stream) or None)
        plane.close(0)
        switch.until_closed()
        assert switch.data(stream).endswith(NOT_SERVING)


def test_an_open_stream_holds_the_end_up_no_longer_than_the_grace(serve: Serve) -> None:
    plane = serve()
    with Switch(plane.addresses[0]) as switch:
        stream = switch.begin("/interceptor.v1.InterceptionService/DecideStream", None)
        switch.send()
        switch.ask()
        plane.close(0.2)
        switch.until_closed()
        assert switch.trailers(stream) is None


def test_closing_again_does_nothing(serve: Serve) -> None:
    plane = serve()
    plane.close(0)
    counted = plane.traffic()
    plane.close(1)
    assert plane.traffic() == counted
    with pytest.raises(RuntimeError, match="make another"):
        plane.start()
    with pytest.raises(RuntimeError, match="start it first"):
        plane.open()


def test_many_lives_leave_no_file_and_no_thread(plan: NumberingPlan, tmp_path: Path) -> None:
    def held() -> set[str]:
        return {path.name for path in Path("/proc/self/fd").iterdir()} | our_threads()

    engine = Engine(plan, repeats=1 << 10, events=1 << 10)
    before = held()
    for life in range(50):
        listen = ["127.0.0.1:0", f"unix:{tmp_path}/calls.sock"]
        plane = DataPlane(engine, listen=listen, threads=1, clock_offset_ns=0, tls=None, client_names=None)
        if life % 5:
            plane.start()
        if life % 3:
            Switch(plane.addresses[0]).socket.close()
        plane.close(0)
    assert held() == before


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_data_plane_that_is_lost_ends_its_threads(plan: NumberingPlan) -> None:
    engine = Engine(plan, repeats=1 << 10, events=1 << 10)
    plane = DataPlane(
        engine, listen=["127.0.0.1:0"], threads=2, clock_offset_ns=0, tls=None, client_names=None
    )
    plane.start()
    assert our_threads() == {"ic-accept", "ic-data-0", "ic-data-1"}
    with Switch(plane.addresses[0]) as switch:
        assert switch.ask() == NOT_SERVING
        del plane
        switch.until_closed()
    assert our_threads() == set()


# --- bounds of the settings


@pytest.mark.parametrize(
    "setting",
    [{"threads": 0}, {"max_connections": 0}, {"stall_s": 0}, {"window": 1}, {"spin_us": -1}],
    ids=str,
)
def test_a_setting_out_of_its_range_is_named(serve: Serve, setting: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        serve(**setting)


def test_nowhere_to_listen_is_an_error(serve: Serve) -> None:
    with pytest.raises(ValueError, match="at least one address"):
        serve(listen=[])


def test_spinning_threads_answer_and_end(serve: Serve) -> None:
    plane = serve(spin_us=2000)
    with Switch(plane.addresses[0]) as switch:
        assert [switch.ask() for _ in range(20)] == [SERVING] * 20
    plane.close(1)
    assert plane.traffic()["requests"]["health_check"] == {"OK": 20}


# --- memory


def resident_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def test_idle_connections_cost_little_and_give_it_back(
    serve: Serve, scale: Callable[[int, int], int]
) -> None:
    many = scale(1000, 5000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * many + 500)), hard))
    plane = serve(threads=2)
    greeting = Switch(plane.addresses[0])
    hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
    before = resident_kib()
    try:
        for _ in range(3):
            idle = [connect(plane.addresses[0]) for _ in range(many)]
            for one in idle:
                one.sendall(hello)
            eventually(lambda: connections(plane) == many + 1)
            assert greeting.ask() == SERVING
            for one in idle:
                one.close()
            eventually(lambda: connections(plane) == 1)
            eventually(lambda: resident_kib() - before < 4 * many)
    finally:
        greeting.socket.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
