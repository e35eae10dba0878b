"""Clues for the police: what is known of a number, a device, a card or a cell, item by item, as an evidence pack."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from interceptor.engine.engine import Engine
from interceptor.engine.number import parse
from interceptor.engine.types import NumberStatus
from interceptor.runtime.clock import Clock
from interceptor.runtime.desk import Desk
from interceptor.runtime.entities import NUMBER, Entities
from interceptor.runtime.evidence import VERSION, packed
from interceptor.runtime.masking import masked
from interceptor.runtime.why import moment, sentence
from interceptor.store.canonical import PAIRED_BY
from interceptor.store.decisions import MAX_AGE_MS, Remembered
from interceptor.store.words import Action, StoreRefusedError

#: decisions of one pack; a hint of more stands in its head
MOST = 5_000
#: decision ids that one item other than a decision names
NAMED = 20
HOUR = 3_600_000

_DEVICE = re.compile(r"[0-9]{14,16}")
#: cells are written with dashes, which a number may have as well
_NUMBER = re.compile(r"\+[0-9 ().-]+|[0-9]+|(tel|sips?):.+")


class Subject(StrEnum):
    """What a clue is about, by the name of the field that has it."""

    NUMBER = "caller"
    DEVICE = "imei"
    CARD = "imsi"
    CELL = "cell"


@dataclass(frozen=True)
class Clue:
    """A pack and what it is about."""

    subject: Subject
    text: str  #: in its one form
    pack: bytes  #: JSON lines: `evidence`
    hash: str  #: of its seal, which is on the audit trail
    decisions: int


class Clues:
    """Gathers packs. Any number of threads."""

    def __init__(self, engine: Engine, desk: Desk, entities: Entities, clock: Clock) -> None:
        self._engine = engine
        self._entities = entities
        self._desk = desk
        self._clock = clock

    def gather(self, text: str, *, kind: Subject | None, since_ms: int | None, actor: str) -> Clue:
        """All that is known of `text` since then, as a pack. That it was made, and its hash, go on the audit trail.

        Parameters
        ----------
        kind
            None: a device when it has 14 to 16 digits; a number when it begins with "+" or has digits alone; else a
            cell.
        since_ms
            None: as far back as decisions are remembered.

        Raises
        ------
        StoreRefusedError
            It is no number, IMEI, IMSI or cell.
        """
        now = self._clock.now_ms()
        since = max(since_ms or 0, now - MAX_AGE_MS)
        subject, text = self._read(text, kind)
        store = self._desk.store
        decisions = store.decisions.of(subject, text, since, now + 1, MOST)
        head = {
            "kind": "head",
            "version": VERSION,
            "subject": subject.name.lower(),
            "text": text,
            "since": moment(since),
            "until": moment(now),
            "made_by": actor,
            "service": store.identity,
            "policy_revision": self._engine.revision,
            "decisions": len(decisions),
            "all_of_them": len(decisions) < MOST,
            "words": (
                f"What is known of {subject.name.lower()} {text} from {moment(since)} to {moment(now)}: "
                f"{len(decisions)} calls that were warned about or blocked. Calls that passed are not kept."
            ),
        }
        pack, seal = packed([head, *self._items(subject, text, decisions)])
        store.audit.note(
            at_ms=now,
            actor=actor,
            action=Action.CLUE,
            subject=f"{subject.name.lower()} {store.privacy.named(text)}".rstrip(),
            detail={"pack": seal, "decisions": len(decisions)},
        )
        return Clue(subject, text, pack, seal, len(decisions))

    def _read(self, text: str, kind: Subject | None) -> tuple[Subject, str]:
        text = text.strip()
        if kind is None:
            kind = Subject.DEVICE if _DEVICE.fullmatch(text) else Subject.NUMBER
            if kind is Subject.NUMBER and not (_NUMBER.fullmatch(text) and self._number(text)):
                kind = Subject.CELL
        if kind is Subject.NUMBER:
            number = self._number(text)
            if not number:
                raise StoreRefusedError(
                    f"{text[:40]!r} is no telephone number: +8613800138000, or as dialled at home"
                )
            return kind, number
        if kind is Subject.CELL and text:
            return kind, text
        if kind is Subject.DEVICE and _DEVICE.fullmatch(text):
            return kind, text
        if kind is Subject.CARD and text.isdigit() and len(text) <= 15:
            return kind, text
        raise StoreRefusedError(
            f"{text[:40]!r} is no {kind.name.lower()}: an IMEI has 14 to 16 digits, an IMSI up to 15"
        )

    def _number(self, text: str) -> str:
        """In its one form; "" when it is none."""
        found = parse(self._engine.plan, self._engine.home, text.encode())
        read = found.status in (NumberStatus.NUMBER_E164, NumberStatus.NUMBER_SHORT)
        return found.text if read else ""

    def _items(
        self, subject: Subject, text: str, decisions: Sequence[Remembered]
    ) -> Iterator[dict[str, Any]]:
        parties = _Parties(subject, text, decisions)
        yield from _seen(decisions)
        yield from _rules(decisions)
        yield from self._counted(subject, text)
        yield from _shared(subject, decisions, parties)
        yield from self._listed(subject, text, parties)
        yield from self._told(decisions, parties)

    def _counted(self, subject: Subject, text: str) -> Iterator[dict[str, Any]]:
        """What the counters say of it now."""
        kind = NUMBER if subject is Subject.NUMBER else str(subject)
        if kind != NUMBER and kind not in self._engine.entity_kinds():
            return
        for entity in self._entities.show([text], kind):
            for counter in entity.counters:
                yield {
                    "kind": "counter",
                    "name": counter.name,
                    "value": counter.value,
                    "of": entity.kind,
                    "last_counted": moment(entity.seen_ms),
                    "words": counter.meaning,
                    "decision_ids": [],
                }

    def _listed(self, subject: Subject, text: str, parties: "_Parties") -> Iterator[dict[str, Any]]:
        if subject is Subject.CELL:
            return
        for each in self._desk.store.lists.show(text, history=True, now_ms=self._clock.now_ms()):
            held = replace(each, text=parties.pair(each.text)) if PAIRED_BY in each.text else each
            yield {
                "kind": "list entry",
                "list": held.list_name,
                "entry": held.text,
                "source": held.source,
                "reason": held.reason,
                "added": moment(held.added_ms),
                "added_by": held.added_by,
                "revision": held.revision,
                "live": held.live,
                "gone": None if held.gone_ms is None else moment(held.gone_ms),
                "words": sentence(held),
                "decision_ids": [],
            }

    def _told(self, decisions: Sequence[Remembered], parties: "_Parties") -> Iterator[dict[str, Any]]:
        for each in decisions:
            said = self._desk.store.feedback.of(each.decision_id)
            yield {
                "kind": "decision",
                "time": moment(each.time_ms),
                "verdict": each.verdict,
                "rule": each.rule,
                "reason": each.reason,
                "policy_revision": each.policy_revision,
                "caller": parties.caller(each.caller),
                "callee": parties.callee(each.callee),
                "device": each.imei,
                "card": each.imsi,
                "cell": each.cell,
                "trunk": each.trunk,
                "feedback": "" if said is None else "confirmed" if said.right else "wrong",
                "decision_ids": [each.decision_id],
            }


class _Parties:
    """Names the parties of calls: in full the subject and whose calls were blocked, everybody else masked.

    A called party gets a number within the pack, so that one can count them without knowing who they are.
    """

    def __init__(self, subject: Subject, text: str, decisions: Sequence[Remembered]) -> None:
        self._known = {each.caller for each in decisions if each.verdict == "BLOCK"}
        if subject is Subject.NUMBER:
            self._known.add(text)
        self._order: dict[str, int] = {}
        for each in decisions:
            self._order.setdefault(each.callee, len(self._order) + 1)

    def caller(self, number: str) -> str:
        return number if number in self._known else masked(number)

    def pair(self, text: str) -> str:
        """An entry of a subscriber's own list: who he is, and whom he will have or not."""
        return PAIRED_BY.join(map(self.caller, text.split(PAIRED_BY)))

    def callee(self, number: str) -> str:
        return f"called party {self._order[number]} ({masked(number)})"


def _seen(decisions: Sequence[Remembered]) -> Iterator[dict[str, Any]]:
    """When, and how much."""
    if not decisions:
        return
    hours = Counter(each.time_ms // HOUR * HOUR for each in decisions)
    verdicts = Counter(each.verdict for each in decisions)
    called = len({each.callee for each in decisions})
    yield {
        "kind": "seen",
        "first": moment(decisions[0].time_ms),
        "last": moment(decisions[-1].time_ms),
        "blocked": verdicts["BLOCK"],
        "warned": verdicts["WARN"],
        "called_parties": called,
        "by_hour": {moment(hour): n for hour, n in sorted(hours.items())},
        "words": (
            f"{verdicts['BLOCK']} calls were blocked and {verdicts['WARN']} warned about, to {called} called parties."
        ),
        "decision_ids": _ids([decisions[0], *decisions[-1:]]),
    }


def _rules(decisions: Sequence[Remembered]) -> Iterator[dict[str, Any]]:
    for (rule, revision), theirs in _by(decisions, lambda each: (each.rule, each.policy_revision)).items():
        yield {
            "kind": "rule",
            "rule": rule,
            "policy_revision": revision,
            "reason": theirs[0].reason,
            "calls": len(theirs),
            "words": f"Rule {rule} of policy revision {revision} decided {len(theirs)} of the calls.",
            "decision_ids": _ids(theirs),
        }


def _shared(subject: Subject, decisions: Sequence[Remembered], parties: _Parties) -> Iterator[dict[str, Any]]:
    """Devices, cards, cells and callers that the calls have in common."""
    kinds: Mapping[Subject, Callable[[Remembered], str]] = {
        Subject.DEVICE: lambda each: each.imei[:14],
        Subject.CARD: lambda each: each.imsi,
        Subject.CELL: lambda each: each.cell,
        Subject.NUMBER: lambda each: each.caller,
    }
    for kind, value_of in kinds.items():
        if kind is subject:
            continue
        for value, theirs in _by(decisions, value_of).items():
            if not value:
                continue
            shown = parties.caller(value) if kind is Subject.NUMBER else value
            yield {
                "kind": f"associated {kind.name.lower()}",
                "value": shown,
                "calls": len(theirs),
                "first": moment(theirs[0].time_ms),
                "last": moment(theirs[-1].time_ms),
                "words": (
                    f"{len(theirs)} of the calls had {kind.name.lower()} {shown}, the first at "
                    f"{moment(theirs[0].time_ms)}, the last at {moment(theirs[-1].time_ms)}."
                ),
                "decision_ids": _ids(theirs),
            }


def _by(
    decisions: Sequence[Remembered], value_of: Callable[[Remembered], Any]
) -> dict[Any, list[Remembered]]:
    """Decisions by something of theirs, what most have first."""
    found: dict[Any, list[Remembered]] = {}
    for each in decisions:
        found.setdefault(value_of(each), []).append(each)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _ids(decisions: Sequence[Remembered]) -> list[str]:
    return list(dict.fromkeys(each.decision_id for each in decisions))[:NAMED]
