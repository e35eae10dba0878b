"""Syntax tree -> resolved condition: every name looked up, every type checked, every fault of a condition reported."""

from interceptor.engine.opcodes import Op
from interceptor.engine.types import Field, Limits
from interceptor.policy import fields
from interceptor.policy.environment import Environment
from interceptor.policy.errors import near
from interceptor.policy.functions import FUNCTIONS, LEFT_OUT, METHODS
from interceptor.policy.operators import arithmetic, broken, comparison, negated
from interceptor.policy.resolved import Apply, Both, Constant, Either, OneOf, Read, Resolved, Type
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
    leftmost,
    path_of,
)

ROOTS = ("call", "counters", "lists", "thresholds", "now")
DECLARED = ("counters", "lists", "thresholds")
_TYPES = {bool: Type.BOOL, int: Type.INT, float: Type.DOUBLE, str: Type.TEXT}


def check(expression: Expression, environment: Environment) -> tuple[Resolved, list[ConditionError]]:
    """Resolves a condition; it may be run only when there is no fault."""
    checker = Checker(environment)
    resolved = checker.value(expression)
    if resolved.type not in (Type.BOOL, Type.BROKEN):
        checker.fault(leftmost(expression), f"a condition is true or false; this is {_a(resolved.type)}")
    return resolved, checker.faults


class Checker:
    """Resolves one condition; a fault yields a BROKEN value, which fits everywhere, and goes on."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.faults: list[ConditionError] = []

    def fault(self, at: int, message: str) -> Constant:
        self.faults.append(ConditionError(at, message))
        return broken()

    def value(self, expression: Expression) -> Resolved:
        match expression:
            case Literal(value=value):
                return Constant(_TYPES[type(value)], value)
            case Name() | Select():
                return self.named(expression)
            case Index():
                field = self.redirecting(expression)
                return Read(Type.TEXT, Op.OP_FIELD, field, number=field) if field is not None else broken()
            case Call():
                return self.call(expression)
            case Unary(at=at, operator=operator, operand=operand):
                return self.unary(at, operator, self.value(operand))
            case Binary(operator="in"):
                return self.membership(expression)
            case Binary(at=at, operator=operator, left=left, right=right):
                return self.binary(at, operator, self.value(left), self.value(right))
            case Logic(operator=operator, operands=operands):
                op = Op.OP_AND if operator == "&&" else Op.OP_OR
                return Both(Type.BOOL, op, tuple(self.truth(operand, operator) for operand in operands))
            case Choice():
                return self.choice(expression)
            case ListLiteral(at=at):
                return self.fault(at, "a list can only stand behind `in`")

    def truth(self, expression: Expression, operator: str) -> Resolved:
        value = self.value(expression)
        if value.type not in (Type.BOOL, Type.BROKEN):
            return self.fault(leftmost(expression), f"`{operator}` is of bools; this is {_a(value.type)}")
        return value

    def unary(self, at: int, operator: str, operand: Resolved) -> Resolved:
        if operand.type == Type.BROKEN:
            return operand
        if operator == "!":
            if operand.type == Type.BOOL:
                return Apply(Type.BOOL, Op.OP_NOT, (operand,))
            return self.fault(at, f"`!` is of bools; this is {_a(operand.type)}")
        return negated(operand) or self.fault(at, f"`-` is of numbers; this is {_a(operand.type)}")

    def binary(self, at: int, operator: str, left: Resolved, right: Resolved) -> Resolved:
        if Type.BROKEN in (left.type, right.type):
            return broken()
        if operator in ("==", "!=", "<", "<=", ">", ">="):
            return comparison(operator, left, right) or self.fault(at, _no_overload(operator, left, right))
        return arithmetic(operator, left, right) or self.fault(at, _no_overload(operator, left, right))

    def choice(self, expression: Choice) -> Resolved:
        condition = self.truth(expression.condition, "?")
        then, other = self.value(expression.then), self.value(expression.other)
        if Type.BROKEN in (condition.type, then.type, other.type):
            return broken()
        if then.type != other.type:
            message = f"both answers of `? :` must be of one type; these are {then.type} and {other.type}"
            return self.fault(expression.at, message)
        return Either(then.type, condition, then, other)

    def named(self, expression: Name | Select) -> Resolved:
        path = path_of(expression)
        if path is None:
            assert isinstance(expression, Select)
            return self.select_of_value(expression)
        root, *rest = path
        if root.name not in ROOTS:
            return self.unknown_root(root)
        if not rest:
            return self.fault(root.at, f"`{root.name}` is no value: write `{root.name}.` and a name")
        if root.name == "call":
            return self.call_field(expression, rest)
        if len(rest) > 1:
            return self.fault(rest[1].at, f"`{root.name}.{rest[0].name}` has no parts")
        if root.name == "now":
            return self.time(rest[0])
        return self.declared(root.name, rest[0])

    def select_of_value(self, expression: Select) -> Resolved:
        before = len(self.faults)
        operand = self.value(expression.operand)
        if len(self.faults) > before:
            return broken()
        hint = ""
        if expression.name in FUNCTIONS:
            hint = f": write {expression.name}(...)"
        return self.fault(expression.at, f"{_a(operand.type)} has no parts{hint}")

    def unknown_root(self, name: Name | Select) -> Resolved:
        if name.name in fields.ALL:
            return self.fault(name.at, f"unknown name `{name.name}`; did you mean `call.{name.name}`?")
        if name.name in fields.NOW:
            return self.fault(name.at, f"unknown name `{name.name}`; did you mean `now.{name.name}`?")
        homes = [root for root in DECLARED if name.name in self.environment.names(root)]
        if homes:
            return self.fault(name.at, f"unknown name `{name.name}`; did you mean `{homes[0]}.{name.name}`?")
        message = f"unknown name `{name.name[:80]}`{near(name.name, ROOTS)}"
        return self.fault(name.at, message)

    def declared(self, root: str, name: Name | Select) -> Resolved:
        if f"{root}.{name.name}" in self.environment.broken:
            return broken()
        if root == "counters" and self.environment.in_where:
            return self.fault(name.at, "a counter's `where` cannot read counters: only call fields and lists")
        known = self.environment.names(root)
        if name.name not in known:
            kind = {"counters": "counter", "lists": "list", "thresholds": "threshold"}[root]
            return self.fault(name.at, f"unknown {kind} `{name.name[:80]}`{near(name.name, known)}")
        if root == "counters":
            return Read(Type.INT, Op.OP_COUNTER, self.environment.counters[name.name])
        if root == "thresholds":
            return self.environment.thresholds[name.name]
        return self.fault(name.at, f"a list is no value: write `call.caller in lists.{name.name}`")

    def time(self, name: Name | Select) -> Resolved:
        if name.name not in fields.NOW:
            message = f"unknown name `now.{name.name[:80]}`{near(name.name, fields.NOW, 'now.')}"
            return self.fault(name.at, message)
        return Read(Type.INT, Op.OP_NOW, fields.NOW[name.name])

    def call_field(self, expression: Name | Select, rest: list[Name | Select]) -> Resolved:
        name = rest[0].name
        if name == fields.TAGS:
            field = self.tag(rest)
            return Read(Type.TEXT, Op.OP_FIELD, field) if field is not None else broken()
        if len(rest) > 1:
            hint = f": write {rest[1].name}(call.{name})" if rest[1].name in FUNCTIONS else ""
            return self.fault(rest[1].at, f"`call.{name}` has no parts{hint}")
        if name in fields.NUMBERS:
            return Read(Type.TEXT, Op.OP_FIELD, fields.NUMBERS[name], number=fields.NUMBERS[name])
        if name in fields.RAW:
            return Read(Type.TEXT, Op.OP_RAW, fields.RAW[name])
        if name in fields.TEXTS:
            return Read(Type.TEXT, Op.OP_FIELD, fields.TEXTS[name])
        if name in fields.SCALARS:
            return Read(Type.INT, Op.OP_SCALAR, fields.SCALARS[name])
        if name in fields.FLAGS:
            return Read(Type.BOOL, Op.OP_FLAG, fields.FLAGS[name])
        if name == fields.REDIRECTING:
            return self.fault(
                expression.at, "call.redirecting is a list: write call.redirecting[0] or size(...)"
            )
        return self.fault(rest[0].at, f"unknown field `call.{name[:80]}`{near(name, fields.ALL, 'call.')}")

    def tag(self, rest: list[Name | Select]) -> int | None:
        """The Field of `call.tags.NAME`."""
        if len(rest) != 2:
            self.fault(rest[-1].at, "write call.tags. and the name of one declared tag")
            return None
        name = rest[1].name
        if f"tags.{name}" in self.environment.broken:
            return None
        if name not in self.environment.tags:
            hint = near(name, self.environment.tags) or "; declare it in the policy's `tags`"
            self.fault(rest[1].at, f"unknown tag `{name[:80]}`{hint}")
            return None
        return Field.F_TAG + self.environment.tags.index(name)

    def redirecting(self, expression: Index) -> int | None:
        """The Field of `call.redirecting[i]`."""
        path = path_of(expression.operand)
        if path is None or [part.name for part in path] != ["call", fields.REDIRECTING]:
            if path and path[0].name == "call" and len(path) == 2 and path[1].name == fields.TAGS:
                self.fault(expression.at, "write call.tags.NAME")
            else:
                self.fault(expression.at, "only call.redirecting[0] to [3] can be indexed")
            return None
        index = self.whole(
            expression.index, 0, Limits.MAX_REDIRECTING - 1, "the index (0 is the most recent)"
        )
        return None if index is None else Field.F_REDIRECTING + index

    def whole(self, expression: Expression, low: int, high: int, what: str) -> int | None:
        """A literal whole number within limits."""
        value = self.value(expression)
        if value.type == Type.BROKEN:
            return None
        if isinstance(value, Constant) and value.type == Type.INT and low <= int(value.value) <= high:
            return int(value.value)
        self.fault(leftmost(expression), f"{what} must be a literal from {low} to {high}")
        return None

    def membership(self, expression: Binary) -> Resolved:
        right = expression.right
        if isinstance(right, ListLiteral):
            return self.one_of(expression, right)
        path = path_of(right)
        if path and [part.name for part in path] == ["call", fields.REDIRECTING]:
            message = "write out what is meant: x == call.redirecting[0] || x == call.redirecting[1]"
            return self.fault(expression.at, message)
        if not path or path[0].name != "lists" or len(path) != 2:
            self.value(expression.left)
            return self.fault(leftmost(right), "behind `in` stands lists.NAME or a list of literals [...]")
        name = path[1]
        left = self.value(expression.left)
        if name.name not in self.environment.lists:
            return self.declared("lists", name)
        if left.type == Type.BROKEN:
            return left
        index, kind = self.environment.lists[name.name]
        if not isinstance(left, Read) or left.op != Op.OP_FIELD or not fields.fits(kind, left.a):
            fitting = ", ".join(f"call.{field}" for field in fields.LISTED[kind])
            message = f"lists.{name.name} is of kind {kind}: only {fitting} can be looked up in it"
            return self.fault(leftmost(expression.left), message)
        return Read(Type.BOOL, Op.OP_IN_LIST, left.a, index)

    def one_of(self, expression: Binary, right: ListLiteral) -> Resolved:
        left = self.value(expression.left)
        options: list[tuple[Constant, Op, bool]] = []
        for item in right.items:
            option = self.value(item)
            if Type.BROKEN in (option.type, left.type):
                continue
            if not isinstance(option, Constant):
                self.fault(
                    leftmost(item), "a list behind `in` holds literals only: compare the rest with == and ||"
                )
                continue
            compared = comparison("==", left, option)
            if not isinstance(compared, Apply):
                message = f"this is {_a(option.type)}, and what is looked for {_a(left.type)}"
                self.fault(leftmost(item), message)
                continue
            options.append((option, compared.op, compared.mirrored))
        return OneOf(Type.BOOL, left, tuple(options)) if left.type != Type.BROKEN else broken()

    def call(self, expression: Call) -> Resolved:
        name = expression.function
        if name in LEFT_OUT:
            return self.fault(expression.at, f"`{name}` is left out of a policy's CEL: {LEFT_OUT[name]}")
        table = FUNCTIONS if expression.target is None else METHODS
        if name not in table:
            if name in METHODS:
                return self.fault(
                    expression.at, f"`{name}` is written behind a text: call.domain.{name}(...)"
                )
            if name in FUNCTIONS:
                return self.fault(expression.at, f"`{name}` is written before its arguments: {name}(...)")
            return self.fault(
                expression.at, f"unknown function `{name[:80]}`{near(name, [*FUNCTIONS, *METHODS])}"
            )
        target = () if expression.target is None else (expression.target,)
        return table[name](self, expression, (*target, *expression.args))

    def number_field(self, expression: Expression, function: str) -> int | None:
        """The number field a number function is asked about."""
        value = self.value(expression)
        if value.type == Type.BROKEN:
            return None
        if isinstance(value, Read) and value.number is not None:
            return value.number
        hint = ""
        if isinstance(value, Read) and value.op == Op.OP_RAW:
            hint = ", not the text as signalled"
        message = f"{function}() is of a call's number, such as call.caller{hint}"
        self.fault(leftmost(expression), message)
        return None


def _a(kind: Type) -> str:
    return f"an {kind}" if kind == Type.INT else f"a {kind}"


def _no_overload(operator: str, left: Resolved, right: Resolved) -> str:
    types = (left.type, right.type)
    message = f"there is no `{operator}` of {left.type} and {right.type}"
    if set(types) == {Type.INT, Type.DOUBLE}:
        return f"{message}: write double(...) around the int"
    if types == (Type.TEXT, Type.TEXT) and operator == "+":
        return "texts are joined only when both are literals"
    if set(types) == {Type.TEXT, Type.DURATION}:
        return f'{message}: a duration is written duration("90s")'
    return message
