"""The network as its parts see it: whose telephones there are, where they are, how their calls look."""

import zlib
from typing import Any

import numpy as np

from interceptor.simulation import calls, numbers
from interceptor.simulation.clock import DAY, Clock
from interceptor.simulation.outcome import Manner, Outcome, outcome
from interceptor.simulation.population import Population, Random, Whole
from interceptor.simulation.scenario import Scenario


class World:
    """Everybody, and how their calls look.

    Parameters
    ----------
    subscribers, cards
        Ours, and how many cards of ours others may hold besides.
    """

    def __init__(self, scenario: Scenario, subscribers: int, cards: int, clock: Clock, seed: int) -> None:
        self.scenario, self.clock, self._seed = scenario, clock, seed
        self.people = Population(
            scenario, self.stream("population"), clock, subscribers=subscribers, cards=cards
        )
        self.subscribers, self.others = subscribers, self.people.others
        self.first_other, self.first_fixed = self.people.first_other, self.people.first_fixed
        self.first_abroad, self.abroad = self.people.first_abroad, self.people.abroad
        self.fixed, self.cells = self.people.fixed, self.people.cells
        self.lines = self.people.lines
        self.busy = np.zeros(len(self.lines), np.int64)
        self.taken = subscribers
        self._mobiles = self.first_fixed
        self._by_number = np.argsort(self.lines["number"][: self._mobiles])
        self._sorted = self.lines["number"][self._by_number]
        self._unemployed = self.stream("jobs").permutation(subscribers)

    def stream(self, name: str) -> Random:
        """The random numbers of one part: what another part draws does not change them."""
        return np.random.default_rng([self._seed, zlib.crc32(name.encode())])

    # ------------------------------------------------------------------ who is who

    def employ(self, n: int, label: str) -> Whole:
        """Some of our subscribers who have no other part yet: their own calls bear the label from now on."""
        chosen, self._unemployed = self._unemployed[:n], self._unemployed[n:]
        self.lines["label"][chosen] = calls.LABELS.index(label)
        self.lines["abroad"][chosen] = False
        return chosen

    def take_cards(self, rng: Random, n: int, label: str, instance: Any, new: float) -> Whole:
        """Cards for somebody; a share `new` of them is not a month old, the others as old as everybody's."""
        if self.taken + n > self.first_other:
            raise AssertionError("more cards are taken than were planned")
        line = np.arange(self.taken, self.taken + n)
        self.taken += n
        activated = self.lines["activated"]
        self.lines["label"][line], self.lines["instance"][line] = calls.LABELS.index(label), instance
        young = rng.random(n) < new
        age = rng.random(n) * 30 * DAY
        late = activated[line] > self.clock.start - 30 * DAY
        age[~young] = rng.uniform(30, 900, n)[~young] * DAY
        moved = line[young | late]
        activated[moved] = self.clock.start - age[young | late].astype(np.int64)
        return line

    def find(self, number: Whole) -> Whole:
        """The mobile line of each number, or -2 where nobody has it."""
        place = np.minimum(np.searchsorted(self._sorted, number), self._mobiles - 1)
        line = self._by_number[place]
        used = (self._sorted[place] == number) & ((line < self.taken) | (line >= self.first_other))
        return np.where(used, line, -2)

    def strangers(self, rng: Random, n: int) -> Whole:
        """Mobile subscribers of ours and of others, at random."""
        line = rng.integers(0, self.subscribers + self.others, n)
        return np.where(line < self.subscribers, line, line - self.subscribers + self.first_other)

    def nearby(self, rng: Random, line: Whole, spread: float) -> Whole:
        """Subscribers of ours and of others who come from near our subscribers."""
        n = self.subscribers
        who = (line + 1 + np.rint(rng.laplace(0, 1, len(line)) * spread).astype(np.int64)) % n
        away = rng.random(len(line)) < self.others / (n + self.others)
        return np.where(away, self.first_other + who * self.others // n, who)

    def since(self, line: Whole) -> Whole:
        """From when on cards are in use."""
        since: Whole = np.maximum(self.lines["activated"][line], self.lines["reactivated"][line])
        return since

    def where(self, rng: Random, line: Whole, time: Whole) -> Whole:
        """The cells of our subscribers at a time."""
        ordinary, lines = self.scenario.ordinary, self.lines
        home, work = lines["home"][line].astype(np.int64), lines["work"][line]
        u = rng.random(len(line))
        at_home = np.asarray(ordinary.at_home)[Clock.hour(time)]
        out = u > at_home + (1 - at_home) * (1 - ordinary.elsewhere_cell)
        cell = np.where(u < at_home, home, work)
        cell = np.where(out, self.people.near(rng, cell, 4), cell)
        return np.where(lines["stationary"][line], home, cell)

    # ------------------------------------------------------------------ calls

    def setups(self, rng: Random, line: Whole, to: Whole, time: Whole) -> calls.Rows:
        """Calls as the network sees them, without their outcome: what is known of each caller is on it."""
        rows, lines = calls.empty(len(line)), self.lines
        own = lines["own"][line]
        rows["time"], rows["caller"], rows["callee"] = time, lines["number"][line], lines["number"][to]
        rows["line"] = np.where(lines["many"][line], -1, line)
        rows["to"] = np.where(lines["many"][to], -1, to)
        rows["to"][lines["own"][to] & (self.since(to) > time)] = -2
        for name in ("imsi", "imei", "activated", "dealer", "document", "label", "instance", "trunk"):
            rows[name] = lines[name][line]
        rows["fraud"] = rows["label"] >= calls.FIRST_OFFENDER
        rows["cell"] = np.where(own, self.where(rng, line, time), -1)
        rows["international"] = lines["trunk"][line] == numbers.INTERNATIONAL
        rows["roaming"] = np.where(own, 0, -1)
        abroad = own & lines["abroad"][line]
        rows["trunk"][abroad], rows["international"][abroad], rows["roaming"][abroad] = (
            numbers.INTERNATIONAL,
            1,
            1,
        )
        for name, nothing in (("imsi", 0), ("imei", 0), ("cell", -1)):
            rows[name][abroad] = nothing
        return rows

    def events(self, rng: Random, event: int, line: Whole, time: Whole) -> calls.Rows:
        """What happens to cards without a call."""
        rows = self.setups(rng, line, line, time)
        rows["event"], rows["to"], rows["callee"] = event, -1, 0
        return rows

    def shown(self, rows: calls.Rows, caller: Whole, trunk: Any) -> calls.Rows:
        """Calls that show a number which is not the caller's: of who calls, the network knows nothing else.

        At a gateway it asks its own register about the number: whether that subscriber roams, how old the card is.
        """
        rows["caller"], rows["trunk"], rows["international"] = caller, trunk, trunk == numbers.INTERNATIONAL
        for name in ("line", "cell", "dealer", "roaming"):
            rows[name] = -1
        for name in ("imsi", "imei", "activated", "document"):
            rows[name] = 0
        line = self.find(rows["caller"])
        known = np.flatnonzero((rows["international"] > 0) & (line >= 0) & (line < self.taken))
        rows["roaming"][known] = self.lines["abroad"][line[known]]
        for name in ("activated", "dealer"):
            rows[name][known] = self.lines[name][line[known]]
        return rows

    def outcome(self, rng: Random, n: int, manner: Manner, answered: Any = None) -> Outcome:
        """How `n` calls go."""
        return outcome(rng, n, manner, self.scenario.ordinary, answered)
