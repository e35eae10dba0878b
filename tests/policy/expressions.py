"""Random conditions, well typed, and random calls to try them on: all from one seeded generator."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random
from typing import TypeAlias

from interceptor.engine.spec import ListKind
from interceptor.policy.environment import Environment
from interceptor.policy.resolved import Constant, Type
from tests.model.cel import Duration, Value, World

LISTS = {
    "fraud": ListKind.NUMBER,
    "vip": ListKind.NUMBER,
    "ranges": ListKind.PREFIX,
    "hosts": ListKind.DOMAIN,
    "phones": ListKind.DEVICE,
    "cards": ListKind.SUBSCRIBER,
    "ways": ListKind.TRUNK,
    "unwanted": ListKind.PAIR,
    "nets": ListKind.NETWORK,
}
COUNTERS = ("a", "b", "c")
TAGS = ("dealer", "zone")
THRESHOLDS: dict[str, Value] = {
    "n": 60,
    "half": 0.5,
    "on": True,
    "word": "A",
    "wait": Duration(90_000_000_000),
}

ENVIRONMENT = Environment(
    counters={name: index for index, name in enumerate(COUNTERS)},
    lists={name: (index, kind) for index, (name, kind) in enumerate(LISTS.items())},
    thresholds={
        "n": Constant(Type.INT, 60),
        "half": Constant(Type.DOUBLE, 0.5),
        "on": Constant(Type.BOOL, True),
        "word": Constant(Type.TEXT, "A"),
        "wait": Constant(Type.DURATION, 90_000_000_000),
    },
    tags=TAGS,
)

NUMBERS = ("caller", "callee", "from", "asserted", *(f"redirecting[{i}]" for i in range(4)))
RAW = ("caller", "callee", "from", "asserted")
TEXTS = (
    "call_id",
    "trunk",
    "source_ip",
    "domain",
    "imsi",
    "imei",
    "cell",
    "verstat",
    "attestation",
    "switch",
    "tags.dealer",
)
FLAGS = ("international_ingress", "roaming")
INTS = ("sim_age_days", "event_time_ms")

#: normalised number -> (valid, region, type)
PLAN = {
    "+8613800138000": (True, "CN", "mobile"),
    "+861012345678": (True, "CN", "fixed-line"),
    "+12025550123": (True, "US", "fixed-line-or-mobile"),
    "+99": (False, "ZZ", "unknown"),
    "10086": (True, "CN", "short"),
    "110": (True, "CN", "short"),
}
# fmt: off
WORDS = (
    "", "A", "a", "ab", "abc", "é", "日本", "\U0001f4de", 'say "hi"', "it's", "back\\slash", "tab\t", *PLAN,
)
WHOLE = (
    0, 1, -1, 2, 3, 7, 30, 59, 60, 61, -60, 1000, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63),
)
DOUBLES = (
    0.0, 1.0, -1.0, 0.5, 2.5, -0.5, 3.0, 60.0, 1e3, 1e-9, 1e15, 2.0**53, 9.3e18, -9.3e18, 1e300, -1e300,
)
# fmt: on
PERIODS = ("0s", "1s", "90s", "1m30s", "1h30m", "-1h", "250ms", "24h")

#: precedence of an expression's outermost operator, loosest first
CHOICE, OR, AND, RELATION, SUM, PRODUCT, UNARY, MEMBER = range(8)


@dataclass(frozen=True)
class Text:
    """CEL text and the precedence of its outermost operator."""

    text: str
    binds: int = MEMBER

    def at(self, binds: int) -> str:
        """The text, in parentheses where its operator binds less than `binds`."""
        return self.text if self.binds >= binds else f"({self.text})"


Maker: TypeAlias = Callable[[int], Text]


class Expressions:
    """Well-typed conditions over ENVIRONMENT.

    `across` lets ints meet doubles in comparisons and in `in`.
    """

    def __init__(self, random: Random, *, across: bool = True) -> None:
        self.random = random
        self.across = across
        self.leaves: dict[str, list[Maker]] = {
            "bool": [self.bool_literal, self.flag, self.has, self.listed, self.valid, self.threshold("on")],
            "int": [
                self.whole,
                self.whole,
                self.scalar,
                self.counter,
                self.counter,
                self.hops,
                self.now,
                self.threshold("n"),
            ],
            "double": [self.double, self.double, self.threshold("half")],
            "text": [
                *(self.word, self.text_field, self.number, self.raw, self.of_number, self.prefix),
                self.threshold("word"),
            ],
            "duration": [self.period, self.period, self.threshold("wait")],
        }
        self.inner: dict[str, list[Maker]] = {
            "bool": [
                *(self.negation, self.logic, self.logic, self.mixed, self.one_of, self.starts),
                *(self.comparison, self.comparison, self.comparison, self.choice_of("bool")),
            ],
            "int": [
                *(self.arithmetic("int", "+-*/%"), self.minus("int"), self.size, self.choice_of("int")),
                *(self.converted("int", "double"), self.converted("int", "int")),
            ],
            "double": [
                *(
                    self.arithmetic("double", "+-*/"),
                    self.minus("double"),
                    self.ratio,
                    self.choice_of("double"),
                ),
                self.converted("double", "int"),
            ],
            "text": [self.choice_of("text"), self.text_field, self.number, self.word, self.prefix],
            "duration": [self.arithmetic("duration", "+-"), self.period, self.choice_of("duration")],
        }

    def condition(self, depth: int = 4) -> str:
        return self.make("bool", depth).text

    def make(self, kind: str, depth: int) -> Text:
        makers = self.leaves if depth <= 0 or self.random.random() < 0.15 else self.inner
        made = self.random.choice(makers[kind])(depth - 1)
        if self.random.random() < 0.05:
            return Text(f"({made.text})")
        return made

    # ------------------------------------------------------------------ values

    def bool_literal(self, _: int) -> Text:
        return Text(self.random.choice(["true", "false"]))

    def whole(self, _: int) -> Text:
        value = self.random.choice(WHOLE)
        text = hex(value) if self.random.random() < 0.1 else str(value)
        return Text(text, UNARY if value < 0 else MEMBER)

    def double(self, _: int) -> Text:
        value = self.random.choice(DOUBLES)
        return Text(repr(value).replace("e+", "e"), UNARY if value < 0 else MEMBER)

    def word(self, _: int) -> Text:
        value = self.random.choice(WORDS)
        quoted = json.dumps(value, ensure_ascii=False)
        if self.random.random() < 0.3 and "'" not in value:
            quoted = "'" + quoted[1:-1].replace('\\"', '"') + "'"
        return Text(quoted)

    def period(self, _: int) -> Text:
        return Text(f'duration("{self.random.choice(PERIODS)}")')

    def threshold(self, name: str) -> Maker:
        return lambda _: Text(f"thresholds.{name}")

    def flag(self, _: int) -> Text:
        return Text(f"call.{self.random.choice(FLAGS)}")

    def scalar(self, _: int) -> Text:
        return Text(f"call.{self.random.choice(INTS)}")

    def counter(self, _: int) -> Text:
        return Text(f"counters.{self.random.choice(COUNTERS)}")

    def hops(self, _: int) -> Text:
        return Text("size(call.redirecting)")

    def now(self, _: int) -> Text:
        return Text(f"now.{self.random.choice(['hour', 'minute', 'weekday'])}")

    def number(self, _: int) -> Text:
        return Text(f"call.{self.random.choice(NUMBERS)}")

    def raw(self, _: int) -> Text:
        return Text(f"call.{self.random.choice(RAW)}_raw")

    def text_field(self, _: int) -> Text:
        return Text(f"call.{self.random.choice(TEXTS)}")

    def has(self, _: int) -> Text:
        names = [*RAW, *(f"{name}_raw" for name in RAW), *TEXTS, *FLAGS, *INTS, "tags.zone"]
        return Text(f"has(call.{self.random.choice(names)})")

    def listed(self, _: int) -> Text:
        name = self.random.choice(list(LISTS))
        return Text(f"call.{self.random.choice(fitting(name))} in lists.{name}", RELATION)

    def valid(self, _: int) -> Text:
        return Text(f"valid({self.number(0).text})")

    def of_number(self, _: int) -> Text:
        return Text(f"{self.random.choice(['region', 'type'])}({self.number(0).text})")

    def prefix(self, _: int) -> Text:
        return Text(f"prefix({self.number(0).text}, {self.random.randint(1, 12)})")

    # ------------------------------------------------------------------ operators

    def arithmetic(self, kind: str, operators: str) -> Maker:
        def maker(depth: int) -> Text:
            operator = self.random.choice(operators)
            binds = SUM if operator in "+-" else PRODUCT
            left, right = self.make(kind, depth), self.make(kind, depth)
            return Text(f"{left.at(binds)} {operator} {right.at(binds + 1)}", binds)

        return maker

    def minus(self, kind: str) -> Maker:
        return lambda depth: Text(f"-({self.make(kind, depth).text})", UNARY)

    def converted(self, to: str, source: str) -> Maker:
        return lambda depth: Text(f"{to}({self.make(source, depth).text})")

    def ratio(self, depth: int) -> Text:
        return Text(f"ratio({self.make('int', depth).text}, {self.make('int', depth).text})")

    def size(self, depth: int) -> Text:
        text = self.make("text", depth)
        return Text(f"size({text.text})" if self.random.random() < 0.5 else f"{text.at(MEMBER)}.size()")

    def starts(self, depth: int) -> Text:
        name = self.random.choice(["startsWith", "endsWith"])
        return Text(f"{self.make('text', depth).at(MEMBER)}.{name}({self.make('text', depth).text})")

    def negation(self, depth: int) -> Text:
        return Text(f"!{self.make('bool', depth).at(UNARY)}", UNARY)

    def logic(self, depth: int) -> Text:
        operator, binds = self.random.choice([("&&", AND), ("||", OR)])
        sides = [self.make("bool", depth) for _ in range(self.random.randint(2, 3))]
        first, *rest = sides
        return Text(f" {operator} ".join([first.at(binds), *(side.at(binds + 1) for side in rest)]), binds)

    def comparison(self, depth: int) -> Text:
        kind = self.random.choice(["bool", "int", "int", "double", "text", "duration"])
        return self.compared(self.make(kind, depth), self.make(kind, depth))

    def mixed(self, depth: int) -> Text:
        sides = [self.make("int", depth), self.make("double" if self.across else "int", depth)]
        self.random.shuffle(sides)
        return self.compared(*sides)

    def compared(self, left: Text, right: Text) -> Text:
        operator = self.random.choice(["==", "!=", "<", "<=", ">", ">="])
        return Text(f"{left.at(RELATION)} {operator} {right.at(SUM)}", RELATION)

    def one_of(self, depth: int) -> Text:
        kind = self.random.choice(["int", "double", "text", "duration"])
        literals: dict[str, list[Maker]] = {
            "int": [self.whole, self.whole, self.double if self.across else self.whole],
            "double": [self.double, self.double, self.whole if self.across else self.double],
            "text": [self.word, self.threshold("word")],
            "duration": [self.period],
        }
        items = [self.random.choice(literals[kind])(0).text for _ in range(self.random.randint(0, 4))]
        return Text(f"{self.make(kind, depth).at(RELATION)} in [{', '.join(items)}]", RELATION)

    def choice_of(self, kind: str) -> Maker:
        def maker(depth: int) -> Text:
            condition, then, other = self.make("bool", depth), self.make(kind, depth), self.make(kind, depth)
            return Text(f"{condition.at(OR)} ? {then.at(OR)} : {other.text}", CHOICE)

        return maker


def fitting(name: str) -> tuple[str, ...]:
    """The fields that can be looked up in a list."""
    one = {"hosts": "domain", "phones": "imei", "cards": "imsi", "ways": "trunk"}
    one |= {"unwanted": "caller", "nets": "source_ip"}
    return (one[name],) if name in one else NUMBERS


def random_world(random: Random, *, plain: bool) -> World:
    """A call. In a plain one every number that is there can be read."""
    world = World(
        fields={}, valid={}, region={}, type={}, listed={}, counters={}, thresholds=THRESHOLDS,
        redirections=random.randint(0, 4),
    )  # fmt: skip
    fields: dict[str, Value] = {}
    signalled = set()
    for name in NUMBERS:
        redirecting = name.startswith("redirecting")
        there = int(name[12]) < world.redirections if redirecting else random.random() < 0.8
        if not there:
            continue
        signalled.add(name)
        text = random.choice(list(PLAN))
        if not redirecting:
            fields[f"{name}_raw"] = random.choice([text, "sip:" + text, "anonymous"])
            signalled.add(f"{name}_raw")
        status = "readable" if plain else random.choice(["readable", "readable", "withheld", "unparseable"])
        if status == "withheld":
            world.type[name] = "withheld"  # type: ignore[index]
        elif status == "readable":
            fields[name] = text
            world.valid[name], world.region[name], world.type[name] = PLAN[text]  # type: ignore[index]
    for name in (*TEXTS, "tags.zone"):
        if random.random() < 0.7:
            fields[name] = random.choice(WORDS[1:])
    for name in FLAGS:
        if random.random() < 0.7:
            fields[name] = random.random() < 0.5
    for name in INTS:
        if random.random() < 0.7:
            fields[name] = random.choice(WHOLE)
    entries = {name: {random.choice(WORDS) for _ in range(6)} for name in LISTS}
    for name in (*NUMBERS, "domain", "imei", "imsi", "trunk", "source_ip"):
        if name in fields:
            world.listed[name] = frozenset(  # type: ignore[index]
                a for a, texts in entries.items() if name in fitting(a) and fields[name] in texts
            )
    counters = {
        name: random.choice([0, 1, 2, 3, 59, 60, 61, 1000]) for name in COUNTERS if random.random() < 0.8
    }
    return World(
        fields, frozenset(signalled | fields.keys()), world.valid, world.region, world.type, world.listed,
        counters, THRESHOLDS, world.redirections, random_time(random),
    )  # fmt: skip


def random_time(random: Random) -> datetime:
    """A moment somewhere, in whole seconds."""
    zone = timezone(timedelta(minutes=15 * random.randint(-48, 56)))
    return datetime.fromtimestamp(random.randrange(-(10**9), 4 * 10**9), zone)
