"""What a policy declares and its rules use: keys, kinds of entity, trunks, and the names a condition may say."""

from collections.abc import Container, Iterator
from typing import Any

from interceptor.engine.spec import Clock, Counter, KeyPart, ListKind, Span, Trunk, part_name
from interceptor.policy import fields
from interceptor.policy.compiler import Compiler
from interceptor.policy.conditions import compile_into, located
from interceptor.policy.environment import Environment
from interceptor.policy.errors import near
from interceptor.policy.reading import Place, Reading
from interceptor.policy.resolved import Constant, Type
from interceptor.policy.schema import DEFAULT_BUDGET, Duration, Policy
from interceptor.policy.zones import clock_of, zone_names

_TYPES = {bool: Type.BOOL, int: Type.INT, float: Type.DOUBLE, str: Type.TEXT}


class Declarations:
    """Resolves what a policy declares; whatever is wrong goes to `reading`'s problems, at its place."""

    def __init__(self, reading: Reading, policy: Policy, compiler: Compiler) -> None:
        self.reading = reading
        self.policy = policy
        self.compiler = compiler
        self.environment = _environment(reading, policy)
        self.unresolved = False  #: some key names no field

    def condition(self, place: Place, text: str, environment: Environment) -> Span:
        """The condition's bytecode; an empty span when it has faults."""
        span, faults = compile_into(self.compiler, text, environment)
        self.reading.problems += located(self.reading.source, self.reading.root.find(place), faults)
        return span or Span(0, 0)

    def key_part(self, place: Place, text: str) -> KeyPart | None:
        try:
            return fields.key_part(text, self.policy.tags)
        except fields.FieldError as error:
            self._wrong_field(place, error)
            return None

    def key_field(self, place: Place, text: str) -> int | None:
        """The Field that `distinct` or `key` names; None when it names none."""
        try:
            return fields.key_field(text, self.policy.tags)
        except fields.FieldError as error:
            self._wrong_field(place, error)
            return None

    def _wrong_field(self, place: Place, error: fields.FieldError) -> None:
        self.unresolved = True
        if not (error.name.startswith("tags.") and "tags" in self.environment.broken):
            hint = near(error.name, fields.KEYS) if error.message.startswith("unknown") else ""
            self.reading.problem(place, error.message + hint)

    def entities(self, counters: tuple[Counter, ...]) -> dict[str, int]:
        """The budget of every kind of entity that a counter is kept for, and of places if the policy gives one."""
        budgets = dict.fromkeys((counter.entity for counter in counters), DEFAULT_BUDGET)
        places = {part_name(counter.place) for counter in counters if counter.place is not None}
        for name, budget in self.policy.entities.items():
            place = ("entities", name)
            try:
                kind = "+".join(part_name(part) for part in self._parts_of(name))
            except fields.FieldError as error:
                self.reading.problem_at_key(place, error.message)
                continue
            if kind in budgets or kind in places:
                budgets[kind] = budget
            elif not self.unresolved and not any(n.startswith("counters.") for n in self.environment.broken):
                known = ", ".join(f"`{kind}`" for kind in budgets) or "none at all"
                self.reading.problem_at_key(
                    place, f"no counter is kept for `{name[:80]}`; there are: {known}"
                )
        return budgets

    def _parts_of(self, name: str) -> Iterator[KeyPart]:
        for part in name.split("+"):
            yield fields.key_part(part, self.policy.tags)

    def trunks(self) -> dict[str, Trunk]:
        """Trunks by name, "default" among them; one without a region has the default's."""
        entries = self.policy.trunks
        home = entries["default"].region if "default" in entries else None
        trunks = {"default": Trunk(home or "")}
        for name, entry in entries.items():
            trunks[name] = Trunk(
                entry.region or home or "",
                entry.trusted,
                entry.own_subscribers,
                self._clock(name, entry.zone),
            )
        return trunks

    def _clock(self, trunk: str, zone: str | None) -> Clock | None:
        if zone is None:
            return None
        if zone not in zone_names():
            message = f"there is no time zone `{zone[:80]}`{near(zone, zone_names())}"
            self.reading.problem(("trunks", trunk, "zone"), message)
            return None
        return clock_of(zone)


def _environment(reading: Reading, policy: Policy) -> Environment:
    declared: dict[str, Container[str]] = {
        "counters": policy.counters,
        "lists": policy.lists,
        "thresholds": policy.thresholds,
    }
    broken = {
        f"{section}.{name}"
        for section, good in declared.items()
        for name in reading.root.section(section).entries
        if name not in good
    }
    tags = reading.root.entries.get("tags")
    if tags is not None and not policy.tags:
        broken |= {"tags", *(f"tags.{item.text}" for item in tags.items)}
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
    return Constant(_TYPES[type(value)], value)
