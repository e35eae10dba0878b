"""Recent calls, and what another policy or other lists would have said to them, as obvious Python."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from interceptor.engine.types import Verdict
from tests.model.call import Call
from tests.model.decision import Decision, Engine, event_of, key_of, meaning
from tests.model.policy import ListModel, OnList, PolicyModel, world_of

#: list -> (what is put on it, what is taken off before)
Changes = Mapping[str, tuple[ListModel, ListModel]]
#: verdict and the rule's id
Answer = tuple[Verdict, str]


@dataclass(frozen=True)
class Recalled:
    """A call with all that another policy needs to decide it again."""

    sent: Mapping[str, Any]  #: its tags: those the policy in force read
    now: int
    values: Mapping[Hashable, int | None]  #: by meaning of the counter; None: its key was not there
    graced: bool
    counted: bool  #: it was no emergency call


class RecallingEngine(Engine):
    """Decides calls and remembers them, but for repeated ones: they are the same call again."""

    def __init__(self, home: str = "CN") -> None:
        super().__init__(home)
        self.recalled: list[Recalled] = []
        self.fed: set[str] = set()  #: lists that a rule of some policy adds to

    def publish(self, policy: PolicyModel) -> None:
        super().publish(policy)
        self.fed |= {rule.add_to.list_name for rule in policy.document.rules if rule.add_to is not None}
        self.fed &= set(policy.lists)

    def decide(self, sent: Mapping[str, Any], now: int) -> Decision:
        decision = super().decide(sent, now)
        if not decision.repeated:
            self.recalled.append(self.recall(sent, now))
        return decision

    def recall(self, sent: Mapping[str, Any], now: int) -> Recalled:
        call = self.resolve(sent)
        tags = {
            name: text for name, text in sent.get("tags", {}).items() if name in self.policy.document.tags
        }
        counted = not call.emergency
        found = self.seen if counted else {}
        values = {meaning(c, self.policy): found.get(name) for name, c in self.counters.items() if counted}
        return Recalled({**sent, "tags": tags}, now, values, counted and self.in_grace(call, now), counted)

    # --- judging

    def answer(
        self,
        recalled: Recalled,
        policy: PolicyModel,
        changes: Changes | None = None,
        values: Mapping[str, int] | None = None,
    ) -> Answer:
        """What a policy says to a call it is shown now, with the running lists of its names and kinds, changed."""
        other = Engine(self.home)
        other.publish(policy)
        call = other.resolve(recalled.sent)
        if call.emergency:
            return Verdict.PASS, "emergency"
        if values is None:
            known = {name: recalled.values.get(meaning(c, policy)) for name, c in other.counters.items()}
            values = {name: value for name, value in known.items() if value is not None}
        graced = recalled.graced and policy.document.emergency.grace > 0
        outcomes = other.try_rules(
            call, self.running(recalled.now, call, policy, changes or {}), values, graced, recalled.now
        )
        decision = other.verdict_of(outcomes)
        return decision.verdict, decision.rule

    def running(self, now: int, call: Call, policy: PolicyModel, changes: Changes) -> OnList:
        """(field, list of `policy`) -> whether it is there."""

        def on_list(name: str, listed: str) -> bool:
            kind = policy.lists[listed].kind
            here = self.policy.lists.get(listed)
            runs = here is not None and here.kind == kind
            entries = here if here is not None and runs else ListModel(kind)
            added, removed = changes.get(listed, (ListModel(kind), ListModel(kind)))
            changed = ListModel(
                kind,
                (entries.things - removed.things) | added.things,
                (entries.prefixes - removed.prefixes) | added.prefixes,
                (entries.networks - removed.networks) | added.networks,
            )
            by_rule = (
                runs and listed in self.fed and self.added.get((listed, call.identities[name]), now) > now
            )
            return changed.holds(call, name) or by_rule

        return on_list

    def judged(
        self, candidate: PolicyModel | None, changes: Changes | None = None
    ) -> list[tuple[Answer, Answer]]:
        """Of each recalled call, what the live policy says to it now and what the candidate would."""
        return [
            (self.answer(one, self.policy), self.answer(one, candidate or self.policy, changes))
            for one in self.recalled
        ]

    def unknown_counters(self, candidate: PolicyModel | None) -> tuple[str, ...]:
        """The candidate's counters that some counted call was not counted by."""
        policy = candidate or self.policy
        return tuple(
            name
            for name, counter in policy.document.counters.items()
            if any(one.counted and meaning(counter, policy) not in one.values for one in self.recalled)
        )


class Trial:
    """A whole policy in shadow beside an engine: it sees each call right after that has decided it."""

    def __init__(self, live: RecallingEngine, policy: PolicyModel) -> None:
        self.live, self.policy = live, policy
        self.own = Engine(live.home)
        self.own.publish(policy)
        self.kinds: dict[tuple[Answer, Answer], int] = {}
        self.calls = 0

    def look(self, decision: Decision) -> None:
        """The live engine has just decided a call, so."""
        if decision.repeated:
            return
        recalled = self.live.recalled[-1]
        would = self.answer(recalled)
        self.calls += 1
        if would[0] != decision.verdict:
            kind = ((decision.verdict, decision.rule), would)
            self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def answer(self, recalled: Recalled) -> Answer:
        call = self.own.resolve(recalled.sent)
        if call.emergency:
            return Verdict.PASS, "emergency"
        on_list = self.live.running(recalled.now, call, self.policy, {})
        values: dict[str, int] = {}
        given = {meaning(c, self.live.policy) for c in self.live.counters.values()}
        for name, counter in self.own.counters.items():
            means = meaning(counter, self.policy)
            if means in given:
                value = recalled.values.get(means)
                if value is not None:
                    values[name] = value
            elif (
                event_of(counter) == "call" and not counter.active
            ):  # the rest is fed by reports: it reads none
                value = self.counted(name, call, recalled.now, on_list)
                if value is not None:
                    values[name] = value
        return self.live.answer(recalled, self.policy, values=values)

    def counted(self, name: str, call: Call, now: int, on_list: OnList) -> int | None:
        """The value of a counter of its own, this call counted; None: it cannot be read."""
        counter = self.own.counters[name]
        key = key_of(counter.of or counter.per, call)
        element = self.own.counted_at_setup(counter, call, world_of(call, self.policy, on_list, {}, now))
        means = meaning(counter, self.policy)
        first = next(n for n, c in self.own.counters.items() if meaning(c, self.policy) == means)
        fed = key_of(counter.per, call)
        if element is not None and name == first:  # those of one meaning share what they counted
            self.own.log(counter, fed).count(now, element)
        return (
            None
            if key is None
            else self.own.log(counter, key).value(now, own=element is not None and fed == key)
        )
