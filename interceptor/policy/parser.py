"""CEL text -> syntax tree, through cel-python's grammar. The first thing that is no CEL of ours is an error."""

import re
from functools import cache
from typing import Any

from celpy.celparser import CELParseError, CELParser
from lark import Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from interceptor.policy.duration import INT64_MAX, INT64_MIN
from interceptor.policy.lexis import Scanned, scan
from interceptor.policy.syntax import (
    Binary,
    Call,
    Choice,
    ConditionError,
    Expression,
    Index,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Select,
    Unary,
)

#: how deep a syntax tree may be; a chain of `+` counts as deep as it is long, one of && or || does not
MAX_TREE = 160

_OPERATORS = {
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_in": "in",
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
    "multiplication_mod": "%",
}
_INSTEAD = {
    "=": "to compare write `==`",
    "&": "for «and» write `&&`",
    "|": "for «or» write `||`",
    "and": "for «and» write `&&`",
    "or": "for «or» write `||`",
    "not": "for «not» write `!`",
    "is": "to compare write `==`",
    ";": "a condition is one expression",
}
_MACROS = frozenset(
    ["all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap"]
)
_BLANK = re.compile(r"[\t\n\f\r ]*")


def parse(condition: str) -> Expression:
    """The syntax tree of a condition.

    Raises
    ------
    ConditionError
        It is no CEL, or uses what a policy's CEL leaves out.
    """
    scanned = scan(condition)
    try:
        tree = _grammar().parse(scanned.text)
    except CELParseError as error:
        raise _unexpected(condition, error.__context__) from None
    return _Reader(scanned).read(tree, 0)


class _Grammar(CELParser):
    """cel-python's grammar, in which `true` and `false` keep their place in the text."""

    @staticmethod
    def ambiguous_literals(t: Token) -> Token:
        return Token.new_borrow_pos("BOOL_LIT", t.value, t) if t.value in ("true", "false") else t


@cache
def _grammar() -> Any:
    CELParser.CEL_PARSER = None  # made anew, with our callback
    return _Grammar()


def _unexpected(condition: str, error: BaseException | None) -> ConditionError:
    if isinstance(error, UnexpectedToken):
        if error.token.type == "$END":
            return ConditionError(len(condition.rstrip()), "the condition ends too early")
        at, word = error.token.start_pos or 0, str(error.token)
        word = condition[at : at + len(word)]
    elif isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0
        word = condition[at]
    else:
        return ConditionError(0, "this is no CEL")
    previous = condition[at - 1] if at else ""
    instead = _INSTEAD.get(word) or ("to compare write `==`" if word == "==" and previous == "=" else "")
    return ConditionError(at, f"unexpected `{word[:40]}`" + (f": {instead}" if instead else ""))


class _Reader:
    def __init__(self, scanned: Scanned) -> None:
        self.text = scanned.text
        self.literals = scanned.literals

    def read(self, tree: Tree[Token], depth: int) -> Expression:
        """Walks down to the first node that is more than a step of the grammar."""
        while tree.data in _STEPS and len(tree.children) == 1:
            tree = tree.children[0]  # type: ignore[assignment]
        self.check_depth(depth, self.start(tree))
        return getattr(self, f"read_{_READERS.get(tree.data, tree.data)}")(tree, depth)  # type: ignore[no-any-return]

    def check_depth(self, depth: int, at: int) -> None:
        if depth > MAX_TREE:
            raise ConditionError(at, f"nests deeper than {MAX_TREE} levels: use several rules")

    def start(self, tree: Any) -> int:
        return int(tree.start_pos or 0) if isinstance(tree, Token) else int(tree.meta.start_pos)

    def operator_after(self, tree: Any) -> int:
        """Where the operator behind an operand stands."""
        match = _BLANK.match(self.text, tree.meta.end_pos)
        return match.end() if match else 0

    def read_choice(self, tree: Tree[Token], depth: int) -> Expression:
        condition, then, other = tree.children
        at = self.operator_after(condition)
        return Choice(at, *(self.read(part, depth + 1) for part in (condition, then, other)))  # type: ignore[arg-type]

    def read_logic(self, tree: Tree[Token], depth: int) -> Expression:
        kind = tree.data
        operands: list[Any] = []
        while tree.data == kind and len(tree.children) == 2:
            left, right = tree.children
            operands.append(right)
            tree = left  # type: ignore[assignment]
        operands.append(tree)
        operands.reverse()
        operator = "||" if kind == "conditionalor" else "&&"
        at = self.operator_after(operands[0])
        return Logic(at, operator, tuple(self.read(operand, depth + 1) for operand in operands))

    def read_chain(self, tree: Tree[Token], depth: int) -> Expression:
        """A chain of operators of one precedence, from the left."""
        kind = tree.data
        steps: list[tuple[str, int, Any]] = []
        while tree.data == kind and len(tree.children) == 2:
            left, right = tree.children
            operand = left.children[0]  # type: ignore[union-attr]
            steps.append((_OPERATORS[left.data], self.operator_after(operand), right))  # type: ignore[union-attr]
            tree = operand  # type: ignore[assignment]
        depth += len(steps)
        self.check_depth(depth, steps[-1][1])
        result = self.read(tree, depth)
        for operator, at, right in reversed(steps):
            result = Binary(at, operator, result, self.read(right, depth))
        return result

    def read_unary(self, tree: Tree[Token], depth: int) -> Expression:
        signs: list[tuple[int, str]] = []
        while tree.data == "unary" and len(tree.children) == 2:
            sign, operand = tree.children
            signs.append((self.start(tree), "-" if sign.data == "unary_neg" else "!"))  # type: ignore[union-attr]
            tree = operand  # type: ignore[assignment]
        literal: Any = tree
        while literal.data in ("unary", "member", "primary") and len(literal.children) == 1:
            literal = literal.children[0]
        depth += len(signs)
        self.check_depth(depth, signs[0][0])
        number = literal.children[0]
        if (
            signs[-1][1] == "-"
            and literal.data == "literal"
            and number.type == "INT_LIT"
            and number[0] != "-"
        ):
            result: Expression = self.integer(signs.pop()[0], f"-{number}")
        else:
            result = self.read(tree, depth)
        for at, operator in reversed(signs):
            result = Unary(at, operator, result)
        return result

    def read_member_dot(self, tree: Tree[Token], depth: int) -> Expression:
        operand, name = tree.children
        return Select(self.start(name), self.read(operand, depth + 1), str(name))  # type: ignore[arg-type]

    def read_member_dot_arg(self, tree: Tree[Token], depth: int) -> Expression:
        operand, name, *args = tree.children
        if name in _MACROS:
            message = f"the macro `{name}` is left out: write the comparisons one by one with && and ||"
            raise ConditionError(self.start(name), message)
        target = self.read(operand, depth + 1)  # type: ignore[arg-type]
        return Call(self.start(name), str(name), target, self.arguments(args, depth))

    def read_member_index(self, tree: Tree[Token], depth: int) -> Expression:
        operand, index = tree.children
        at = self.operator_after(operand)
        return Index(at, self.read(operand, depth + 1), self.read(index, depth + 1))  # type: ignore[arg-type]

    def read_member_object(self, tree: Tree[Token], depth: int) -> Expression:
        raise ConditionError(self.operator_after(tree.children[0]), "messages are left out of a policy's CEL")

    def read_map_lit(self, tree: Tree[Token], depth: int) -> Expression:
        raise ConditionError(self.start(tree), "maps are left out of a policy's CEL: use a list [...]")

    def read_leading_dot(self, tree: Tree[Token], depth: int) -> Expression:
        raise ConditionError(self.start(tree), "a policy has no packages: leave out the leading dot")

    def read_ident_arg(self, tree: Tree[Token], depth: int) -> Expression:
        name, *args = tree.children
        return Call(self.start(name), str(name), None, self.arguments(args, depth))

    def read_ident(self, tree: Tree[Token], depth: int) -> Expression:
        return Name(self.start(tree), str(tree.children[0]))

    def read_list_lit(self, tree: Tree[Token], depth: int) -> Expression:
        return ListLiteral(self.start(tree), self.arguments(tree.children, depth))

    def arguments(self, lists: list[Any], depth: int) -> tuple[Expression, ...]:
        return tuple(self.read(item, depth + 1) for part in lists for item in part.children)

    def read_literal(self, tree: Tree[Token], depth: int) -> Expression:
        token: Any = tree.children[0]
        at, text = self.start(token), str(token)
        if token.type == "INT_LIT":
            return self.integer(at, text)
        if token.type == "FLOAT_LIT":
            return self.double(at, text)
        if token.type == "UINT_LIT":
            raise ConditionError(
                at, f"unsigned integers are left out of a policy's CEL: write {text[:40].rstrip('uU')}"
            )
        if token.type == "NULL_LIT":
            raise ConditionError(
                at, "null is left out of a policy's CEL: has(call.x) asks whether a field is there"
            )
        return Literal(at, self.literals[at])

    def integer(self, at: int, text: str) -> Literal:
        value = int(text, 16 if "x" in text else 10) if len(text) < 4000 else INT64_MAX + 1
        if not INT64_MIN <= value <= INT64_MAX:
            raise ConditionError(at, f"{text[:40]} does not fit 64 bits")
        return Literal(at, value)

    def double(self, at: int, text: str) -> Literal:
        mantissa = re.split("[eE]", text)[0]
        if mantissa.endswith("."):
            raise ConditionError(at, f"`{text[:40]}` is no CEL double: write {mantissa[:40]}0")
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise ConditionError(at, f"{text[:40]} is too large for a double")
        return Literal(at, value)


_STEPS = frozenset(
    ("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary", "member")
) | {"primary", "paren_expr"}
_READERS = {
    "expr": "choice",
    "conditionalor": "logic",
    "conditionaland": "logic",
    "relation": "chain",
    "addition": "chain",
    "multiplication": "chain",
    "dot_ident": "leading_dot",
    "dot_ident_arg": "leading_dot",
}
