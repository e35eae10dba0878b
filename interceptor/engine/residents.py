"""Entity tables that outlive reloads, and what their columns mean; those that an earlier process has left."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from interceptor.engine.columns import Measure
from interceptor.engine.entities import EntityTable
from interceptor.engine.inflight import FlightTable
from interceptor.engine.keys import siphash_of
from interceptor.engine.memory import Region
from interceptor.engine.orphans import release
from interceptor.engine.pairing import PairingTable
from interceptor.engine.recent import RecentTable
from interceptor.engine.state import Label, StateDirectory

#: one promoted distinct counter for so many entities
ENTITIES_PER_SKETCH = 32
#: what their files are called
WHAT = "entities"


@dataclass(frozen=True, eq=False)
class Resident:
    """An entity table that outlives reloads, and what its columns mean."""

    table: EntityTable
    entity: str
    meanings: tuple[bytes, ...]
    pairing: PairingTable | None = None  #: of a table of pairs: which calls ended lately, by place


def settle(
    entity: str,
    slots: int,
    meant: Sequence[tuple[bytes, tuple[int, int]]],
    seed: int,
    state: StateDirectory | None,
) -> Resident:
    """A new table of a kind of entity. `meant`: meaning, and (measure, window), of each column.

    Raises MemoryError, StateError.
    """
    meanings, columns = [meaning for meaning, _ in meant], [column for _, column in meant]
    distinct = any(measure in {Measure.MEASURE_DISTINCT, Measure.MEASURE_LARGE} for measure, _ in columns)
    sketches = max(slots // ENTITIES_PER_SKETCH, 1024) if distinct else 0
    if state is None:
        return Resident(EntityTable(slots, columns, sketches=sketches, seed=seed), entity, tuple(meanings))
    label = Label(
        WHAT,
        slots,
        entity,
        tuple((int(measure), window) for measure, window in columns),
        tuple(meaning.decode("ascii") for meaning in meanings),
        sketches,
    )
    return _resident(label, state.take(label, _nbytes(label)), seed, state)


def earlier(state: StateDirectory | None, secret: bytes) -> list[Resident]:
    """The tables that an earlier process has left. Raises MemoryError."""
    residents: list[Resident] = []
    if state is None:
        return residents
    seed = siphash_of(secret, b"tables")
    for label in state.left(WHAT):
        region = state.attach(label, _nbytes(label))
        if region is not None:
            residents.append(_resident(label, region, seed, state))
            state.counts.torn += residents[-1].table.torn
    return residents


def keep(state: StateDirectory | None, residents: Iterable[Resident]) -> None:
    """No policy uses any other table: their files go."""
    if state is not None:
        state.retain(WHAT, [resident.table.region for resident in residents])


@contextmanager
def publishing(state: StateDirectory | None, previous: Iterable[Resident]) -> Iterator[None]:
    """A policy that does not come into force leaves no file of its own."""
    try:
        yield
    except BaseException:
        keep(state, previous)
        raise


def recent(state: StateDirectory | None, what: str, entries: int, seed: int) -> RecentTable:
    """A table of what happened lately; `what` it is for. Raises MemoryError, StateError."""
    if state is None:
        return RecentTable(entries, seed)
    label = Label(what, entries)
    table = RecentTable(entries, seed, state.take(label, RecentTable.bytes_for(entries)), alive=state.beside)
    state.describe(table.region, table.locked())
    state.retain(what, [table.region])  # of another size
    state.counts.torn += table.torn
    return table


def in_flight(state: StateDirectory | None, entries: int, seed: int) -> FlightTable:
    """The table of calls in flight. Raises MemoryError, StateError."""
    if state is None:
        return FlightTable(entries, seed)
    label = Label("in_flight", entries)
    table = FlightTable(entries, seed, state.take(label, FlightTable.bytes_for(entries)), alive=state.beside)
    state.retain("in_flight", [table.region])  # of another size
    state.counts.torn += table.torn
    return table


def succeed(
    state: StateDirectory | None,
    residents: Iterable[Resident],
    others: Iterable[RecentTable | FlightTable | None],
    died: bool,
) -> None:
    """The process beside is gone: the tables are this one's alone. died: what it had locked is let go of."""
    if state is None or not state.beside:
        return
    if died:
        for table in (*(resident.table for resident in residents), *others):
            if table is not None:
                state.counts.torn += release(table)
    state.inherit()


def _nbytes(label: Label) -> int:
    return EntityTable.bytes_for(label.slots, label.columns, label.sketches)


def _resident(label: Label, region: Region, seed: int, state: StateDirectory) -> Resident:
    table = EntityTable(
        label.slots, label.columns, sketches=label.sketches, seed=seed, region=region, alive=state.beside
    )
    state.describe(region, table.locked())
    return Resident(table, label.kind, tuple(meaning.encode("ascii") for meaning in label.meanings))
