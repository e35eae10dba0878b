"""Who has a telephone: our subscribers, those of other networks, companies, numbers abroad; cards and handsets."""

from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.simulation import numbers
from interceptor.simulation.clock import DAY, HOUR, MINUTE, SHANGHAI, Clock
from interceptor.simulation.scenario import Scenario

Whole = npt.NDArray[np.int64]
Random = np.random.Generator

#: `since`: when the card came into use (activated or reactivated); `sms`: how many SMS it gets, to others'.
LINE = np.dtype(
    [
        ("number", "i8"), ("imsi", "i8"), ("imei", "i8"), ("activated", "i8"), ("reactivated", "i8"),
        ("document", "i8"), ("sms", "f4"), ("home", "i4"), ("work", "i4"), ("dealer", "i4"), ("instance", "i4"),
        ("label", "i1"), ("trunk", "i1"), ("own", "?"), ("many", "?"), ("stationary", "?"), ("abroad", "?"),
    ]
)  # fmt: skip

#: Service numbers that people call and are called by: the operator's, banks', the city's, police and rescue.
SERVICES = (10086, 95588, 95533, 10000, 10010, 95599, 12345, 95555, 12306, 95566, 96110, 12315, 120, 110, 119)
#: Numbers abroad from which people call home or on business; the other countries of `numbers` are for one ring.
PEOPLE_ABROAD = ("US", "HK", "JP", "KR", "GB", "SG", "MM", "KH", "PH", "TH")


class Population:
    """Lines in segments, and what is drawn for each.

    Our subscribers in the order of where they come from; `cards` of ours that others will hold; subscribers of other
    networks in the same order; fixed lines, services first; numbers abroad.
    """

    def __init__(
        self, scenario: Scenario, rng: Random, clock: Clock, *, subscribers: int, cards: int
    ) -> None:
        ordinary = scenario.ordinary
        self._ordinary, self._clock, self._rng = ordinary, clock, rng
        self.subscribers = subscribers
        self.others = max(int(subscribers * ordinary.elsewhere), 1)
        self.fixed = max(subscribers // 100, 100)
        self.abroad = max(subscribers // 100, 200)
        self.first_other = subscribers + cards
        self.first_fixed = self.first_other + self.others
        self.first_abroad = self.first_fixed + self.fixed
        self.cells = max(int(subscribers / ordinary.cell_subscribers), 12)
        self.dealers = max(int(subscribers / ordinary.dealer_cards), 3)
        self.lines = np.zeros(self.first_abroad + self.abroad, LINE)
        tacs = 35_000_000 + rng.integers(0, 1_000_000, 120)
        self._tacs = np.concatenate([tacs, 86_000_000 + rng.integers(0, 800_000, 280)])
        rng.shuffle(self._tacs)
        self._number_ours(cards)
        self._equip(self.lines[: self.first_other])
        self._settle(self.lines[:subscribers])
        self._share_handsets(self.lines[:subscribers])
        self._staff(self.lines[:subscribers])
        self._theirs()
        self._port()

    def _number_ours(self, cards: int) -> None:
        n, rng = self.subscribers, self._rng
        lines = self.lines[: n + cards]
        lines["imsi"] = numbers.imsi(np.arange(n + cards))
        blocks = numbers.blocks_for(n, cards)
        filled = -(-n // blocks)
        place = np.arange(n)
        lines["number"][:n] = numbers.mobile(place // filled, place % filled, numbers.OWN_RANGES)
        spare = numbers.BLOCK - numbers.FILLED
        chosen = rng.choice(blocks * spare, cards, replace=False)
        lines["number"][n:] = numbers.mobile(
            chosen // spare, numbers.FILLED + chosen % spare, numbers.OWN_RANGES
        )

    def _equip(self, lines: Any) -> None:
        rng, n = self._rng, len(lines)
        lines["own"], lines["trunk"], lines["instance"] = True, numbers.OWN_ACCESS, -1
        lines["home"] = rng.integers(0, self.cells, n)
        lines["imei"] = self.handsets(rng, n)
        lines["document"] = rng.integers(1, 1 << 60, n)
        lines["dealer"] = (self.dealers * rng.random(n) ** 2).astype(np.int64)  # few of them large
        lines["activated"] = self._activations(n)
        lines["sms"] = rng.lognormal(-0.5, 1.0, n)

    def _settle(self, own: Any) -> None:
        rng, ordinary, n = self._rng, self._ordinary, len(own)
        stayed = rng.random(n) >= ordinary.migrants
        own["home"][stayed] = (np.arange(n) * self.cells // n)[stayed]
        work = self.near(rng, own["home"], max(self.cells / 40, 2))
        crowded = rng.random(n) < ordinary.crowded
        own["work"] = np.where(crowded, work // 12 * 12, work)
        own["stationary"] = rng.random(n) < ordinary.stationary
        own["abroad"] = rng.random(n) < ordinary.abroad
        days = len(self._clock.days())
        back = np.flatnonzero(rng.random(n) < ordinary.reactivated_day * days)
        back = back[own["activated"][back] < self._clock.start - 200 * DAY]
        day = rng.integers(0, days, len(back))
        own["reactivated"][back] = self._clock.start + day * DAY + self._shop_hours(len(back))

    def _share_handsets(self, own: Any) -> None:
        rng, ordinary = self._rng, self._ordinary
        first = np.flatnonzero(rng.random(len(own) - 1) < ordinary.dual_sim)
        first = first[np.diff(first, prepend=-2) > 1]
        for name in ("document", "home", "work", "stationary", "abroad"):
            own[name][first + 1] = own[name][first]
        device = own["imei"][first] // 10
        serial = (device % 1_000_000 + (rng.random(len(first)) >= ordinary.dual_same_imei)) % 1_000_000
        own["imei"][first + 1] = numbers.imei(device // 1_000_000, serial)
        cloned = np.flatnonzero(rng.random(len(own)) < ordinary.cloned)
        groups = max(int(len(cloned) / ordinary.cloned_group), 1)
        weight = 1 / np.arange(1, groups + 1) ** 0.8
        of = rng.choice(groups, len(cloned), p=weight / weight.sum())
        own["imei"][cloned] = self.handsets(rng, groups)[of]

    def _staff(self, own: Any) -> None:
        """Companies that buy cards for their people: neighbours by number, one dealer, one document, one hour."""
        rng = self._rng
        new = np.flatnonzero(own["activated"] > self._clock.start - 30 * DAY)
        left = int(len(new) * self._ordinary.staff_cards)
        moments = own["activated"][new]
        while left > 0:
            n = int(rng.integers(10, 61))
            at = int(rng.integers(0, max(len(own) - n, 1)))
            batch = own[at : at + n]
            batch["activated"] = rng.choice(moments) + np.sort(rng.integers(0, 40 * MINUTE, len(batch)))
            batch["reactivated"] = 0
            batch["dealer"], batch["document"] = batch["dealer"][0], batch["document"][0]
            left -= n

    def _theirs(self) -> None:
        rng = self._rng
        lines = self.lines[self.first_other :]
        lines["instance"], lines["home"], lines["dealer"] = -1, -1, -1
        other = self.lines[self.first_other : self.first_fixed]
        place = np.arange(len(other))
        filled = numbers.FILLED
        other["number"] = numbers.mobile(place // filled, place % filled, numbers.OTHER_RANGES)
        voip = rng.random(len(other)) < self._ordinary.over_voip
        other["trunk"] = np.where(voip, numbers.VOIP, numbers.INTERCONNECT)
        fixed = self.lines[self.first_fixed : self.first_abroad]
        fixed["number"] = numbers.fixed_line(np.arange(len(fixed)))
        fixed["number"][: len(SERVICES)] = SERVICES
        fixed["trunk"], fixed["many"] = numbers.INTERCONNECT, True
        far = self.lines[self.first_abroad :]
        country = rng.integers(0, len(PEOPLE_ABROAD), len(far))
        for n, name in enumerate(PEOPLE_ABROAD):
            far["number"][country == n] = numbers.foreign(name, np.flatnonzero(country == n))
        far["trunk"] = numbers.INTERNATIONAL

    def _port(self) -> None:
        """Numbers that moved to another network with their holders: a range does not tell whose a number is."""
        ours = np.flatnonzero(self._rng.random(self.subscribers) < self._ordinary.ported)[: self.others]
        theirs = self.first_other + self._rng.choice(self.others, len(ours), replace=False)
        number = self.lines["number"]
        number[ours], number[theirs] = number[theirs], number[ours]

    def _activations(self, n: int) -> Whole:
        """When cards were activated: ages that a constant churn leaves, some in the time that is simulated."""
        mean = 30 * DAY / max(self._ordinary.churn_month, 1e-6)
        moment = self._clock.end - self._rng.exponential(mean, n).astype(np.int64)
        day = (moment + SHANGHAI) // DAY * DAY - SHANGHAI
        moments: Whole = np.maximum(day + self._shop_hours(n), self._clock.start - 9_000 * DAY)
        return moments

    def _shop_hours(self, n: int) -> Whole:
        return (9.5 * HOUR + 11 * HOUR * self._rng.beta(2, 2, n)).astype(np.int64)

    def handsets(self, rng: Random, n: int) -> Whole:
        """IMEIs of handsets of some 400 models, few of them common."""
        model = (len(self._tacs) * rng.random(n) ** 2.5).astype(np.int64)
        return numbers.imei(self._tacs[model], rng.integers(0, 1_000_000, n))

    def near(self, rng: Random, cell: Any, spread: float) -> Whole:
        """Cells near others."""
        found: Whole = (cell + np.rint(rng.laplace(0, spread, len(cell))).astype(np.int64)) % self.cells
        return found
