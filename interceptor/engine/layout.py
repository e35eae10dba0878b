"""Plans a snapshot: which fields, lists and entity tables a policy needs, and which counters keep their columns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from interceptor.engine.entities import EntityTable
from interceptor.engine.lists import ListTable
from interceptor.engine.opcodes import Op
from interceptor.engine.prefixes import PrefixTrie
from interceptor.engine.spec import Counter, ListContent, Spec
from interceptor.engine.types import Field
from interceptor.engine.windows import Measure

#: counters of one entity table
MAX_COLUMNS = 32
#: budget of a kind of entity that the policy gives none
DEFAULT_ENTITIES = 1_000_000
#: one promoted distinct counter for so many entities
ENTITIES_PER_SKETCH = 32

_READS_KEY = frozenset((Op.OP_IN_LIST, Op.OP_VALID, Op.OP_REGION, Op.OP_TYPE, Op.OP_PREFIX))
#: What a counter counts, whatever its name
Meaning = tuple[object, ...]


@dataclass(frozen=True, eq=False)
class Resident:
    """An entity table that outlives reloads, and what its columns mean."""

    table: EntityTable
    entity: str
    meanings: tuple[Meaning, ...]


def fields_read(spec: Spec) -> int:
    """Bit f: some condition, counter or add_to needs field f as a number or by its key."""
    fields = {part.field for counter in spec.counters for part in counter.per}
    fields |= {counter.element for counter in spec.counters if counter.element is not None}
    fields |= {rule.add_to.field for rule in spec.rules if rule.add_to is not None}
    for op, field in _operations(spec):
        if op in _READS_KEY or (op == Op.OP_FIELD and field < Field.N_NUMBERS):
            fields.add(field)
    return sum(1 << field for field in fields)


def lookups(spec: Spec) -> dict[int, set[int]]:
    """Field -> the lists that some condition looks for it in."""
    found: dict[int, set[int]] = {}
    for row in spec.code.instructions:
        if row["op"] == Op.OP_IN_LIST:
            found.setdefault(int(row["a"]), set()).add(int(row["b"]))
    return found


def list_tables(spec: Spec, contents: Mapping[str, ListContent], seed: int) -> tuple[ListTable, PrefixTrie]:
    """One table and one trie with the content of every list of the policy."""
    held = [(i, contents[d.name]) for i, d in enumerate(spec.lists) if d.name in contents]
    table = ListTable(max(sum(len(content.keys) for _, content in held), 1024), seed)
    for i, content in held:
        table.add_many(np.ascontiguousarray(content.keys, dtype=np.uint64), i)
    return table, PrefixTrie([(root, digits, i) for i, content in held for root, digits in content.prefixes])


def place_counters(
    spec: Spec, previous: Iterable[Resident], seed: int
) -> list[tuple[Resident, list[tuple[int, int]]]]:
    """Which table and column each counter lives in: (Resident, [(counter, column), ...]) by table.

    A counter that an earlier revision had, meaning the same, stays in its column. New ones share a new table by kind
    of entity. A table none of whose columns is wanted any more is left out, and goes with its last snapshot.
    """
    free: dict[tuple[str, Meaning], list[tuple[Resident, int]]] = {}
    for resident in previous:
        for column, meaning in enumerate(resident.meanings):
            free.setdefault((resident.entity, meaning), []).append((resident, column))
    placed: dict[Resident, list[tuple[int, int]]] = {}
    waiting: dict[str, list[tuple[int, Meaning]]] = {}
    for i, counter in enumerate(spec.counters):
        entity, meaning = entity_kind(spec, counter), _meaning(spec, counter)
        homes = free.get((entity, meaning))
        if homes:
            home = homes.pop(0)
            placed.setdefault(home[0], []).append((i, home[1]))
        else:
            waiting.setdefault(entity, []).append((i, meaning))
    for entity, newcomers in waiting.items():
        for start in range(0, len(newcomers), MAX_COLUMNS):
            some = newcomers[start : start + MAX_COLUMNS]
            table = _table(spec, entity, [spec.counters[i] for i, _ in some], seed)
            resident = Resident(table, entity, tuple(meaning for _, meaning in some))
            placed[resident] = [(i, column) for column, (i, _) in enumerate(some)]
    return list(placed.items())


def entity_kind(spec: Spec, counter: Counter) -> str:
    """Name of the kind of entity a counter belongs to, its tags named: ``imei``, ``caller+tags.dealer``."""
    name = counter.entity
    for i, tag in enumerate(spec.tags):
        name = name.replace(f"tag[{i}]", f"tags.{tag}")
    return name


def _table(spec: Spec, entity: str, counters: list[Counter], seed: int) -> EntityTable:
    slots = spec.entities.get(entity, DEFAULT_ENTITIES)
    measures = [
        Measure.MEASURE_DISTINCT if counter.measure == "distinct" else Measure.MEASURE_COUNT
        for counter in counters
    ]
    sketches = max(slots // ENTITIES_PER_SKETCH, 1024) if Measure.MEASURE_DISTINCT in measures else 0
    columns = list(zip(measures, (counter.window_ms for counter in counters), strict=True))
    return EntityTable(slots, columns, sketches=sketches, seed=seed)


def _meaning(spec: Spec, counter: Counter) -> Meaning:
    """Equal for two counters of any two revisions exactly when the state of one may serve the other."""
    where: tuple[object, ...] = ()
    if counter.where is not None:
        where = tuple(
            (int(row["op"]), int(row["dst"]), _first_operand(spec, row), _second_operand(spec, row))
            for row in spec.code.instructions[counter.where.start : counter.where.end]
        )
    element = None if counter.element is None else _field(spec, counter.element)
    return (
        counter.measure,
        tuple((_field(spec, p.field), p.prefix) for p in counter.per),
        counter.window_ms,
        element,
        where,
    )


def _field(spec: Spec, field: int) -> object:
    # a tag by name: another revision may declare it at another place
    return spec.tags[field - Field.F_TAG] if field >= Field.F_TAG else field


def _first_operand(spec: Spec, row: np.void) -> object:
    op, a = int(row["op"]), int(row["a"])
    pools: dict[int, tuple[object, ...]] = {
        Op.OP_INT: spec.code.ints,
        Op.OP_DOUBLE: spec.code.doubles,
        Op.OP_TEXT: spec.code.texts,
    }
    if op in pools:
        return pools[op][a]
    return _field(spec, a) if op in (Op.OP_FIELD, Op.OP_HAS_FIELD, Op.OP_IN_LIST) else a


def _second_operand(spec: Spec, row: np.void) -> object:
    return spec.lists[int(row["b"])].name if row["op"] == Op.OP_IN_LIST else int(row["b"])


def _operations(spec: Spec) -> Iterable[tuple[int, int]]:
    return ((int(row["op"]), int(row["a"])) for row in spec.code.instructions)
