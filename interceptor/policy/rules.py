"""A policy's rules: what each needs besides its condition, and which lists may block somebody."""

from collections.abc import Iterable
from dataclasses import replace

from interceptor.engine.opcodes import Op
from interceptor.engine.spec import AddTo, Code, ListKind, Rule
from interceptor.engine.types import BlockClass, Verdict
from interceptor.policy import fields
from interceptor.policy.cost import condition_cost
from interceptor.policy.declarations import Declarations
from interceptor.policy.errors import near
from interceptor.policy.reading import Place
from interceptor.policy.schema import RuleEntry

VERDICTS = {"pass": Verdict.PASS, "warn": Verdict.WARN, "block": Verdict.BLOCK}
CLASSES = {
    None: BlockClass.CLASS_NONE,
    "list": BlockClass.CLASS_LIST,
    "analytics": BlockClass.CLASS_ANALYTICS,
    "invalid": BlockClass.CLASS_INVALID,
    "subscriber": BlockClass.CLASS_SUBSCRIBER,
}
#: what a blocked call is answered: 603 Decline (RFC 3261), 607 Unwanted (RFC 8197), 608 Rejected (RFC 8688)
SIP_CODES = {"list": 603, "analytics": 608, "invalid": 603, "subscriber": 607}


def read_rules(declared: Declarations) -> tuple[Rule, ...]:
    """The rules of a policy; their cost and `needs_verified` are not known yet (see `finished`)."""
    reading = declared.reading
    rules: list[Rule] = []
    lines: dict[str, int] = {}
    for at, entry in zip(reading.rules, declared.policy.rules, strict=True):
        place = ("rules", at)
        line, _ = reading.source.position(reading.root.find((*place, "id")).start)
        if entry.id in lines:
            reading.problem((*place, "id"), f"rule id `{entry.id}` is taken; first in line {lines[entry.id]}")
        lines.setdefault(entry.id, line)
        rules.append(_rule(declared, place, entry, line))
    # Conditions of rules that have something else wrong are checked all the same.
    for at, node in enumerate(reading.root.section("rules").items):
        when = node.entries.get("when")
        if at not in reading.rules and when is not None and when.is_text():
            declared.condition(("rules", at, "when"), when.text, declared.environment)
    return tuple(rules)


def _rule(declared: Declarations, place: Place, entry: RuleEntry, line: int) -> Rule:
    _check_verdict(declared, place, entry)
    sip_code = 0
    if entry.verdict == "block" and entry.block_class is not None:
        sip_code = entry.sip_code or SIP_CODES[entry.block_class]
    return Rule(
        id=entry.id,
        when=declared.condition((*place, "when"), entry.when, declared.environment),
        verdict=VERDICTS[entry.verdict],
        block_class=CLASSES[entry.block_class],
        shadow=entry.mode == "shadow",
        reason=entry.reason or "",
        sip_code=sip_code,
        sip_reason=entry.sip_reason or "",
        add_to=_add_to(declared, place, entry),
        source=entry.when,
        line=line,
    )


def _check_verdict(declared: Declarations, place: Place, entry: RuleEntry) -> None:
    problem = declared.reading.problem_at_key
    if entry.verdict == "block" and entry.block_class is None:
        problem((*place, "verdict"), "a block needs `class`: list, analytics, invalid or subscriber")
    if entry.verdict == "pass" and entry.block_class is not None:
        problem((*place, "class"), "`class` is of a block or a warning; this rule passes")
    for key, value in (("sip_code", entry.sip_code), ("sip_reason", entry.sip_reason)):
        if value is not None and entry.verdict != "block":
            problem((*place, key), f"`{key}` is what a blocked call is answered; this rule does not block")


def _add_to(declared: Declarations, place: Place, entry: RuleEntry) -> AddTo | None:
    if entry.add_to is None:
        return None
    place = (*place, "add_to")
    name, lists = entry.add_to.list_name, declared.environment.lists
    field = declared.key_field((*place, "key"), entry.add_to.key)
    if f"lists.{name}" in declared.environment.broken:
        return None
    if name not in lists:
        declared.reading.problem((*place, "list"), f"unknown list `{name}`{near(name, lists)}")
        return None
    index, kind = lists[name]
    if kind in (ListKind.PREFIX, ListKind.DOMAIN, ListKind.PAIR, ListKind.NETWORK):
        message = (
            f"lists.{name} is of kind {kind}: a rule can add to number, device, subscriber and trunk lists"
        )
        declared.reading.problem((*place, "list"), message)
    elif field is not None and not fields.fits(kind, field):
        fitting = ", ".join(fields.LISTED[kind])
        message = f"lists.{name} is of kind {kind}: its key can be {fitting}"
        declared.reading.problem((*place, "key"), message)
    return None if field is None else AddTo(index, field, entry.add_to.for_ms, needs_verified=False)


def finished(rules: Iterable[Rule], code: Code) -> tuple[Rule, ...]:
    """The rules with their cost; what feeds a list that blocks needs a verified caller."""
    rules = tuple(rules)
    blocking = blocking_lists(rules, code)
    return tuple(
        replace(
            rule,
            cost=condition_cost(code.instructions, rule.when),
            add_to=rule.add_to and replace(rule.add_to, needs_verified=rule.add_to.list in blocking),
        )
        for rule in rules
    )


def blocking_lists(rules: Iterable[Rule], code: Code) -> frozenset[int]:
    """The lists that an enforced block rule reads."""
    read: set[int] = set()
    for rule in rules:
        if rule.verdict == Verdict.BLOCK and not rule.shadow:
            rows = code.instructions[rule.when.start : rule.when.end]
            read.update(int(index) for index in rows["b"][rows["op"] == Op.OP_IN_LIST])
    return frozenset(read)
