"""Ordinary subscribers: they call whom they know, are called back, get SMS, move, roam, change cards."""

import numpy as np

from interceptor.simulation import calls, numbers
from interceptor.simulation.clock import DAY, HOUR, MINUTE, SECOND, Clock
from interceptor.simulation.contacts import Contacts
from interceptor.simulation.parameters import Trial
from interceptor.simulation.population import SERVICES, Whole
from interceptor.simulation.world import World


class People:
    """Everybody's own calls, and what happens to everybody's cards. Made last: it reads what others changed."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.stream("people")
        ordinary = world.scenario.ordinary
        n, sigma = world.subscribers, ordinary.calls_sigma
        activity = np.minimum(self.rng.lognormal(-(sigma**2) / 2, sigma, n + world.others), 25)
        self.contacts = Contacts(world, activity[:n])
        hours = np.asarray(ordinary.hours)
        self._hours = hours / hours.sum()
        self._lines = np.concatenate([np.arange(n), np.arange(world.first_other, world.first_fixed)])
        rate = activity * ordinary.calls_per_day
        # Others call ours only in so far as their contacts are ours.
        rate[n:] *= np.minimum(self.contacts.degree(self._lines[n:]) / ordinary.contacts, 1)
        self._rate = np.cumsum(rate)
        self._sms = np.cumsum(world.lines["sms"][: world.taken].astype(float))
        self._abroad = np.flatnonzero(world.lines["abroad"][:n])
        self._shopkeepers = np.flatnonzero(world.lines["label"][:n] == calls.LABELS.index("business"))
        self._changes = {
            event: self._in_time(world.lines[name][: world.taken])
            for event, name in ((calls.ACTIVATED, "activated"), (calls.REACTIVATED, "reactivated"))
        }
        self._repairs = self._plan_repairs()

    def _in_time(self, moment: Whole) -> Whole:
        """Lines to which something happens in the simulated time, in its order."""
        line = np.flatnonzero((moment >= self.world.clock.start) & (moment < self.world.clock.end))
        return line[np.argsort(moment[line], kind="stable")]

    def _how_many(self, per_day: float, begin: int, end: int) -> int:
        ordinary = self.world.scenario.ordinary
        weight = self._hours[Clock.hour(begin)] * (ordinary.weekend if Clock.weekend(begin) else 1)
        return int(self.rng.poisson(per_day * weight * (end - begin) / HOUR))

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time."""
        own, n = self._own(begin, end)
        return [own, self._foreign(n, begin, end), self._forwarded(n, begin, end), self._messages(begin, end),
                *self._card_changes(begin, end), *self._repaired(begin, end)]  # fmt: skip

    def _own(self, begin: int, end: int) -> tuple[calls.Rows, int]:
        world, rng, ordinary = self.world, self.rng, self.world.scenario.ordinary
        n = self._how_many(self._rate[-1], begin, end)
        line = self._lines[np.searchsorted(self._rate, rng.random(n) * self._rate[-1])]
        time = rng.integers(begin, end, n)
        used = world.since(line) <= time
        line, time = line[used], time[used]
        to = self.contacts.pick(rng, line)
        service = np.flatnonzero((rng.random(len(line)) < ordinary.services) & (line < world.subscribers))
        to[service] = self._company(len(service))
        met = (to >= 0) & (to != line)
        rows = world.setups(rng, line[met], to[met], time[met])
        rows["fraud"] = False  # also who lends a handset to a gang has a life
        return self._go(rows), n

    def _company(self, n: int) -> Whole:
        """Whom people call who do not know anybody there: service numbers, companies, shops."""
        world, rng = self.world, self.rng
        fixed = world.first_fixed + (world.fixed * rng.random(n) ** 3).astype(np.int64)
        service = world.first_fixed + (len(SERVICES) * rng.random(n) ** 2).astype(np.int64)
        to = np.where(rng.random(n) < 0.35, service, fixed)
        shop = rng.random(n) < 0.4
        if len(self._shopkeepers):
            to[shop] = rng.choice(self._shopkeepers, int(shop.sum()))
        return to

    def _go(self, rows: calls.Rows) -> calls.Rows:
        world = self.world
        called = np.where(rows["to"] >= 0, world.lines["label"][rows["to"]], 0)
        unattended = (called == calls.LABELS.index("sim-box")) | (called == calls.LABELS.index("card-farm"))
        answered = np.where(unattended, world.scenario.ordinary.unattended, world.scenario.ordinary.answered)
        return world.outcome(self.rng, len(rows), world.scenario.ordinary, answered).onto(rows)

    def again(self, rows: calls.Rows) -> calls.Rows:
        """Missed calls called back by who is known or curious, and dialled again."""
        world, rng, ordinary = self.world, self.rng, self.world.scenario.ordinary
        missed = rows[(rows["event"] == calls.SETUP) & (rows["talk"] == 0) & (rows["to"] >= 0)]
        known = missed["label"] == 0
        share = np.where(known, ordinary.callback, ordinary.callback_stranger)
        person = (missed["to"] < world.subscribers) | (missed["to"] >= world.first_other)
        called = missed[person & (rng.random(len(missed)) < share)]
        line = called["to"].astype(np.int64)
        number = called["caller"]
        # A number that was only shown is its owner's, who is called now.
        aim = np.where(called["line"] >= 0, called["line"], world.find(number))
        foreign = called["international"] == 1
        aim = np.where((aim == -2) & (foreign | (number < numbers.MOBILES)), -1, aim)
        after = rng.lognormal(np.log(ordinary.callback_min * MINUTE), 1.2, len(called)).astype(np.int64)
        time = called["time"] + called["ring"] + after
        # Somebody of another network calls one of another network: not seen by us.
        seen = world.lines["own"][line] | ((aim >= 0) & world.lines["own"][np.maximum(aim, 0)])
        back = world.setups(rng, line[seen], np.maximum(aim[seen], 0), time[seen])
        back["callee"] = number[seen]
        back["to"] = np.where(aim[seen] < 0, aim[seen], back["to"])
        back["fraud"] = False
        tried = missed[known & (missed["line"] >= 0) & (rng.random(len(missed)) < ordinary.redial)]
        tried["time"] += tried["ring"] + rng.lognormal(np.log(2 * MINUTE), 1.0, len(tried)).astype(np.int64)
        return self._go(np.concatenate([back, tried]))

    # ------------------------------------------------------------------ from abroad

    def _foreign(self, n: int, begin: int, end: int) -> calls.Rows:
        """Calls of people abroad."""
        world, rng = self.world, self.rng
        some = int(rng.poisson(n * world.scenario.ordinary.from_abroad))
        line = world.first_abroad + rng.integers(0, world.abroad, some)
        to = rng.integers(0, world.subscribers, some)
        return self._go(world.setups(rng, line, to, rng.integers(begin, end, some)))

    def _forwarded(self, n: int, begin: int, end: int) -> calls.Rows:
        """Calls to somebody who roams that are forwarded home: the caller's Chinese number comes from abroad."""
        world, rng, ordinary = self.world, self.rng, self.world.scenario.ordinary
        mean = len(self._abroad) * ordinary.calls_per_day * ordinary.forwarded * n / self._rate[-1]
        over = rng.choice(self._abroad, int(rng.poisson(mean))) if len(self._abroad) else self._abroad
        caller, to = self.contacts.pick(rng, over), self.contacts.pick(rng, over)
        time = rng.integers(begin, end, len(over))
        real = (caller >= 0) & (to >= 0) & (caller != to)
        real &= world.since(np.maximum(caller, 0)) <= time
        rows = world.setups(rng, caller[real], to[real], time[real])
        rows["forwarded"] = world.lines["number"][over[real]]
        rows["trunk"], rows["international"] = numbers.INTERNATIONAL, 1
        rows["imsi"], rows["imei"], rows["cell"], rows["fraud"] = 0, 0, -1, False
        return self._go(rows)

    # ------------------------------------------------------------------ SMS, cards, handsets

    def _messages(self, begin: int, end: int) -> calls.Rows:
        """SMS received, and handsets switched on."""
        world, rng, ordinary = self.world, self.rng, self.world.scenario.ordinary
        n = self._how_many(world.subscribers * ordinary.sms_day, begin, end)
        line = np.searchsorted(self._sms, rng.random(n) * self._sms[-1])
        sms = world.events(rng, calls.SMS, line, rng.integers(begin, end, n))
        n = self._how_many(world.taken * ordinary.attaches_day, begin, end)
        attached = world.events(
            rng, calls.ATTACHED, rng.integers(0, world.taken, n), rng.integers(begin, end, n)
        )
        rows = np.concatenate([sms, attached])
        here: calls.Rows = rows[(world.since(rows["line"]) < rows["time"]) & (rows["roaming"] == 0)]
        return here

    def _card_changes(self, begin: int, end: int) -> list[calls.Rows]:
        """Cards activated and reactivated in the slice, and attached soon after: everybody's, whoever holds them."""
        world, rng, parts = self.world, self.rng, []
        for event, name in ((calls.ACTIVATED, "activated"), (calls.REACTIVATED, "reactivated")):
            lines = self._changes[event]
            moment = world.lines[name]
            line = lines[np.searchsorted(moment[lines], begin) : np.searchsorted(moment[lines], end)]
            parts.append(world.events(rng, event, line, moment[line]))
            soon = moment[line] + rng.integers(20 * SECOND, 10 * MINUTE, len(line))
            parts.append(world.events(rng, calls.ATTACHED, line, soon))
        return parts

    def _plan_repairs(self) -> calls.Rows:
        """Customers' cards tried in a shop's own handset: many cards in one IMEI, all of them honest."""
        world, rng, ordinary = self.world, self.rng, self.world.scenario.ordinary
        shops = max(int(world.subscribers / ordinary.repair_shops), 1)
        at = rng.integers(0, world.subscribers, shops)
        handset, cell = world.people.handsets(rng, shops), world.lines["home"][at]
        parts = [calls.empty(0)]
        for day in world.clock.days():
            cards = rng.integers(ordinary.repair_cards[0], ordinary.repair_cards[1] + 1, shops)
            shop = np.repeat(np.arange(shops), cards)
            line = (
                at[shop] + rng.integers(1, max(min(4_000, world.subscribers), 2), len(shop))
            ) % world.subscribers
            tries = world.setups(
                rng, line, at[shop], day + 9 * HOUR + rng.integers(30 * MINUTE, 11 * HOUR, len(shop))
            )
            tries["imei"], tries["cell"] = handset[shop], cell[shop]
            parts.append(tries[(world.since(line) < day - DAY) & (tries["roaming"] == 0)])
        return calls.joined(parts)

    def _repaired(self, begin: int, end: int) -> list[calls.Rows]:
        world, rng, time = self.world, self.rng, self._repairs["time"]
        tried = self._repairs[np.searchsorted(time, begin) : np.searchsorted(time, end)].copy()
        attached = tried.copy()
        attached["event"], attached["to"], attached["callee"] = calls.ATTACHED, -1, 0
        tried["time"] += rng.integers(10 * SECOND, 4 * MINUTE, len(tried))
        tried["fraud"] = attached["fraud"] = False
        return [attached, world.outcome(rng, len(tried), Trial()).onto(tried)]
