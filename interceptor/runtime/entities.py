"""What the counters say of one caller, handset, cell or trunk now, in words; and their end."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from interceptor.engine.answers import CallError
from interceptor.engine.engine import Engine
from interceptor.engine.entity import NUMBERS
from interceptor.engine.spec import Counter, KeyPart, field_name
from interceptor.engine.types import Field, Happening
from interceptor.runtime.clock import Clock
from interceptor.runtime.desk import Desk
from interceptor.store.words import Action, StoreRefusedError

Found = TypeVar("Found")

#: said in place of a kind: whatever is keyed by a telephone number
NUMBER = "number"

_NUMBER = re.compile(r"\+?[0-9 ().-]+|(tel|sips?):.+")
_DEVICE = re.compile(r"[0-9]{14,16}")
_CARD = re.compile(r"[0-9]{6,15}")
_HAPPENING = {
    Happening.H_CALL: "calls",
    Happening.H_ANSWERED: "calls that were answered",
    Happening.H_ENDED: "calls that ended",
    Happening.H_ACTIVATED: "activations of a card",
    Happening.H_REACTIVATED: "reactivations of a card",
    Happening.H_ATTACHED: "attachments of a card to a handset",
    Happening.H_SMS: "SMS received",
}
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))


@dataclass(frozen=True)
class CounterSaid:
    """A counter of an entity, now."""

    name: str
    value: int
    meaning: str  #: in words
    window_ms: int


@dataclass(frozen=True)
class EntitySaid:
    """What is known of an entity under one kind."""

    kind: str
    seen_ms: int  #: when it was last counted, to a second at least
    counters: tuple[CounterSaid, ...]


class Entities:
    """Looks entities up. Any number of threads."""

    def __init__(self, engine: Engine, desk: Desk, clock: Clock) -> None:
        self._engine = engine
        self._desk = desk
        self._clock = clock

    def show(self, texts: Sequence[str], kind: str = "") -> list[EntitySaid]:
        """What is known of an entity: of that kind, or of every kind that such a key can be.

        A number is also looked up among callees and in pools of numbers. Raises StoreRefusedError for a kind that the
        policy has no counters of, CallError for a key that cannot be.
        """
        now, found = self._clock.now_ms(), []
        for each in self._kinds(texts, kind, pools=True):
            for known in self._tried(partial(self._engine.entity, each, texts, now), kind) or ():
                counters = tuple(
                    CounterSaid(
                        counter.counter.name, counter.value, words(counter.counter), counter.counter.window_ms
                    )
                    for counter in known.counters
                )
                found.append(EntitySaid(each, known.seen_ms, counters))
        return found

    def reset(self, texts: Sequence[str], kind: str = "", *, actor: str, comment: str = "") -> list[str]:
        """Ends an entity's counters, on the audit trail; the kinds under which it was known.

        Pools of numbers, such as prefix(caller,7), only where `kind` says so. Raises what `show` does, StoreError.
        """
        kinds = self._kinds(texts, kind, pools=False)
        if not kinds:
            raise StoreRefusedError(f"the policy has no counters of anything that {' '.join(texts)} can be")
        self._desk.store.audit.note(
            at_ms=self._clock.now_ms(),
            actor=actor,
            action=Action.RESET,
            subject=" ".join(("entity", *map(self._desk.store.privacy.named, texts))),
            detail={"kinds": kinds, "comment": comment},
        )
        return [each for each in kinds if self._tried(partial(self._engine.reset_entity, each, texts), kind)]

    def _kinds(self, texts: Sequence[str], kind: str, *, pools: bool) -> list[str]:
        known = self._engine.entity_kinds()
        if kind in known:
            if len(known[kind]) != len(texts):
                raise StoreRefusedError(f"{kind} has a key of {len(known[kind])} parts, not {len(texts)}")
            return [kind]
        if kind not in {"", NUMBER}:
            raise StoreRefusedError(
                f"{kind}: the policy has no such counters; it has {', '.join(sorted(known))}"
            )
        return [
            name
            for name, parts in known.items()
            if len(parts) == len(texts)
            and all(_plausible(part, text) for part, text in zip(parts, texts, strict=True))
            and (pools or not any(part.prefix for part in parts))
            and (kind != NUMBER or all(part.field in NUMBERS for part in parts))
        ]

    @staticmethod
    def _tried(look: Callable[[], Found], kind: str) -> Found | None:
        try:
            return look()
        except CallError:
            if kind:
                raise
            return None  # it was a guess


def words(counter: Counter) -> str:
    """What a counter counts, for people: ``different callees of its calls within 1h``."""
    told = _HAPPENING[Happening(counter.happening)]
    if counter.answered is False:
        told = "calls that ended unanswered"
    if counter.under_ms is not None:
        told = f"answered calls shorter than {_span(counter.under_ms)}"
    if counter.measure == "distinct" and counter.element is not None:
        told = f"different {field_name(counter.element)} values of its {told}"
    elif counter.measure == "sum":
        told = f"seconds talked in {told}"
    elif counter.measure == "max":
        told = f"seconds of the longest of its {told}"
    elif counter.measure == "active":
        told = "calls in progress"
    elif counter.measure == "paired":
        told = "calls that began and ended with one of another subscriber in the same place"
    elif counter.measure == "partner":
        told = "the most calls that began and ended with those of one other subscriber in the same place"
    elif counter.measure == "first_seen":
        told = f"seconds since the first of its {told}"
    elif counter.measure == "last_seen":
        told = f"seconds since the last but one of its {told}"
    if counter.of:
        told += f", counted for {' and '.join(field_name(part.field) for part in counter.per)}"
    if counter.where is not None:
        told += ", those that its `where` lets count"
    return f"{told}, within {_span(counter.window_ms)}"


def _plausible(part: KeyPart, text: str) -> bool:
    if part.field in NUMBERS:
        return _NUMBER.fullmatch(text) is not None
    if part.field == Field.F_IMEI:
        return _DEVICE.fullmatch(text) is not None
    return part.field != Field.F_IMSI or _CARD.fullmatch(text) is not None


def _span(ms: int) -> str:
    return next((f"{ms // size}{unit}" for unit, size in _UNITS if ms % size == 0), f"{ms}ms")
