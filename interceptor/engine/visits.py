"""Where counters live: the entity table and column of each, what a decision visits, and what reports feed."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace

from interceptor.engine.columns import Measure
from interceptor.engine.meanings import asked, encoded, key, meaning, meanings, pairing
from interceptor.engine.pairing import PairingTable
from interceptor.engine.residents import Resident, settle
from interceptor.engine.spec import Counter, KeyPart, Span, Spec, part_name
from interceptor.engine.state import StateDirectory
from interceptor.engine.types import Field, Happening

#: counters of one entity table
MAX_COLUMNS = 32
#: budget of a kind of entity that the policy gives none
DEFAULT_ENTITIES = 1_000_000
#: places whose calls are compared, of a kind that the policy gives no budget
DEFAULT_PLACES = 1 << 16
MOST_PLACES = 1 << 18

#: of these, and of pairs, a fourteenth of a window counts to 65,535 and says "at least" beyond
NARROW = frozenset({Field.F_CALLER, Field.F_CALLEE, Field.F_IMSI, Field.F_IMEI})
_MEASURES = {
    "sum": Measure.MEASURE_SUM,
    "max": Measure.MEASURE_MAX,
    "active": Measure.MEASURE_ACTIVE,
    "paired": Measure.MEASURE_NARROW,
    "partner": Measure.MEASURE_MAX,
    "first_seen": Measure.MEASURE_FIRST_SEEN,
    "last_seen": Measure.MEASURE_LAST_SEEN,
}
#: kept of a call for its reports: keys, and outcomes of conditions (FLIGHT_PARTS and FLIGHT_WHERES of inflight.pxd)
MOST_PARTS, MOST_WHERES = 10, 64


@dataclass(frozen=True)
class Entry:
    """What a visit does to one column."""

    counter: int
    column: int
    feeds: bool  #: the call may count
    other: int | None = None  #: fed in one visit and read in another: the other one


@dataclass(frozen=True)
class Visit:
    """What a decision does in one table, under one key."""

    resident: Resident
    key: tuple[KeyPart, ...]
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class Feed:
    """What another happening does in one table, under one key."""

    resident: Resident
    key: tuple[KeyPart, ...]
    happening: Happening
    entries: list[tuple[int, int]] = field(default_factory=list)  #: (counter, column)


@dataclass(frozen=True)
class Placement:
    residents: tuple[Resident, ...]
    visits: tuple[Visit, ...]
    feeds: tuple[Feed, ...]  #: by happening
    pairings: dict[bytes, Resident]  #: tables of pairs, by which calls are compared


@dataclass(frozen=True)
class Kept:
    """What is kept of a call for its reports, by identities that later revisions know."""

    parts: dict[KeyPart, bytes]
    #: conditions that are asked at setup; an empty one holds: it says that the call was counted at all
    wheres: dict[bytes, Span]


def place_counters(
    spec: Spec,
    previous: Iterable[Resident],
    seed: int,
    only: Container[int] | None = None,
    *,
    state: StateDirectory | None = None,
) -> Placement:
    """Gives every counter its table and column. New tables lie in `state`, if it is given.

    A counter that an earlier revision had, meaning the same, stays in its column. New ones share a new table by kind
    of entity. A table none of whose columns is wanted any more is left out, and goes with its last snapshot. With
    `only`, the others are placed nowhere.
    """
    means = meanings(spec)
    free: dict[tuple[str, bytes], list[tuple[Resident, int]]] = {}
    for resident in previous:
        for column, meant in enumerate(resident.meanings):
            free.setdefault((resident.entity, meant), []).append((resident, column))
    placed: dict[Resident, list[tuple[int, int]]] = {}
    waiting: dict[str, list[int]] = {}
    for i, counter in enumerate(spec.counters):
        if only is not None and i not in only:
            continue
        entity = key(spec, counter.read_for)
        homes = free.get((entity, means[i]))
        if homes:
            home = homes.pop(0)
            placed.setdefault(home[0], []).append((i, home[1]))
        else:
            waiting.setdefault(entity, []).append(i)
    for entity, newcomers in waiting.items():
        for start in range(0, len(newcomers), MAX_COLUMNS):
            some = newcomers[start : start + MAX_COLUMNS]
            slots = spec.entities.get(spec.counters[some[0]].entity, DEFAULT_ENTITIES)
            columns = [(means[i], (measure_of(spec.counters[i]), spec.counters[i].window_ms)) for i in some]
            resident = settle(entity, slots, columns, seed, state)
            placed[resident] = [(i, column) for column, i in enumerate(some)]
    visits: list[Visit] = []
    feeds: list[Feed] = []
    for resident, counters in placed.items():
        _visit(spec, resident, counters, visits)
        _feed(spec, resident, counters, feeds)
    pairings = _pairings(
        spec, sorted(i for counters in placed.values() for i, _ in counters), free, seed, state
    )
    return Placement(
        (*placed, *pairings.values()),
        tuple(visits),
        tuple(sorted(feeds, key=lambda feed: feed.happening)),
        pairings,
    )


def kept(spec: Spec) -> Kept:
    """What the reports of a call need to know of its setup."""
    parts: dict[KeyPart, bytes] = {}
    wheres: dict[bytes, Span] = {}
    for counter in spec.counters:
        if fed_by_reports(counter):
            for part in (*counter.per, *_element(counter), *((counter.place,) if counter.place else ())):
                parts[part] = key(spec, (part,)).encode("ascii")
            if (asked := asked_at_setup(spec, counter)) is not None:
                wheres[asked] = counter.where or Span(0, 0)
    return Kept(parts, wheres)


def asked_at_setup(spec: Spec, counter: Counter) -> bytes | None:
    """The condition whose outcome at setup says whether a call's reports count; None: they always do.

    Of `active` one of its own: what was set up before there was such a counter does not end in it.
    """
    if counter.measure == "active":
        return encoded(("counted", meaning(spec, counter)))
    return None if counter.where is None else encoded(("where", asked(spec, counter.where)))


def fed_by_reports(counter: Counter) -> bool:
    """Whether what happens to a call after its setup matters to the counter."""
    return counter.measure == "active" or counter.happening in (Happening.H_ANSWERED, Happening.H_ENDED)


def fed_by_setups(counter: Counter) -> bool:
    """Whether a setup, and nothing else, feeds the counter."""
    return counter.measure != "active" and counter.happening == Happening.H_CALL


def measure_of(counter: Counter) -> Measure:
    """What a column must be to hold the counter."""
    if counter.measure == "distinct":
        return Measure.MEASURE_LARGE if counter.large else Measure.MEASURE_DISTINCT
    if counter.measure == "count":
        of = counter.read_for
        narrow = len(of) == 2 or (of[0].field in NARROW and of[0].prefix == 0)
        return Measure.MEASURE_NARROW if narrow else Measure.MEASURE_COUNT
    return _MEASURES[counter.measure]


def _element(counter: Counter) -> tuple[KeyPart, ...]:
    return () if counter.element is None else (KeyPart(counter.element),)


def _visit(spec: Spec, resident: Resident, counters: list[tuple[int, int]], visits: list[Visit]) -> None:
    """What a decision visits in one table."""
    places: dict[tuple[KeyPart, ...], int] = {}

    def enter(key: tuple[KeyPart, ...]) -> int:
        if key not in places:
            places[key] = len(visits)
            visits.append(Visit(resident, key))
        return places[key]

    for i, column in counters:
        counter = spec.counters[i]
        read = enter(counter.read_for)
        if counter.happening != Happening.H_CALL:
            visits[read].entries.append(Entry(i, column, feeds=False))
        elif not counter.of:
            visits[read].entries.append(Entry(i, column, feeds=True))
        else:
            fed = enter(counter.per)
            visits[fed].entries.append(Entry(i, column, feeds=True, other=read))
            visits[read].entries.append(Entry(i, column, feeds=False, other=fed))


def _feed(spec: Spec, resident: Resident, counters: list[tuple[int, int]], feeds: list[Feed]) -> None:
    own: dict[tuple[tuple[KeyPart, ...], Happening], Feed] = {}
    for i, column in counters:
        counter = spec.counters[i]
        if fed_by_setups(counter):
            continue
        happening = Happening.H_ENDED if counter.measure == "active" else Happening(counter.happening)
        feed = own.setdefault((counter.per, happening), Feed(resident, counter.per, happening))
        feed.entries.append((i, column))
    feeds += own.values()


def _pairings(
    spec: Spec,
    counters: Sequence[int],
    free: dict[tuple[str, bytes], list[tuple[Resident, int]]],
    seed: int,
    state: StateDirectory | None,
) -> dict[bytes, Resident]:
    """Tables of pairs: how often two have gone together, and which calls ended lately at each place."""
    found: dict[bytes, Resident] = {}
    for i in counters:
        counter = spec.counters[i]
        if counter.place is None or counter.apart_ms is None:
            continue
        meant = encoded(pairing(spec, counter))
        if meant in found:
            continue
        place = key(spec, (counter.place,))
        entity = f"{key(spec, counter.per * 2)} by {place}"
        ((resident, _),) = free.get((entity, meant)) or ((None, 0),)
        if resident is None:
            slots = spec.entities.get(counter.entity, DEFAULT_ENTITIES)
            column = (Measure.MEASURE_NARROW, counter.window_ms)
            resident = settle(entity, slots, [(meant, column)], seed, state)
        if resident.pairing is None:  # of an earlier process
            places = min(spec.entities.get(part_name(counter.place), DEFAULT_PLACES), MOST_PLACES)
            ring = PairingTable(places, counter.apart_ms, seed)
            resident = replace(resident, pairing=ring)
        found[meant] = resident
    return found
