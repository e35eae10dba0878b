"""What the engine's ring gives becomes events: each once, with what is known of it; what the ring lost is a gap."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import structlog

from interceptor.delivery.envelope import Record, Spooled, record
from interceptor.delivery.selection import Selection
from interceptor.delivery.settings import Sinks
from interceptor.engine.events import EventRing
from interceptor.engine.spec import INSTRUCTION, Code, Rule, Span, Spec, Trunk
from interceptor.engine.types import BlockClass, Field, Verdict
from interceptor.runtime.clock import Clock
from interceptor.runtime.demotion import Jump
from interceptor.runtime.outcomes import RecentOutcomes
from interceptor.runtime.publishing import Publishing

RULES = (
    Rule("shop", Span(0, 0), Verdict.WARN, reason='fake "shop"'),
    Rule("box", Span(0, 0), Verdict.BLOCK, BlockClass.CLASS_ANALYTICS, reason="sim-box"),
    Rule("seen", Span(0, 0), Verdict.BLOCK, shadow=True),
)
NONE = BlockClass.CLASS_NONE


class Maker:
    """Says that it made something, and when it was told that it is in the spool."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.logged: list[str] = []  #: of the service's log

    def hear(self, _logger: object, _method: str, said: Any) -> Any:
        self.logged.append(said["event"])
        raise structlog.DropEvent

    def made(self, events: npt.NDArray[np.void]) -> list[Record]:
        self.told.append(f"made {len(events)}")
        return [record("reminder", "made", 0, {"of": len(events)})]

    def spooled(self) -> None:
        self.told.append("spooled")

    def look(self) -> None:
        pass

    def stop(self) -> None:
        self.told.append("stopped")


@pytest.fixture
def maker() -> Maker:
    return Maker()


def publishing(directory: Path, maker: Maker, **sink: Any) -> Publishing:
    outcomes = RecentOutcomes()
    outcomes.record(7, Spec(Code(np.zeros(0, INSTRUCTION)), RULES, trunks={"default": Trunk("CN")}))
    lines = {"name": "lines", "kind": "file", "path": directory / "lines"}
    return Publishing(
        Sinks.model_validate({"version": 1, "sinks": [lines | sink]}),
        outcomes,
        [maker],
        data=directory,
        identity="of-a-test",
        secret=b"k" * 16,
        clock=Clock(),
        log=structlog.wrap_logger(None, processors=[maker.hear]),
    )


@pytest.fixture
def plain(tmp_path: Path, maker: Maker) -> Iterator[Publishing]:
    made = publishing(tmp_path, maker)
    yield made
    made.stop()


def put(ring: EventRing, number: int, verdict: Verdict = Verdict.WARN, rule: int = 0, **more: Any) -> None:
    """A decision; its id is its number."""
    numbers = {Field.F_CALLER: (1, b"+8613800138000"), Field.F_CALLEE: (1, b"+8613900139000")}
    texts = {Field.F_CALL_ID: b"%d" % number, Field.F_TRUNK: '东站 "1"\\'.encode()}
    more |= {"id": number, "verdict": verdict, "rule": rule, "revision": 7}
    ring.put(texts, numbers=numbers, now=1_772_353_800_000 + number, **more)


def told(made: Publishing) -> list[dict[str, Any]]:
    """The events in the spool."""
    reader = made.outlets.spool.reader("test")
    return [cloud_event(each) for each in reader.take(10_000)]


def cloud_event(spooled: Spooled) -> dict[str, Any]:
    """As a sink tells it that is told everything."""
    entry = Sinks.model_validate(
        {
            "version": 1,
            "sinks": [
                {
                    "name": "all",
                    "kind": "file",
                    "path": "x",
                    "numbers": "whole",
                    "verdicts": ["pass", "warn", "block"],
                }
            ],
        }
    ).sinks[0]
    event = Selection(entry, source="x", masked=str, key=b"").event(spooled)
    assert event is not None
    return event.cloud


def test_a_decision_is_told_with_what_is_known_of_it(plain: Publishing) -> None:
    ring = EventRing(16)
    put(ring, 1)
    put(ring, 2, Verdict.BLOCK, 1, block_class=BlockClass.CLASS_ANALYTICS, shadow=1)
    plain.take(ring.drain())
    first, second, _ = told(plain)
    assert first["id"] == "0000000000000001"
    assert first["time"] == "2026-03-01T08:30:00.001Z"
    common = {
        "policy_revision": 7,
        "caller": "+8613800138000",
        "callee": "+8613900139000",
        "trunk": '东站 "1"\\',
    }
    assert first["data"] == common | {
        "decision_id": "0000000000000001",
        "verdict": "warn",
        "rule": "shop",
        "reason": 'fake "shop"',
        "call_id": "1",
    }
    assert second["data"] == common | {
        "decision_id": "0000000000000002",
        "verdict": "block",
        "rule": "box",
        "reason": "sim-box",
        "block_class": "analytics",
        "shadow_rules": ["seen"],
        "call_id": "2",
    }


def test_what_is_no_decision_of_its_own_is_no_event(plain: Publishing) -> None:
    """Nor what no sink asks for: here, what passed."""
    ring = EventRing(16)
    put(ring, 1, repeated=1)
    put(ring, 2, trial=3, would_verdict=int(Verdict.BLOCK))
    put(ring, 3, Verdict.PASS)
    put(ring, 4)
    plain.take(ring.drain())
    assert [each["id"] for each in told(plain)] == ["0000000000000004", "made"]


def test_what_the_ring_lost_is_a_gap_and_counted(plain: Publishing) -> None:
    ring = EventRing(8)
    for number in range(1, 21):
        put(ring, number)
    plain.take(ring.drain())
    for number in range(21, 25):
        put(ring, number)
    plain.take(ring.drain())
    spool = plain.outlets.spool
    events = told(plain)
    numbers = [int(each["sequence"]) for each in events]
    assert ring.dropped == spool.lost == 12
    assert spool.next - 1 - len(events) == 12
    assert numbers == [*range(1, 10), *range(22, 27)]
    assert [each["id"][-2:] for each in events[-5:]] == ["15", "16", "17", "18", "de"]


def test_what_is_made_of_decisions_is_told_once_it_is_in_the_spool(plain: Publishing, maker: Maker) -> None:
    ring = EventRing(16)
    put(ring, 1)
    plain.take(ring.drain())
    assert maker.told == ["made 1", "spooled"]


def test_what_the_spool_could_not_keep_is_not_said_to_be_in_it(plain: Publishing, maker: Maker) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 10, limits[1]))
    ring = EventRing(16)
    put(ring, 1)
    try:
        plain.take(ring.drain())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert maker.told == ["made 1"]
    assert maker.logged == ["events cannot be kept for their sinks, calls go on"]
    assert plain.outlets.spool.lost == 2


def test_a_rule_that_demoted_itself_is_an_event(plain: Publishing) -> None:
    plain.demoted(Jump("box", 300, 1_000, 0.01, 10_000))
    (event,) = told(plain)
    assert event["type"] == "interceptor.rule-demoted"
    assert event["data"] == {
        "rule": "box",
        "blocked": 300,
        "calls": 1_000,
        "window_ms": 10_000,
        "usual_share": 0.01,
    }


def test_a_sink_may_ask_for_what_passed(tmp_path: Path, maker: Maker) -> None:
    made = publishing(tmp_path, maker, verdicts=["pass"])
    ring = EventRing(16)
    put(ring, 1)
    put(ring, 2, Verdict.PASS, 0xFFFF)
    made.take(ring.drain())
    assert [each["id"] for each in told(made)] == ["0000000000000002", "made"]
    made.stop()


def test_whatever_a_text_holds_the_event_is_json() -> None:
    data = {"text": '\0\x1f"\\\n\u2028 \ud800 电话'}
    body = record("reminder", 'an "id"', 1, data).body
    event = cloud_event(Spooled(1, 1, "reminder", body))
    assert event["id"] == 'an "id"'
    assert event["data"]["text"] == data["text"].replace("\ud800", "?")
    assert json.loads(body)["time"] == "1970-01-01T00:00:00.001Z"
