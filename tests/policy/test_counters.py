"""Counters as a policy writes them, and what the engine is told to count."""

from typing import Any

import pytest

from interceptor.engine.spec import Counter, KeyPart
from interceptor.engine.types import Field, Happening
from interceptor.engine.visits import MOST_PARTS, kept
from interceptor.policy import PolicyError, load_policy

CALLER, CALLEE, IMEI, CELL = (
    KeyPart(field) for field in (Field.F_CALLER, Field.F_CALLEE, Field.F_IMEI, Field.F_CELL)
)
SECOND, HOUR, DAY = 1000, 3600 * 1000, 24 * 3600 * 1000


def counter(written: str) -> Counter:
    (found,) = load_policy("p", f"version: 1\ntags: [dealer]\ncounters:\n  c: {{{written}}}\n").counters
    return found


@pytest.mark.parametrize(
    ("written", "measure", "per", "rest"),
    [
        ("count: call, per: caller, window: 1h", "count", CALLER, {}),
        ("count: answered, per: caller, window: 1h", "count", CALLER, {"happening": Happening.H_ANSWERED}),
        ("count: ended, per: caller, window: 1h", "count", CALLER, {"happening": Happening.H_ENDED}),
        (
            "count: unanswered, per: caller, window: 1h",
            "count",
            CALLER,
            {"happening": Happening.H_ENDED, "answered": False},
        ),
        (
            "count: short, under: 10s, per: caller, window: 1h",
            "count",
            CALLER,
            {"happening": Happening.H_ENDED, "answered": True, "under_ms": 10 * SECOND},
        ),
        (
            "sum: duration, per: callee, window: 1h",
            "sum",
            CALLEE,
            {"happening": Happening.H_ENDED, "answered": True},
        ),
        (
            "max: duration, per: caller, window: 1h",
            "max",
            CALLER,
            {"happening": Happening.H_ENDED, "answered": True},
        ),
        ("active: call, per: imei", "active", IMEI, {"window_ms": 4 * HOUR}),
        ("active: call, per: imei, ttl: 1h", "active", IMEI, {}),
        (
            "distinct: callee, on: answered, per: caller, window: 1h",
            "distinct",
            CALLER,
            {"happening": Happening.H_ANSWERED, "element": Field.F_CALLEE},
        ),
        (
            "distinct: caller, per: cell, window: 1h, large: true",
            "distinct",
            CELL,
            {"element": Field.F_CALLER, "large": True},
        ),
        ("count: sms, per: caller, window: 1h", "count", CALLER, {"happening": Happening.H_SMS}),
        (
            "paired: call, per: caller, in: cell, apart: 5s, window: 1h",
            "paired",
            CALLER,
            {"happening": Happening.H_ENDED, "place": CELL, "apart_ms": 5 * SECOND},
        ),
        (
            "paired: partner, per: imei, in: cell, apart: 5s, window: 1h",
            "partner",
            IMEI,
            {"happening": Happening.H_ENDED, "place": CELL, "apart_ms": 5 * SECOND},
        ),
        ("first_seen: call, per: caller, window: 1h", "first_seen", CALLER, {}),
        (
            "last_seen: activated, per: caller, window: 1h",
            "last_seen",
            CALLER,
            {"happening": Happening.H_ACTIVATED},
        ),
        ("count: call, per: callee, of: caller, window: 1h", "count", CALLEE, {"of": (CALLER,)}),
    ],
)
def test_a_counter_is_read_as_it_is_written(
    written: str, measure: str, per: KeyPart, rest: dict[str, Any]
) -> None:
    expected: dict[str, Any] = {"window_ms": HOUR, **rest}
    assert counter(written) == Counter("c", measure, (per,), **expected)


def test_a_counter_is_kept_for_whom_it_is_read() -> None:
    pair = counter("count: call, per: [callee, caller], of: [caller, callee], window: 7d")
    assert (pair.per, pair.of, pair.entity) == ((CALLEE, CALLER), (CALLER, CALLEE), "caller+callee")
    assert counter("count: call, per: callee, of: caller, window: 7d").entity == "caller"


def test_entities_are_budgeted_for_whom_they_are_read_and_places_by_their_own_name() -> None:
    spec = load_policy(
        "p",
        "version: 1\ntags: [dealer]\ncounters:\n"
        "  a: {count: call, per: callee, of: caller, window: 1h}\n"
        "  b: {paired: call, per: caller, in: cell, apart: 5s, window: 1h}\n"
        "  c: {count: activated, per: tags.dealer, window: 1h}\n"
        "entities: {caller: 5000, cell: 300, tags.dealer: 70}\n",
    )
    assert spec.entities == {"caller": 5000, "cell": 300, "tag[0]": 70}
    with pytest.raises(PolicyError, match="no counter is kept for `callee`; there are: `caller`"):
        load_policy(
            "p",
            "version: 1\ncounters:\n  a: {count: call, per: callee, of: caller, window: 1h}\n"
            "entities: {callee: 5000}\n",
        )


def test_what_is_kept_of_a_call_is_what_its_reports_need() -> None:
    spec = load_policy(
        "p",
        "version: 1\ncounters:\n"
        "  a: {count: call, per: trunk, window: 1h, where: call.roaming}\n"
        "  b: {distinct: callee, on: answered, per: caller, window: 1h, where: call.roaming}\n"
        "  c: {paired: call, per: caller, in: cell, apart: 5s, window: 1h, where: call.roaming}\n"
        "  d: {active: call, per: imei}\n"
        "  e: {count: sms, per: imsi, window: 1h}\n",
    )
    found = kept(spec)
    assert [part.field for part in found.parts] == [
        Field.F_CALLER,
        Field.F_CALLEE,
        Field.F_CELL,
        Field.F_IMEI,
    ]
    assert len(found.wheres) == 2  # call.roaming once, and whether the call is in progress


def test_there_is_a_limit_of_what_is_kept_of_a_call() -> None:
    fields = [
        "caller",
        "callee",
        "from",
        "asserted",
        "trunk",
        "domain",
        "user_agent",
        "imsi",
        "imei",
        "cell",
        "switch",
    ]
    text = "version: 1\ncounters:\n" + "".join(
        f"  c{i}: {{count: ended, per: {name}, window: 1h}}\n" for i, name in enumerate(fields)
    )
    with pytest.raises(PolicyError, match=f"11 different fields of a call.*; at most {MOST_PARTS} are"):
        load_policy("p", text)
