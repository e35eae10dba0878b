"""How much a condition can cost: the most instructions it can run, known before any call comes."""

import numpy as np
import numpy.typing as npt

from interceptor.engine.opcodes import Op
from interceptor.engine.spec import Span, Spec

#: instructions that the conditions of a policy may run for one call, together
MAX_COST = 100_000

_JUMPS = (Op.OP_JUMP, Op.OP_JUMP_FALSE, Op.OP_JUMP_TRUE, Op.OP_JUMP_ERROR)


def condition_cost(instructions: npt.NDArray[np.void], span: Span) -> int:
    """The longest path through a condition. Jumps go forward, so one pass from the end finds it."""
    rows = instructions[span.start : span.end].tolist()
    longest = [0] * (len(rows) + 1)
    for at in range(len(rows) - 1, -1, -1):
        op, _, _, distance = rows[at]
        ahead = 0 if op in (Op.OP_RETURN, Op.OP_JUMP) else longest[at + 1]
        if op in _JUMPS:
            ahead = max(ahead, longest[at + 1 + distance])
        longest[at] = 1 + ahead
    return longest[0]


def policy_cost(spec: Spec) -> int:
    """An upper bound of the instructions that deciding one call takes: every rule and every counter's `where`."""
    where = sum(
        condition_cost(spec.code.instructions, counter.where)
        for counter in spec.counters
        if counter.where is not None
    )
    return where + sum(rule.cost for rule in spec.rules)
