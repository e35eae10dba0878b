"""Nanoseconds a decision, beside the floor the memory sets, and what lists and rules cost.

One run measures, with interceptor/policies/antifraud-cn.yaml, 10 million listed numbers and 10 million live callers:

- a decision alone and in batches of 64, each beside a bare C loop over as many random cache lines (`_floor.py`)
- bytes a listed number takes, and how long the table of 10 million takes to build from a numpy array
- a decision under 1 to 1,000 rules, and with 10 thousand to 100 million listed numbers (10 million with --quick)

Times are those of the deciding thread on its core, so that other processes on the machine count for little.
"""

import argparse
import dataclasses
import functools
import gc
import time
from pathlib import Path

import numpy as np
from _floor import LINE, RESIDENT, Floor, Lines, entity, list_slots, repeats
from _report import ROOT, Report, arguments, interleaved, number, resident_bytes, seconds_of
from _traffic import Traffic, listed_keys

from interceptor.engine.engine import Engine, ListContent
from interceptor.engine.layout import lookups
from interceptor.engine.lists import ListTable
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import Spec, field_name
from interceptor.engine.types import Field
from interceptor.numbering import load_plan
from interceptor.policy import load_policy

POLICY = ROOT / "interceptor/policies/antifraud-cn.yaml"
LISTS = ("fake_ecommerce", "credit_record", "false_loan", "other_fraud", "suspected")
CHUNK = 64
#: entities kept of a kind for each live one: sets are never filled evenly
ROOM = 1.6
REPEATS = 1 << 22
SECRET = bytes(range(16))


class Bed:
    """An engine under a policy, its lists full, its callers live."""

    def __init__(self, plan: NumberingPlan, spec: Spec, *, listed: int, callers: int, seed: int) -> None:
        self.spec, self.callers = spec, callers
        self.engine = Engine(plan, home="CN", secret=SECRET, repeats=REPEATS)
        self.traffic = Traffic(callers, listed, seed)
        self.block = 100_000
        self.list_numbers(listed)

    def list_numbers(self, listed: int) -> None:
        """Publishes the policy with so many numbers on its lists; what is counted stays."""
        keys = listed_keys(listed)
        known = [described.name for described in self.spec.lists if described.name in LISTS]
        parts = np.array_split(keys, len(known)) if known else []
        contents = {name: ListContent(part) for name, part in zip(known, parts, strict=True)}
        self.engine.publish(self.spec, contents, revision=1)
        self.traffic.listed = listed if known else 0

    def fill(self, times: int) -> None:
        """Every caller calls `times` times, so that all are live and none is a newcomer."""
        for _ in range(times):
            for first in range(0, self.callers, 250_000):
                rows, now = self.traffic.everybody(first, min(250_000, self.callers - first))
                self.engine.decide_batch(rows, now)
                self.engine.drain_events(1 << 16)

    def decide(self, chunk: int) -> float:
        """Nanoseconds a decision, over a block of fresh calls."""
        rows, now = self.traffic.some(self.block)
        taken = seconds_of(lambda: self.engine.decide_batch(rows, now, chunk=chunk), time.thread_time)
        self.engine.drain_events(1 << 16)
        return taken * 1e9 / len(rows)

    def lines(self) -> list[Lines]:
        """The random cache lines one decision touches, derived from the policy and the tables it made."""
        rows, _ = self.traffic.some(self.block)
        share = {
            field: 1.0 if field < Field.N_NUMBERS else float((rows[field_name(field)] != b"").mean())
            for field in range(Field.N_FIELDS)
            if field < Field.N_NUMBERS or field_name(field) in (rows.dtype.names or ())
        }
        stats = self.engine.stats()
        counted: list[Lines] = []
        for field in sorted(lookups(self.spec)):
            if field not in (
                Field.F_DOMAIN,
                Field.F_SOURCE_IP,
            ):  # the few of a network's trunks stay in the cache
                counted.append(list_slots(stats["list_bytes"], field_name(field), share[field]))
        by_kind = {counter.entity: counter for counter in self.spec.counters}
        for table in stats["entities"]:
            parts = by_kind[table["kind"]].per
            if table["used"] * table["record_bytes"] > RESIDENT:
                seen = min(share[part.field] for part in parts)
                counted += entity(table["kind"], table["slots"], table["record_bytes"], seen)
        return counted + repeats(REPEATS, share[Field.F_CALL_ID])


def with_room(spec: Spec, callers: int) -> Spec:
    """The policy with room for so many entities of every kind but prefixes, of which there are few."""
    kinds = {counter.entity for counter in spec.counters if not any(part.prefix for part in counter.per)}
    return dataclasses.replace(spec, entities={kind: int(callers * ROOM) for kind in kinds})


def table_of_listed(report: Report, listed: int) -> None:
    report.section(f"The table of {listed:,} listed numbers")
    keys = listed_keys(listed)

    def build() -> float:
        return seconds_of(lambda: ListTable(listed, 1).add_many(keys, 0), time.thread_time)

    times = interleaved({"build": build}, rounds=report.rounds(5, quick=3))["build"]
    table = ListTable(listed, 1)
    table.add_many(keys, 0)
    report.figure("build from a numpy array", times, "s")
    if listed >= 10_000_000:
        report.promise("build from a numpy array, median", sorted(times)[len(times) // 2], 3, "s")
    report.promise("bytes a listed number", table.nbytes / listed, 32, "bytes")
    some = np.random.default_rng(report.args.seed).permutation(listed)[:1_000_000]
    wanted = np.ascontiguousarray(keys[some])
    for name, ahead in (("one by one", False), ("fetched ahead", True)):
        look = functools.partial(table.find_many, wanted, prefetch=ahead)
        taken = seconds_of(look, time.thread_time)
        report.figure(f"lookup of a listed number, {name}", taken * 1e9 / len(wanted), "ns")


def decisions(report: Report, plan: NumberingPlan, spec: Spec, listed: int, callers: int) -> None:
    report.section(f"A decision with {listed:,} listed numbers and {callers:,} live callers")
    bed = Bed(plan, with_room(spec, callers), listed=listed, callers=callers, seed=report.args.seed)
    begun = time.perf_counter()
    bed.fill(2)
    report.note(f"filled by {2 * callers:,} calls in {time.perf_counter() - begun:.0f} s")
    for table in bed.engine.stats()["entities"]:
        report.note(
            f"{table['kind']}: {table['used']:,} live in {table['slots']:,} places of {table['record_bytes']} bytes,"
            f" evicted {table['evicted_probation'] + table['evicted_protected']:,}"
        )
    before = bed.engine.stats()
    report.note("random lines a decision touches (share of the calls x lines, table):")
    lines = bed.lines()
    for each in lines:
        kept = "" if each.nbytes > RESIDENT else "   (stays in the cache: not counted)"
        report.note(
            f"  {each.share:5.2f} x {each.lines}  {each.what}, {number(each.nbytes / 2**20)} MiB{kept}"
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
        report.promise(f"decision, {words}, against 2 floors + 300 ns", taken, 2 * least + 300, "ns a call")
    after = bed.engine.stats()
    verdicts = {name: n - before["verdicts"][name] for name, n in after["verdicts"].items()}
    report.note(f"verdicts: {verdicts}; repeated {after['repeated'] - before['repeated']}")


def against_rules(report: Report, plan: NumberingPlan) -> None:
    report.section("A decision under more and more rules (none of which holds)")
    beds = {}
    for rules in (1, 10, 100, 1000):
        spec = load_policy(Path(f"{rules}-rules.yaml"), text=_policy_of(rules))
        beds[rules] = Bed(plan, spec, listed=0, callers=100_000, seed=report.args.seed)
        beds[rules].block = 20_000
        beds[rules].fill(1)
    times = interleaved(
        {str(rules): functools.partial(bed.decide, CHUNK) for rules, bed in beds.items()},
        rounds=report.rounds(7, quick=3),
        seed=report.args.seed,
    )
    medians = {
        rules: report.figure(f"decision under {rules:,} rules", times[str(rules)], "ns a call")
        for rules in beds
    }
    report.figure("a further rule", (medians[1000] - medians[1]) / 999, "ns")


def against_listed(report: Report, plan: NumberingPlan, spec: Spec) -> None:
    callers = 200_000 if report.args.quick else 1_000_000
    report.section(f"A decision with more and more listed numbers ({callers:,} live callers)")
    sizes = [10_000, 100_000, 1_000_000, 10_000_000] + ([] if report.args.quick else [100_000_000])
    bed = Bed(plan, with_room(spec, callers), listed=sizes[0], callers=callers, seed=report.args.seed)
    bed.fill(2)
    for listed in sizes:
        bed.list_numbers(listed)
        bed.decide(CHUNK)
        times = interleaved(
            {"single": lambda: bed.decide(1), "batch": lambda: bed.decide(CHUNK)},
            rounds=report.rounds(5, quick=3),
            seed=report.args.seed,
        )
        report.figure(f"{listed:,} listed, one at a time", times["single"], "ns a call")
        report.figure(f"{listed:,} listed, in batches of {CHUNK}", times["batch"], "ns a call")


def memory_of_listed(report: Report, listed: int) -> None:
    report.section(f"Memory of {listed:,} listed numbers")
    gc.collect()
    before = resident_bytes()
    table = ListTable(listed, 1)
    every = listed_keys(10_000_000)
    for first in range(
        0, listed, 10_000_000
    ):  # blocks 8617, 8618, ...: in slices, so that the keys take no room
        table.add_many(every + np.uint64(first // 10_000_000 * 10**9), 0)
    del every
    gc.collect()
    report.promise("resident memory of the table", (resident_bytes() - before) / 2**30, 3.5, "GiB")
    report.figure("bytes a listed number", table.nbytes / table.count(0), "bytes")


def _policy_of(rules: int) -> str:
    conditions = (
        "counters.calls_1m > 1000{0}",
        "call.sim_age_days < 1 && counters.people_1h > 4{0}",
        "call.verstat.startsWith('TN-Validation-Failed-{0}')",
        "type(call.caller) == 'premium-rate' && call.sim_age_days < {0}",
    )
    head = """version: 1
trunks: {default: {region: CN}}
counters:
  calls_1m:  {count: call, per: caller, window: 1m}
  people_1h: {distinct: callee, per: caller, window: 1h}
rules:
"""
    return (
        head
        + "".join(
            f"  - id: rule-{i}\n    when: {conditions[i % len(conditions)].format(i)}\n    verdict: warn\n"
            for i in range(rules)
        )
        + "default: pass\n"
    )


def available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 4 << 30


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listed", type=int, help="listed numbers (default: 10 million, 1 million with --quick)"
    )
    parser.add_argument(
        "--callers", type=int, help="live callers (default: 10 million, 1 million with --quick)"
    )


def main() -> None:
    args = arguments(__doc__, _options)
    listed = args.listed or (1_000_000 if args.quick else 10_000_000)
    callers = args.callers or (1_000_000 if args.quick else 10_000_000)
    report = Report("engine", args, policy=POLICY.name, listed=listed, callers=callers, chunk=CHUNK)
    plan, spec = load_plan(), load_policy(POLICY)
    table_of_listed(report, listed)
    decisions(report, plan, spec, listed, callers)
    gc.collect()
    against_rules(report, plan)
    against_listed(report, plan, spec)
    if not args.quick:
        memory_of_listed(report, 100_000_000)
    report.close()


if __name__ == "__main__":
    main()
