"""Nanoseconds a decision with 12 counters of 5 kinds of entity, beside the floor its memory sets; bytes an entity.

10 million entities are live (1 million with --quick): a third each are callers, callees and handsets, and there are
50,000 cells. A caller's counters are narrow counts, distinct callees, talking time; its handset's the cards in it and
the calls in progress; the cell's and the trunk's are wide counts and large sets. Every counter is read by a rule.

The floor is a bare C loop over as many random cache lines (`_floor.py`). Times are those of the deciding thread on its
core, so that other processes on the machine count for little.
"""

import argparse
import dataclasses
import time
from pathlib import Path

from _floor import LINE, RESIDENT, Floor, Lines
from _report import Report, arguments, interleaved, number
from engine import CHUNK, ROOM, Bed, available

from interceptor.numbering import load_plan
from interceptor.policy import load_policy

POLICY = """
version: 1
trunks: {default: {region: CN}}
counters:
  calls_1m:      {count: call, per: caller, window: 1m}
  calls_24h:     {count: call, per: caller, window: 24h}
  people_1h:     {distinct: callee, per: caller, window: 1h}
  talked_24h:    {sum: duration, per: caller, window: 24h}
  received_1h:   {count: call, per: callee, window: 1h}
  strangers_24h: {distinct: caller, per: callee, window: 24h}
  cards_24h:     {distinct: imsi, per: imei, window: 24h}
  talking:       {active: call, per: imei, ttl: 4h}
  cell_1m:       {count: call, per: cell, window: 1m}
  cell_callers:  {distinct: caller, per: cell, window: 1h, large: true}
  trunk_10s:     {count: call, per: trunk, window: 10s}
  trunk_callers: {distinct: caller, per: trunk, window: 24h, large: true}
rules:
  - {id: fan-out, when: counters.calls_1m > 10000 && counters.people_1h > 10000, verdict: warn}
  - {id: never-talks, when: counters.calls_24h > 10000 && counters.talked_24h < 10, verdict: warn}
  - {id: flood, when: counters.received_1h > 10000 || counters.strangers_24h > 10000, verdict: warn}
  - {id: gateway, when: counters.cards_24h > 10000 || counters.talking > 10000, verdict: warn}
  - {id: crowd, when: counters.cell_1m > 100000 && counters.cell_callers > 100000, verdict: warn}
  - {id: peak, when: counters.trunk_10s > 100000000 && counters.trunk_callers > 100000000, verdict: warn}
default: pass
"""
KINDS = ("caller", "callee", "imei")  # as many of each are live as there are callers
CELLS = 50_000
#: bytes of a sketch, and lines that a call touches in it: the sketch's own, a cell; of a large one two registers
SKETCH, LARGE = 1_088, 15_488


def sketches(bed: Bed, lines: list[Lines]) -> list[Lines]:
    """The lines besides sets and records that those calls touch whose entity outgrew 16 elements."""
    found = []
    for table in bed.engine.stats()["entities"]:
        share = next((each.share for each in lines if each.what == f"record of {table['kind']}"), 0.0)
        for name, nbytes, several in (("sketches", SKETCH, 2), ("large", LARGE, 3)):
            lent = table[name]
            if lent and table["used"]:
                part = share * min(lent / table["used"], 1.0)
                found.append(Lines(f"{name} of {table['kind']}", several, lent, nbytes, part, writes=True))
    return found


def measure(report: Report, live: int) -> None:
    callers = live // len(KINDS) * 101 // 100  # some find no place beside others of their set
    callers += callers % 7 == 0  # else not everybody would be called
    plan, spec = load_plan(), load_policy(Path("12-counters.yaml"), text=POLICY)
    budgets = dict.fromkeys(KINDS, int(callers * ROOM)) | {"cell": int(CELLS * ROOM), "trunk": 64}
    spec = dataclasses.replace(spec, entities=budgets)
    kinds = {counter.entity for counter in spec.counters}
    report.section(f"A decision with {len(spec.counters)} counters over {len(kinds)} kinds of entity")
    bed = Bed(plan, spec, listed=0, callers=callers, seed=report.args.seed)
    begun = time.perf_counter()
    bed.fill(2)
    report.note(f"filled by {2 * callers:,} calls in {time.perf_counter() - begun:.0f} s")
    tables, total = bed.engine.stats()["entities"], 0.0
    for table in tables:
        set_bytes = LINE / 14
        lent = table["sketches"] * (SKETCH + 8) + table["large"] * (LARGE + 8)
        each = table["record_bytes"] + set_bytes + lent / max(table["used"], 1)
        report.note(
            f"{table['kind']}: {table['used']:,} live in {table['slots']:,} places of {table['record_bytes']} bytes,"
            f" evicted {table['evicted_probation'] + table['evicted_protected']:,}; with its share of the set and of"
            f" what is lent {each:.0f} bytes"
        )
        report.figure(f"bytes a live {table['kind']}", each, "bytes")
        total += each * table["used"]
    used = sum(table["used"] for table in tables)
    report.figure("live entities", used, "entities")
    report.promise("bytes a live entity, of all kinds", total / used, 256, "bytes")
    lines = bed.lines()
    lines += sketches(bed, lines)
    report.note("random lines a decision touches (share of the calls x lines, table):")
    for line in lines:
        kept = "" if line.nbytes > RESIDENT else "   (stays in the cache: not counted)"
        report.note(
            f"  {line.share:5.2f} x {line.lines}  {line.what}, {number(line.nbytes / 2**20)} MiB{kept}"
        )
    floor = Floor(lines, most=int(available() * 0.5))
    report.figure("random lines a decision touches", floor.lines_per_call, f"lines of {LINE} bytes")
    if floor.scale < 1:
        report.note(f"the floor's memory is {floor.scale:.0%} of the tables', for want of room")
    times = interleaved(
        {
            "single": lambda: bed.decide(1),
            "batch": lambda: bed.decide(CHUNK),
            "floor single": lambda: floor.single(bed.block),
            "floor batch": lambda: floor.batch(bed.block, CHUNK),
        },
        rounds=report.rounds(9, quick=5),
        seed=report.args.seed,
    )
    for name, words in (("single", "one at a time"), ("batch", f"in batches of {CHUNK}")):
        least = report.figure(f"floor, {words}", times[f"floor {name}"], "ns a call")
        taken = report.figure(f"decision, {words}", times[name], "ns a call")
        report.ratio(f"decision against floor, {words}", taken, least)
        report.promise(f"decision, {words}, against 2 floors + 500 ns", taken, 2 * least + 500, "ns a call")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--live", type=int, help="live entities (default: 10 million, 1 million with --quick)"
    )


def main() -> None:
    args = arguments(__doc__, _options)
    live = args.live or (1_000_000 if args.quick else 10_000_000)
    report = Report("measures", args, live=live, chunk=CHUNK)
    measure(report, live)
    report.close()


if __name__ == "__main__":
    main()
