"""Plans a snapshot: which fields and lists a policy asks about, and how it is numbered beside another one."""

from collections.abc import Iterable
from dataclasses import replace

from interceptor.engine.opcodes import Op
from interceptor.engine.spec import Spec
from interceptor.engine.types import Field, Limits

_READS_KEY = frozenset((Op.OP_IN_LIST, Op.OP_VALID, Op.OP_REGION, Op.OP_TYPE, Op.OP_PREFIX))
#: ops whose second operand is a list
_NAMES_LIST = frozenset((Op.OP_IN_LIST,))


def fields_read(spec: Spec) -> int:
    """Bit f: some condition, counter or add_to needs field f as a number or by its key."""
    fields = {part.field for counter in spec.counters for part in (*counter.per, *counter.of)}
    fields |= {counter.element for counter in spec.counters if counter.element is not None}
    fields |= {counter.place.field for counter in spec.counters if counter.place is not None}
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


def _operations(spec: Spec) -> Iterable[tuple[int, int]]:
    return ((int(row["op"]), int(row["a"])) for row in spec.code.instructions)
