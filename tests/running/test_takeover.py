"""One process takes over from another under calls: none is refused, and what was counted goes on."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.runtime.handover import Predecessor
from running.conftest import Serve
from running.switches import Streaming, check, counted, switches
from service.operating import add, becomes
from service.running import CALLEE, Running, environment, refused

FROZEN = "a new process is taking over: nothing can be changed meanwhile"


def kept_of_rules(service: Running, entries: int) -> bool:
    return service.metric("interceptor_list_entries", list="noisy") == entries


def test_takeovers_in_a_row_under_calls_refuse_none_and_count_each_once(
    serve: Serve, scale: Callable[[int, int], int]
) -> None:
    service = serve()
    asking = switches(service.data)
    for turn in range(scale(2, 20)):
        listed = f"+8613900000{turn:03d}"
        add(service, listed)
        noisy = service.decide(caller=f"+8613700000{turn:03d}", callee=CALLEE, user_agent="friendly")
        newer = serve("--takeover")
        assert newer.data.address == service.data.address
        assert newer.control.address == service.control.address
        assert newer.metrics == service.metrics
        assert newer.event("the process before is gone")["in_order"]
        assert service.process.wait(60) == 0
        service = newer
        assert service.decide(caller=listed, callee=CALLEE).verdict == pb.VERDICT_BLOCK
        assert noisy.rule == "noisy"
        becomes(partial(kept_of_rules, service, turn + 1))
    add(service, "+8613900001111")
    check(service, asking)


def test_a_new_process_that_is_killed_in_the_middle_leaves_the_old_one_as_it_was(
    tmp_path: Path, serve: Serve
) -> None:
    """In the middle it stays: its certificate is a pipe, into which nobody writes."""
    service = serve()
    asking = switches(service.data)
    os.mkfifo(pipe := tmp_path / "pipe")
    arguments = [each for each in service.process.args if isinstance(each, str)]  # type: ignore[union-attr]
    arguments += ["--tls-cert", str(pipe), "--tls-key", str(pipe)]
    for times in range(2):
        after = len(service.events())
        with subprocess.Popen(
            [*arguments, "--takeover"], stderr=subprocess.DEVNULL, env=environment()
        ) as new:
            service.event(FROZEN, after=after)
            status, said = refused(lambda: add(service, "+8613900001112"))
            new.send_signal(signal.SIGKILL)
        assert (status, said) == ("UNAVAILABLE", "a new process is taking over: ask again in a moment")
        service.event("changes are taken again", after=after)
        add(service, f"+86139000011{20 + times}")
    assert service.decide(caller="+8613900001121", callee=CALLEE).verdict == pb.VERDICT_BLOCK
    newer = serve("--takeover")
    assert service.process.wait(60) == 0
    check(newer, asking)


def test_an_old_process_that_is_killed_while_it_leaves_costs_its_own_connections_only(serve: Serve) -> None:
    service = serve()
    asking = switches(service.data)
    newer = serve("--takeover")
    service.signal(signal.SIGKILL)
    newer.event("the process before is gone")
    for each in asking:
        each.hang_up()
        told = counted(newer, each.caller)
        assert each.asked - len(each.failed) <= told["calls"] <= each.asked
    last = serve("--takeover")
    assert newer.process.wait(60) == 0
    assert counted(last, asking[0].caller)["calls"] > 0


def test_a_third_process_waits_for_the_first_and_events_of_all_three_are_kept(
    tmp_path: Path, serve: Serve
) -> None:
    """The first is held by a stream, and killed at last: what the second made meanwhile waits for the spool."""
    lines, sinks = tmp_path / "lines", tmp_path / "sinks.yaml"
    sinks.write_text(f"version: 1\nsinks: [{{name: lines, kind: file, path: {lines}}}]\n")
    options = ("--sinks", sinks, "--grace", "60")

    def warned(service: Running, turn: int) -> str:
        asked = service.decide(caller=f"+861370001{turn:04d}", callee=CALLEE, user_agent="friendly")
        assert asked.rule == "noisy"
        return asked.decision_id

    def told() -> list[str]:
        return [json.loads(line)["data"]["decision_id"] for line in lines.read_text().splitlines()]

    first = serve(*options)
    ids = [warned(first, 0)]
    becomes(lambda: ids == told())
    asking = Streaming(first.data.address, 0)
    becomes(lambda: asking.asked > 0)
    second = serve(*options, "--takeover")
    ids.append(warned(second, 1))
    with ThreadPoolExecutor(1) as starting:
        third = starting.submit(serve, *options, "--takeover")
        assert first.process.poll() is None
        assert not [each for each in second.events() if each["event"] == FROZEN]
        first.signal(signal.SIGKILL)
        assert not second.event("the process before is gone")["in_order"]
        newest = third.result()
    asking.hang_up()
    assert second.process.wait(60) == 0
    newest.event("the process before is gone")
    ids.append(warned(newest, 2))
    becomes(lambda: set(ids) == set(told()))
    assert sorted({int(json.loads(each)["sequence"]) for each in lines.read_text().splitlines()}) == [1, 2, 3]
    assert counted(newest, asking.caller)["calls"] == asking.asked


def test_as_many_as_come_at_once_wait_for_their_turn(tmp_path: Path, serve: Serve) -> None:
    """More than may wait to be accepted: a connection that finds no place waits for one, and is not refused."""
    service, times = serve(), 5
    service.signal(signal.SIGSTOP)

    def come() -> bool:
        predecessor = Predecessor.ask(tmp_path / "data")
        assert predecessor is not None
        predecessor.close()
        return predecessor.pid == service.process.pid

    with ThreadPoolExecutor(times) as coming:
        came = [coming.submit(come) for _ in range(times)]
        wait(came, 1)
        service.signal(signal.SIGCONT)
        assert all(each.result() for each in came)
    becomes(lambda: [e["event"] for e in service.events()].count("changes are taken again") == times)
    add(service, "+8613900001130")
    assert service.decide(caller="+8613900001130", callee=CALLEE).verdict == pb.VERDICT_BLOCK


def test_without_anybody_to_take_over_from_it_is_an_ordinary_start(serve: Serve) -> None:
    service = serve("--takeover")
    assert service.events()[0]["event"] == "nobody to take over from: an ordinary start"
    assert service.decide(caller="+8613900001113", callee=CALLEE).rule == "default"
    assert service.stop() == 0
    assert serve("--takeover").decide(caller="+8613900001113", callee=CALLEE).rule == "default"


def test_a_unix_socket_is_taken_over_where_it_lies(tmp_path: Path, serve: Serve) -> None:
    where = ("--listen", f"unix:{tmp_path / 'switch'}")
    service = serve(*where)
    newer = serve(*where, "--takeover")
    assert service.process.wait(60) == 0
    assert newer.decide(caller="+8613900001113", callee=CALLEE).rule == "default"
    assert newer.stop() == 0
    assert not (tmp_path / "switch").exists()


def test_somebody_who_says_nothing_or_nonsense_takes_nothing_over(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = serve()
    assert oct((tmp_path / "data" / "takeover").stat().st_mode & 0o777) == "0o600"
    monkeypatch.chdir(tmp_path / "data")
    for said in (b"", b"\x00\xff", b"[]", b'{"takeover": 99}'):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
            one.connect("takeover")  # without a timeout, which would not let it wait for its place
            one.settimeout(30)
            if said:
                one.send(said)
                assert one.recv(1000)[:11] in {b"", b'{"refused":'}
    add(service, "+8613900001114")
    assert not [event for event in service.events() if event["event"] == FROZEN]
