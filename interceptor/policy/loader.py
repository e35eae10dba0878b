"""`load_policy`: a policy file -> the engine's Spec. What follows from several entries together is checked here."""

import difflib
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from interceptor.engine.opcodes import Op
from interceptor.engine.spec import (
    AddTo,
    Code,
    Counter,
    KeyPart,
    ListKind,
    ListSpec,
    Rule,
    Span,
    Spec,
    Trunk,
    part_name,
)
from interceptor.engine.types import BlockClass, Limits, Verdict
from interceptor.policy import fields
from interceptor.policy.compiler import Compiler
from interceptor.policy.conditions import compile_into, located
from interceptor.policy.cost import MAX_COST, condition_cost, policy_cost
from interceptor.policy.environment import Environment
from interceptor.policy.errors import PolicyError
from interceptor.policy.resolved import Constant, Type
from interceptor.policy.schema import (
    DEFAULT_BUDGET,
    Duration,
    Policy,
    Reading,
    RuleEntry,
    read_policy,
    read_source,
)

VERDICTS = {"pass": Verdict.PASS, "warn": Verdict.WARN, "block": Verdict.BLOCK}
CLASSES = {
    None: BlockClass.CLASS_NONE,
    "list": BlockClass.CLASS_LIST,
    "analytics": BlockClass.CLASS_ANALYTICS,
    "invalid": BlockClass.CLASS_INVALID,
    "subscriber": BlockClass.CLASS_SUBSCRIBER,
}
#: RFC 5079/8197/8688 and RFC 3261: declined by list or as no number, unwanted by analytics, by the subscriber
SIP_CODES = {"list": 603, "analytics": 608, "invalid": 603, "subscriber": 607}

#: rules of a policy: a rule's index is 16 bits wide and the last ones are taken
MAX_RULES = 65_000

_SECTIONS = {"lists": Limits.MAX_LISTS, "counters": Limits.MAX_COUNTERS}


def load_policy(path: Path | str, text: str | None = None) -> Spec:
    """Loads a policy file, or `text` in its place.

    Parameters
    ----------
    path
        The policy file; list files are looked up relative to it.
    text
        Its content, when it was read already; `path` then only names it.

    Raises
    ------
    PolicyError
        With every problem found.
    """
    source = read_source(path, text)
    reading = read_policy(source)
    if reading.policy is None:
        raise PolicyError(reading.problems)
    spec = _Loader(reading, reading.policy).spec()
    if reading.problems:
        raise PolicyError(reading.problems)
    return spec


class _Loader:
    def __init__(self, reading: Reading, policy: Policy) -> None:
        self.reading = reading
        self.policy = policy
        self.compiler = Compiler()
        self.environment = _environment(reading, policy)

    def spec(self) -> Spec:
        counters = self.counters()
        rules = self.rules()
        code = self.compiler.code()
        rules = tuple(self.finished(rule, code, rules) for rule in rules)
        self.limits()
        spec = Spec(
            code=code,
            rules=rules,
            counters=counters,
            lists=tuple(
                ListSpec(name, ListKind(entry.kind), self.list_file(entry.file), entry.allow_bad)
                for name, entry in self.policy.lists.items()
            ),
            trunks=self.trunks(),
            tags=self.policy.tags,
            default=VERDICTS[self.policy.default],
            entities=self.entities(counters),
            emergency=dict(self.policy.emergency.add),
            emergency_grace_ms=self.policy.emergency.grace,
            source=self.reading.source.file,
            digest=hashlib.sha256(self.reading.source.text.encode()).hexdigest(),
        )
        cost = policy_cost(spec)
        if cost > MAX_COST:
            message = (
                f"deciding a call can take {cost} instructions, at most {MAX_COST} are allowed: use lists"
            )
            self.reading.problem_at_key(("rules",), message)
        return spec

    def condition(self, path: tuple[str | int, ...], text: str, environment: Environment) -> Span:
        span, faults = compile_into(self.compiler, text, environment)
        node = self.reading.root.find(path)
        self.reading.problems += located(self.reading.source, node, faults)
        return span or Span(0, 0)

    # ------------------------------------------------------------------ counters

    def counters(self) -> tuple[Counter, ...]:
        counters = []
        for name, entry in self.policy.counters.items():
            path = ("counters", name)
            if (entry.count is None) == (entry.distinct is None):
                self.reading.problem_at_key(path, "a counter has either `count: call` or `distinct: FIELD`")
            parts = tuple(self.key_part((*path, "per"), at, part) for at, part in enumerate(entry.per))
            element = None
            if entry.distinct is not None:
                element = self.key_field((*path, "distinct"), entry.distinct)
            if len(set(parts)) < len(parts):
                self.reading.problem((*path, "per"), "a pair is of two different fields")
            if element is not None and element in (part.field for part in parts if not part.prefix):
                message = f"`distinct: {entry.distinct}` per itself is always 1"
                self.reading.problem((*path, "distinct"), message)
            where = None
            if entry.where is not None:
                environment = Environment(**{**vars(self.environment), "in_where": True})
                where = self.condition((*path, "where"), entry.where, environment)
            measure = "count" if entry.distinct is None else "distinct"
            counters.append(Counter(name, measure, parts, entry.window, element, where))
        self.orphaned_where()
        return tuple(counters)

    def orphaned_where(self) -> None:
        """Conditions of counters that have something else wrong are checked all the same."""
        section = self.reading.root.find(("counters",))
        for name, node in section.entries.items():
            where = node.entries.get("where")
            if name not in self.policy.counters and where is not None and isinstance(where.value, str | bool):
                environment = Environment(**{**vars(self.environment), "in_where": True})
                if where.text.strip():
                    self.condition(("counters", name, "where"), where.text, environment)

    def key_part(self, path: tuple[str | int, ...], at: int, text: str) -> KeyPart:
        try:
            return fields.key_part(text, self.policy.tags)
        except fields.FieldError as error:
            self.unknown_field((*path, at), error)
            return KeyPart(0)

    def key_field(self, path: tuple[str | int, ...], text: str) -> int | None:
        try:
            return fields.key_field(text, self.policy.tags)
        except fields.FieldError as error:
            self.unknown_field(path, error)
            return None

    def unknown_field(self, path: tuple[str | int, ...], error: fields.FieldError) -> None:
        if error.name.startswith("tags.") and "tags" in self.environment.broken:
            return
        known = [name for name in fields.ALL if name not in fields.RAW]
        near = difflib.get_close_matches(error.name, known, 1) if error.message.startswith("unknown") else []
        self.reading.problem(path, error.message + (f"; did you mean `{near[0]}`?" if near else ""))

    # ------------------------------------------------------------------ rules

    def rules(self) -> tuple[Rule, ...]:
        rules = []
        seen: dict[str, int] = {}
        for at, entry in zip(self.reading.rules, self.policy.rules, strict=True):
            path = ("rules", at)
            line, _ = self.reading.source.position(self.reading.root.find((*path, "id")).start)
            if entry.id in seen:
                self.reading.problem(
                    (*path, "id"), f"rule id `{entry.id}` is taken; first in line {seen[entry.id]}"
                )
            seen.setdefault(entry.id, line)
            self.of_verdict(path, entry)
            when = self.condition((*path, "when"), entry.when, self.environment)
            rules.append(
                Rule(
                    id=entry.id,
                    when=when,
                    verdict=VERDICTS[entry.verdict],
                    block_class=CLASSES[entry.block_class],
                    shadow=entry.mode == "shadow",
                    reason=entry.reason or "",
                    sip_code=self.sip_code(entry),
                    sip_reason=entry.sip_reason or "",
                    add_to=self.add_to(path, entry),
                    source=entry.when,
                    line=line,
                )
            )
        self.orphaned_when()
        return tuple(rules)

    def orphaned_when(self) -> None:
        """Conditions of rules that have something else wrong are checked all the same."""
        for at, node in enumerate(self.reading.root.find(("rules",)).items):
            when = node.entries.get("when")
            if (
                at not in self.reading.rules
                and when is not None
                and isinstance(when.value, str)
                and when.text.strip()
            ):
                self.condition(("rules", at, "when"), when.text, self.environment)

    def of_verdict(self, path: tuple[str | int, ...], entry: RuleEntry) -> None:
        if entry.verdict == "block" and entry.block_class is None:
            self.reading.problem_at_key(
                (*path, "verdict"), "a block needs `class`: list, analytics, invalid or subscriber"
            )
        if entry.verdict == "pass" and entry.block_class is not None:
            self.reading.problem_at_key(
                (*path, "class"), "`class` is of a block or a warning; this rule passes"
            )
        for key, value in (("sip_code", entry.sip_code), ("sip_reason", entry.sip_reason)):
            if value is not None and entry.verdict != "block":
                self.reading.problem_at_key(
                    (*path, key), f"`{key}` is what a block answers; this rule does not block"
                )

    def sip_code(self, entry: RuleEntry) -> int:
        if entry.verdict != "block" or entry.block_class is None:
            return 0
        return entry.sip_code or SIP_CODES[entry.block_class]

    def add_to(self, path: tuple[str | int, ...], entry: RuleEntry) -> AddTo | None:
        if entry.add_to is None:
            return None
        name = entry.add_to.list_name
        field = self.key_field((*path, "add_to", "key"), entry.add_to.key)
        if f"lists.{name}" in self.environment.broken or field is None:
            return None
        if name not in self.environment.lists:
            near = difflib.get_close_matches(name, self.environment.lists, 1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            self.reading.problem((*path, "add_to", "list"), f"unknown list `{name}`{hint}")
            return None
        index, kind = self.environment.lists[name]
        if kind in (ListKind.PREFIX, ListKind.DOMAIN):
            message = f"lists.{name} is of kind {kind}: a rule can add to number, device, subscriber and trunk lists"
            self.reading.problem((*path, "add_to", "list"), message)
            return None
        if not fields.fits(kind, field):
            fitting = ", ".join(fields.LISTED[kind])
            message = f"lists.{name} is of kind {kind}: the key must be one of {fitting}"
            self.reading.problem((*path, "add_to", "key"), message)
            return None
        return AddTo(index, field, entry.add_to.for_ms, False)

    def finished(self, rule: Rule, code: Code, rules: Iterable[Rule]) -> Rule:
        """The rule with its cost, and whether what it adds to a list could block somebody."""
        if rule.when.end == rule.when.start:
            return rule
        changes: dict[str, Any] = {"cost": condition_cost(code.instructions, rule.when)}
        if rule.add_to is not None and rule.add_to.list in self.blocking_lists(code, rules):
            changes["add_to"] = AddTo(rule.add_to.list, rule.add_to.field, rule.add_to.for_ms, True)
        return Rule(**{**vars(rule), **changes})

    def blocking_lists(self, code: Code, rules: Iterable[Rule]) -> frozenset[int]:
        """The lists that some enforced block rule reads."""
        read: set[int] = set()
        for rule in rules:
            if rule.verdict == Verdict.BLOCK and not rule.shadow:
                rows = code.instructions[rule.when.start : rule.when.end]
                read.update(int(index) for index in rows["b"][rows["op"] == Op.OP_IN_LIST])
        return frozenset(read)

    # ------------------------------------------------------------------ the rest

    def trunks(self) -> dict[str, Trunk]:
        """Trunks by name, "default" among them; one without a region has the default's."""
        entries = self.policy.trunks
        home = entries["default"].region if "default" in entries else None
        trunks = {"default": Trunk(home or "")}
        for name, entry in entries.items():
            trunks[name] = Trunk(entry.region or home or "", entry.trusted, entry.own_subscribers)
        return trunks

    def list_file(self, file: str | None) -> str | None:
        return None if file is None else str(Path(self.reading.source.file).parent.absolute() / file)

    def entities(self, counters: tuple[Counter, ...]) -> dict[str, int]:
        """The budget of every kind of entity that a counter is per."""
        budgets = dict.fromkeys((counter.entity for counter in counters), DEFAULT_BUDGET)
        for name, budget in self.policy.entities.items():
            try:
                kind = "+".join(part_name(fields.key_part(part, self.policy.tags)) for part in _parts(name))
            except fields.FieldError as error:
                self.reading.problem_at_key(("entities", name), error.message)
                continue
            if kind in budgets:
                budgets[kind] = budget
            elif not any(name.startswith("counters.") for name in self.environment.broken):
                known = ", ".join(f"`{kind}`" for kind in budgets) or "none at all"
                self.reading.problem_at_key(
                    ("entities", name), f"no counter is per `{name[:80]}`; there are: {known}"
                )
        return budgets

    def limits(self) -> None:
        policy, problem = self.policy, self.reading.problem_at_key
        if len(set(policy.tags)) < len(policy.tags):
            problem(("tags",), "a tag is declared twice")
        if len(policy.tags) > Limits.MAX_TAGS:
            problem(("tags",), f"{len(policy.tags)} tags; at most {int(Limits.MAX_TAGS)} can be declared")
        for section, most in _SECTIONS.items():
            count = len(getattr(policy, section))
            if count > most:
                problem((section,), f"{count} {section}; at most {int(most)} are allowed")
        shadow = sum(rule.mode == "shadow" for rule in policy.rules)
        if shadow > Limits.MAX_SHADOW:
            problem(("rules",), f"{shadow} shadow rules; at most {int(Limits.MAX_SHADOW)} are allowed")
        if len(policy.rules) > MAX_RULES:
            problem(("rules",), f"{len(policy.rules)} rules; at most {MAX_RULES} are allowed")


def _parts(name: str) -> list[str]:
    return name.strip().removeprefix("[").removesuffix("]").split("+")


def _environment(reading: Reading, policy: Policy) -> Environment:
    broken: set[str] = set()
    for section, known in (
        ("counters", policy.counters),
        ("lists", policy.lists),
        ("thresholds", policy.thresholds),
    ):
        broken.update(
            f"{section}.{name}" for name in reading.root.find((section,)).entries if name not in known
        )
    tags = reading.root.entries.get("tags")
    if tags is not None and not policy.tags:
        broken.add("tags")
        broken.update(f"tags.{item.text}" for item in tags.items)
    return Environment(
        counters={name: index for index, name in enumerate(policy.counters)},
        lists={
            name: (index, ListKind(entry.kind)) for index, (name, entry) in enumerate(policy.lists.items())
        },
        thresholds={name: _constant(value) for name, value in policy.thresholds.items()},
        tags=policy.tags,
        broken=frozenset(broken),
    )


def _constant(value: Any) -> Constant:
    if isinstance(value, Duration):
        return Constant(Type.DURATION, value.nanoseconds)
    types = {bool: Type.BOOL, int: Type.INT, float: Type.DOUBLE, str: Type.TEXT}
    return Constant(types[type(value)], value)
