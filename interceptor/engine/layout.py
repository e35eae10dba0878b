"""Plans a snapshot: which fields and entity tables a policy needs, and which counters keep their columns."""

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

import numpy as np

from interceptor.engine.columns import Measure
from interceptor.engine.entities import EntityTable
from interceptor.engine.opcodes import Op
from interceptor.engine.spec import Counter, Rule, Span, Spec
from interceptor.engine.types import Field, Limits

#: counters of one entity table
MAX_COLUMNS = 32
#: budget of a kind of entity that the policy gives none
DEFAULT_ENTITIES = 1_000_000
#: one promoted distinct counter for so many entities
ENTITIES_PER_SKETCH = 32

_READS_KEY = frozenset((Op.OP_IN_LIST, Op.OP_VALID, Op.OP_REGION, Op.OP_TYPE, Op.OP_PREFIX))
#: ops whose second operand is a list
_NAMES_LIST = frozenset((Op.OP_IN_LIST,))
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


def place_counters(
    spec: Spec, previous: Iterable[Resident], seed: int, only: Container[int] | None = None
) -> list[tuple[Resident, list[tuple[int, int]]]]:
    """Which table and column each counter lives in: (Resident, [(counter, column), ...]) by table.

    A counter that an earlier revision had, meaning the same, stays in its column. New ones share a new table by kind
    of entity. A table none of whose columns is wanted any more is left out, and goes with its last snapshot. With
    `only`, the others are placed nowhere.
    """
    free: dict[tuple[str, Meaning], list[tuple[Resident, int]]] = {}
    for resident in previous:
        for column, meaning in enumerate(resident.meanings):
            free.setdefault((resident.entity, meaning), []).append((resident, column))
    placed: dict[Resident, list[tuple[int, int]]] = {}
    waiting: dict[str, list[tuple[int, Meaning]]] = {}
    for i, counter in enumerate(spec.counters):
        if only is not None and i not in only:
            continue
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


def beside(spec: Spec, live: Spec) -> Spec:
    """A policy with its lists numbered as another's are, by name and kind, its further ones behind them.

    So the tables of the other one answer its questions. A list of the same name and another kind is a further one,
    under a name no policy can give. Its rules add to no list. Raises ValueError when both together have more than 64
    lists.
    """
    places = places_beside(spec, live)
    further = [wanted for wanted in spec.lists if places[wanted.name] >= len(live.lists)]
    lists = [*live.lists, *(replace(wanted, name=f"{wanted.name}\0") for wanted in further)]
    if len(lists) > Limits.MAX_LISTS:
        raise ValueError(
            f"the policy and the live one have {len(lists)} lists together, {Limits.MAX_LISTS} are the most"
        )
    instructions = spec.code.instructions.copy()
    for row in instructions:
        if row["op"] in _NAMES_LIST:
            row["b"] = places[spec.lists[row["b"]].name]
    return replace(
        spec,
        lists=tuple(lists),
        code=replace(spec.code, instructions=instructions),
        rules=tuple(replace(rule, add_to=None) for rule in spec.rules),
    )


def places_beside(spec: Spec, live: Spec) -> dict[str, int]:
    """The number of each list that either policy has, by name: the live ones', then further ones of the other."""
    running = {(wanted.name, wanted.kind): i for i, wanted in enumerate(live.lists)}
    further = (wanted for wanted in spec.lists if (wanted.name, wanted.kind) not in running)
    return {name: i for (name, _), i in running.items()} | {
        wanted.name: len(running) + i for i, wanted in enumerate(further)
    }


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
        where = _asked(spec, counter.where)
    element = None if counter.element is None else _field(spec, counter.element)
    return (
        counter.measure,
        tuple((_field(spec, p.field), p.prefix) for p in counter.per),
        counter.window_ms,
        element,
        where,
    )


def meanings(spec: Spec) -> list[bytes]:
    """What each counter counts, as bytes: equal for counters of equal definition, whatever policies have them."""
    return [repr(_meaning(spec, counter)).encode() for counter in spec.counters]


def condition(spec: Spec, rule: Rule) -> Meaning:
    """What a rule asks: equal for two rules of any two revisions that ask the same."""
    return _asked(spec, rule.when)


def _asked(spec: Spec, span: Span) -> Meaning:
    return tuple(
        (int(row["op"]), int(row["dst"]), _first_operand(spec, row), _second_operand(spec, row))
        for row in spec.code.instructions[span.start : span.end]
    )


def _field(spec: Spec, field: int) -> object:
    # a tag by name: another revision may declare it at another place
    return spec.tags[field - Field.F_TAG] if field >= Field.F_TAG else int(field)


def _first_operand(spec: Spec, row: np.void) -> object:
    op, a = int(row["op"]), int(row["a"])
    pools: dict[int, tuple[object, ...]] = {
        Op.OP_INT: spec.code.ints,
        Op.OP_DOUBLE: spec.code.doubles,
        Op.OP_TEXT: spec.code.texts,
    }
    if op in pools:
        return pools[op][a]
    if op == Op.OP_COUNTER:
        return _meaning(spec, spec.counters[a])
    return _field(spec, a) if op in (Op.OP_FIELD, Op.OP_HAS_FIELD, Op.OP_IN_LIST) else a


def _second_operand(spec: Spec, row: np.void) -> object:
    return spec.lists[int(row["b"])].name if row["op"] == Op.OP_IN_LIST else int(row["b"])


def _operations(spec: Spec) -> Iterable[tuple[int, int]]:
    return ((int(row["op"]), int(row["a"])) for row in spec.code.instructions)
