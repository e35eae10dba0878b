"""What a decision means: the engine as obvious Python, to be read beside DESIGN and held against the kernel.

Everything is a dictionary or a list, nothing is bounded, nothing is forgotten before its time. A window is the log of
what was counted, rounded to sub-buckets as the kernel rounds; a distinct counter remembers every element.
"""

import dataclasses
import re
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from interceptor.engine.types import BlockClass, Limits, Verdict
from interceptor.policy.schema import CounterEntry, RuleEntry
from tests.model import call as calls
from tests.model import cel
from tests.model.call import Call, Number
from tests.model.policy import OnList, PolicyModel, world_of

#: a window is seen as so many sub-buckets: the current one and those before it
SUB_BUCKETS = 14

VERDICTS = {"pass": Verdict.PASS, "warn": Verdict.WARN, "block": Verdict.BLOCK}
CLASSES = {
    None: BlockClass.CLASS_NONE,
    "list": BlockClass.CLASS_LIST,
    "analytics": BlockClass.CLASS_ANALYTICS,
    "invalid": BlockClass.CLASS_INVALID,
    "subscriber": BlockClass.CLASS_SUBSCRIBER,
}


@dataclass(frozen=True)
class Decision:
    verdict: Verdict
    rule: str  #: a rule's id, "default" or "emergency"
    block_class: BlockClass = BlockClass.CLASS_NONE
    shadow: tuple[str, ...] = ()
    repeated: bool = False
    added: bool = False  #: the deciding rule put something on a list
    errors: int = 0  #: rules that ended in an error


@dataclass(frozen=True)
class Explanation:
    decision: Decision
    outcomes: Mapping[str, str]  #: by rule: match, no match, absent, error, grace, not reached
    counters: Mapping[str, int | None]  #: as if this call were counted; None: not readable
    lists: frozenset[tuple[str, str]]  #: (field, list)
    graced: bool
    numbers: Mapping[str, Number]  #: caller and callee, as they were read


@dataclass
class Window:
    """What one counter counted for one entity: (sub-bucket, element)."""

    log: list[tuple[int, Hashable]] = field(default_factory=list)

    def at(self, now: int, length: int) -> int:
        """The sub-bucket of `now`; one that was counted into is not gone back from."""
        return max([now * SUB_BUCKETS // length, *(bucket for bucket, _ in self.log)])

    def count(self, now: int, length: int, element: Hashable) -> None:
        self.log.append((self.at(now, length), element))

    def value(self, now: int, length: int, *, distinct: bool) -> int:
        last = self.at(now, length)
        seen = [element for bucket, element in self.log if last - SUB_BUCKETS < bucket <= last]
        return len(set(seen)) if distinct else len(seen)


class Engine:
    """Decides calls, one after the other."""

    def __init__(self, home: str = "CN") -> None:
        self.home = home
        #: (switch, call_id) -> the first answer, and until when it is given again
        self.answers: dict[tuple[str, str], tuple[Decision, int]] = {}
        self.dialled_emergency: dict[Hashable, int] = {}  #: number -> until
        self.added: dict[tuple[str, Hashable], int] = {}  #: (list, what is on it) -> until
        self.added_in: Tally[tuple[str, int]] = Tally()  #: entries made, by rule and minute
        self.windows: dict[Hashable, dict[Hashable, Window]] = defaultdict(lambda: defaultdict(Window))

    def publish(self, policy: PolicyModel) -> None:
        """The next call is decided by this policy. A counter that means the same goes on counting."""
        self.policy = policy

    # --- one call, from top to bottom

    def decide(self, sent: Mapping[str, Any], now: int) -> Decision:
        call = self.resolve(sent)

        # An emergency call passes before anything else is asked. It is not counted, and whoever dialled is reachable
        # for the grace time.
        if call.emergency:
            if "caller" in call.identities:
                self.dialled_emergency[call.identities["caller"]] = now + self.policy.document.emergency.grace
            return Decision(Verdict.PASS, "emergency")

        # The same call again (a fork, a re-INVITE, a failover): the same answer again, and nothing is counted.
        first = self.first_answer(call, now)
        if first:
            return first

        # All counters first, so that every rule sees this call as counted, whatever becomes of it.
        on_list = self.lists_of(now, call)
        for counter in {meaning(c, self.policy): c for c in self.counters.values()}.values():
            element = self.counted_element(counter, call, on_list)
            if element is not None:
                self.window(counter, call).count(now, counter.window, element)

        outcomes = self.try_rules(call, on_list, self.values(call, now), self.in_grace(call, now))
        decision = self.verdict_of(outcomes)
        decision = dataclasses.replace(decision, added=self.add_to(decision, call, now))
        if "call_id" in call.texts:
            self.answers[self.name_of(call)] = decision, now + Limits.REPEAT_MS
        return decision

    def explain(self, sent: Mapping[str, Any], now: int) -> Explanation:
        """What `decide` would say now, as if the call were counted. Touches nothing."""
        call = self.resolve(sent)
        on_list = self.lists_of(now, call)
        looked_up = [(name, listed) for name, listed in self.policy.lookups if name in call.identities]
        on = frozenset((name, listed) for name, listed in looked_up if on_list(name, listed))
        if call.emergency:
            return Explanation(Decision(Verdict.PASS, "emergency"), {}, {}, on, False, ends_of(call))

        values = self.values(call, now, as_if_counted=on_list)
        graced = self.in_grace(call, now)
        outcomes = self.try_rules(call, on_list, values, graced)
        decision = self.first_answer(call, now) or self.verdict_of(outcomes)
        counters = {name: values.get(name) for name in self.counters}
        return Explanation(decision, outcomes, counters, on, graced, ends_of(call))

    # --- its steps

    def resolve(self, sent: Mapping[str, Any]) -> Call:
        return calls.resolve(sent, self.policy.trunks, self.home, self.policy.document.emergency.add)

    @staticmethod
    def name_of(call: Call) -> tuple[str, str]:
        return call.texts.get("switch", ""), call.texts["call_id"]

    def first_answer(self, call: Call, now: int) -> Decision | None:
        if "call_id" in call.texts and self.name_of(call) in self.answers:
            answer, until = self.answers[self.name_of(call)]
            if now < until:
                return dataclasses.replace(answer, repeated=True)
        return None

    def lists_of(self, now: int, call: Call) -> OnList:
        """(field, list) -> whether it is there, by a file or by a rule's add_to."""

        def on_list(name: str, listed: str) -> bool:
            by_file = self.policy.lists[listed].holds(call, name)
            return by_file or self.added.get((listed, call.identities[name]), now) > now

        return on_list

    def in_grace(self, call: Call, now: int) -> bool:
        """Whether the callee dialled an emergency number a short while ago."""
        return self.dialled_emergency.get(call.identities.get("callee"), now) > now

    @property
    def counters(self) -> Mapping[str, CounterEntry]:
        return self.policy.document.counters

    def counted_element(self, counter: CounterEntry, call: Call, on_list: OnList) -> Hashable | None:
        """What the counter counts of this call: None when there is nothing, or its `where` does not hold."""
        if key_of(counter, call) is None:
            return None
        if counter.where is not None:
            try:
                if not cel.holds(counter.where, world_of(call, self.policy, on_list, {})):
                    return None
            except (cel.Absent, cel.Failed):
                return None
        return call.identities.get(field_name(counter.distinct)) if counter.distinct else "call"

    def window(self, counter: CounterEntry, call: Call) -> Window:
        """The log of a counter for the entity this call belongs to."""
        return self.windows[meaning(counter, self.policy)][key_of(counter, call)]

    def values(self, call: Call, now: int, as_if_counted: OnList | None = None) -> dict[str, int]:
        """Every counter that can be read for this call; as if the call were counted, if its lists are given."""
        found = {}
        for name, counter in self.counters.items():
            if key_of(counter, call) is None:
                continue
            window = Window(list(self.window(counter, call).log))
            element = self.counted_element(counter, call, as_if_counted) if as_if_counted else None
            if element is not None:
                window.count(now, counter.window, element)
            found[name] = window.value(now, counter.window, distinct=counter.distinct is not None)
        return found

    def try_rules(
        self, call: Call, on_list: OnList, values: Mapping[str, int], graced: bool
    ) -> dict[str, str]:
        """Enforced rules until the first that decides; every shadow rule."""
        world = world_of(call, self.policy, on_list, values)
        outcomes: dict[str, str] = {}
        decided = False
        for rule in self.policy.document.rules:
            shadow = rule.mode == "shadow"
            if decided and not shadow:
                outcomes[rule.id] = "not reached"
                continue
            outcome = try_rule(rule, world)
            if outcome == "match" and not shadow:
                # Somebody who called for help is called back: only what is certain blocks.
                if graced and rule.verdict == "block" and rule.block_class == "analytics":
                    outcome = "grace"
                else:
                    decided = True
            outcomes[rule.id] = outcome
        return outcomes

    def verdict_of(self, outcomes: Mapping[str, str]) -> Decision:
        matched = [rule for rule in self.policy.document.rules if outcomes[rule.id] == "match"]
        shadow = tuple(rule.id for rule in matched if rule.mode == "shadow")
        errors = sum(outcome in ("absent", "error") for outcome in outcomes.values())
        for rule in matched:
            if rule.mode == "enforce":
                return Decision(
                    VERDICTS[rule.verdict], rule.id, CLASSES[rule.block_class], shadow, errors=errors
                )
        return Decision(VERDICTS[self.policy.document.default], "default", shadow=shadow, errors=errors)

    def add_to(self, decision: Decision, call: Call, now: int) -> bool:
        """Puts the deciding rule's key on its list, within bounds; True when an entry was made."""
        rule = next((rule for rule in self.policy.document.rules if rule.id == decision.rule), None)
        if rule is None or rule.add_to is None:
            return False
        add = rule.add_to
        identity = call.identities.get(field_name(add.key))
        if identity is None:
            return False
        # A forged number must not bring its owner onto a list that blocks.
        if add.list_name in self.policy.feeding_a_block and not call.verified:
            return False
        # An entry never extends itself.
        if self.added.get((add.list_name, identity), now) > now:
            return False
        minute = now // 60_000
        if self.added_in[rule.id, minute] >= Limits.ADDED_PER_MINUTE:
            return False
        self.added_in[rule.id, minute] += 1
        self.added[add.list_name, identity] = now + add.for_ms
        return True


def try_rule(rule: RuleEntry, world: cel.World) -> str:
    """A rule that ends in an error does not match."""
    try:
        return "match" if cel.holds(rule.when, world) else "no match"
    except cel.Absent:
        return "absent"
    except cel.Failed:
        return "error"


def ends_of(call: Call) -> dict[str, Number]:
    return {name: call.numbers[name] for name in ("caller", "callee") if name in call.numbers}


def key_of(counter: CounterEntry, call: Call) -> Hashable | None:
    """The entity a counter counts for: None when a part of it is absent, withheld or unparseable."""
    parts = [part_of(part, call) for part in counter.per]
    return None if None in parts else tuple(parts)


def part_of(part: str, call: Call) -> Hashable | None:
    """`caller`, or `prefix(caller, 7)`: the first digits of a number that has at least so many."""
    prefix = re.fullmatch(r"prefix\((.+),\s*([0-9]+)\s*\)", part.strip())
    if not prefix:
        return call.identities.get(field_name(part))
    digits, length = calls.digits_of(call, field_name(prefix[1])), int(prefix[2])
    return ("prefix", digits[:length]) if len(digits) >= length else None


def meaning(counter: CounterEntry, policy: PolicyModel) -> Hashable:
    """Two counters that mean the same share what they counted, whatever they are called."""
    constants = (
        tuple(policy.document.thresholds.items()) if counter.where and "thresholds" in counter.where else ()
    )
    return counter.distinct, counter.per, counter.window, counter.where, constants


def field_name(text: str) -> str:
    return text.strip().removeprefix("call.")
