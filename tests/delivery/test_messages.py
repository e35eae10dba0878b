"""Reminders and early warnings from a real service to a real gateway: once, and whole where they may be."""

import json
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from delivery.smsgateway import SECRET, Gateway
from interceptor.delivery.settings import RemindersEntry, SinksError, read_settings
from interceptor.runtime.reminders import Wording
from service.operating import becomes
from service.running import Running

POLICY = """
version: 1
lists: {seen: {kind: number}}
counters: {calls: {count: call, per: caller, window: 1h}}
rules:
  - {id: shop, when: call.user_agent == "shop", verdict: warn, reason: fake-ecommerce-service}
  - {id: loan, when: call.user_agent == "loan", verdict: warn, reason: false-loan}
  - {id: back, when: call.user_agent == "back", verdict: warn, reason: victim-callback}
  - {id: odd, when: call.user_agent == "odd", verdict: warn, reason: odd}
  - {id: ring, when: call.user_agent == "ring", verdict: warn, class: analytics, reason: wangiri,
     add_to: {list: seen, key: caller, for: 1h}}
  - {id: fast, when: counters.calls > 3, verdict: block, class: analytics, reason: dialler}
default: pass
"""
SINKS = """
version: 1
reminders: {{timezone: {zone}, quiet_hours: {quiet}, language: {language}}}
early_warnings: {{timezone: {zone}}}
sinks:
  - {{name: sms, kind: webhook, url: "{url}", secret_file: {secret}, events: [reminder, early-warning], numbers: whole}}
  - {{name: archive, kind: file, path: {archive}, events: [reminder, early-warning]}}
"""


def zone_where_it_is(hour: int) -> str:
    """A zone of time in which it is about that hour now, so that a test meets no midnight."""
    east = (hour - datetime.now(UTC).hour + 11) % 24 - 11
    return f"Etc/GMT{-east:+}" if east else "Etc/GMT"


def started(
    directory: Path, gateway: Gateway, hour: int = 12, quiet: str = "null", language: str = "zh"
) -> Running:
    """A service that sends to the gateway, on the data of the one before it."""
    (directory / "policy.yaml").write_text(POLICY)
    (directory / "secret").write_text(SECRET + "\n")
    sinks = SINKS.format(
        zone=zone_where_it_is(hour),
        quiet=quiet,
        language=language,
        url=gateway.url,
        secret=directory / "secret",
        archive=directory / "archive.jsonl",
    )
    (directory / "sinks.yaml").write_text(sinks)
    return Running(
        directory / "policy.yaml", "--data", directory / "data", "--sinks", directory / "sinks.yaml"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("messages")


@pytest.fixture(scope="module")
def told() -> Iterator[Gateway]:
    """The gateway of the shared service."""
    made = Gateway()
    yield made
    made.down()


@pytest.fixture(scope="module")
def service(folder: Path, told: Gateway) -> Iterator[Running]:
    """A service that several tests share: each has callers and called parties of its own."""
    running = started(folder, told)
    yield running
    running.stop()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway of a test's own."""
    made = Gateway()
    yield made
    made.down()


def call(service: Running, why: str, callee: int = 0, *, caller: int = 0, **more: str) -> str:
    """A call; the rule that decides it."""
    return service.decide(
        caller=f"+8613800138{caller:03}", callee=f"+8613900139{callee:03}", user_agent=why, **more
    ).rule


def test_a_warned_person_gets_one_message_a_day_and_category(service: Running, told: Gateway) -> None:
    assert call(service, "shop", 100, caller=1) == "shop"
    for caller in range(2, 5):
        call(service, "shop", 100, caller=caller)
    call(service, "loan", 100, caller=5)
    call(service, "shop", 101, caller=6)
    call(service, "odd", 100, caller=7)
    call(service, "none", 100, caller=8)
    call(service, "loan", 100, caller=9, call_id="one")
    call(service, "loan", 100, caller=9, call_id="one")
    call(service, "shop", 199, caller=9)
    said = [(each["to"][-3:], each["category"], each["caller"][-3:]) for each in told.of("+86139001391", 4)]
    assert said == [
        ("100", "fake-ecommerce-service", "001"),
        ("100", "false-loan", "005"),
        ("101", "fake-ecommerce-service", "006"),
        ("199", "fake-ecommerce-service", "009"),
    ]
    assert set(told.times.values()) == {1}


def test_what_is_made_is_counted(service: Running, told: Gateway) -> None:
    def counted() -> list[float]:
        page = service.scrape()
        return [
            page.get(f"interceptor_{name}_total", {}).get(frozenset({*labels.items()}), 0)
            for name, labels in (
                ("reminders", {"category": "fake-ecommerce-service", "outcome": "made"}),
                ("reminders", {"category": "fake-ecommerce-service", "outcome": "repeated"}),
                ("reminders", {"category": "odd", "outcome": "no_template"}),
                ("reminders", {"category": "wangiri", "outcome": "made"}),
                ("early_warnings", {"reason": "wangiri", "outcome": "made"}),
            )
        ]

    before = counted()
    for caller, why in enumerate(("shop", "shop", "odd", "ring")):
        call(service, why, 200, caller=200 + caller)
    told.of("+86139001392", 2)

    def more() -> list[float]:
        return [after - then for after, then in zip(counted(), before, strict=True)]

    end = time.monotonic() + 30  # they are counted one after the other, once events are in the spool
    while more() != [1, 1, 1, 1, 1] and time.monotonic() < end:
        time.sleep(0.05)
    assert more() == [1, 1, 1, 1, 1]


def test_a_number_that_becomes_suspected_is_told_of_once(service: Running, told: Gateway) -> None:
    for _ in range(6):
        call(service, "none", 300, caller=301)
    for callee in (300, 301):
        call(service, "ring", callee, caller=302)
    told.of("+86139001393", 2)
    warnings = [each for each in told.data() if "why" in each and each["caller"].startswith("+86138001383")]
    assert [(each["caller"], each["rule"], each["why"]) for each in warnings] == [
        ("+8613800138301", "fast", "analytics-block"),
        ("+8613800138302", "ring", "rule-listed"),
    ]


def test_the_gateway_is_told_whole_numbers_and_the_archive_is_not(
    service: Running, told: Gateway, folder: Path
) -> None:
    call(service, "shop", 411, caller=412)
    call(service, "back", 413, caller=414)
    (shop,) = told.of("+86139001394", 1)
    (back,) = told.of("+86138001384", 1)
    assert shop["to"] == shop["callee"]
    assert "来电+8613800138412疑似" in shop["text"]
    assert back["to"] == back["caller"]
    assert "拨打的+8613900139413涉嫌" in back["text"]
    archive, end = folder / "archive.jsonl", time.monotonic() + 30
    while (archived := archive.read_text()).count('"victim-callback"') < 1:
        assert time.monotonic() < end
    assert not any(digits in archived for digits in ("139411", "138412", "139413", "138414"))
    found = [json.loads(line)["data"] for line in archived.splitlines()]
    (masked,) = [data for data in found if data.get("category") == "victim-callback"]
    assert (masked["to"], masked["callee"]) == ("+86138******14", "+86139******13")
    assert "拨打的+86139******13涉嫌" in masked["text"]


def test_at_night_the_gateway_is_told_until_when_to_hold_it(tmp_path: Path, gateway: Gateway) -> None:
    service = started(tmp_path, gateway, hour=2, quiet="22:30-06:30", language="en")
    call(service, "loan")
    (message,) = gateway.of("+86139", 1)
    service.stop()
    assert (message["language"], message["text"][:14]) == ("en", "Fraud warning:")
    end = datetime.fromisoformat(message["not_before"])
    assert 3 < (end - datetime.now(UTC)).total_seconds() / 3600 < 6
    assert end.minute == 30


def remembered(directory: Path) -> tuple[int, bool]:
    """How many messages the store knows to be sent, and whether one of them is of a day that is over."""
    with closing(sqlite3.connect(directory / "data" / "store.sqlite")) as database:
        count, first = database.execute("SELECT count(*), min(until_ms) FROM sent").fetchone()
    return count, first == 1


def test_a_killed_service_has_told_everybody_and_nobody_of_two(tmp_path: Path, gateway: Gateway) -> None:
    """The gateway is down when it is killed: what was in the spool comes, and a person has one message by its id."""
    service = started(tmp_path, gateway)
    assert service.metric("interceptor_reminders_total", outcome="made") == 0  # and not absent
    for callee in range(50):
        call(service, "shop", callee, caller=callee)
    gateway.of("+86139", 50)
    gateway.down()
    for callee in range(200):
        call(service, "shop", callee, caller=callee)
    becomes(lambda: remembered(tmp_path) == (200, False))
    assert service.metric("interceptor_reminders_total", outcome="made") == 200
    service.signal(signal.SIGKILL)
    assert service.stop() == -signal.SIGKILL
    gateway.up()
    with closing(sqlite3.connect(tmp_path / "data" / "store.sqlite")) as database, database:
        database.execute("INSERT INTO sent VALUES (1, ?)", (bytes(16),))  # of a day that is over
    assert remembered(tmp_path) == (201, True)
    service = started(tmp_path, gateway)
    for callee in range(250):
        call(service, "shop", callee, caller=callee)
    read = [each["to"] for each in gateway.of("+86139", 250)]
    assert sorted(read) == [f"+8613900139{callee:03}" for callee in range(250)]
    becomes(lambda: remembered(tmp_path) == (250, False))  # and what is over was swept
    service.stop()
    assert len(gateway.times) == 250
    assert sum(gateway.times.values()) < 250 + 250  # what was delivered and not yet committed comes again


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("reminders: {timezone: Mars/Olympus}", "reminders.timezone: 'Mars/Olympus' is no zone of time"),
        ("reminders: {quiet_hours: all night}", "reminders.quiet_hours: 'all night' are no hours"),
        ("reminders: {quiet_hours: 22:00-22:00}", "are no hours"),
        ("reminders: {langage: zh}", "did you mean language?"),
        ("reminders: {templates: {x: {zh: 'call {callee}'}}}", "{callee} is no place for anything"),
        ("reminders: {templates: {x: {zh: '{number!r}'}}}", "is no place for anything"),
        ("reminders: {templates: {x: {zh: '{'}}}", "a brace itself is written twice"),
        ("early_warnings: {days: 0}", "early_warnings.days"),
        ("", "write a section `reminders: {}`"),
    ],
)
def test_a_section_that_cannot_be_used_is_told(section: str, said: str, tmp_path: Path) -> None:
    sinks: list[dict[str, Any]] = [{"name": "all", "kind": "file", "path": "x", "events": ["reminder"]}]
    (tmp_path / "sinks.yaml").write_text(f"version: 1\n{section}\nsinks: {json.dumps(sinks)}\n")
    with pytest.raises(SinksError) as refused:
        read_settings(tmp_path / "sinks.yaml")
    assert said in str(refused.value)


def test_the_file_that_readme_shows_can_be_used(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    (shown,) = [block for language, block in fenced if not language and "\nreminders:" in block]
    (tmp_path / "sinks.yaml").write_text(shown)
    sinks = read_settings(tmp_path / "sinks.yaml")
    assert sinks.reminders is not None
    assert set(sinks.reminders.templates) == {"false-loan", "burst"}
    assert [sink.name for sink in sinks.sinks] == ["sms", "soc"]


def test_the_message_that_readme_shows_is_the_shipped_one() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    assert "> " + Wording(RemindersEntry()).text("false-loan", "+8613800138000", "11-22 14:05") in text
