"""What reports do to counters, as obvious Python: calls that are remembered for ever, and logs of what was counted."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from interceptor.engine.types import Limits

LONGEST = 31 * 24 * 3600 * 1000
SUB_BUCKETS = 14

Call = Mapping[str, Any]


@dataclass(frozen=True)
class Counter:
    """One counter: fed by what happens, for an entity of the call."""

    happening: str  #: answered, ended, attached, sms ...; active: fed by setups
    per: tuple[str, ...]
    measure: str = "count"
    element: str = ""
    answered: bool | None = None
    under: int | None = None  #: ms
    where: Callable[[Call], bool] | None = None
    ttl: int = 0

    def key(self, call: Call) -> Hashable:
        """Of the entity; None where there is none."""
        parts = tuple(call.get(name) for name in self.per)
        return None if None in parts else parts

    @property
    def keeps(self) -> set[str]:
        """Fields of a call that its reports need."""
        return {*self.per, *([self.element] if self.element else [])}


@dataclass(frozen=True)
class News:
    """What a report says."""

    event: str
    time_ms: int = 0
    duration: int | None = None

    @property
    def happened(self) -> set[str]:
        """A duration says that the call was answered, too."""
        return {"answered", self.event} if self.duration is not None else {self.event}


@dataclass
class Followed:
    """A call that was decided, or of which reports alone are known."""

    since: int
    call: dict[str, Any] = field(default_factory=dict)  #: what was kept of it
    held: set[str] = field(default_factory=set)  #: counters whose `where` held at setup, and that there were
    decided: bool = False
    counted: bool = False  #: by the keys a report carried
    blocked: bool = False
    answered: bool = False
    ended: bool = False
    setup: int | None = None
    answer_ours: int = 0
    answer_theirs: int = 0  #: by the switch's clock; 0: it did not say
    end_theirs: int = 0
    duration: int | None = None
    since_so: int = 0  #: when it was decided, or had ended

    @property
    def in_flight(self) -> bool:
        return self.decided and not self.blocked and not self.ended

    @property
    def waits(self) -> bool:
        return not self.decided and not self.counted


class Following:
    """Follows calls under a policy's counters."""

    def __init__(self) -> None:
        self.counters: dict[str, Counter] = {}
        #: by name and parties; None: reports alone. Whoever calls chooses the name, and may give it to several calls.
        self.calls: dict[tuple[str, Hashable], Followed] = {}
        self.cards: set[str] = set()
        self.log: dict[tuple[str, Hashable], list[Any]] = defaultdict(list)

    def publish(self, counters: Mapping[str, Counter]) -> None:
        """Counters of one name are one counter in every policy that has it."""
        self.counters = dict(counters)

    # --- what happens

    def decide(self, name: str | None, call: Call, now: int, *, blocked: bool) -> None:
        """A call was decided, and it is no repeated one."""
        new = self.kept(call, now)
        new.decided, new.blocked, new.setup, new.since_so = True, blocked, now, now
        if not blocked:
            self.begin_active(new, now)
        if name is None:
            return
        parties = call.get("caller"), call.get("callee")
        before = self.calls.get((name, parties)) or self.calls.pop((name, None), None)
        self.calls[name, parties] = new
        if before is None or (not before.decided and now - before.since >= Limits.REPEAT_MS):
            return
        if before.decided:  # the same call long ago, whose end was lost
            if not before.blocked and not before.ended:
                self.end_active(before)
        elif not blocked:
            new.answered, new.ended, new.answer_theirs = before.answered, before.ended, before.answer_theirs
            new.answer_ours = now if new.answered else 0
            if before.counted and before.ended:
                self.end_active(new)
            if before.waits:
                new.end_theirs, new.duration = before.end_theirs, before.duration
                self.feed_what_waited(new)

    def report(self, name: str | None, news: News, now: int, call: Call | None = None) -> str:
        """A report of a call. What became of it."""
        found = self.told_of(name)
        if found is not None and found.waits and now - found.since >= Limits.REPEAT_MS:
            found = None
        if found is not None and not found.waits:
            return self.join(found, news, now)
        if call is None or all(call.get(part) is None for c in self.follows.values() for part in c.keeps):
            if name is None:
                return "unknown"
            if found is None:
                found = self.calls[name, None] = Followed(now)
            fresh = self.note(found, news, now)
            return "early" if fresh else "repeated"
        carried = self.kept(call, now)
        carried.counted = True
        if found is not None:  # what waited is counted with the keys that came
            carried.answered, carried.answer_theirs = found.answered, found.answer_theirs
            carried.answer_ours = now if found.answered else 0
            carried.ended, carried.end_theirs, carried.duration = (
                found.ended,
                found.end_theirs,
                found.duration,
            )
        self.note(carried, news, now)
        self.feed_what_waited(carried)
        if name is not None:
            self.calls[name, None] = carried
        return "carried"

    def card(self, name: str | None, event: str, card: Call) -> str:
        """What happened to a card."""
        if event not in {counter.happening for counter in self.counters.values()}:
            return "unknown"
        if name is not None:
            if name in self.cards:
                return "repeated"
            self.cards.add(name)
        self.feed(
            event, dict(card), {n for n, c in self.counters.items() if c.where is None or c.where(card)}
        )
        return "carried"

    # --- steps

    def told_of(self, name: str | None) -> Followed | None:
        """What a report is about: the newest call of that name in flight, else the one that was done last."""
        calls = [call for (named, _), call in self.calls.items() if named == name]
        return max(calls, key=lambda call: (call.in_flight, call.since_so), default=None)

    @property
    def follows(self) -> dict[str, Counter]:
        """Counters that reports of calls feed."""
        return {n: c for n, c in self.counters.items() if c.happening in ("active", "answered", "ended")}

    def kept(self, call: Call, now: int) -> Followed:
        fields = set[str]().union(*(counter.keeps for counter in self.follows.values()))
        return Followed(
            now,
            {name: call[name] for name in fields if call.get(name) is not None},
            {name for name, c in self.follows.items() if c.where is None or c.where(call)},
        )

    def join(self, found: Followed, news: News, now: int) -> str:
        if found.blocked:
            return "blocked"
        was_answered = found.answered
        fresh = self.note(found, news, now)
        if "answered" in fresh:
            self.feed("answered", found.call, found.held)
        if "ended" in fresh:
            self.feed_end(found, self.talked(found, was_answered, now))
        return "joined" if fresh else "repeated"

    def note(self, found: Followed, news: News, now: int) -> set[str]:
        """Sets what is new; says what that is."""
        fresh = {one for one in news.happened if not getattr(found, one)}
        if "answered" in fresh:
            found.answered, found.answer_ours = True, now
            found.answer_theirs = news.time_ms if news.event == "answered" else 0
        if "ended" in fresh:
            found.since_so = now if found.in_flight else found.since_so
            found.ended, found.end_theirs, found.duration = True, news.time_ms, news.duration
        return fresh

    def talked(self, found: Followed, answered: bool, now: int) -> int | None:
        """Milliseconds, of a call that ended; None: it was not answered."""
        if found.duration is not None:
            return min(found.duration, LONGEST)
        if not answered:
            return None
        ours = now - found.answer_ours if found.answer_ours else 0
        known = found.answer_theirs and found.end_theirs
        return min(max(found.end_theirs - found.answer_theirs if known else ours, 0), LONGEST)

    def feed_what_waited(self, found: Followed) -> None:
        if found.answered:
            self.feed("answered", found.call, found.held)
        if found.ended:
            found.answer_ours = 0  # both came before we knew of the call
            self.feed_end(found, self.talked(found, found.answered, 0))

    def feed_end(self, found: Followed, talked: int | None) -> None:
        self.feed("ended", found.call, found.held, talked=talked)
        self.end_active(found)

    def feed(self, happening: str, call: Call, held: set[str], talked: int | None = None) -> None:
        for name, counter in self.counters.items():
            key = counter.key(call)
            if counter.happening != happening or key is None:
                continue
            if counter.where is not None and name not in held:  # as it was at setup
                continue
            if counter.answered is not None and counter.answered != (talked is not None):
                continue
            if counter.under is not None and (talked or 0) >= counter.under:
                continue
            if counter.element and counter.element not in call:
                continue
            amount = ((talked or 0) + 500) // 1000
            self.log[name, key].append(call[counter.element] if counter.element else amount)

    def begin_active(self, found: Followed, now: int) -> None:
        for name, counter in self.counters.items():
            key = counter.key(found.call)
            if counter.happening == "active" and key is not None and name in found.held:
                self.log[name, key].append(now * SUB_BUCKETS // counter.ttl)

    def end_active(self, found: Followed) -> None:
        for name, counter in self.counters.items():
            key = counter.key(found.call)
            if counter.happening != "active" or key is None or name not in found.held:
                continue
            running = self.log[name, key]
            began = (
                min(running, default=0) if found.setup is None else found.setup * SUB_BUCKETS // counter.ttl
            )
            if began in running:
                running.remove(began)

    # --- what conditions read

    def value(self, name: str, call: Call) -> int | None:
        """None: the call has no such entity."""
        counter = self.counters[name]
        if counter.key(call) is None:
            return None
        log = self.log[name, counter.key(call)]
        if counter.measure == "sum":
            return sum(log)
        if counter.measure == "max":
            return max(log, default=0)
        return len(set(log)) if counter.element else len(log)
