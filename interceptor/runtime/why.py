"""Decisions for people: why a call was answered as it was, how to undo that, and what people say of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from interceptor.engine.spec import Rule, Spec
from interceptor.policy import PolicyError, load_policy
from interceptor.runtime.clock import Clock
from interceptor.runtime.desk import Desk
from interceptor.runtime.filed import filed
from interceptor.runtime.loader import Loader
from interceptor.runtime.masking import masked
from interceptor.runtime.outcomes import Outcome, refusal
from interceptor.store.decisions import Remembered
from interceptor.store.store import Store
from interceptor.store.words import Held, NewEntry, StoreRefusedError

#: whose entries those are that let a caller through after a wrong block, and why they are there
APPEALS, APPEAL = "appeals", "appeal"

_LOOKUP = re.compile(r"call\.(\w+(?:\[\d\])?)\s+in\s+lists\.(\w+)")


@dataclass(frozen=True)
class Explained:
    """What a decision rested on."""

    decision_id: str
    time_ms: int
    caller: str  #: masked, unless the service shows numbers
    callee: str
    verdict: str  #: "WARN" or "BLOCK"
    rule: str
    reason: str
    block_class: str  #: "list", "analytics", "invalid", "subscriber" or ""
    sip_code: int
    sip_reason: str
    policy_revision: int
    shadow_rules: Sequence[str]
    condition: str  #: of the rule, as that policy has it
    entries: Sequence[Held]  #: that hold what the call had, now or then, on the lists the rule reads
    words: Sequence[str]  #: all of it in sentences
    undo: Sequence[str]  #: the commands that undo it
    feedback: str  #: "", "confirmed" or "wrong"


@dataclass(frozen=True)
class Noted:
    """Feedback that was noted."""

    released: bool  #: an allow entry was made for the caller
    revision: int = 0  #: of that
    released_until_ms: int = 0


class Decisions:
    """The warned and blocked decisions that are remembered. Any number of threads."""

    def __init__(self, desk: Desk, loader: Loader, clock: Clock, *, show_numbers: bool) -> None:
        self._desk = desk
        self._loader = loader
        self._clock = clock
        self._show = show_numbers

    def explain_decision(self, decision_id: str) -> Explained:
        """Why. Raises StoreRefusedError when it is not remembered."""
        store = self._desk.store
        decision = remembered(store, decision_id)
        rule = self._rule(store, decision)
        entries = self._entries(store, decision, rule)
        said = store.feedback.of(decision.decision_id)
        feedback = "" if said is None else "confirmed" if said.right else "wrong"
        outcome = Outcome(decision.rule)
        if rule is not None:
            outcome = Outcome(rule.id, rule.reason, *refusal(rule))
        elif decision.verdict == "BLOCK":
            outcome = DEFAULT_BLOCK
        blocked = decision.verdict == "BLOCK"
        return Explained(
            decision_id=decision.decision_id,
            time_ms=decision.time_ms,
            caller=self._shown(decision.caller),
            callee=self._shown(decision.callee),
            verdict=decision.verdict,
            rule=decision.rule,
            reason=decision.reason,
            block_class=decision.block_class,
            sip_code=outcome.sip_code if blocked else 0,
            sip_reason=outcome.sip_reason if blocked else "",
            policy_revision=decision.policy_revision,
            shadow_rules=[each for each in decision.shadow_rules.split(",") if each],
            condition=rule.source if rule is not None else "",
            entries=entries,
            words=[*self._words(decision, rule, outcome), *map(sentence, entries), *people(feedback)],
            undo=commands(decision, entries, feedback),
            feedback=feedback,
        )

    def give_feedback(
        self, decision_id: str, *, right: bool, actor: str, comment: str = "", release_ms: int | None = None
    ) -> Noted:
        """Notes whether it was right. A wrong block releases the caller, on the policy's list for appeals.

        A subscriber's own block is his to lift. release_ms: how long; None: as the policy says.
        """
        now = self._clock.now_ms()
        decision = remembered(self._desk.store, decision_id)
        entries = self._entries(self._desk.store, decision, self._rule(self._desk.store, decision))
        appeals = self._desk.spec.appeals
        noted = Noted(False)
        with self._desk.open() as store:
            wrong = not right and decision.verdict == "BLOCK" and decision.block_class != "subscriber"
            if wrong and appeals is not None and decision.caller:
                until = now + (appeals.for_ms if release_ms is None else release_ms)
                entry = NewEntry(decision.caller, APPEAL, f"decision {decision.decision_id}", None, until)
                done = store.lists.add(
                    appeals.list, APPEALS, [entry], actor=actor, comment=comment, now_ms=now
                )
                self._desk.settle(appeals.list, done.touched)
                noted = Noted(True, done.revision, until)
            store.feedback.give(
                decision.decision_id,
                right=right,
                rule=decision.rule,
                sources=[each.source for each in entries],
                actor=actor,
                comment=comment,
                now_ms=now,
            )
        return noted

    def _rule(self, store: Store, decision: Remembered) -> Rule | None:
        """The rule as the policy has it that decided; None for "default", or when that policy is not known any more."""
        loaded = self._loader.current
        if loaded is not None and loaded.revision == decision.policy_revision:
            spec: Spec | None = loaded.spec
        else:
            spec = earlier(store.policies.get(decision.policy_revision).text)
        rules = spec.rules if spec is not None else ()
        return next((rule for rule in rules if rule.id == decision.rule), None)

    def _entries(self, store: Store, decision: Remembered, rule: Rule | None) -> list[Held]:
        """The entries the rule's condition finds, or found then."""
        found: dict[tuple[str, str, str, int], Held] = {}
        now = self._clock.now_ms()
        for field, name in _LOOKUP.findall(rule.source) if rule is not None else ():
            value = getattr(decision, field, "")
            for text in (value, f"{decision.callee}:{decision.caller}") if value else ():
                there = store.lists.show(text, history=True, now_ms=now)
                for held in (*there, *filed(self._loader.current, store.lists, text)):
                    if held.list_name == name and (held.live or held_at(held, decision.time_ms)):
                        found[held.list_name, held.text, held.source, held.revision] = held
        return list(found.values())

    def _words(self, decision: Remembered, rule: Rule | None, outcome: Outcome) -> list[str]:
        done = "blocked" if decision.verdict == "BLOCK" else "let through with a warning"
        sip = f" (SIP {outcome.sip_code}, {outcome.sip_reason})" if outcome.sip_code else ""
        words = [
            f"At {moment(decision.time_ms)} the call from {self._shown(decision.caller) or 'nobody named'} to "
            f"{self._shown(decision.callee) or 'nobody named'} was {done}{sip}."
        ]
        if rule is None:
            return [
                *words,
                f"No rule of policy revision {decision.policy_revision} decided it: `default` did.",
            ]
        reason = f" Its reason: {rule.reason}." if rule.reason else ""
        words.append(
            f"Rule {rule.id} of policy revision {decision.policy_revision} decided it: "
            f"{' '.join(rule.source.split())}.{reason}"
        )
        if not _LOOKUP.search(rule.source):
            words.append("It went by what the call was and what was counted, not by a list.")
        return words

    def _shown(self, number: str) -> str:
        return number if self._show else masked(number)


#: what blocks where no rule does: `default: block`
DEFAULT_BLOCK = Outcome("default", "", 603, 'SIP;cause=603;text="Decline"')


def remembered(store: Store, decision_id: str) -> Remembered:
    """The decision. Raises StoreRefusedError."""
    found = store.decisions.get(decision_id.strip().lower())
    if found is None:
        raise StoreRefusedError(
            f"decision {decision_id[:40]} is not remembered: warned and blocked ones are, a million for up to 30 days; "
            "a decision_id has 16 hexadecimal digits"
        )
    return found


@lru_cache(16)
def earlier(text: str) -> Spec | None:
    """A policy of the past; None for one that this version does not take any more."""
    try:
        return load_policy("policy.yaml", text, Path("/"))
    except PolicyError:
        return None


def held_at(held: Held, time_ms: int) -> bool:
    """Whether an entry counted at a moment."""
    return (
        held.added_ms <= time_ms
        and (held.valid_from_ms or 0) <= time_ms
        and (held.gone_ms is None or held.gone_ms > time_ms)
        and (held.valid_until_ms is None or held.valid_until_ms > time_ms)
    )


def sentence(held: Held) -> str:
    """An entry in words."""
    because = f" because of {held.reason}" if held.reason else ""
    until = f", until {moment(held.valid_until_ms)}" if held.valid_until_ms is not None else ""
    note = f" ({held.note})" if held.note else ""
    is_there = "is" if held.live else "was"
    source = f"source {held.source}, " if held.source else ""
    when = f" at {moment(held.added_ms)} with revision {held.revision}" if held.revision else ""
    words = (
        f"{held.text} {is_there} on the list {held.list_name}{because}: {source}added by {held.added_by}{when}{until}"
        f"{note}."
    )
    if held.gone_revision is not None and held.gone_ms is not None:
        words += f" {held.gone_by} took it off at {moment(held.gone_ms)} with revision {held.gone_revision}."
    return words


def people(feedback: str) -> list[str]:
    """What was said of the decision, in words."""
    if feedback:
        return [f"People say that it was {'right' if feedback == 'confirmed' else 'wrong'}."]
    return ["Nobody has said yet whether it was right."]


def commands(decision: Remembered, entries: Sequence[Held], feedback: str) -> list[str]:
    """What undoes it, the narrowest first."""
    found = []
    if decision.verdict == "BLOCK" and feedback != "wrong":
        found.append(f"interceptor feedback {decision.decision_id} wrong")
    for held in entries:
        if held.live and held.revision:
            found.append(
                f"interceptor lists remove '{held.text}' --list {held.list_name} --source '{held.source}'"
            )
    found += [
        f"interceptor lists undo {revision}"
        for revision in sorted({held.revision for held in entries if held.live and held.revision})
    ]
    return found


def moment(time_ms: int) -> str:
    """``2026-03-01 12:00:05 UTC``."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
