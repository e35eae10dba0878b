"""What a counter counts and a rule asks, whatever they are called: equal for any two revisions that mean the same.

A counter's meaning outlives the process, as bytes beside what it counted: everything in it is said by its name.
"""

from collections.abc import Sequence

import numpy as np

from interceptor.engine.opcodes import Op
from interceptor.engine.spec import Counter, KeyPart, Rule, Span, Spec, part_name
from interceptor.engine.types import Happening

#: of plain texts, numbers and tuples of them
Meaning = tuple[object, ...]

_READS_FIELD = (Op.OP_FIELD, Op.OP_HAS_FIELD, Op.OP_IN_LIST)


def meanings(spec: Spec) -> list[bytes]:
    """What each counter counts: the state of one may serve another of any revision exactly when these are equal."""
    return [encoded(meaning(spec, counter)) for counter in spec.counters]


def encoded(meaning: Meaning) -> bytes:
    """The same bytes in every process, under every version of Python."""
    return ascii(meaning).encode("ascii")


def meaning(spec: Spec, counter: Counter) -> Meaning:
    return (
        counter.measure,
        "large" if counter.large else "",
        Happening(counter.happening).name,
        counter.answered,
        counter.under_ms,
        key(spec, counter.per),
        key(spec, counter.of),
        counter.window_ms,
        "" if counter.element is None else key(spec, (KeyPart(counter.element),)),
        "" if counter.place is None else key(spec, (counter.place,)),
        counter.apart_ms,
        () if counter.where is None else asked(spec, counter.where),
    )


def pairing(spec: Spec, counter: Counter) -> Meaning:
    """Which calls a `paired` or `partner` counter compares, and for how long a pair is remembered."""
    assert counter.place is not None
    return (
        "pairing",
        key(spec, counter.per),
        key(spec, (counter.place,)),
        counter.apart_ms,
        counter.window_ms,
        () if counter.where is None else asked(spec, counter.where),
    )


def key(spec: Spec, parts: Sequence[KeyPart]) -> str:
    """Parts of a key as a policy writes them: ``imei``, ``caller+tags.dealer``."""
    name = "+".join(part_name(part) for part in parts)
    for i, tag in enumerate(spec.tags):
        name = name.replace(f"tag[{i}]", f"tags.{tag}")
    return name


def condition(spec: Spec, rule: Rule) -> Meaning:
    """What a rule asks."""
    return asked(spec, rule.when)


def asked(spec: Spec, span: Span) -> Meaning:
    """What a condition asks."""
    return tuple(
        (Op(int(row["op"])).name, int(row["dst"]), _first_operand(spec, row), _second_operand(spec, row))
        for row in spec.code.instructions[span.start : span.end]
    )


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
        return meaning(spec, spec.counters[a])
    # a tag by name: another revision may declare it at another place
    return key(spec, (KeyPart(a),)) if op in _READS_FIELD else a


def _second_operand(spec: Spec, row: np.void) -> object:
    return spec.lists[int(row["b"])].name if row["op"] == Op.OP_IN_LIST else int(row["b"])
