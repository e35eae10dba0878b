"""One process takes over from another with everything on: PostgreSQL, TLS, sinks, zones, listed numbers, metrics."""

import shutil
import socket
import ssl
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from delivery.smsgateway import Gateway
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1 import lists_pb2
from running.switches import Asking, check, counted, switches
from running.whole import Watching, World, decided, person, readiness, serial, warn
from service.certificates import Authority, needs_openssl
from service.operating import add, becomes
from service.running import CALLEE, Running, run
from store.postgres import Cluster

pytestmark = needs_openssl
BEFORE, AFTER = range(40), range(40, 80)
#: people who are called while one process follows the other
MEANWHILE = range(1_000, 100_000)
LAST = 100_000
REPORTED = "+8613600136000"
ANSWERED, ENDED = pb.CALL_EVENT_ANSWERED, pb.CALL_EVENT_ENDED


def listed(number: int) -> str:
    return f"+86135{number:08}"


@dataclass(frozen=True)
class Change:
    """What was seen of one process following another."""

    world: World
    older: Running
    newer: Running
    asking: list[Asking]
    warned: set[str]  #: ids of decisions
    called: range  #: who was called while it happened
    ready: list[Any]
    counts: list[Any]
    serials: list[Any]
    verdicts: list[Any]  #: of a listed number
    numbers: int  #: listed
    begin: Callable[..., Running]


@pytest.fixture(scope="module")
def change(
    tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, scale: Callable[[int, int], int]
) -> Iterator[Change]:
    directory = tmp_path_factory.mktemp("whole")
    (directory / "ca").mkdir()
    state = tempfile.mkdtemp(
        prefix="interceptor-test-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    )
    gateway = Gateway()
    world = World(directory, gateway, Authority(directory / "ca"))
    store = cluster.database()
    services: list[Running] = []

    def begin(*more: str | Path) -> Running:
        kept = ("--data", directory / "data", "--state", state, "--store", store, "--grace", "1")
        services.append(Running(world.policy, *kept, *world.arguments(), *more, identity=world.identity))
        return services[-1]

    older = begin()
    numbers = scale(20_000, 1_000_000)
    for first in range(0, numbers, 5_000):
        entries = [lists_pb2.ListEntry(text=listed(n)) for n in range(first, first + 5_000)]
        older.admin("AddEntries", lists_pb2.AddEntriesRequest(list="fraud", source="desk", entries=entries))
    add(older, "fraud.example", "sites")
    becomes(lambda: any("domains" in event and event["domains"] for event in older.events()))
    warned = warn(older, BEFORE)
    for n in range(5):
        older.decide(caller=REPORTED, callee=person(n), call_id=f"reported {n}")
    asking = switches(older.data, world.identity)
    watching = [
        Watching(readiness(older.metrics)),
        Watching(decided(older)),
        Watching(serial(older.zones)),
        Watching(lambda: older.decide(caller=listed(0), callee=CALLEE).verdict),
    ]
    over = Event()

    def calling() -> tuple[set[str], range]:
        ids: set[str] = set()
        for n in MEANWHILE:
            ids |= warn(older, range(n, n + 1))
            if over.wait(0.01):
                return ids, range(MEANWHILE.start, n + 1)
        raise AssertionError("there is nobody left to call")

    with ThreadPoolExecutor(1) as other:
        meanwhile = other.submit(calling)
        world.renew("second")
        newer = begin("--takeover")
        newer.event("the process before is gone")
        over.set()
        ids, called = meanwhile.result()
    ready, counts, serials, verdicts = (each.end() for each in watching)
    warned |= ids | warn(newer, AFTER)
    yield Change(
        world, older, newer, asking, warned, called, ready, counts, serials, verdicts, numbers, begin
    )
    for each in services:
        each.stop()
    gateway.down()
    shutil.rmtree(state)


def test_no_call_is_refused_and_each_is_counted_once(change: Change) -> None:
    check(change.newer, change.asking)
    assert change.older.process.wait(60) == 0
    assert change.newer.event("the process before is gone")["in_order"]


def test_a_listed_number_is_blocked_all_the_time(change: Change) -> None:
    assert set(change.verdicts) == {pb.VERDICT_BLOCK}
    last = change.newer.decide(caller=listed(change.numbers - 1), callee=CALLEE)
    assert (last.verdict, last.rule) == (pb.VERDICT_BLOCK, "listed")
    assert change.newer.metric("interceptor_list_entries", list="fraud") == change.numbers


def test_events_come_to_each_sink_once_and_their_numbers_go_on(change: Change) -> None:
    gateway, newer = change.world.gateway, change.newer

    def decisions() -> set[str]:
        return {each["decision_id"] for each in gateway.data() if "decision_id" in each and "to" not in each}

    becomes(lambda: change.warned <= decisions())
    becomes(lambda: newer.metric("interceptor_sink_backlog_events") == 0)  # the other sink has as many
    assert not [each for each, times in gateway.times.items() if times > 1]
    assert sorted(int(event["sequence"]) for event in gateway.events) == list(
        range(1, len(gateway.events) + 1)
    )
    lines = (change.world.directory / "lines").read_text().splitlines()
    assert len(lines) == len(set(lines)) == len(gateway.events)
    assert newer.metric("interceptor_sink_dropped_total") == 0


def test_nobody_is_reminded_twice_by_two_processes(change: Change) -> None:
    """Those as well whom the one that left had called while it could not write to the store any more."""
    called = [*BEFORE, *change.called, *AFTER]
    change.warned.update(warn(change.newer, called, caller="+8613700137001"))
    change.warned.update(warn(change.newer, [LAST]))

    def told() -> Counter[str]:
        return Counter(each["to"] for each in change.world.gateway.data() if "to" in each)

    becomes(lambda: person(LAST) in told())  # they come in order: nothing is under way any more
    assert told() == dict.fromkeys(map(person, [*called, LAST]), 1)


def test_reports_of_calls_that_the_other_process_decided_find_them(change: Change) -> None:
    assert counted(change.newer, REPORTED)["active"] == 5
    for n in range(5):
        for event in (ANSWERED, ENDED):
            request = pb.ReportCallRequest(call_id=f"reported {n}", event=event)
            change.newer.data.ask("InterceptionService/ReportCall", request, pb.ReportCallResponse)
    told = counted(change.newer, REPORTED)
    assert (told["active"], told["answered"]) == (0, 5)


def test_it_is_ready_all_the_time_and_its_counters_begin_anew_once(change: Change) -> None:
    assert set(change.ready) == {200}
    assert not [each for each in change.counts if isinstance(each, str)]
    assert [after < before for before, after in zip(change.counts, change.counts[1:], strict=False)].count(
        True
    ) == 1


def test_resolvers_find_the_zone_whole_all_the_time(change: Change) -> None:
    first = change.serials[0]
    assert all(isinstance(each, int) and each >= first for each in change.serials), change.serials


def test_each_process_shows_the_certificate_that_lay_there_when_it_began(change: Change) -> None:
    authority, newer = change.world.authority, change.newer
    own = authority.directory / "switch.pem"
    context = ssl.create_default_context(cafile=authority.ca)
    context.load_cert_chain(own, own.with_suffix(".key"))
    context.set_alpn_protocols(["h2"])
    for address in (newer.data.address, newer.control.address):
        host, _, port = address.rpartition(":")
        with (
            socket.create_connection((host, int(port)), 60) as plain,
            context.wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            shown = encrypted.getpeercert()
        assert shown is not None
        assert (("commonName", "second"),) in shown["subject"]


def test_a_new_process_that_cannot_start_says_why_and_the_old_one_goes_on(
    change: Change, tmp_path: Path
) -> None:
    """Three at once: one waits for the other."""
    newer = change.newer
    wrong = tmp_path / "policy.yaml"
    wrong.write_text("version: 1\nrules: [{id: a, when: call.nobody, verdict: block}]\n")
    sinks = tmp_path / "sinks.yaml"
    sinks.write_text(f"version: 1\nsinks: [{{name: lines, kind: file, path: {tmp_path}/none/lines}}]\n")
    arguments = [each for each in newer.process.args if each != "--takeover"]  # type: ignore[union-attr]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        others = (("--policy", wrong), ("--sinks", sinks), ("--metrics", address))
        with ThreadPoolExecutor(len(others)) as starting:
            tried = list(starting.map(lambda each: _started(arguments, *each), others))
    assert [code for code, _ in tried] == [1, 1, 1]
    for said, (_, told) in zip(("nobody", f"{tmp_path}/none/lines", address), tried, strict=True):
        assert said in told
    becomes(lambda: [e["event"] for e in newer.events()].count("changes are taken again") == 3)
    add(newer, "+8613900001115")
    assert newer.decide(caller="+8613900001115", callee=CALLEE).verdict == pb.VERDICT_BLOCK
    assert readiness(newer.metrics)() == 200


def _started(arguments: list[Any], option: str, value: str | Path) -> tuple[int, str]:
    """Exit code, and what it said, of a process like the one that runs, but for an option."""
    place = arguments.index(option) + 1
    done = run(*arguments[3:place], value, *arguments[place + 1 :], "--takeover")
    return done.returncode, done.stderr
