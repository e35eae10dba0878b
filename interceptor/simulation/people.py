"""Ordinary subscribers: they call who they know, are called back, get SMS, move, roam, change cards."""

import numpy as np
import numpy.typing as npt

from interceptor.simulation import calls, numbers
from interceptor.simulation.contacts import Contacts
from interceptor.simulation.parameters import Dialling
from interceptor.simulation.population import DAY, HOUR, MINUTE, SECOND, Clock, World

Whole = npt.NDArray[np.int64]

#: A repair shop's trial call: answered by the shop itself, over at once.
TRIED = Dialling(answered=0.85, ring_s=3, talk_median_s=6, talk_sigma=0.5)


class People:
    """Everybody's own calls."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.stream("people")
        ordinary = world.scenario.ordinary
        n = world.subscribers
        sigma = ordinary.calls_sigma
        self.activity = np.minimum(self.rng.lognormal(-(sigma**2) / 2, sigma, n + world.others), 25)
        self.contacts = Contacts(world, self.activity[:n])
        hours = np.asarray(ordinary.hours)
        self._hours = hours / hours.sum()
        lines = np.concatenate([np.arange(n), np.arange(world.first_other, world.first_fixed)])
        rate = self.activity * ordinary.calls_per_day
        # Others call ours only in so far as their contacts are ours.
        rate[n:] *= np.minimum(self.contacts.degree(lines[n:]) / ordinary.contacts, 1)
        self._lines, self._cumulated = lines, np.cumsum(rate)
        self._sms = np.cumsum(self.rng.lognormal(-0.5, 1.0, n))
        self._shops = self._repairs()

    def _how_many(self, per_day: float, begin: int, end: int) -> int:
        weight = self._hours[Clock.hour(begin)] * (
            self.world.scenario.ordinary.weekend if Clock.weekend(begin) else 1
        )
        return int(self.rng.poisson(per_day * weight * (end - begin) / HOUR))

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time."""
        world, rng, ordinary = self.world, self.rng, self.world.scenario.ordinary
        n = self._how_many(self._cumulated[-1], begin, end)
        line = self._lines[np.searchsorted(self._cumulated, rng.random(n) * self._cumulated[-1])]
        time = np.sort(rng.integers(begin, end, n))
        since = world.since(line)
        line, time = line[since <= time], time[since <= time]
        to = self.contacts.pick(rng, line)
        service = (rng.random(len(line)) < ordinary.services) & (line < world.subscribers)
        to[service] = world.first_fixed + (world.fixed * rng.random(service.sum()) ** 3).astype(np.int64)
        met = to >= 0
        rows = world.setups(rng, line[met], to[met], time[met])
        rows = self._answered(rows)
        return [rows, self._foreign(n, begin, end), self._sms_and_attaches(begin, end), self._cards(begin, end),
                *self._repaired(begin, end)]  # fmt: skip

    def _answered(self, rows: calls.Rows) -> calls.Rows:
        return self.world.outcome(self.rng, len(rows), self.world.scenario.ordinary).onto(rows)

    def again(self, rows: calls.Rows, until: int, shift: int) -> calls.Rows:
        """Missed calls called back and dialled again, some time after `until`: without their outcome's effect yet.

        Parameters
        ----------
        rows
            Calls of a slice, as they went.
        until, shift
            End of the slice, and what is added to what would fall before it.
        """
        world, rng, ordinary = self.world, self.rng, self.world.scenario.ordinary
        missed = rows[(rows["event"] == calls.SETUP) & (rows["talk"] == 0)]
        to = missed["to"].astype(np.int64)
        known = missed["label"] == 0
        share = np.where(known, ordinary.callback, ordinary.callback_stranger)
        person = (to >= 0) & ((to < world.subscribers) | ((to >= world.first_other) & (missed["line"] >= 0)))
        called = missed[person & (rng.random(len(missed)) < share) & (missed["caller"] > 0)]
        line = called["to"].astype(np.int64)
        aim = called["line"].astype(np.int64)
        after = rng.lognormal(np.log(ordinary.callback_min * MINUTE), 1.2, len(called)).astype(np.int64)
        time = called["time"] + called["ring"] + after
        # Somebody of another network calls one of another network: not seen by us.
        ours = world.lines["own"][line] | ((aim >= 0) & world.lines["own"][aim])
        back = world.setups(rng, line[ours], np.maximum(aim[ours], 0), time[ours])
        back["callee"], back["to"] = called["caller"][ours], np.where(aim[ours] < 0, -1, back["to"])
        tried = missed[known & (missed["line"] >= 0) & (rng.random(len(missed)) < ordinary.redial)]
        redial = tried.copy()
        redial["time"] += tried["ring"] + rng.lognormal(np.log(2 * MINUTE), 1.0, len(tried)).astype(np.int64)
        later = self._answered(np.concatenate([back, redial]))
        later["time"] += shift * (later["time"] < until)
        return later

    # ------------------------------------------------------------------ from abroad, SMS, cards

    def _foreign(self, n: int, begin: int, end: int) -> calls.Rows:
        """People abroad, and our numbers where a call to somebody who roams was forwarded on."""
        world, rng, ordinary = self.world, self.rng, self.world.scenario.ordinary
        some = int(rng.poisson(n * ordinary.from_abroad))
        line = world.first_abroad + rng.integers(0, world.abroad, some)
        rows = world.setups(
            rng, line, rng.integers(0, world.subscribers, some), rng.integers(begin, end, some)
        )
        far = np.flatnonzero(world.lines["abroad"][: world.subscribers])
        hops = int(
            rng.poisson(len(far) * ordinary.calls_per_day * ordinary.forwarded * n / self._cumulated[-1])
        )
        if len(far) and hops:
            over = rng.choice(far, hops)
            caller = self.contacts.pick(rng, over)
            to = self.contacts.pick(rng, over)
            keep = (caller >= 0) & (to >= 0) & (caller != to)
            hop = world.setups(rng, caller[keep], to[keep], rng.integers(begin, end, int(keep.sum())))
            hop["forwarded"] = world.lines["number"][over[keep]]
            hop["trunk"], hop["international"] = numbers.INTERNATIONAL, 1
            hop["imsi"] = hop["imei"] = 0
            hop["cell"] = -1
            rows = np.concatenate([rows, hop])
        return self._answered(rows)

    def _sms_and_attaches(self, begin: int, end: int) -> calls.Rows:
        world, rng, ordinary = self.world, self.rng, self.world.scenario.ordinary
        n = self._how_many(world.subscribers * ordinary.sms_day, begin, end)
        line = np.searchsorted(self._sms, rng.random(n) * self._sms[-1])
        sms = world.events(rng, calls.SMS, line, rng.integers(begin, end, n))
        n = self._how_many(world.subscribers * ordinary.attaches_day, begin, end)
        line = rng.integers(0, world.subscribers, n)
        attached = world.events(rng, calls.ATTACHED, line, rng.integers(begin, end, n))
        rows = np.concatenate([sms, attached])
        in_use: calls.Rows = rows[(world.since(rows["line"]) < rows["time"]) & (rows["roaming"] == 0)]
        return in_use

    def _cards(self, begin: int, end: int) -> calls.Rows:
        """Cards activated and reactivated in the slice, then attached: everybody's, whoever holds them."""
        world, rng = self.world, self.rng
        ours = world.lines[: world.taken]
        parts = []
        for event, name in ((calls.ACTIVATED, "activated"), (calls.REACTIVATED, "reactivated")):
            line = np.flatnonzero((ours[name] >= begin) & (ours[name] < end))
            parts.append(world.events(rng, event, line, ours[name][line]))
            soon = ours[name][line] + rng.integers(20 * SECOND, 10 * MINUTE, len(line))
            parts.append(world.events(rng, calls.ATTACHED, line, np.minimum(soon, end - 1)))
        return np.concatenate(parts)

    def _repairs(self) -> dict[str, Whole]:
        """Customers' cards tried in a shop's own handset: many cards in one IMEI, all of them honest."""
        world, rng, ordinary = self.world, self.rng, self.world.scenario.ordinary
        shops = max(int(world.subscribers / ordinary.repair_shops), 1)
        handsets, at = world.handsets(rng, shops), rng.integers(0, world.subscribers, shops)
        found: dict[str, list[Whole]] = {"line": [], "imei": [], "cell": [], "time": [], "to": []}
        for day in world.clock.days():
            cards = rng.integers(ordinary.repair_cards[0], ordinary.repair_cards[1] + 1, shops)
            shop = np.repeat(np.arange(shops), cards)
            n = len(shop)
            found["line"].append((at[shop] + rng.integers(1, 4_000, n)) % world.subscribers)
            found["imei"].append(handsets[shop])
            found["cell"].append(world.lines["home"][at[shop]].astype(np.int64))
            found["time"].append(day + 9 * HOUR + 30 * MINUTE + rng.integers(0, 11 * HOUR, n))
            found["to"].append(at[shop])
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def _repaired(self, begin: int, end: int) -> list[calls.Rows]:
        world, rng, shops = self.world, self.rng, self._shops
        now = np.flatnonzero((shops["time"] >= begin) & (shops["time"] < end))
        now = now[world.lines["activated"][shops["line"][now]] < begin - DAY]
        now = now[~world.lines["abroad"][shops["line"][now]]]
        line, time = shops["line"][now], shops["time"][now]
        attached = world.events(rng, calls.ATTACHED, line, time)
        tried = world.setups(
            rng, line, shops["to"][now], time + rng.integers(10 * SECOND, 4 * MINUTE, len(now))
        )
        for rows in (attached, tried):
            rows["imei"], rows["cell"] = shops["imei"][now], shops["cell"][now]
        return [attached, world.outcome(rng, len(tried), TRIED).onto(tried)]
