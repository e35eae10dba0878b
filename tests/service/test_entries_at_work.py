"""Entries from the command that makes them to the calls they decide: on time, by subscriber, taken back exactly."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from service.operating import DESK, Ask, add, asking, becomes, put
from service.running import CALLEE, Cli, Running

POLICY = DESK.replace("lists:\n", "lists:\n  welcome:  {kind: pair}\n  watched:  {kind: number}\n").replace(
    "rules:\n",
    """rules:
  - {id: welcome, when: call.caller in lists.welcome, verdict: pass}
  - {id: watched, when: call.caller in lists.watched, verdict: warn, class: list, reason: watched}
  - {id: scanner, when: call.user_agent.startsWith("friendly"), verdict: warn, class: analytics, reason: scanner,
     add_to: {list: watched, key: caller, for: 1h}}
""",
)
Start = Callable[..., Running]


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    running = Running(None)
    try:
        put(running, POLICY)
        yield running
    finally:
        running.stop()


def rule(service: Running, caller: str, callee: str = CALLEE, **call: str) -> str:
    return service.decide(caller=caller, callee=callee, **call).rule


def first_seen(service: Running, caller: str, wanted: str) -> tuple[int, int]:
    """Between which milliseconds since the epoch calls began to be decided by that rule."""
    before = time.time_ns() // 1_000_000
    while rule(service, caller) != wanted:
        before = time.time_ns() // 1_000_000
        time.sleep(0.01)
    return before, time.time_ns() // 1_000_000


def test_an_entry_ends_and_another_begins_within_a_second_of_when_they_say(service: Running) -> None:
    ending, beginning = "+8613811120001", "+8613811120002"
    at = time.time_ns() // 1_000_000 + 2_500
    add(service, ending, valid_until_ms=at)
    add(service, beginning, valid_from_ms=at)
    assert (rule(service, ending), rule(service, beginning)) == ("listed", "default")
    before, after = first_seen(service, ending, "default")
    assert after >= at - 1_000, "too early"
    assert before <= at + 1_000, "too late"
    before, _ = first_seen(service, beginning, "listed")
    assert before <= at + 1_000


def test_what_a_rule_adds_outlives_a_kill_and_is_recorded_as_its_doing(
    start: Start, cli: Cli, tmp_path: Path
) -> None:
    caller = "+8613811120003"
    service = start(None, "--data", tmp_path / "data")
    put(service, POLICY)
    ask = asking(cli, service)
    assert rule(service, caller, user_agent="friendly-scanner") == "scanner"
    assert rule(service, caller) == "watched"
    becomes(lambda: bool(ask("lists", "show", caller)["entries"]))
    service.process.kill()
    service.stop()
    again = start(None, "--data", tmp_path / "data")
    ask = asking(cli, again)
    assert rule(again, caller) == "watched"
    (entry,) = ask("lists", "show", caller)["entries"]
    assert (entry["source"], entry["added_by"], entry["reason"]) == (
        "rule:scanner",
        "rule:scanner",
        "scanner",
    )
    assert 3_590_000 <= int(entry["valid_until_ms"]) - int(entry["added_ms"]) <= 3_600_000
    (record,) = ask("audit", "log", "--actor", "rule:scanner")["records"]
    assert (record["action"], record["revision"]) == ("add", entry["revision"])
    assert ask("lists", "undo", entry["revision"])["removed"] == "1"
    assert rule(again, caller) == "default"


def test_whom_a_subscriber_does_not_want_is_told_607_by_that_subscriber_alone(
    service: Running, ask: Ask
) -> None:
    caller, subscriber, other = "+8613811120004", "+8613900139001", "+8613900139002"
    pair = f"{subscriber}:{caller}"
    assert rule(service, caller, subscriber) == "default"
    assert ask("lists", "add", pair, "--list", "unwanted")["added"] == "1"
    answer = service.decide(caller=caller, callee=subscriber)
    assert (answer.verdict, answer.sip_code) == (pb.VERDICT_BLOCK, 607)
    assert (answer.rule, answer.sip_reason) == ("unwanted", 'SIP;cause=607;text="Unwanted"')
    for one, another in ((caller, other), (subscriber, caller), ("+8613811120005", subscriber)):
        assert rule(service, one, another) == "default"
    (entry,) = ask("lists", "show", pair)["entries"]
    assert (entry["list"], entry["text"]) == ("unwanted", pair)

    add(service, caller)
    assert rule(service, caller, other) == "listed"
    assert ask("lists", "add", f"{other}:{caller}", "--list", "welcome")["added"] == "1"
    assert (rule(service, caller, other), rule(service, caller)) == ("welcome", "listed")
    assert ask("lists", "remove", pair, "--list", "unwanted")["removed"] == "1"
    assert rule(service, caller, subscriber) == "listed"


def test_subscribers_lists_come_as_a_feed_too(service: Running, ask: Ask, tmp_path: Path) -> None:
    pairs = [(f"+86139001{at:05d}", f"+86138222{at % 7:05d}") for at in range(2_000)]
    path = tmp_path / "pairs.csv"
    path.write_text("number\n" + "".join(f"{callee}:{caller}\n" for callee, caller in pairs))
    done = ask("lists", "import", path, "--list", "unwanted", "--source", "app")
    assert done["added"] == "2000"
    for callee, caller in pairs[::199]:
        assert service.decide(caller=caller, callee=callee).sip_code == 607
        assert rule(service, caller, CALLEE) == "default"
    assert ask("lists", "undo", done["revision"])["removed"] == "2000"
    assert rule(service, pairs[0][1], pairs[0][0]) == "default"


def test_undoing_an_import_brings_back_exactly_what_was_there(
    service: Running, ask: Ask, tmp_path: Path, scale: Callable[[int, int], int]
) -> None:
    """A feed that replaces another in part: some rows go, some come, some get another reason or an end."""
    size = scale(20_000, 1_000_000)
    rows = [f"+86133{at:08d}" for at in range(size + size // 2)]

    def file(name: str, lines: list[str]) -> Path:
        path = tmp_path / name
        path.write_text("number,reason,note,valid_until\n" + "".join(f"{line}\n" for line in lines))
        return path

    def export(name: str) -> bytes:
        path = tmp_path / name
        ask("lists", "export", "fraud", "-o", path)
        return path.read_bytes()

    to = ("--list", "fraud", "--source", "police")
    ask("lists", "import", file("old.csv", [f"{row},fake-police,case 1," for row in rows[:size]]), *to)
    ask("lists", "add", *rows[: size : size // 50], "--list", "fraud", "--source", "bank", "--note", "ours")
    before = export("before.csv")
    new = [f"{row},false-loan,case 2,2098-01-01T00:00:00Z" for row in rows[size // 2 : size : 2]]
    new += [f"{row},fake-police,case 1," for row in rows[size // 2 + 1 : size : 2] + rows[size:]]
    done = ask("lists", "import", file("new.csv", new), *to, "--replace")
    assert export("between.csv") != before
    assert (rule(service, rows[1]), rule(service, rows[-1])) == ("default", "listed")
    undone = ask("lists", "undo", done["revision"])
    assert undone["conflicts"] == "0"
    assert export("after.csv") == before
    assert (rule(service, rows[1]), rule(service, rows[-1])) == ("listed", "default")
    again = ask("lists", "undo", undone["revision"])
    assert again["conflicts"] == "0"
    assert export("again.csv") == (tmp_path / "between.csv").read_bytes()
