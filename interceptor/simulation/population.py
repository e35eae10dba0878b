"""Who has a telephone: our subscribers, those of other networks, companies, numbers abroad; cards and handsets."""

import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from interceptor.simulation import calls, numbers
from interceptor.simulation.scenario import Scenario

Whole = npt.NDArray[np.int64]
Random = np.random.Generator

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
#: Shanghai is eight hours before UTC and has no summer time.
SHANGHAI = 8 * HOUR

LINE = np.dtype(
    [
        ("number", "i8"), ("imsi", "i8"), ("imei", "i8"), ("activated", "i8"), ("reactivated", "i8"),
        ("document", "i8"), ("home", "i4"), ("work", "i4"), ("dealer", "i4"), ("instance", "i4"), ("label", "i1"),
        ("trunk", "i1"), ("own", "?"), ("many", "?"), ("stationary", "?"), ("abroad", "?"),
    ]
)  # fmt: skip


class Manner(Protocol):
    """How calls of a kind go: what `parameters` says of each."""

    @property
    def answered(self) -> float:
        """Share of calls that are."""

    @property
    def ring_s(self) -> float:
        """Median."""

    @property
    def talk_median_s(self) -> float:
        """Median."""

    @property
    def talk_sigma(self) -> float:
        """Of its logarithm."""


class Outcome(NamedTuple):
    """How calls went: ms of ringing and of talk (0: not answered), and the cause of their end."""

    ring: Whole
    talk: Whole
    cause: Whole

    def onto(self, rows: calls.Rows) -> calls.Rows:
        """The calls, with it."""
        rows["ring"], rows["talk"], rows["cause"] = self
        return rows


@dataclass(frozen=True)
class Clock:
    """The time that is simulated, in ms since 1970."""

    start: int
    end: int

    @staticmethod
    def hour(time: Any) -> Any:
        """Hour of the day in Shanghai."""
        return (time + SHANGHAI) // HOUR % 24

    @staticmethod
    def weekend(time: int) -> bool:
        """Whether it is a Saturday or Sunday there."""
        return ((time + SHANGHAI) // DAY + 3) % 7 >= 5

    def days(self) -> range:
        """The first moment of each day."""
        return range(self.start, self.end, DAY)


class World:
    """Everybody, and how their calls look.

    Lines lie in segments: our subscribers in the order of where they live, `cards` of ours that others will hold,
    subscribers of other networks in the same order, fixed lines, numbers abroad.
    """

    def __init__(self, scenario: Scenario, subscribers: int, cards: int, clock: Clock, seed: int) -> None:
        self.scenario, self.clock, self.seed = scenario, clock, seed
        self.subscribers, self.cards = subscribers, cards
        ordinary = scenario.ordinary
        self.others = max(int(subscribers * ordinary.elsewhere), 1)
        self.fixed = max(subscribers // 100, 50)
        self.abroad = max(subscribers // 100, 200)
        self.first_other = subscribers + cards
        self.first_fixed = self.first_other + self.others
        self.first_abroad = self.first_fixed + self.fixed
        self.cells = max(int(subscribers / ordinary.cell_subscribers), 12)
        self.dealers = max(int(subscribers / ordinary.dealer_cards), 3)
        self.lines = np.zeros(self.first_abroad + self.abroad, LINE)
        self.busy = np.zeros(len(self.lines), np.int64)
        self.taken = subscribers
        rng = self.stream("population")
        self.blocks = numbers.blocks_for(subscribers, cards)
        self.filled = -(-subscribers // self.blocks)
        tacs = 35_000_000 + rng.integers(0, 1_000_000, 120)
        self._tacs = np.concatenate([tacs, 86_000_000 + rng.integers(0, 800_000, 280)])
        rng.shuffle(self._tacs)
        self._ours(rng)
        self._theirs(rng)

    def stream(self, name: str) -> Random:
        """The random numbers of one part: what another part draws does not change them."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    # ------------------------------------------------------------------ who there is

    def _ours(self, rng: Random) -> None:
        ordinary = self.scenario.ordinary
        n, total = self.subscribers, self.subscribers + self.cards
        lines = self.lines[:total]
        index = np.arange(total)
        lines["own"], lines["trunk"], lines["instance"] = True, numbers.OWN_ACCESS, -1
        lines["imsi"] = numbers.imsi(index)
        own = self.lines[:n]
        place = index[:n]
        own["number"] = numbers.mobile(place // self.filled, place % self.filled, numbers.OWN_RANGES)
        spare = numbers.BLOCK - numbers.FILLED
        chosen = rng.choice(self.blocks * spare, self.cards, replace=False)
        lines["number"][n:] = numbers.mobile(
            chosen // spare, numbers.FILLED + chosen % spare, numbers.OWN_RANGES
        )
        own["home"] = place * self.cells // n
        lines["home"][n:] = rng.integers(0, self.cells, self.cards)
        lines["work"] = self.near(rng, lines["home"], max(self.cells / 40, 2))
        lines["imei"] = self.handsets(rng, total)
        lines["document"] = rng.integers(1, 1 << 60, total)
        lines["dealer"] = self.some_dealers(rng, total)
        lines["activated"] = self.activations(rng, total)
        own["stationary"] = rng.random(n) < ordinary.stationary
        own["abroad"] = rng.random(n) < ordinary.abroad
        self._share_handsets(rng, own)
        self._staff(rng, own)
        back = np.flatnonzero(rng.random(n) < ordinary.reactivated_day * len(self.clock.days()))
        back = back[own["activated"][back] < self.clock.start - 200 * DAY]
        own["reactivated"][back] = self.shop_hours(rng, len(back))

    def _share_handsets(self, rng: Random, own: Any) -> None:
        ordinary = self.scenario.ordinary
        first = np.flatnonzero(rng.random(len(own) - 1) < ordinary.dual_sim)
        first = first[np.diff(first, prepend=-2) > 1]
        own["document"][first + 1] = own["document"][first]
        for name in ("work", "stationary", "abroad"):
            own[name][first + 1] = own[name][first]
        device = own["imei"][first] // 10
        serial = (device % 1_000_000 + (rng.random(len(first)) >= ordinary.dual_same_imei)) % 1_000_000
        own["imei"][first + 1] = numbers.imei(device // 1_000_000, serial)
        cloned = np.flatnonzero(rng.random(len(own)) < ordinary.cloned)
        groups = max(int(len(cloned) / ordinary.cloned_group), 1)
        weight = 1 / np.arange(1, groups + 1) ** 0.8
        of = rng.choice(groups, len(cloned), p=weight / weight.sum())
        own["imei"][cloned] = self.handsets(rng, groups)[of]

    def _staff(self, rng: Random, own: Any) -> None:
        """Companies that buy cards for their people: neighbours by number, one dealer, one document, one hour."""
        new = np.flatnonzero(own["activated"] > self.clock.start - 30 * DAY)
        left = int(len(new) * self.scenario.ordinary.staff_cards)
        while left > 0:
            n = min(int(rng.integers(10, 61)), left + 10)
            at = int(rng.integers(0, max(len(own) - n, 1)))
            own["activated"][at : at + n] = self._daytime(rng, own["activated"][rng.choice(new)], n)
            own["dealer"][at : at + n] = own["dealer"][at]
            own["document"][at : at + n] = own["document"][at]
            left -= n

    def _daytime(self, rng: Random, moment: int, n: int) -> Whole:
        return moment + np.sort(rng.integers(0, 40 * MINUTE, n))

    def _theirs(self, rng: Random) -> None:
        lines = self.lines[self.first_other :]
        lines["instance"], lines["home"], lines["dealer"] = -1, -1, -1
        other = self.lines[self.first_other : self.first_fixed]
        place = np.arange(len(other))
        other["number"] = numbers.mobile(
            place // numbers.FILLED, place % numbers.FILLED, numbers.OTHER_RANGES
        )
        other["trunk"] = numbers.INTERCONNECT
        fixed = self.lines[self.first_fixed : self.first_abroad]
        fixed["number"] = numbers.fixed_line(np.arange(len(fixed)))
        fixed["trunk"], fixed["many"] = numbers.INTERCONNECT, True
        far = self.lines[self.first_abroad :]
        country = rng.integers(0, 10, len(far))
        for n, name in enumerate(list(numbers.COUNTRIES)[:10]):
            far["number"][country == n] = numbers.foreign(name, np.flatnonzero(country == n))
        far["trunk"] = numbers.INTERNATIONAL

    # ------------------------------------------------------------------ cards, handsets, places

    def take_cards(self, rng: Random, n: int, label: str, instance: Any, new: float) -> Whole:
        """Cards for somebody; a share `new` of them is not a month old."""
        if self.taken + n > self.first_other:
            raise AssertionError("more cards are taken than were planned")
        line = np.arange(self.taken, self.taken + n)
        self.taken += n
        self.lines["label"][line] = calls.LABELS.index(label)
        self.lines["instance"][line] = instance
        young = line[rng.random(n) < new]
        self.lines["activated"][young] = self.clock.start - (rng.random(len(young)) * 30 * DAY).astype(
            np.int64
        )
        old = np.setdiff1d(line, young)
        late = old[self.lines["activated"][old] > self.clock.start]
        self.lines["activated"][late] = self.clock.start - rng.integers(DAY, 700 * DAY, len(late))
        return line

    def handsets(self, rng: Random, n: int) -> Whole:
        """IMEIs of handsets of some 400 models, few of them common."""
        model = (len(self._tacs) * rng.random(n) ** 2.5).astype(np.int64)
        return numbers.imei(self._tacs[model], rng.integers(0, 1_000_000, n))

    def some_dealers(self, rng: Random, n: int) -> Whole:
        """Dealers, few of them large."""
        return (self.dealers * rng.random(n) ** 2).astype(np.int64)

    def activations(self, rng: Random, n: int) -> Whole:
        """When cards were activated: ages that a constant churn leaves, some in the time that is simulated."""
        mean = 30 * DAY / max(self.scenario.ordinary.churn_month, 1e-6)
        moment = self.clock.end - (rng.exponential(mean, n)).astype(np.int64)
        day = (moment + SHANGHAI) // DAY * DAY - SHANGHAI
        shop = day + (9.5 * HOUR + 11 * HOUR * rng.beta(2, 2, n)).astype(np.int64)
        return np.maximum(shop, self.clock.start - 9_000 * DAY)

    def shop_hours(self, rng: Random, n: int) -> Whole:
        """Moments of the simulated days at which shops are open."""
        day = rng.integers(0, len(self.clock.days()), n)
        return self.clock.start + day * DAY + (9.5 * HOUR + 11 * HOUR * rng.beta(2, 2, n)).astype(np.int64)

    def near(self, rng: Random, cell: Any, spread: float) -> Whole:
        """Cells near others."""
        found: Whole = (cell + np.rint(rng.laplace(0, spread, len(cell))).astype(np.int64)) % self.cells
        return found

    def where(self, rng: Random, line: Whole, time: Whole) -> Whole:
        """The cells of our subscribers at a time."""
        ordinary, lines = self.scenario.ordinary, self.lines
        home, work = lines["home"][line].astype(np.int64), lines["work"][line]
        u = rng.random(len(line))
        at_home = np.asarray(ordinary.at_home)[Clock.hour(time)]
        out = u > at_home + (1 - at_home) * (1 - ordinary.elsewhere_cell)
        cell = np.where(u < at_home, home, work)
        cell = np.where(out, self.near(rng, cell, 4), cell)
        return np.where(lines["stationary"][line], home, cell)

    # ------------------------------------------------------------------ calls

    def setups(self, rng: Random, line: Whole, to: Whole, time: Whole) -> calls.Rows:
        """Calls as the network sees them, without their outcome: what is known of each caller is on it."""
        rows, lines = calls.empty(len(line)), self.lines
        own = lines["own"][line]
        rows["time"], rows["caller"], rows["callee"] = time, lines["number"][line], lines["number"][to]
        rows["line"] = np.where(lines["many"][line], -1, line)
        rows["to"] = np.where(lines["many"][to], -1, to)
        for name in ("imsi", "imei", "activated", "dealer", "document", "label", "instance", "trunk"):
            rows[name] = lines[name][line]
        rows["cell"] = np.where(own, self.where(rng, line, time), -1)
        unused = lines["own"][to] & (self.since(to) > time)
        rows["to"][unused] = -1
        rows["international"] = lines["trunk"][line] == numbers.INTERNATIONAL
        rows["roaming"] = np.where(own, 0, -1)
        far = own & lines["abroad"][line]
        rows["trunk"][far], rows["international"][far], rows["roaming"][far] = numbers.INTERNATIONAL, 1, 1
        for name, nothing in (("imsi", 0), ("imei", 0), ("cell", -1)):
            rows[name][far] = nothing
        return rows

    def events(self, rng: Random, event: int, line: Whole, time: Whole) -> calls.Rows:
        """What happens to cards without a call."""
        rows = self.setups(rng, line, line, time)
        rows["event"], rows["to"], rows["callee"] = event, -1, 0
        return rows

    def home_register(self, rows: calls.Rows) -> None:
        """What our register says of the numbers that calls show: whether these subscribers are abroad."""
        ours = self.lines[: self.taken]
        if not hasattr(self, "_by_number"):
            self._by_number = np.argsort(ours["number"])
        place = self._by_number[
            np.minimum(np.searchsorted(ours["number"], rows["caller"], sorter=self._by_number), len(ours) - 1)
        ]
        found = ours["number"][place] == rows["caller"]
        rows["roaming"] = np.where(found, ours["abroad"][place], -1)

    def since(self, line: Whole) -> Whole:
        """From when on cards are in use."""
        since: Whole = np.maximum(self.lines["activated"][line], self.lines["reactivated"][line])
        return since

    def outcome(self, rng: Random, n: int, manner: Manner, answered: Any = None) -> Outcome:
        """How calls go: how long they ring, how long is talked (0: not answered), and why they end."""
        ordinary = self.scenario.ordinary
        taken = rng.random(n) < (manner.answered if answered is None else answered)
        ring = np.clip(rng.lognormal(np.log(manner.ring_s * SECOND), 0.5, n), 300, 58 * SECOND)
        talk = np.clip(
            rng.lognormal(np.log(manner.talk_median_s * SECOND), manner.talk_sigma, n), 800, 3 * HOUR
        )
        shares = np.cumsum([ordinary.absent, ordinary.rejected, ordinary.abandoned])
        why = np.searchsorted(shares, rng.random(n))
        cause = np.array([calls.ABSENT, calls.REJECTED, calls.CLEARED, calls.NO_ANSWER])[why]
        least = np.array([1_200, 3_000, 4_000, 38_000])[why]
        more = np.array([2_500, 12_000, 24_000, 20_000])[why]
        waits = least + more * rng.random(n)
        return Outcome(
            np.where(taken, ring, waits).astype(np.int64),
            np.where(taken, talk, 0).astype(np.int64),
            np.where(taken, calls.CLEARED, cause),
        )
