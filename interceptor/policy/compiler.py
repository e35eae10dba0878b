"""Resolved condition -> bytecode. Values live on a stack of registers; && || ?: and `in` are jumps forward."""

import struct
from typing import Any

import numpy as np

from interceptor.engine.opcodes import Op
from interceptor.engine.spec import INSTRUCTION, Code, Span
from interceptor.engine.verifier import MAX_REGISTERS
from interceptor.policy.resolved import Apply, Both, Constant, Either, OneOf, Read, Resolved, Type
from interceptor.policy.syntax import ConditionError

#: operands of an instruction are 16 bits wide
MAX_OPERAND = 0xFFFF


class Compiler:
    """Collects the conditions of a policy into one Code; equal constants are kept once."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, int]] = []
        self.ints: dict[int, int] = {}
        self.doubles: dict[bytes, int] = {}  # by bits: -0.0 and 0.0 are two
        self.texts: dict[bytes, int] = {}

    def add(self, condition: Resolved) -> Span:
        """Appends a condition.

        Raises
        ------
        ConditionError
            It needs more registers than the VM has, or the policy more constants than an instruction can name.
        """
        start = len(self.rows)
        try:
            self._emit(condition, 0)
            self._put(Op.OP_RETURN, 0, 0)
        except ConditionError:
            del self.rows[start:]
            raise
        return Span(start, len(self.rows))

    def code(self) -> Code:
        return Code(
            np.array(self.rows, dtype=INSTRUCTION),
            tuple(self.ints),
            tuple(struct.unpack("<d", bits)[0] for bits in self.doubles),
            tuple(self.texts),
        )

    def _put(self, op: Op, dst: int, a: int, b: int = 0) -> int:
        self.rows.append((op, dst, a, b))
        return len(self.rows) - 1

    def _land(self, *jumps: int) -> None:
        """Lets jumps end at the next instruction."""
        for jump in jumps:
            op, dst, a, _ = self.rows[jump]
            distance = len(self.rows) - jump - 1
            if distance > MAX_OPERAND:
                raise ConditionError(0, "the condition is too long: use several rules")
            self.rows[jump] = (op, dst, a, distance)

    def _pool(self, pool: dict[Any, int], value: Any) -> int:
        index = pool.setdefault(value, len(pool))
        if index > MAX_OPERAND:
            raise ConditionError(
                0, f"the policy has more than {MAX_OPERAND + 1} different constants: use lists"
            )
        return index

    def _emit(self, node: Resolved, dst: int) -> None:
        """Leaves the value of `node` in register `dst`, using those behind it."""
        if dst >= MAX_REGISTERS - 1:
            raise ConditionError(
                0, f"the condition needs more than {MAX_REGISTERS} registers: use several rules"
            )
        match node:
            case Constant():
                self._constant(node, dst)
            case Read(op=op, a=a, b=b):
                self._put(op, dst, a, b)
            case Apply(op=op, args=(value,)):
                self._emit(value, dst)
                self._put(op, dst, dst)
            case Apply(args=(left, right)):
                self._two(node, left, right, dst)
            case Both():
                self._both(node, dst)
            case Either():
                self._either(node, dst)
            case OneOf():
                self._one_of(node, dst)

    def _constant(self, node: Constant, dst: int) -> None:
        if node.type == Type.BOOL:
            self._put(Op.OP_BOOL, dst, int(node.value))
        elif node.type == Type.DOUBLE:
            self._put(Op.OP_DOUBLE, dst, self._pool(self.doubles, struct.pack("<d", node.value)))
        elif node.type == Type.TEXT:
            self._put(Op.OP_TEXT, dst, self._pool(self.texts, str(node.value).encode()))
        else:
            self._put(Op.OP_INT, dst, self._pool(self.ints, int(node.value)))

    def _two(self, node: Apply, left: Resolved, right: Resolved, dst: int) -> None:
        """Of two errors the left one is the result's: the VM takes that of its first operand."""
        self._emit(left, dst)
        failed = []
        if node.mirrored and not isinstance(left, Constant) and not isinstance(right, Constant):
            failed.append(self._put(Op.OP_JUMP_ERROR, 0, dst))
        self._emit(right, dst + 1)
        first, second = (dst + 1, dst) if node.mirrored else (dst, dst + 1)
        self._put(node.op, dst, first, second)
        self._land(*failed)

    def _both(self, node: Both, dst: int) -> None:
        """What already decides skips the rest; an error does not decide, so the rest is looked at."""
        skip = Op.OP_JUMP_FALSE if node.op == Op.OP_AND else Op.OP_JUMP_TRUE
        jumps = []
        first, *rest = node.args
        self._emit(first, dst)
        for operand in rest:
            jumps.append(self._put(skip, 0, dst))
            self._emit(operand, dst + 1)
            self._put(node.op, dst, dst, dst + 1)
        self._land(*jumps)

    def _either(self, node: Either, dst: int) -> None:
        self._emit(node.condition, dst)
        failed = self._put(Op.OP_JUMP_ERROR, 0, dst)
        no = self._put(Op.OP_JUMP_FALSE, 0, dst)
        self._emit(node.then, dst)
        done = self._put(Op.OP_JUMP, 0, 0)
        self._land(no)
        self._emit(node.other, dst)
        self._land(failed, done)

    def _one_of(self, node: OneOf, dst: int) -> None:
        self._emit(node.value, dst)
        failed = self._put(Op.OP_JUMP_ERROR, 0, dst)
        found = []
        for option, op, mirrored in node.options:
            self._emit(option, dst + 1)
            left, right = (dst + 1, dst) if mirrored else (dst, dst + 1)
            self._put(op, dst + 1, left, right)
            found.append(self._put(Op.OP_JUMP_TRUE, 0, dst + 1))
        if not found:
            self._put(Op.OP_BOOL, dst + 1, 0)
        self._land(*found)
        self._put(Op.OP_MOVE, dst, dst + 1)
        self._land(failed)
