"""The counters of one entity now, asked for by what it is called; and their end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from interceptor.engine.columns import Act
from interceptor.engine.entities import EntityTable
from interceptor.engine.meanings import key, meanings
from interceptor.engine.parts import part_keys
from interceptor.engine.snapshot import SnapshotHolder
from interceptor.engine.spec import Counter, KeyPart, Spec
from interceptor.engine.types import Field

#: parts that are one number
NUMBERS = frozenset(range(Field.N_NUMBERS))


@dataclass(frozen=True)
class CounterNow:
    """A counter of the policy in force, and its value for the entity."""

    counter: Counter
    value: int


@dataclass(frozen=True)
class EntityNow:
    """What one table knows of an entity."""

    kind: str  #: as the policy has it: ``caller``, ``imei``, ``prefix(caller,7)``
    key: tuple[KeyPart, ...]
    seen_ms: int  #: when it was last counted, to a second at least
    counters: tuple[CounterNow, ...]


def show(snapshot: SnapshotHolder, kind: str, texts: Sequence[str], now_ms: int) -> list[EntityNow]:
    """What is known of the entity of that kind, one text a part of its key; of every table of that kind.

    Raises CallError for a text that cannot be, ValueError for a number of texts that is not the kind's.
    """
    found = []
    for (table, a, b), group in _places(snapshot, kind, texts):
        seen = table.seen(a, b, now_ms)
        if seen is not None:
            values = table.touch(
                a, b, now_ms, [(column, Act.ACT_READ, 0, 0) for _, column in group], peek=True
            )
            counters = tuple(
                CounterNow(counter, value) for (counter, _), value in zip(group, values, strict=True)
            )
            found.append(EntityNow(kind, group[0][0].read_for, seen, counters))
    return found


def reset(snapshot: SnapshotHolder, kind: str, texts: Sequence[str]) -> int:
    """Ends all counters of the entity of that kind, also in other tables; how many tables had it."""
    return sum(table.forget(a, b) for (table, a, b), _ in _places(snapshot, kind, texts))


def kinds(spec: Spec) -> dict[str, tuple[KeyPart, ...]]:
    """The kinds of entity that the policy has counters of, and the parts of their keys."""
    return {key(spec, counter.read_for): counter.read_for for counter in spec.counters}


def _places(
    snapshot: SnapshotHolder, kind: str, texts: Sequence[str]
) -> Iterator[tuple[tuple[EntityTable, int, int], list[tuple[Counter, int]]]]:
    spec = snapshot.spec
    parts = kinds(spec)[kind]
    if len(parts) != len(texts):
        raise ValueError(f"{kind}: give {len(parts)} keys, not {len(texts)}")
    keys = part_keys(snapshot, _call(spec, parts, texts), parts)
    if not all(keys):
        return
    means = meanings(spec)
    for resident in snapshot.residents:
        group = [
            (counter, resident.meanings.index(means[i]))
            for i, counter in enumerate(spec.counters)
            if resident.entity == kind == key(spec, counter.read_for) and means[i] in resident.meanings
        ]
        if group:
            yield (resident.table, keys[0], keys[1] if len(keys) > 1 else 0), group


def _call(spec: Spec, parts: Sequence[KeyPart], texts: Sequence[str]) -> dict[str, Any]:
    """A call with these fields."""
    call: dict[str, Any] = {}
    for part, text in zip(parts, texts, strict=True):
        field = part.field
        if field >= Field.F_TAG:
            call.setdefault("tags", {})[spec.tags[field - Field.F_TAG]] = text
        elif Field.F_REDIRECTING <= field < Field.F_CALL_ID:
            call["redirecting"] = [*[""] * (field - Field.F_REDIRECTING), text]
        else:
            name = Field(field).name.removeprefix("F_").lower()
            call[{"from": "caller", "asserted": "asserted_identity"}.get(name, name)] = text
    return call
