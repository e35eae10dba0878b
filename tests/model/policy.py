"""A policy as obvious Python: the document, its lists read row by row, and the world its conditions see."""

import csv
import io
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

from interceptor.engine.types import NumberStatus
from interceptor.policy import Policy, load_document
from interceptor.policy.schema import Duration
from interceptor.policy.zones import zone, zone_of
from tests.model import call as calls
from tests.model import cel
from tests.model.call import Call, Trunk
from tests.model.networks import mapped

#: (field, list) -> whether that field of the call is on the list; asked only of fields that have an identity
OnList = Callable[[str, str], bool]

NOTHING: Mapping[str, Path] = {}
_LOOKUP = re.compile(r"call\.([a-z_]+(?:\[\d\])?)\s+in\s+lists\.(\w+)")


@dataclass
class ListModel:
    """The entries of one list: things and pairs of them, prefixes, domains with all below them, networks."""

    kind: str
    things: set[Hashable] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)  #: digits
    networks: set[IPv6Network] = field(default_factory=set)  #: IPv4 mapped into it

    def holds(self, call: Call, name: str) -> bool:
        """Whether the call's field, which has an identity, is on the list."""
        if self.kind == "domain":
            labels = calls.domain_labels(call.texts["domain"])
            return any(("domain", parent) in self.things for parent in calls.parents(labels))
        if self.kind == "pair":
            return (call.identities.get("callee"), call.identities["caller"]) in self.things
        if self.kind == "network":
            address = mapped(call.texts[name])
            return address is not None and any(address in network for network in self.networks)
        digits = calls.digits_of(call, name)
        return call.identities[name] in self.things or any(map(digits.startswith, self.prefixes))


@dataclass(frozen=True)
class PolicyModel:
    document: Policy
    lists: Mapping[str, ListModel]
    trunks: Mapping[str, Trunk]

    @cached_property
    def feeding_a_block(self) -> set[str]:
        """Lists that some enforced blocking rule reads."""
        blocking = [r for r in self.document.rules if r.verdict == "block" and r.mode == "enforce"]
        return {listed for rule in blocking for _, listed in lookups(rule.when)}

    @cached_property
    def lookups(self) -> set[tuple[str, str]]:
        """(field, list) of every `field in lists.list` of the policy."""
        conditions = [rule.when for rule in self.document.rules]
        conditions += [counter.where or "" for counter in self.document.counters.values()]
        return set[tuple[str, str]]().union(*map(lookups, conditions))


def load(path: Path, text: str | None, home: str, kept: Mapping[str, Path] = NOTHING) -> PolicyModel:
    """A policy file and the list files it names; `kept`, by list: files of what the store keeps."""
    document = load_document(path, text)
    files = {name: path.parent / entry.file for name, entry in document.lists.items() if entry.file}
    files |= kept
    return PolicyModel(
        document,
        {
            name: read_list(entry.kind, files[name].read_text() if name in files else "", home)
            for name, entry in document.lists.items()
        },
        trunks_of(document, home),
    )


place = cache(zone)


def trunks_of(document: Policy, home: str) -> dict[str, Trunk]:
    """A trunk without a region has the default's, and that the service's; a zone of its own, or its region's."""
    default = document.trunks.get("default")
    home = (default.region if default else None) or home
    settings = {"default": default, **document.trunks} if default else document.trunks
    trunks = {"default": Trunk(home, zone_of(home))}
    for name, entry in settings.items():
        region = entry.region or home
        trunks[name] = Trunk(region, entry.zone or zone_of(region), entry.trusted, entry.own_subscribers)
    return trunks


def read_list(kind: str, text: str, home: str) -> ListModel:
    """The rows of a list's CSV file."""
    result = ListModel(kind)
    for row in csv.reader(io.StringIO(text)):
        entry = row[0].strip() if row else ""
        if not entry or entry in (
            "number",
            "prefix",
            "domain",
            "imei",
            "imsi",
            "trunk",
            "pair",
            "network",
            "range",
        ):
            continue
        if kind == "number":
            result.things.add(calls.identity_of_number(calls.read_number(entry, home)))
        elif kind == "prefix":
            result.prefixes |= prefixes_of(entry)
        elif kind == "pair":
            ends = [calls.identity_of_number(calls.read_number(end, home)) for end in entry.split(":")]
            result.things.add(tuple(ends))
        elif kind == "network":
            address, _, length = entry.partition("/")
            first, whole = mapped(address), 32 if "." in address else 128
            result.networks.add(IPv6Network((str(first), 128 - whole + int(length or whole))))
        elif kind == "domain":
            result.things.add(calls.domain(entry))
        elif (kind == "device" and len(entry) == 8) or (kind == "subscriber" and len(entry) <= 6):
            result.prefixes.add(entry)
        elif kind == "device":
            result.things.add(calls.device(entry))
        elif kind == "subscriber":
            result.things.add(calls.subscriber(entry))
        else:
            result.things.add(("text", "trunk", entry))
    return result


def prefixes_of(entry: str) -> set[str]:
    """Digits that a prefix or a range of numbers stands for: of a range, each of its numbers by itself."""
    first, _, last = re.sub("[+ ]", "", entry).partition("..")
    return {f"{n:0{len(first)}d}" for n in range(int(first), int(last or first) + 1)}


def lookups(condition: str) -> set[tuple[str, str]]:
    """(field, list) of every `call.field in lists.list` of a condition."""
    return set(_LOOKUP.findall(condition))


def world_of(
    call: Call, policy: PolicyModel, on_list: OnList, counters: Mapping[str, int], now: int
) -> cel.World:
    """Everything a condition may ask about the call."""
    readable = {name: number for name, number in call.numbers.items() if number.text}
    texts = {name: text for name, text in call.texts.items() if name not in calls.NUMBERS}
    raw = {f"{name}_raw": text for name, text in call.texts.items() if name in calls.NUMBERS}
    return cel.World(
        fields={**texts, **raw, **{name: number.text for name, number in readable.items()}, **call.scalars},
        signalled=frozenset(call.texts),
        valid={name: number.valid for name, number in readable.items()},
        region={name: number.region for name, number in readable.items()},
        # A withheld number has a type, and nothing else.
        type={
            n: number.type
            for n, number in call.numbers.items()
            if number.status != NumberStatus.NUMBER_UNPARSEABLE
        },
        listed={
            name: frozenset(
                listed for asked, listed in policy.lookups if asked == name and on_list(name, listed)
            )
            for name in call.identities
        },
        counters=counters,
        thresholds={name: constant(value) for name, value in policy.document.thresholds.items()},
        redirections=call.redirections,
        now=(calls.EPOCH + timedelta(milliseconds=now)).astimezone(place(call.trunk.zone)),
    )


def constant(value: Any) -> cel.Value:
    """A threshold as conditions see it."""
    if isinstance(value, Duration):
        return cel.Duration(value.nanoseconds)
    assert isinstance(value, bool | int | float | str)
    return value
