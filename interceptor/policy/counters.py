"""A policy's counters: what each measures, when it is counted, for whom it is kept and read; and what is senseless."""

from dataclasses import replace

from interceptor.engine.spec import Counter, KeyPart, Spec, part_name
from interceptor.engine.types import Field, Happening
from interceptor.engine.visits import MOST_PARTS, MOST_WHERES, kept
from interceptor.policy import fields
from interceptor.policy.declarations import Declarations
from interceptor.policy.environment import Environment
from interceptor.policy.reading import Place
from interceptor.policy.schema import CounterEntry

#: what a counter measures, by the key that says so
MEASURES = ("count", "distinct", "sum", "max", "active", "paired", "first_seen", "last_seen")
#: a word for what happens -> when that is, and of ended calls whether they were answered (None: either)
EVENTS: dict[str, tuple[Happening, bool | None]] = {
    "call": (Happening.H_CALL, None),
    "answered": (Happening.H_ANSWERED, None),
    "unanswered": (Happening.H_ENDED, False),
    "ended": (Happening.H_ENDED, None),
    "short": (Happening.H_ENDED, True),
    "activated": (Happening.H_ACTIVATED, None),
    "reactivated": (Happening.H_REACTIVATED, None),
    "attached": (Happening.H_ATTACHED, None),
    "sms": (Happening.H_SMS, None),
}
DEFAULT_TTL = 4 * 3600 * 1000

#: what is known of a card when something happens to it without a call
_OF_A_CARD = (Field.F_CALLER, Field.F_IMSI, Field.F_IMEI, Field.F_CELL, Field.F_TRUNK, Field.F_SWITCH)

_Parts = tuple[KeyPart | None, ...]


def read_counters(declared: Declarations) -> tuple[Counter, ...]:
    """The counters of a policy; whatever is wrong with one is said at its place."""
    environment = replace(declared.environment, in_where=True)
    entries = declared.policy.counters
    counters = tuple(_Reader(declared, name, entry).counter(environment) for name, entry in entries.items())
    # Conditions of counters that have something else wrong are checked all the same.
    for name, node in declared.reading.root.section("counters").entries.items():
        where = node.entries.get("where")
        if name not in entries and where is not None and isinstance(where.value, str) and where.text.strip():
            declared.condition(("counters", name, "where"), where.text, environment)
    return counters


def check_kept(declared: Declarations, spec: Spec) -> None:
    """What is kept of a call in flight is bounded."""
    of_call = kept(spec)
    for found, most, what in (
        (len(of_call.parts), MOST_PARTS, "different fields of a call, in `per`, `distinct` and `in`"),
        (len(of_call.wheres), MOST_WHERES, "different `where` and `active`"),
    ):
        if found > most:
            message = f"what is reported of a call is counted by {found} {what}; at most {most} are allowed"
            declared.reading.problem_at_key(("counters",), message)


class _Reader:
    """Reads one counter."""

    def __init__(self, declared: Declarations, name: str, entry: CounterEntry) -> None:
        self.declared, self.name, self.entry = declared, name, entry
        self.place: Place = ("counters", name)
        # what is there and wrong was said, and is not missing
        self.written = declared.reading.root.section("counters").entries[name].entries
        given = [measure for measure in MEASURES if measure in self.written]
        if len(given) != 1:
            self.wrong_counter(f"a counter has one of {', '.join(MEASURES[:-1])} and {MEASURES[-1]}")
        self.measure = next((m for m in given if getattr(entry, m) is not None), "count")
        self.event = self._event()

    def counter(self, environment: Environment) -> Counter:
        entry, measure = self.entry, self.measure
        self._check_options()
        per = self._parts("per", entry.per)
        of = self._parts("of", entry.of or ())
        element = self._element(per)
        place = None if entry.place is None else self._part("in", entry.place)
        happening, answered = EVENTS[self.event]
        self._check_card(happening, per, element)
        self._check_of(per, of)
        if measure == "paired":
            self._check_pair(per, place)
        if measure in ("sum", "max"):
            answered = True
        where = None
        if entry.where is not None:
            where = self.declared.condition((*self.place, "where"), entry.where, environment)
        return Counter(
            self.name,
            "partner" if entry.paired == "partner" else measure,
            _known(per),
            (entry.ttl or DEFAULT_TTL) if measure == "active" else (entry.window or 0),
            element,
            where,
            happening,
            _known(of),
            answered,
            entry.under,
            entry.large,
            place,
            entry.apart,
        )

    def _event(self) -> str:
        entry = self.entry
        if self.measure in ("sum", "max", "paired"):
            return "ended"
        return entry.on or entry.count or entry.first_seen or entry.last_seen or "call"

    # --- its keys

    def _parts(self, name: str, written: tuple[str, ...]) -> _Parts:
        parts = tuple(
            self.declared.key_part((*self.place, name, at), part) for at, part in enumerate(written)
        )
        if len(set(parts)) < len(parts) and None not in parts:
            self.wrong(name, "a pair is of two different fields")
        return parts

    def _part(self, name: str, written: str) -> KeyPart | None:
        return self.declared.key_part((*self.place, name), written)

    def _element(self, per: _Parts) -> int | None:
        written = self.entry.distinct
        if written is None:
            return None
        element = self.declared.key_field((*self.place, "distinct"), written)
        if element is not None and KeyPart(element) in per:
            self.wrong("distinct", f"`{written}` per itself is always 1")
        return element

    # --- what makes no sense

    def wrong(self, key: str, message: str) -> None:
        self.declared.reading.problem((*self.place, key), message)

    def wrong_key(self, key: str, message: str) -> None:
        self.declared.reading.problem_at_key((*self.place, key), message)

    def wrong_counter(self, message: str) -> None:
        self.declared.reading.problem_at_key(self.place, message)

    def _check_options(self) -> None:
        entry, measure = self.entry, self.measure
        for key, given, wanted, whose in (
            ("on", entry.on is not None, measure == "distinct", "`distinct`"),
            ("large", entry.large, measure == "distinct", "`distinct`"),
            ("under", entry.under is not None, self.event == "short", "`short` calls"),
            ("in", entry.place is not None, measure == "paired", "`paired`"),
            ("apart", entry.apart is not None, measure == "paired", "`paired`"),
            ("ttl", entry.ttl is not None, measure == "active", "`active`"),
        ):
            if given and not wanted:
                self.wrong_key(key, f"`{key}` is of {whose} alone")
        if self.event == "short" and "under" not in self.written:
            self.wrong_counter("`short` needs `under`: what the call must have lasted less than, such as 10s")
        if measure == "paired" and "in" not in self.written:
            self.wrong_counter("`paired` needs `in`: where both calls must be, such as cell")
        if measure == "paired" and "apart" not in self.written:
            self.wrong_counter("`paired` needs `apart`: how far apart both may begin, and end, such as 5s")
        if measure == "active" and entry.window is not None:
            message = "`active` has no window: a call counts until it ends, or its `ttl` (4h) is over"
            self.wrong_key("window", message)
        elif measure != "active" and "window" not in self.written:
            self.wrong_counter("`window` is missing")

    def _check_card(self, happening: Happening, per: _Parts, element: int | None) -> None:
        if happening < Happening.H_ACTIVATED:
            return
        keys = [((*self.place, "per", at), part) for at, part in enumerate(per)]
        keys += [((*self.place, "distinct"), None if element is None else KeyPart(element))]
        for place, part in keys:
            if part is not None and part.field not in _OF_A_CARD and part.field < Field.F_TAG:
                message = (
                    f"`{self.event}` happens to a card, which has no `{part_name(part)}`: "
                    "it has caller, imsi, imei, cell, trunk, switch and tags"
                )
                self.declared.reading.problem(place, message)

    def _check_of(self, per: _Parts, of: _Parts) -> None:
        if self.entry.of is None or None in per or None in of:
            return
        if per == of:
            self.wrong("of", "`of` is what `per` is: leave it out")
        elif len(per) != len(of):
            self.wrong("of", "what is counted per a pair is read for a pair, what per one field for one")
        else:
            for at, (fed, read) in enumerate(zip(_known(per), _known(of), strict=True)):
                if not _alike(fed, read):
                    message = f"what is counted per `{part_name(fed)}` cannot be read for `{part_name(read)}`"
                    hint = " with as many digits" if fed.prefix or read.prefix else ""
                    numbers = "" if fields.is_number(fed.field) else ": a field is read for itself"
                    numbers = numbers or f": a number is read for a number{hint}"
                    self.declared.reading.problem((*self.place, "of", at), message + numbers)

    def _check_pair(self, per: _Parts, place: KeyPart | None) -> None:
        if len(per) != 1 or any(part is not None and part.prefix for part in per):
            self.wrong("per", "`paired` is of one field's calls, such as caller, imsi or imei")
        elif place is not None and place in per:
            self.wrong("in", f"calls of one `{part_name(place)}` are not another's")


def _alike(fed: KeyPart, read: KeyPart) -> bool:
    """Whether a key made of one may be one made of the other."""
    numbers = fields.is_number(fed.field) and fields.is_number(read.field)
    return fed == read or (numbers and fed.prefix == read.prefix)


def _known(parts: _Parts) -> tuple[KeyPart, ...]:
    return tuple(part for part in parts if part is not None)
