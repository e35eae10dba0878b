"""Recorded calls for tests: rows, files of them, and what an engine says that is asked call by call."""

import csv
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from interceptor.engine.engine import Decision, Engine, ListContent
from interceptor.engine.spec import Spec
from interceptor.numbering import load_plan
from interceptor.policy import load_policy
from interceptor.replay.play import SECRET
from interceptor.replay.values import KINDS, Kind

Row = dict[str, Any]
BEGIN = 1_780_000_000_000
TYPES = {
    Kind.TEXT: pa.string(),
    Kind.WHOLE: pa.int64(),
    Kind.TIME: pa.int64(),
    Kind.FLAG: pa.bool_(),
    Kind.TEXTS: pa.list_(pa.string()),
}

#: counts, lists, shadow, errors, tags, scalars: what an answer may rest on
POLICY = """
version: 1
trunks:
  default: {region: CN}
  own: {region: CN, trusted: true, own_subscribers: true}
tags: [dealer]
thresholds: {people: 6, calls: 1}
lists:
  fraud: {kind: number}
  watch: {kind: number}
counters:
  calls_1m: {count: call, per: caller, window: 1m}
  people_1h: {distinct: callee, per: caller, window: 1h}
  cards_1d: {distinct: imsi, per: imei, window: 24h}
  pool_5m: {distinct: caller, per: "prefix(caller, 7)", window: 5m, where: call.international_ingress}
rules:
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: x}
  - {id: watched, when: call.caller in lists.watch, verdict: warn, class: analytics, reason: x}
  - {id: dealer, when: call.tags.dealer == "bad" && call.sim_age_days < 5, verdict: block, class: analytics, reason: x}
  - {id: forwarded, when: "size(call.redirecting) > 1 && call.redirecting[0] in lists.fraud", verdict: block,
     class: list, reason: x}
  - {id: cards, when: counters.cards_1d > 2, verdict: warn, class: analytics, reason: x,
     add_to: {list: watch, key: caller, for: 1h}}
  - {id: people, when: counters.people_1h > thresholds.people, verdict: block, class: analytics, reason: x}
  - {id: often, when: counters.calls_1m > thresholds.calls, verdict: warn, class: analytics, reason: x}
  - {id: sweep, when: counters.pool_5m > 3, verdict: warn, class: analytics, reason: x, mode: shadow}
  - {id: roams, when: call.roaming && call.trunk == "own", verdict: warn, class: invalid, reason: x, mode: shadow}
default: pass
"""


def policy(folder: Path, text: str = POLICY, name: str = "policy.yaml") -> Spec:
    (folder / name).write_text(text)
    return load_policy(folder / name)


def rows_of(seed: int, calls: int = 2_000, callers: int = 24) -> list[Row]:
    """Calls of few callers in all the forms a switch may send."""
    rng = random.Random(seed)
    now = BEGIN
    rows: list[Row] = []
    for i in range(calls):
        now += rng.choice((0, 3, 100, 900, 5_000))
        who = rng.randrange(callers)
        again = rng.random() >= 0.97
        row: Row = {
            "time_ms": now,
            "call_id": f"id-{i}",
            "switch": rng.choice(("north", "south", None)),
            "caller": rng.choice(
                (f"+86138{who:08}", f"0086138{who:08}", f"138{who:08}", "anonymous", "junk!")
            )
            if rng.random() < 0.9
            else f"+4420{who // 4:08}",
            "callee": rng.choice(("110", f"+86139{rng.randrange(90):08}", f"139{rng.randrange(90):08}"))
            if rng.random() < 0.3
            else f"+86137{rng.randrange(900):08}",
            "trunk": rng.choice(("own", "other", None)),
            "asserted_identity": rng.choice((None, None, f"tel:+86136{who:08}")),
            "imsi": f"46000{who:010}",
            "imei": f"8612340{who if who % 4 else 0:07}",
            "redirecting": rng.choice(
                (None, None, [], ["+8613800000001"], ["+8613800000001", "+8613912345678"])
            ),
            "international_ingress": rng.choice((True, False, None)),
            "roaming": rng.choice((True, False, None)),
            "sim_age_days": rng.choice((None, 0, 3, 900)),
            "tags.dealer": rng.choice((None, "good", "bad")),
        }
        rows.append(rows[-1] | {"time_ms": now} if rows and again else row)
    return rows


def write_parquet(path: Path, rows: Sequence[Row], group: int = 700) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {
        name: pa.array([row.get(name) for row in rows], TYPES[KINDS.get(name, Kind.TEXT)]) for name in names
    }
    pyarrow.parquet.write_table(pa.table(columns), path, row_group_size=group)
    return path


def write_csv(path: Path, rows: Sequence[Row]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in rows:
            writer.writerow([" ".join(v) if isinstance(v, list) else v for v in (row.get(n) for n in names)])
    return path


def call_of(row: Row) -> dict[str, Any]:
    """The row as Engine.decide takes a call."""
    plain = {
        name: value
        for name, value in row.items()
        if name not in ("event", "time_ms", "answered_ms", "ended_ms", "cause", "label", "instance", "fraud")
        and not name.startswith("tags.")
    }
    tags = {
        name.removeprefix("tags."): value for name, value in row.items() if name.startswith("tags.") and value
    }
    return plain | {"tags": tags}


def engine_of(spec: Spec, lists: Mapping[str, ListContent]) -> Engine:
    engine = Engine(load_plan(), secret=SECRET)
    engine.publish(spec, lists, revision=1)
    return engine


def one_by_one(spec: Spec, rows: Iterable[Row], lists: Mapping[str, ListContent]) -> list[Decision]:
    """What an engine says to the calls, asked for each of them."""
    engine = engine_of(spec, lists)
    return [engine.decide(call_of(row), row["time_ms"]) for row in rows]


def said(spec: Spec, answers: Any) -> list[tuple[Any, ...]]:
    """Rows of ANSWER as `told` has decisions."""
    names = ("verdict", "rule", "block_class", "repeated", "errors", "shadow")
    return [tuple(row[name].item() for name in names) for row in answers]


def told(spec: Spec, decisions: Iterable[Decision]) -> list[tuple[Any, ...]]:
    shadows = [rule.id for rule in spec.rules if rule.shadow]
    return [
        (
            d.verdict,
            d.rule_index,
            d.block_class,
            d.repeated,
            d.errors,
            sum(1 << shadows.index(s) for s in d.shadow),
        )
        for d in decisions
    ]


def with_ends(rows: Sequence[Row], seed: int) -> list[Row]:
    """The same calls, most of them answered and ended later."""
    rng = random.Random(seed)
    made = []
    for row in rows:
        begun = row["time_ms"]
        answered = begun + rng.choice((1_000, 5_000, 20_000)) if rng.random() < 0.6 else None
        ended = (
            (answered or begun) + rng.choice((500, 3_000, 60_000, 600_000)) if rng.random() < 0.9 else None
        )
        made.append(row | {"answered_ms": answered, "ended_ms": ended, "cause": 16 if answered else 19})
    return made


def in_order(rows: Sequence[Row]) -> list[tuple[int, str, Row]]:
    """What happens, and when: at one time first ends, then answers, then calls and what happens to cards."""
    found = [(row["time_ms"], 2, i, row.get("event") or "call") for i, row in enumerate(rows)]
    for name, order, event in (("answered_ms", 1, "answered"), ("ended_ms", 0, "ended")):
        found += [(row[name], order, i, event) for i, row in enumerate(rows) if row.get(name) is not None]
    return [(now, event, rows[i]) for now, _, i, event in sorted(found)]


def followed(spec: Spec, rows: Sequence[Row], lists: Mapping[str, ListContent]) -> list[Decision | None]:
    """What an engine says to the calls when it is told of all that happens, one by one; None: to a card's event."""
    engine = engine_of(spec, lists)
    said: dict[int, Decision] = {}
    for now, event, row in in_order(rows):
        if event == "call":
            said[id(row)] = engine.decide(call_of(row), now)
        elif event in ("answered", "ended"):
            engine.report(report_of(row, event), now)
        else:
            card = {name: value for name, value in call_of(row).items() if name not in ("caller", "callee")}
            engine.report_subscription(event, card | {"number": row["caller"]}, now)
    return [said.get(id(row)) for row in rows]


def report_of(row: Row, event: str) -> dict[str, Any]:
    """The report of a call, as a switch sends it."""
    talked = row["ended_ms"] - row["answered_ms"] if event == "ended" and row["answered_ms"] else None
    report = {
        "call_id": row["call_id"],
        "switch": row["switch"],
        "event": event,
        "time_ms": row[f"{event}_ms"],
        "duration_ms": talked,
    }
    return {name: value for name, value in report.items() if value is not None}
