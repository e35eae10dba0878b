"""CEL text -> syntax tree, by the grammar of CEL's specification. What is no CEL of ours is an error."""

import re

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
    parts_of,
)

#: how deep a syntax tree may be; a chain of `+` counts as deep as it is long, one of && or || does not
MAX_TREE = 160

#: how tightly each operator binds
_BINDS = {"||": 1, "&&": 2, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
_BINDS |= dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "in"), 3)
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
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEXT = re.compile(r'"x*"')  # and true and false: the placeholders of `scan`
_EXPONENT = r"[eE][+-]?[0-9]+"
_DOUBLE = rf"-?(?:[0-9]+\.[0-9]*(?:{_EXPONENT})?|\.[0-9]+(?:{_EXPONENT})?|[0-9]+{_EXPONENT})"
_NUMBER = re.compile(rf"(?P<double>{_DOUBLE})|(?P<int>-?(?:0x[0-9a-fA-F]+|[0-9]+))(?P<unsigned>[uU])?")
_OPERATOR = re.compile(r"\|\||&&|[<>=!]=|[<>+\-*/%]|in(?![A-Za-z0-9_])")


def parse(condition: str) -> Expression:
    """The syntax tree of a condition.

    Raises
    ------
    ConditionError
        It is no CEL, or uses what a policy's CEL leaves out.
    """
    reader = _Reader(condition, scan(condition))
    expression = reader.choice()
    if reader.at < len(condition):
        raise reader.unexpected()
    _check_depth(expression)
    return expression


def _check_depth(expression: Expression) -> None:
    deep: list[tuple[Expression, int]] = [(expression, 0)]
    while deep:
        one, depth = deep.pop()
        if depth > MAX_TREE:
            raise ConditionError(one.at, f"nests deeper than {MAX_TREE} levels: use several rules")
        deep += ((part, depth + 1) for part in parts_of(one))


class _Reader:
    """Reads from `at` on; behind each thing that was read the blanks are passed over, too.

    It calls itself for what stands in brackets, and `scan` bounds how deep those nest; chains are loops.
    """

    def __init__(self, condition: str, scanned: Scanned) -> None:
        self.condition = condition
        self.text = scanned.text
        self.literals = scanned.literals
        self.at = 0
        self.go_to(0)

    def go_to(self, at: int) -> None:
        blank = _BLANK.match(self.text, at)
        self.at = blank.end() if blank else at

    def take(self, sign: str) -> bool:
        """Whether the sign stands here; then it is read."""
        if not self.text.startswith(sign, self.at):
            return False
        self.go_to(self.at + len(sign))
        return True

    def demand(self, sign: str) -> None:
        if not self.take(sign):
            raise self.unexpected()

    def unexpected(self) -> ConditionError:
        """What is wrong with what stands here."""
        at = self.at
        if at == len(self.text):
            return ConditionError(len(self.condition.rstrip()), "the condition ends too early")
        found = next(
            (found for token in (_NUMBER, _TEXT, _NAME, _OPERATOR) if (found := token.match(self.text, at))),
            None,
        )
        word = self.condition[at : found.end() if found else at + 1]
        previous = self.condition[at - 1] if at else ""
        instead = _INSTEAD.get(word) or ("to compare write `==`" if word == "==" and previous == "=" else "")
        return ConditionError(at, f"unexpected `{word[:40]}`" + (f": {instead}" if instead else ""))

    def choice(self) -> Expression:
        """`a ? b : c`, where c may be one as well."""
        steps: list[tuple[int, Expression, Expression]] = []
        while True:
            condition, at = self.operation(1), self.at
            if not self.take("?"):
                break
            steps.append((at, condition, self.operation(1)))
            self.demand(":")
        for at, asked, then in reversed(steps):
            condition = Choice(at, asked, then, condition)
        return condition

    def operation(self, least: int) -> Expression:
        """Operators that bind at least so tightly, from the left."""
        result = self.unary()
        while True:
            at, operator = self.operator()
            binds = _BINDS.get(operator, 0)
            if binds < least:
                return result
            operands = [result]
            while self.operator() == (self.at, operator):
                self.go_to(self.at + len(operator))
                operands.append(self.operation(binds + 1))
                if operator not in ("&&", "||"):
                    break
            if operator in ("&&", "||"):
                result = Logic(at, operator, tuple(operands))
            else:
                result = Binary(at, operator, *operands)

    def operator(self) -> tuple[int, str]:
        """The operator that stands here, if one does, and where."""
        found = _OPERATOR.match(self.text, self.at)
        return self.at, found[0] if found else ""

    def unary(self) -> Expression:
        signs: list[tuple[int, str]] = []
        number = _NUMBER.match(self.text, self.at)
        while not number and self.text[self.at : self.at + 1] in ("-", "!"):
            signs.append((self.at, self.text[self.at]))
            self.go_to(self.at + 1)
            number = _NUMBER.match(self.text, self.at)
        if number is None:
            result = self.primary()
        elif number["int"] and number["int"][0] != "-" and signs and signs[-1][1] == "-":
            result = self.number(signs.pop()[0], "-", number)  # a blank between them
        else:
            result = self.number(self.at, "", number)
        result = self.member(result)
        for at, operator in reversed(signs):
            result = Unary(at, operator, result)
        return result

    def member(self, result: Expression) -> Expression:
        """What an operand has behind it: `.name`, `.function(...)`, `[index]`."""
        while True:
            opened = self.at
            if self.take("."):
                at, name = self.name()
                if not self.take("("):
                    result = Select(at, result, name)
                    continue
                if name in _MACROS:
                    message = (
                        f"the macro `{name}` is left out: write the comparisons one by one with && and ||"
                    )
                    raise ConditionError(at, message)
                result = Call(at, name, result, self.expressions(")"))
            elif self.take("["):
                result = Index(opened, result, self.choice())
                self.demand("]")
            elif self.take("{"):
                raise ConditionError(opened, "messages are left out of a policy's CEL")
            else:
                return result

    def name(self) -> tuple[int, str]:
        found, at = _NAME.match(self.text, self.at), self.at
        if not found:
            raise self.unexpected()
        self.go_to(found.end())
        return at, found[0]

    def primary(self) -> Expression:
        at = self.at
        if at in self.literals and (text := _TEXT.match(self.text, at)):
            self.go_to(text.end())
            return Literal(at, self.literals[at])
        if self.take("("):
            inside = self.choice()
            self.demand(")")
            return inside
        if self.take("["):
            return ListLiteral(at, self.expressions("]", trailing=True))
        if self.take("{"):
            raise ConditionError(at, "maps are left out of a policy's CEL: use a list [...]")
        dotted = self.take(".")
        found, name = self.name()
        if dotted:
            raise ConditionError(at, "a policy has no packages: leave out the leading dot")
        if name == "null":
            raise ConditionError(
                at, "null is left out of a policy's CEL: has(call.x) asks whether a field is there"
            )
        return Call(found, name, None, self.expressions(")")) if self.take("(") else Name(found, name)

    def expressions(self, end: str, *, trailing: bool = False) -> tuple[Expression, ...]:
        """Up to the closing bracket, with commas between them, and where it is allowed behind the last."""
        found: list[Expression] = []
        while not self.take(end):
            if found:
                self.demand(",")
                if trailing and self.take(end):
                    break
            found.append(self.choice())
        return tuple(found)

    def number(self, at: int, sign: str, number: re.Match[str]) -> Literal:
        self.go_to(number.end())
        text = sign + number[0]
        if number["double"]:
            return _double(at, text)
        if number["unsigned"]:
            raise ConditionError(
                at, f"unsigned integers are left out of a policy's CEL: write {text[:40].rstrip('uU')}"
            )
        return _integer(at, text)


def _integer(at: int, text: str) -> Literal:
    value = int(text, 16 if "x" in text else 10) if len(text) < 4000 else INT64_MAX + 1
    if not INT64_MIN <= value <= INT64_MAX:
        raise ConditionError(at, f"{text[:40]} does not fit 64 bits")
    return Literal(at, value)


def _double(at: int, text: str) -> Literal:
    mantissa = re.split("[eE]", text)[0]
    if mantissa.endswith("."):
        raise ConditionError(at, f"`{text[:40]}` is no CEL double: write {mantissa[:40]}0")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ConditionError(at, f"{text[:40]} is too large for a double")
    return Literal(at, value)
