"""What a decision means: the engine as obvious Python, to be read beside DESIGN and held against the kernel.

Everything is a dictionary or a list, nothing is bounded, nothing is forgotten before its time. A window is the log of
what was counted (measures.py), rounded to sub-buckets as the kernel rounds; a distinct counter remembers every element.
"""

import dataclasses
import re
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interceptor.engine.types import BlockClass, Limits, Verdict
from interceptor.policy.schema import CounterEntry, RuleEntry
from tests.model import call as calls
from tests.model import cel
from tests.model.call import Call, Number
from tests.model.measures import Log
from tests.model.policy import OnList, PolicyModel, world_of

DEFAULT_TTL = 4 * 3600 * 1000

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
class EndedCall:
    """A call at a place."""

    who: Hashable
    began: int
    ended: int
    paired: bool  #: it went with another


@dataclass
class Followed:
    """A call that was decided: what its reports need to know."""

    call: Call
    setup: int
    blocked: bool
    held: frozenset[Hashable]  #: meanings of the counters whose `where` held at setup
    since_so: int  #: when it was decided, or had ended
    answered: int | None = None
    ended: bool = False

    @property
    def in_flight(self) -> bool:
        return not self.blocked and not self.ended


class Engine:
    """Decides calls, one after the other."""

    def __init__(self, home: str = "CN") -> None:
        self.home = home
        #: (switch, call_id) and who calls whom -> the first answer, and until when it is given again
        self.answers: dict[Hashable, tuple[Decision, int]] = {}
        self.dialled_emergency: dict[Hashable, int] = {}  #: number -> until
        self.added: dict[tuple[str, Hashable], int] = {}  #: (list, what is on it) -> until
        self.added_in: Tally[tuple[str, int]] = Tally()  #: entries made, by rule and minute
        self.logs: dict[tuple[Hashable, Hashable], Log] = {}  #: by the counter's meaning and the entity
        #: of a (switch, call_id): by who calls whom, as that name is the caller's choice
        self.followed: dict[tuple[str, str], dict[Hashable, Followed]] = defaultdict(dict)
        self.early: dict[tuple[str, str], list[tuple[Mapping[str, Any], int]]] = defaultdict(list)
        #: (counter, place) -> (who, began, ended, whether it is counted as paired) of every call that ended there
        self.ended: dict[tuple[Hashable, Hashable], list[EndedCall]] = defaultdict(list)
        self.seen: dict[str, int] = {}  #: what the rules read for the call that was decided last

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
        world = world_of(call, self.policy, on_list, {}, now)
        for counter in self.distinct_counters():
            element = self.counted_at_setup(counter, call, world)
            if element is not None:
                self.log(counter, key_of(counter.per, call)).count(now, element)

        self.seen = self.values(call, now, world)
        outcomes = self.try_rules(call, on_list, self.seen, self.in_grace(call, now), now)
        decision = self.verdict_of(outcomes)
        decision = dataclasses.replace(decision, added=self.add_to(decision, call, now))
        self.follow(call, now, world, blocked=decision.verdict == Verdict.BLOCK)
        if "call_id" in call.texts:
            self.answers[self.name_of(call), parties_of(call)] = decision, now + Limits.REPEAT_MS
        return decision

    def explain(self, sent: Mapping[str, Any], now: int) -> Explanation:
        """What `decide` would say now, as if the call were counted. Touches nothing."""
        call = self.resolve(sent)
        on_list = self.lists_of(now, call)
        looked_up = [(name, listed) for name, listed in self.policy.lookups if name in call.identities]
        on = frozenset((name, listed) for name, listed in looked_up if on_list(name, listed))
        if call.emergency:
            return Explanation(Decision(Verdict.PASS, "emergency"), {}, {}, on, False, ends_of(call))

        values = self.values(call, now, world_of(call, self.policy, on_list, {}, now), as_if_counted=True)
        graced = self.in_grace(call, now)
        outcomes = self.try_rules(call, on_list, values, graced, now)
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
        if "call_id" in call.texts:
            answer, until = self.answers.get((self.name_of(call), parties_of(call)), (None, 0))
            if answer and now < until:
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

    def distinct_counters(self) -> list[CounterEntry]:
        """Counters of one meaning are one counter."""
        return list({meaning(c, self.policy): c for c in self.counters.values()}.values())

    def counted_at_setup(self, counter: CounterEntry, call: Call, world: cel.World) -> Hashable | None:
        """What the counter counts of this setup: None when there is nothing, or its `where` does not hold."""
        if event_of(counter) != "call" or key_of(counter.per, call) is None or not holds(counter, world):
            return None
        return element_of(counter, call, 1)

    def log(self, counter: CounterEntry, key: Hashable) -> Log:
        name = meaning(counter, self.policy), key
        if name not in self.logs:
            self.logs[name] = Log(measure_of(counter), window_of(counter))
        return self.logs[name]

    def values(
        self, call: Call, now: int, world: cel.World, *, as_if_counted: bool = False
    ) -> dict[str, int]:
        """Every counter that can be read for this call, which was counted, or is read as if it were."""
        found = {}
        for name, counter in self.counters.items():
            key = key_of(counter.of or counter.per, call)
            if key is None:
                continue
            log = self.log(counter, key)
            element = self.counted_at_setup(counter, call, world)
            own = element is not None and key_of(counter.per, call) == key
            if own and as_if_counted:
                log = dataclasses.replace(log, entries=list(log.entries))
                log.count(now, element)
            found[name] = log.value(now, own=own)
        return found

    # --- what happens later

    def follow(self, call: Call, now: int, world: cel.World, *, blocked: bool) -> None:
        """From now on the call's reports find it. One that was blocked is not in progress."""
        held = frozenset(meaning(c, self.policy) for c in self.counters.values() if holds(c, world))
        followed = Followed(call, now, blocked, held, now)
        if blocked:
            self.end_active(followed)
        if "call_id" in call.texts:
            of_name = self.followed[self.name_of(call)]
            before = of_name.get(parties_of(call))
            if before and before.in_flight:  # the same call long ago, whose end was lost
                self.end_active(before)
            of_name[parties_of(call)] = followed
            for report, when in self.early.pop(self.name_of(call), []):
                self.report(report, when)

    def report(self, report: Mapping[str, Any], now: int) -> str:
        """An answer or an end of a call that was decided."""
        name = report.get("switch", ""), report["call_id"]
        if not self.followed[name]:
            self.early[name].append((report, now))
            return "early"
        # The newest of that name in flight, else the one that was done last.
        followed = max(self.followed[name].values(), key=lambda one: (one.in_flight, one.since_so))
        if followed.blocked:
            return "blocked"
        if followed.ended or (report["event"] == "answered" and followed.answered is not None):
            return "repeated"
        if report["event"] == "answered":
            followed.answered = now
            self.feed(followed, "answered", now, None)
            return "joined"
        followed.ended, followed.since_so = True, now
        duration = report.get("duration_ms")
        if duration is not None and followed.answered is None:  # it says that the call was answered, too
            self.feed(followed, "answered", now, None)
        if duration is None and followed.answered is not None:
            duration = now - followed.answered
        self.feed(followed, "ended", now, duration)
        self.end_active(followed)
        self.pair(followed, now)
        return "joined"

    def report_subscription(self, event: str, card: Mapping[str, Any], now: int) -> None:
        """What happens to a card, which has a number, an IMSI, ... and tags."""
        sent = {"caller" if name == "number" else name: value for name, value in card.items()}
        call = self.resolve(sent)
        world = world_of(call, self.policy, self.lists_of(now, call), {}, now)
        for counter in self.distinct_counters():
            if event_of(counter) == event and holds(counter, world):
                self.count(counter, call, now, 1)

    def feed(self, followed: Followed, event: str, now: int, talked: int | None) -> None:
        seconds = (max(talked or 0, 0) + 500) // 1000
        for counter in self.distinct_counters():
            if counter.paired or meaning(counter, self.policy) not in followed.held:
                continue
            if matches(counter, event, talked):
                self.count(counter, followed.call, now, seconds)

    def count(self, counter: CounterEntry, call: Call, now: int, amount: int) -> None:
        key, element = key_of(counter.per, call), element_of(counter, call, amount)
        if key is not None and element is not None:
            self.log(counter, key).count(now, element)

    def end_active(self, followed: Followed) -> None:
        for counter in self.distinct_counters():
            key = key_of(counter.per, followed.call)
            if counter.active and key is not None and meaning(counter, self.policy) in followed.held:
                self.log(counter, key).end(followed.setup)

    def pair(self, followed: Followed, now: int) -> None:
        """Which calls of the place began and ended with this one, each other subscriber's once."""
        for counter in self.distinct_counters():
            place = identity(counter.place, followed.call) if counter.place else None
            who = key_of(counter.per, followed.call)
            if not counter.paired or place is None or who is None:
                continue
            if meaning(counter, self.policy) not in followed.held:
                continue
            at = self.ended[meaning(counter, self.policy), place]
            apart = counter.apart or 0
            told: dict[Hashable, EndedCall] = {}
            for other in at:
                near = abs(other.began - followed.setup) <= apart and abs(other.ended - now) <= apart
                if near and other.who != who:
                    told.setdefault(other.who, other)
            at.append(EndedCall(who, followed.setup, now, bool(told)))
            if counter.paired == "call":
                for one in [*([who] if told else []), *(n for n, other in told.items() if not other.paired)]:
                    self.log(counter, one).count(now, 1)
            for partner in told if counter.paired == "partner" else ():
                pair = self.log(counter, frozenset((who, partner)))
                pair.measure = "count"
                pair.count(now, 1)
                for one in (who, partner):
                    self.log(counter, one).count(now, pair.value(now))
            for other in told.values():
                other.paired = True

    def try_rules(
        self, call: Call, on_list: OnList, values: Mapping[str, int], graced: bool, now: int
    ) -> dict[str, str]:
        """Enforced rules until the first that decides; every shadow rule."""
        world = world_of(call, self.policy, on_list, values, now)
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


def parties_of(call: Call) -> Hashable:
    """Who calls whom; what has no identity is the text it came as."""
    return tuple(call.identities.get(name, call.texts.get(name)) for name in ("caller", "callee"))


def key_of(parts: Sequence[str], call: Call) -> Hashable | None:
    """The entity of a `per` or an `of`: None when a part of it is absent, withheld or unparseable."""
    found = [part_of(part, call) for part in parts]
    return None if None in found else tuple(found)


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
    return tuple(counter.model_dump().items()), constants


def event_of(counter: CounterEntry) -> str:
    """What must happen for the counter to count."""
    if counter.sum or counter.max or counter.paired:
        return "ended"
    return counter.on or counter.count or counter.first_seen or counter.last_seen or "call"


def matches(counter: CounterEntry, happened: str, talked: int | None) -> bool:
    """Whether that is what the counter counts; `talked`: milliseconds, None of a call without an answer."""
    event = event_of(counter)
    if happened == "answered" or event == "answered":
        return happened == event
    if counter.sum or counter.max:
        return talked is not None
    if event == "short":
        return talked is not None and talked < (counter.under or 0)
    return event == "ended" or (event == "unanswered" and talked is None)


def measure_of(counter: CounterEntry) -> str:
    if counter.paired:
        return "max" if counter.paired == "partner" else "count"
    named = ("distinct", "sum", "max", "active", "first_seen", "last_seen")
    return next((name for name in named if getattr(counter, name) is not None), "count")


def window_of(counter: CounterEntry) -> int:
    return (counter.ttl or DEFAULT_TTL) if counter.active else (counter.window or 0)


def element_of(counter: CounterEntry, call: Call, amount: int) -> Hashable | None:
    """What is counted: the element of a distinct count (None: it is not there), else an amount."""
    return amount if counter.distinct is None else identity(counter.distinct, call)


def identity(name: str, call: Call) -> Hashable | None:
    return call.identities.get(field_name(name))


def holds(counter: CounterEntry, world: cel.World) -> bool:
    """Its `where`: an error is no."""
    try:
        return counter.where is None or cel.holds(counter.where, world)
    except (cel.Absent, cel.Failed):
        return False


def field_name(text: str) -> str:
    return text.strip().removeprefix("call.")
