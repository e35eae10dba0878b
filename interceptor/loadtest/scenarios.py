"""Scenarios: who calls whom in a load test, and which verdicts are right for each call. Seeded, the same every time.

In all of them ordinary subscribers call as they do, and nothing they meet may cut them off: their verdict is certain.
An attack's is not, since its first calls are like anybody's. What is certain holds under the shipped policies: a
listed caller is blocked (by whichever list of the service `listed` was read from), a person is not.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from interceptor.engine.keys import KeyKind
from interceptor.loadtest import encoding
from interceptor.loadtest.encoding import Bytes, Choice, Column, Digits, Whole, encode
from interceptor.pb.v1 import interception_pb2 as pb

Keys = npt.NDArray[np.uint64]

#: Sets of right verdicts: bit v for Verdict v.
PASS = 1 << pb.VERDICT_PASS
WARN = 1 << pb.VERDICT_WARN
BLOCK = 1 << pb.VERDICT_BLOCK
ANY = 0

#: Calls of a day by the hour, in thousandths: quiet nights, a morning and an evening peak.
HOURS = (8, 5, 3, 2, 3, 6, 15, 32, 58, 72, 74, 68, 52, 48, 56, 62, 64, 68, 72, 74, 66, 48, 28, 16)
#: Share of companies' calls by the hour: they keep office hours.
OFFICE = (0.02,) * 7 + (0.10,) + (0.30,) * 4 + (0.20, 0.20) + (0.30,) * 4 + (0.15, 0.08) + (0.03,) * 4
ABROAD, ROAMING, LISTED, SERVICE, EMERGENCY = 0.05, 0.01, 0.01, 0.03, 0.001
#: Share of an attack in its scenario; the rest are ordinary subscribers, who are to notice nothing.
ATTACK = 0.5
#: People one subscriber calls.
CIRCLE = 20
#: A call is certain to pass while nobody comes near a threshold of the shipped policies: so many calls a minute
#: between the same two (theirs: 20), so many people called an hour (theirs: 40), so many calls a minute to one phone
#: (theirs: 30). Half of each, as an earlier run may be counted still.
PAIR, PEOPLE, PHONE = 10, 20, 15

#: How many digits of a call_id, and of a new caller, are numbered as a call is sent.
CALL_DIGITS, CALLER_DIGITS = 14, 9
DAY_MS = 1_767_571_200_000  # 2026-01-05, 00:00 UTC

# A stride through the 10^9 numbers of a range that meets each once: neighbours have nothing in common.
_STRIDE = 382_913_477
_TRUNKS = ("own-access", "interconnect", "gateway")
OWN, INTERCONNECT, GATEWAY = range(3)
_SERVICES = np.array([10086, 10010, 95588, 95533, 12306])


class ScenarioError(Exception):
    """A scenario that cannot be made; the message says what it needs."""


@dataclass(frozen=True, eq=False)
class Calls:
    """The encoded calls of a scenario, ready for a Generator."""

    data: Bytes
    offsets: Whole  #: where each begins; one more than calls, the last is the end
    expected: npt.NDArray[np.uint8]  #: the set of right verdicts of each; 0: any
    serials: list[tuple[int, int]]  #: (byte, digits) of every message that are to differ in each call sent

    def __len__(self) -> int:
        return len(self.expected)


@dataclass(frozen=True)
class Wanted:
    """What a scenario is made for."""

    count: int  #: how many different calls
    seed: int = 1
    listed: Keys = field(
        default_factory=lambda: np.zeros(0, np.uint64)
    )  #: numbers the service lists: their keys
    times: float = 1.0  #: how often each call is made in the busiest minute of the run
    run: str = "0"  #: what the call_ids of this run begin with


class Draft:
    """Columns of calls that begin as ordinary subscribers' calls among themselves, over one day."""

    def __init__(self, wanted: Wanted) -> None:
        n = wanted.count
        self.wanted, self.n = wanted, n
        self.rng = np.random.default_rng(wanted.seed)
        shares = np.array(HOURS) / sum(HOURS)
        self.hour = np.sort(self.rng.choice(24, n, p=shares))
        # Heavy-tailed: the busiest of a million makes a hundred calls, most make one or none.
        who = self.tail(n, 1.5)
        self.subscriber = who  #: whose SIM and handset; -1: not one of ours
        self.device = who.copy()
        self.cell = who % 50_000
        self.caller, self.caller_digits = mobile(who, 8613), np.full(n, 13)
        friend = (CIRCLE * self.rng.random(n) ** 2).astype(np.int64)
        self.callee, self.callee_digits = mobile(who * CIRCLE + friend, 18), np.full(n, 11)
        self.trunk = np.full(n, OWN)
        self.abroad = np.zeros(n, dtype=bool)
        self.roaming = np.zeros(n, dtype=bool)
        self.age = 40 + who % 2000  #: days since the SIM was activated
        self.expected = np.full(n, PASS, dtype=np.uint8)
        some = np.flatnonzero(self.rng.random(n) < SERVICE)
        self.callee[some], self.callee_digits[some] = self.rng.choice(_SERVICES, len(some)), 5
        some = np.flatnonzero(self.rng.random(n) < EMERGENCY)
        self.callee[some], self.callee_digits[some] = self.rng.choice([110, 119, 120], len(some)), 3

    def tail(self, population: int, steepness: float) -> Whole:
        """Draws for every call one of a population, its first members far more often than its last."""
        return (population * self.rng.random(self.n) ** steepness).astype(np.int64)

    def some(self, share: float | npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        """A random share of the calls."""
        return np.flatnonzero(self.rng.random(self.n) < share)

    def from_elsewhere(self, at: npt.NDArray[np.intp], trunk: int) -> None:
        """Nothing is known of these callers but their numbers."""
        self.subscriber[at], self.trunk[at], self.abroad[at] = -1, trunk, trunk == GATEWAY

    def strangers(self, at: npt.NDArray[np.intp]) -> Whole:
        """Numbers to call that nobody else calls, one for each of the calls `at`."""
        return mobile(self.rng.integers(0, 10**9, len(at)), 18)

    def ordinary_only(self) -> None:
        """Where a counter may come into it, a call is no longer sure to pass; a call to a service number is."""
        times = self.wanted.times
        people = self.callee_digits == 11
        pair = repeats(self.caller * 1_000_003 + self.callee)[people]
        phone = repeats(self.callee)[people]
        called = repeats(self.caller)
        busy = called > PEOPLE  # more than the most different people they can have called
        busy[people] |= (pair * times > PAIR) | (phone * times > PHONE)
        certain = (self.expected == PASS) & (self.callee_digits != 3)
        self.expected[certain & busy] = ANY

    def encode(self, *, new_callers: bool = False) -> Calls:
        """The calls as messages; with `new_callers`, the callers too are numbered as they are sent."""
        self.ordinary_only()
        n, own = self.n, self.subscriber >= 0
        who = np.maximum(self.subscriber, 0)
        fifteen = np.where(own, 15, 0)
        with_domain = np.where(own, who % 10 < 3, False).astype(np.int64)
        call_id = f"{self.wanted.run}-".encode()
        minute = self.hour * 60 + self.rng.integers(0, 60, n)
        when = [encoding.field("event_time_ms", DAY_MS + 60_000 * i) for i in range(24 * 60)]
        days = [b"", *(encoding.field("sim_age_days", i) for i in range(2040))]
        columns: list[Column] = [
            Digits("call_id", np.arange(n), CALL_DIGITS, call_id),
            Digits("caller", self.caller, self.caller_digits, b"+"),
            Digits("callee", self.callee, self.callee_digits),
            Choice([encoding.field("trunk", name) for name in _TRUNKS], self.trunk),
            Choice([b"", encoding.field("domain", "ims.mnc000.mcc460.3gppnetwork.org")], with_domain),
            Choice([encoding.field("user_agent", text) for text in ("IMS-AS/7.3", "SBC 9.4.1")], 1 - own),
            Choice([encoding.field("source_ip", f"10.20.{i}.7") for i in range(16)], who % 16),
            Digits("imsi", 460_000_000_000_000 + who, fifteen),
            Digits("imei", 350_000_000_000_000 + 10 * np.maximum(self.device, 0), fifteen),
            Digits("cell", self.cell, np.where(own, 9, 0), b"46000"),
            Choice([b"", encoding.field("international_ingress", True)], self.abroad.astype(np.int64)),
            Choice([b"", encoding.field("roaming", True)], self.roaming.astype(np.int64)),
            Choice(days, np.where(own, 1 + self.age, 0)),
            Choice(when, minute),
        ]
        data, offsets = encode(columns, n)
        serials = [(2 + len(call_id), CALL_DIGITS)]
        if new_callers:  # behind the tag, the length and +8613
            serials.append((2 + len(call_id) + CALL_DIGITS + 2 + 5, CALLER_DIGITS))
        return Calls(data, offsets, self.expected, serials)


def mobile(index: Whole, leading: int) -> Whole:
    """The index-th number of the range `leading` xxxxxxxxx."""
    return leading * 10**9 + index * _STRIDE % 10**9


def repeats(values: Whole) -> Whole:
    """How often each value stands among all of them."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return counts[which].astype(np.int64)


def mixed(wanted: Wanted) -> Calls:
    """A network's day: subscribers, companies in their office hours, calls from abroad, one in a hundred listed."""
    draft = Draft(wanted)
    office = draft.some(np.array(OFFICE)[draft.hour])
    draft.from_elsewhere(office, INTERCONNECT)
    company = draft.tail(20_000, 2.0)[office]
    draft.caller[office], draft.caller_digits[office] = 86_10_6000_0000 + company * 487, 12
    draft.callee[office], draft.callee_digits[office] = draft.strangers(office), 11
    abroad = draft.some(ABROAD)
    draft.from_elsewhere(abroad, GATEWAY)
    draft.caller[abroad] = 44_7400_000000 + draft.tail(draft.n, 1.5)[abroad] * 7_919 % 1_000_000
    draft.caller_digits[abroad] = 12
    home = draft.some(ROAMING)
    draft.from_elsewhere(home, GATEWAY)
    draft.roaming[home] = True
    draft.caller[home], draft.caller_digits[home] = mobile(draft.device[home], 8613), 13
    if len(wanted.listed):
        of_the_listed(draft, draft.some(LISTED))
    return draft.encode()


def listed(wanted: Wanted) -> Calls:
    """Listed callers alone: every call is blocked."""
    if not len(wanted.listed):
        raise ScenarioError("the scenario listed needs numbers that the service blocks: give --listed FILE")
    draft = Draft(wanted)
    of_the_listed(draft, np.arange(draft.n))
    return draft.encode()


def flood(wanted: Wanted) -> Calls:
    """Half of all calls go to one subscriber, from 20,000 callers."""
    draft = Draft(wanted)
    at = draft.some(ATTACK)
    draft.from_elsewhere(at, INTERCONNECT)
    draft.caller[at], draft.caller_digits[at] = (
        mobile(10**8 + draft.rng.integers(0, 20_000, len(at)), 8613),
        13,
    )
    draft.callee[at], draft.callee_digits[at] = 189_1234_5678, 11
    draft.expected[at] = ANY
    return draft.encode()


def scan(wanted: Wanted) -> Calls:
    """Eight new SIMs dial number after number, each its own block."""
    draft = Draft(wanted)
    at = draft.some(ATTACK)
    order = np.arange(len(at))
    dialler = order % 8
    draft.subscriber[at] = draft.device[at] = 10**8 + dialler
    draft.caller[at], draft.caller_digits[at] = mobile(10**8 + dialler, 8613), 13
    draft.callee[at], draft.callee_digits[at] = 180_0000_0000 + 10**7 * dialler + order // 8 % 10**7, 11
    draft.age[at] = 3
    draft.expected[at] = ANY
    return draft.encode()


def simbox(wanted: Wanted) -> Calls:
    """Eight handsets with 64 SIMs each call strangers and move on from cell to cell."""
    draft = Draft(wanted)
    at = draft.some(ATTACK)
    order = np.arange(len(at))
    box = order % 8
    card = 64 * box + draft.rng.integers(0, 64, len(at))
    draft.subscriber[at], draft.device[at] = 10**8 + card, 10**8 + box
    draft.caller[at], draft.caller_digits[at] = mobile(10**8 + card, 8613), 13
    draft.callee[at], draft.callee_digits[at] = draft.strangers(at), 11
    draft.cell[at] = (1000 * box + order // 400) % 50_000
    draft.age[at] = 5 + card % 20
    draft.expected[at] = ANY
    return draft.encode()


def never_repeat(wanted: Wanted) -> Calls:
    """Every caller is new, in every call sent: what that does to the tables of what is known."""
    draft = Draft(wanted)
    everyone = np.arange(draft.n)
    draft.from_elsewhere(everyone, INTERCONNECT)
    draft.caller[:], draft.caller_digits[:] = mobile(everyone, 8613), 13
    draft.callee[:], draft.callee_digits[:] = draft.strangers(everyone), 11
    return draft.encode(new_callers=True)


def of_the_listed(draft: Draft, at: npt.NDArray[np.intp]) -> None:
    """Puts listed numbers in the callers' place."""
    keys = draft.wanted.listed
    if np.any(keys >> np.uint64(58) != KeyKind.KEY_NUMBER):
        raise ScenarioError(
            "the list has short numbers: scenarios call from numbers in international form alone"
        )
    keys = keys[draft.rng.integers(0, len(keys), len(at))]
    draft.from_elsewhere(at, INTERCONNECT)
    draft.caller[at] = keys & np.uint64((1 << 54) - 1)
    draft.caller_digits[at] = keys >> np.uint64(54) & np.uint64(15)
    emergency = draft.callee_digits[at] == 3
    draft.expected[at] = np.where(emergency, PASS, BLOCK)


SCENARIOS: dict[str, Callable[[Wanted], Calls]] = {
    "mixed": mixed,
    "listed": listed,
    "flood": flood,
    "scan": scan,
    "simbox": simbox,
    "never-repeat": never_repeat,
}
