"""Those who call strangers by the dozen and are honest: shops, teachers, couriers, drivers, call centres."""

import numpy as np

from interceptor.simulation import calls, numbers
from interceptor.simulation.clock import DAY, HOUR, MINUTE, SECOND
from interceptor.simulation.dialling import Diallers, credit
from interceptor.simulation.parameters import CodeReader
from interceptor.simulation.population import SERVICES
from interceptor.simulation.world import World


class Businesses:
    """Shops and agents by their mobiles; teachers who ring a class; numbers abroad that read codes aloud."""

    label = "business"
    forms: tuple[str, ...] = ()

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.stream(self.label)
        rng, kind = self.rng, world.scenario.business
        self._kind = kind
        self._owners = world.employ(round(world.subscribers * kind.share), self.label)
        n = len(self._owners)
        begin = (rng.normal(8.8, 0.8, n).clip(5, 12) * HOUR).astype(np.int64)
        end = (rng.normal(19, 1.5, n).clip(13, 23) * HOUR).astype(np.int64)
        self._at_work = Diallers(
            world, rng, kind, begin=begin, end=end, slow=rng.lognormal(0, 0.8, n).clip(0.2, 8)
        )
        self._classes = self._plan_classes()
        codes = round(kind.otp_numbers * world.subscribers / 1e6)
        self._codes = world.first_abroad + rng.integers(0, world.abroad, codes)

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time."""
        world, rng, kind = self.world, self.rng, self._kind
        at, time, outcome, _ = self._at_work.dial(end)
        line = self._owners[at]
        regular = world.nearby(rng, (line * 7 + 13) % world.subscribers, 25)
        to = np.where(
            rng.random(len(line)) < kind.strangers, world.nearby(rng, line, world.subscribers / 30), regular
        )
        used = (world.since(line) <= time) & (to != line)
        rows = outcome.onto(world.setups(rng, line, to, time))[used]
        n = int(rng.poisson(len(self._codes) * kind.otp_hour * (end - begin) / HOUR))
        line = rng.choice(self._codes, n) if len(self._codes) else self._codes[:0]
        codes = world.setups(
            rng, line, rng.integers(0, world.subscribers, len(line)), rng.integers(begin, end, len(line))
        )
        codes["line"] = -1  # many at a time
        codes = credit(
            world.outcome(rng, len(codes), CodeReader()).onto(codes), self.label, np.full(len(codes), -1)
        )
        now = slice(*np.searchsorted(self._classes["time"], (begin, end)))
        return [rows, codes, self._classes[now].copy()]

    def _plan_classes(self) -> calls.Rows:
        """A teacher rings the parents of a class, one after the other."""
        world, rng, kind = self.world, self.rng, self._kind
        teachers = world.employ(round(world.subscribers * kind.teachers), self.label)
        parts = [calls.empty(0)]
        for day in world.clock.days():
            active = teachers[rng.random(len(teachers)) < kind.class_day]
            parents = rng.integers(kind.parents[0], kind.parents[1] + 1, len(active))
            who = np.repeat(np.arange(len(active)), parents)
            went = world.outcome(rng, len(who), kind)
            took = went.ring + went.talk + rng.integers(5 * SECOND, 40 * SECOND, len(who))
            before = np.cumsum(took) - took
            first = np.cumsum(parents) - parents
            since = day + (rng.uniform(8, 19, len(active)) * HOUR).astype(np.int64)
            time = since[who] + before - before[first[who]]
            to = world.nearby(rng, active[who], 200)
            rows = went.onto(world.setups(rng, active[who], to, time))
            parts.append(rows[(world.since(active[who]) <= time) & (to != active[who])])
        return calls.joined(parts)


class Couriers:
    """Couriers on their rounds, and drivers who look for their passenger."""

    label = "courier"
    forms: tuple[str, ...] = ()

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.stream(self.label)
        rng, kind = self.rng, world.scenario.courier
        couriers = world.employ(round(world.subscribers * kind.share), self.label)
        drivers = world.employ(round(world.subscribers * kind.drivers), self.label)
        self._who = np.concatenate([couriers, drivers])
        n = len(self._who)
        self._drives = np.arange(n) >= len(couriers)
        slow = rng.lognormal(kind.slow, 0.7, n).clip(0.3, 8)
        slow = np.where(self._drives, kind.driver_gap_s / kind.gap_median_s * rng.lognormal(0, 0.4, n), slow)
        begin = (rng.uniform(7.5, 10.5, n) * HOUR).astype(np.int64)
        self._begin, length = begin, (rng.uniform(6, 12, n) * HOUR).astype(np.int64)
        self._length = np.minimum(length, 22 * HOUR - begin)
        self._at_work = Diallers(world, rng, kind, begin=begin, end=begin + self._length, slow=slow)

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time."""
        del begin
        world, rng, kind = self.world, self.rng, self.world.scenario.courier
        at, time, outcome, _ = self._at_work.dial(end)
        line, drives = self._who[at], self._drives[at]
        done = ((time - world.clock.start) % DAY - self._begin[at]) / self._length[at]
        there = np.where(drives, rng.uniform(-6, 6, len(at)), done + rng.normal(0, 0.05, len(at))) * kind.zone
        cell = (world.lines["work"][line] + there.astype(np.int64)) % world.cells
        resident = cell * world.subscribers // world.cells
        to = world.nearby(rng, resident, 150)
        rows = outcome.onto(world.setups(rng, line, to, time))
        rows["cell"] = cell
        return [rows[(world.since(line) <= time) & (to != line)]]


class CallCentres:
    """Seats that share a few fixed numbers of a company, or have a mobile card each in one office."""

    label = "call-centre"
    forms: tuple[str, ...] = ()

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.stream(self.label)
        rng, kind = self.rng, world.scenario.call_centre
        n = call_centres(world.subscribers, kind.subscribers)
        seats = rng.integers(kind.seats[0], kind.seats[1] + 1, n)
        self._centre = np.repeat(np.arange(n), seats)
        with_cards = np.floor((np.arange(n) + 1) * kind.mobile) > np.floor(np.arange(n) * kind.mobile)
        self._mobile = with_cards[self._centre]
        cards = world.take_cards(
            rng, int(self._mobile.sum()), self.label, self._centre[self._mobile], kind.new_cards
        )
        office = rng.integers(0, world.cells, n)
        world.lines["home"][cards] = office[self._centre[self._mobile]]
        world.lines["stationary"][cards] = True
        shared = rng.integers(1, 6, n)
        first = world.first_fixed + len(SERVICES) + rng.integers(0, world.fixed - len(SERVICES) - 6, n)
        own = first[self._centre] + rng.integers(0, 1 << 30, len(self._centre)) % shared[self._centre]
        service = rng.random(n) < kind.service
        own = np.where(service[self._centre], world.first_fixed + 1 + self._centre % 5, own)
        self._line = own
        self._line[self._mobile] = cards
        trunk = np.where(rng.random(n) < kind.over_voip, numbers.VOIP, numbers.ENTERPRISE)
        self._trunk = np.where(self._mobile, numbers.OWN_ACCESS, trunk[self._centre])
        begin = (rng.normal(9, 0.4, n).clip(7, 11)[self._centre] * HOUR).astype(np.int64)
        end = (rng.normal(18.5, 1, n).clip(16, 21)[self._centre] * HOUR).astype(np.int64)
        slow = rng.lognormal(0, 0.5, n).clip(0.4, 4)[self._centre]
        self._seats = Diallers(
            world, rng, kind, begin=begin + rng.integers(0, 20 * MINUTE, len(begin)), end=end, slow=slow
        )

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time."""
        del begin
        world, rng = self.world, self.rng
        seat, time, outcome, _ = self._seats.dial(end)
        rows = outcome.onto(world.setups(rng, self._line[seat], world.strangers(rng, len(seat)), time))
        rows["trunk"] = self._trunk[seat]
        return [credit(rows, self.label, self._centre[seat])]


def call_centres(subscribers: int, each: float) -> int:
    """How many call centres there are."""
    return max(int(subscribers / each), 1)
