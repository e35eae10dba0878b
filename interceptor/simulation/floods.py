"""Numbers that are not their callers', or that nobody is to answer: robocalls, spoofing, wangiri, TDoS, scans."""

from typing import Any

import numpy as np

from interceptor.simulation import calls, numbers
from interceptor.simulation.clock import DAY, HOUR, MINUTE
from interceptor.simulation.dialling import Diallers, credit
from interceptor.simulation.parameters import Campaign
from interceptor.simulation.population import SERVICES, Whole
from interceptor.simulation.world import World

#: Countries whose minutes are dear.
COSTLY = ("TN", "KM", "CU", "LV", "MV")


class Gangs:
    """Gangs with some lines each, which dial for some hours of one day."""

    def __init__(
        self, world: World, label: str, kind: Campaign, hours: tuple[float, float], day: tuple[int, int]
    ) -> None:
        rng = world.stream(label)
        self.world, self.rng, self.label = world, rng, label
        self.forms: tuple[str, ...] = getattr(kind, "forms", ())
        n = self.gangs = kind.instances
        self._gang = np.repeat(np.arange(n), rng.integers(kind.lines[0], kind.lines[1] + 1, n))
        length = rng.uniform(hours[0], hours[1], n)
        begin = rng.uniform(day[0], np.maximum(day[1] - length, day[0] + 0.01))
        first, last = ((hour * HOUR).astype(np.int64)[self._gang] for hour in (begin, begin + length))
        days = rng.integers(0, len(world.clock.days()), n)[self._gang]
        self._lines = Diallers(world, rng, kind, begin=first, end=last, day=days)
        self.form = np.asarray(self.forms or ("",))[np.arange(n) % max(len(self.forms), 1)]

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time."""
        del begin
        line, time, outcome, _ = self._lines.dial(end)
        order = np.argsort(time, kind="stable")
        gang = self._gang[line[order]]
        rows = self.placed(gang, time[order])
        for name, column in zip(("ring", "talk", "cause"), outcome, strict=True):
            rows[name] = column[order]
        return [credit(rows, self.label, gang)]

    def placed(self, gang: Whole, time: Whole) -> calls.Rows:
        """Who is called, and what is shown; in the order of time."""
        raise NotImplementedError

    def trunks(self, gang: Whole) -> Any:
        """Over which trunk a gang's calls come in, by its form."""
        return np.where(self.form[gang] == "foreign", numbers.INTERNATIONAL, numbers.VOIP)


class Robocalls(Gangs):
    """Each call shows another number of the callee's own block."""

    def __init__(self, world: World) -> None:
        kind = world.scenario.robocall
        super().__init__(world, "robocall", kind, kind.lasts_h, (9, 21))

    def placed(self, gang: Whole, time: Whole) -> calls.Rows:
        to = self.world.strangers(self.rng, len(gang))
        rows = self.world.setups(self.rng, to, to, time)
        block = rows["callee"] - rows["callee"] % numbers.BLOCK
        return self.world.shown(rows, block + self.rng.integers(0, numbers.BLOCK, len(to)), self.trunks(gang))


class Wangiris(Gangs):
    """One ring from a few costly numbers, neighbours of each other."""

    def __init__(self, world: World) -> None:
        kind = world.scenario.wangiri
        super().__init__(world, "wangiri", kind, kind.lasts_h, (0, 24))
        self._numbers = self.rng.integers(kind.numbers[0], kind.numbers[1] + 1, self.gangs)
        self._first = np.array(
            [
                numbers.foreign(COSTLY[gang % len(COSTLY)], self.rng.integers(0, 10_000, 1))[0]
                for gang in range(self.gangs)
            ]
        )

    def placed(self, gang: Whole, time: Whole) -> calls.Rows:
        to = self.rng.integers(0, self.world.subscribers, len(gang))
        rows = self.world.setups(self.rng, to, to, time)
        caller = (
            self._first[gang] // 100 * 100 + self.rng.integers(0, 1 << 30, len(gang)) % self._numbers[gang]
        )
        return self.world.shown(rows, caller, np.full(len(gang), numbers.INTERNATIONAL))


class Floods(Gangs):
    """One telephone that is rung without end."""

    def __init__(self, world: World) -> None:
        kind = world.scenario.tdos
        hours = (kind.lasts_min[0] * MINUTE / HOUR, kind.lasts_min[1] * MINUTE / HOUR)
        super().__init__(world, "tdos", kind, hours, (0, 24))
        self._victim = self.rng.integers(0, world.subscribers, self.gangs)
        self._size = self.rng.integers(kind.pool[0], kind.pool[1] + 1, self.gangs)
        self._size[self.form == "one-number"] = 1
        self._first = self.rng.integers(0, world.others, self.gangs)

    def placed(self, gang: Whole, time: Whole) -> calls.Rows:
        world, rng = self.world, self.rng
        to = self._victim[gang]
        rows = world.setups(rng, to, to, time)
        member = rng.integers(0, 1 << 30, len(gang)) % self._size[gang]
        pool = world.first_other + (self._first[gang] + member * 9_973) % world.others
        caller = world.lines["number"][pool]
        anyone = self.form[gang] == "never-repeated"
        caller[anyone] = world.lines["number"][world.strangers(rng, int(anyone.sum()))]
        caller[anyone] += rng.integers(1, 5_000, int(anyone.sum()))
        return world.shown(rows, caller, np.where(anyone, numbers.VOIP, numbers.INTERCONNECT))


class Scans(Gangs):
    """Numbers of a block tried one after the other, let ring for a moment."""

    def __init__(self, world: World) -> None:
        kind = world.scenario.scan
        super().__init__(world, "scan", kind, (24.0, 24.0), (0, 24))
        begin = (self.rng.uniform(0, 20, self.gangs) * HOUR).astype(np.int64)[self._gang]
        days = self.rng.integers(0, len(world.clock.days()), self.gangs)[self._gang]
        self._lines = Diallers(world, self.rng, kind, begin=begin, end=np.full(len(begin), DAY), day=days)
        # A card is in one handset, which makes one call at a time.
        self._lines.stop((self.form == "card")[self._gang] & (np.diff(self._gang, prepend=-1) == 0))
        self._left = self.rng.integers(kind.numbers[0], kind.numbers[1] + 1, self.gangs)
        start = world.lines["number"][world.strangers(self.rng, self.gangs)]
        self._next = start - start % numbers.BLOCK + self.rng.integers(0, 3_000, self.gangs)
        card = self.form == "card"
        self._card = np.zeros(self.gangs, np.int64)
        self._card[card] = world.take_cards(self.rng, int(card.sum()), self.label, np.flatnonzero(card), 0.5)
        world.lines["stationary"][self._card[card]] = True
        # One number abroad or on another network for each gang without a card.
        self._shown = np.where(
            self.form == "foreign",
            world.lines["number"][world.first_abroad + self.rng.integers(0, world.abroad, self.gangs)],
            world.lines["number"][world.first_other + self.rng.integers(0, world.others, self.gangs)],
        )

    def placed(self, gang: Whole, time: Whole) -> calls.Rows:
        world, rng = self.world, self.rng
        rank = np.zeros(len(gang), np.int64)
        order = np.argsort(gang, kind="stable")
        rank[order] = np.arange(len(gang)) - np.searchsorted(gang[order], gang[order])
        number = self._next[gang] + rank
        made = np.bincount(gang, minlength=self.gangs)
        self._next += made
        to = world.find(number)
        by_card = self.form[gang] == "card"
        rows = world.setups(rng, np.where(by_card, self._card[gang], to), np.maximum(to, 0), time)
        rows["callee"], rows["to"] = number, np.where(to < 0, to, rows["to"])
        rows[~by_card] = world.shown(rows[~by_card], self._shown[gang[~by_card]], self.trunks(gang[~by_card]))
        self._wanted = rank < self._left[gang]
        self._left -= made
        self._lines.stop(self._left[self._gang] <= 0)
        return rows

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time, until every number was tried."""
        (rows,) = super().between(begin, end)
        return [rows[self._wanted]]


class Spoofers(Gangs):
    """From abroad, with the number of a bank, of an authority, or of somebody at home."""

    def __init__(self, world: World) -> None:
        kind = world.scenario.spoofed
        super().__init__(world, "spoofed", kind, kind.lasts_h, (8, 22))
        self._size = self.rng.integers(kind.numbers[0], kind.numbers[1] + 1, self.gangs)
        self._first = self.rng.integers(0, world.subscribers, self.gangs)

    def placed(self, gang: Whole, time: Whole) -> calls.Rows:
        world, rng = self.world, self.rng
        to = world.strangers(rng, len(gang))
        rows = world.setups(rng, to, to, time)
        member = self._first[gang] + rng.integers(0, 1 << 30, len(gang)) % self._size[gang]
        caller = numbers.fixed_line(member)
        service, subscriber = (self.form[gang] == form for form in ("service", "subscriber"))
        short = np.asarray(SERVICES)[member % 6]
        # Some networks abroad hand a service number over as it is, some with a country code before it.
        caller = np.where(service, np.where(gang % 2 == 0, short, 86 * numbers.power(short) + short), caller)
        person = world.lines["number"][
            np.where(member % 2, member % world.subscribers, world.first_other + member % world.others)
        ]
        return world.shown(
            rows, np.where(subscriber, person, caller), np.full(len(gang), numbers.INTERNATIONAL)
        )
