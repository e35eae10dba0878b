"""Turns what the kernels counted and traced into names: rule ids, list names, outcomes."""

import copy
from collections import Counter, defaultdict
from ipaddress import ip_address
from typing import Any

from interceptor.engine.answers import RuleTrace
from interceptor.engine.inflight import FlightTable
from interceptor.engine.program import Outcome
from interceptor.engine.recent import RecentTable
from interceptor.engine.reporting import OUTCOMES
from interceptor.engine.spec import Spec
from interceptor.engine.stats import LATENCY_BOUNDS_NS
from interceptor.engine.types import RuleIndex, Verdict

#: decide.pxd's outcomes of a rule that are none of the program's
_GRACED, _NOT_REACHED = 254, 255
#: how an IPv4 address begins that is mapped into IPv6 (RFC 4291 section 2.5.5.2)
_IPV4 = bytes(10) + b"\xff\xff"
_OUTCOME = {
    Outcome.NO_MATCH: "no match",
    Outcome.MATCH: "match",
    Outcome.OUTCOME_ABSENT: "absent",
    Outcome.OUTCOME_ERROR: "error",
    _GRACED: "grace",
    _NOT_REACHED: "not reached",
}


def rule_id(spec: Spec | None, index: int) -> str:
    """Id of the rule that decided. A repeated answer may be older than every policy that is kept, and its revision
    published twice.
    """
    if index == RuleIndex.RULE_DEFAULT:
        return "default"
    if index == RuleIndex.RULE_EMERGENCY:
        return "emergency"
    return spec.rules[index].id if spec is not None and index < len(spec.rules) else f"rule {index}"


def network(address: bytes, length: int) -> bytes:
    """A network as a list has it: ``192.0.2.0/24``, or an address alone; IPv4 is mapped into IPv6."""
    if length >= 96 and address.startswith(_IPV4):
        address, length = address[12:], length - 96
    shown = str(ip_address(address))
    return (shown if length == 8 * len(address) else f"{shown}/{length}").encode()


def shadow_ids(spec: Spec, bitmap: int) -> tuple[str, ...]:
    """Ids of the shadow rules in a Decision's bitmap."""
    if not bitmap:
        return ()
    return tuple(rule.id for i, rule in enumerate(r for r in spec.rules if r.shadow) if bitmap >> i & 1)


def rules(spec: Spec, outcomes: bytes | bytearray, decided: int) -> tuple[RuleTrace, ...]:
    """How each rule came out; `decided` is the index of the one that decided."""
    return tuple(
        RuleTrace(rule.id, _OUTCOME[outcomes[i]], rule.shadow, i == decided)
        for i, rule in enumerate(spec.rules)
    )


def recent_stats(**tables: RecentTable) -> dict[str, dict[str, Any]]:
    """Size, evictions and lock waits of the tables of what happened lately."""
    return {
        name: {
            "entries": len(table),
            "capacity": table.capacity,
            "evicted": table.evicted,
            "refused": table.refused,
            "waited": table.waited,
        }
        for name, table in tables.items()
    }


def entity_stats(resident: Any) -> dict[str, Any]:
    """Size, evictions and lock waits of one entity table."""
    stats = resident.table.stats
    return {
        "kind": resident.entity,
        "slots": stats["slots"],
        "bytes": stats["nbytes"],
        "record_bytes": resident.table.record_bytes,
        "used": stats["used"],
        "evicted_probation": stats["evicted_probation"],
        "evicted_protected": stats["evicted_protected"],
        "sketches": stats["sketches"]["used"],
        "large": stats["large"]["used"],
        "saturated": stats["sketches"]["saturated"] + stats["large"]["saturated"],
        "waited": stats["waited"],
    }


def flight_stats(flights: FlightTable | None, capacity: int) -> dict[str, Any]:
    """Use of the table of calls in flight, which is not there before a policy counts what is reported."""
    if flights is None:
        return {
            "open": 0,
            "entries": 0,
            "capacity": capacity,
            "bytes": 0,
            "evicted": 0,
            "refused": 0,
            "waited": None,
        }
    return {
        "open": flights.open,
        "entries": len(flights),
        "capacity": flights.capacity,
        "bytes": flights.nbytes,
        "evicted": flights.evicted,
        "refused": flights.refused,
        "waited": flights.waited,
    }


class Totals:
    """Sums of what the workers counted, by rule id and list name, across the policies that were published."""

    def __init__(self) -> None:
        self.plain: Counter[str] = Counter()
        self.verdict = [0] * 4
        self.reports = [0] * len(OUTCOMES)
        self.latency = [0] * (len(LATENCY_BOUNDS_NS) + 1)
        self.rules: dict[str, Counter[str]] = defaultdict(Counter)
        self.list_hits: Counter[str] = Counter()

    def copy(self) -> "Totals":
        """An independent copy."""
        return copy.deepcopy(self)

    def add(self, spec: Spec, counted: dict[str, Any]) -> None:
        """Adds what one snapshot counted."""
        for name in ("emergency", "defaulted", "repeated", "graced", "latency_sum_ns"):
            self.plain[name] += counted[name]
        self.verdict = [a + b for a, b in zip(self.verdict, counted["verdict"], strict=True)]
        self.reports = [a + b for a, b in zip(self.reports, counted["reports"], strict=True)]
        self.latency = [a + b for a, b in zip(self.latency, counted["latency"], strict=True)]
        for rule, numbers in zip(spec.rules, counted["rules"], strict=True):
            self.rules[rule.id].update(numbers)
        for described, hits in zip(spec.lists, counted["list_hits"], strict=False):
            self.list_hits[described.name] += hits

    def forget(self, spec: Spec) -> None:
        """Drops rules and lists that the policy in force no longer has, so that reloads do not pile up names."""
        self.rules = defaultdict(Counter, {rule.id: self.rules[rule.id] for rule in spec.rules})
        self.list_hits = Counter({d.name: self.list_hits[d.name] for d in spec.lists})

    def report(self, spec: Spec) -> dict[str, Any]:
        """The totals under the names of the policy in force."""
        return {
            "verdicts": {verdict.name.lower(): self.verdict[verdict] for verdict in Verdict},
            "emergency": self.plain["emergency"],
            "default": self.plain["defaulted"],
            "repeated": self.plain["repeated"],
            "graced": self.plain["graced"],
            "reports": dict(zip(OUTCOMES, self.reports, strict=True)),
            "rules": {rule.id: dict(self.rules[rule.id]) for rule in spec.rules},
            "list_hits": {d.name: self.list_hits[d.name] for d in spec.lists},
            "latency": {
                "bounds_ns": tuple(LATENCY_BOUNDS_NS),
                "counts": tuple(self.latency),
                "sum_ns": self.plain["latency_sum_ns"],
            },
        }
