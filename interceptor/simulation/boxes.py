"""Many cards in one place: SIM boxes, and farms of new cards."""

import numpy as np

from interceptor.simulation import calls
from interceptor.simulation.clock import DAY, HOUR, MINUTE, SECOND
from interceptor.simulation.dialling import Diallers, credit
from interceptor.simulation.population import Whole
from interceptor.simulation.world import World


class SimBoxes:
    """Boxes with ports, each with some cards in turn. What the network sees of the device differs by form."""

    label = "sim-box"

    def __init__(self, world: World) -> None:
        rng = world.stream(self.label)
        self.world, self.rng = world, rng
        kind = world.scenario.sim_box
        self.forms: tuple[str, ...] = kind.forms
        boxes = np.arange(kind.instances)
        wanted = rng.integers(kind.cards[0], kind.cards[1] + 1, len(boxes))
        each = np.minimum(
            rng.integers(kind.cards_per_port[0], kind.cards_per_port[1] + 1, len(boxes)), wanted
        )
        ports = wanted // each
        self._box = np.repeat(boxes, ports)
        self._each = each[self._box]
        self._rotation = np.asarray(kind.rotations)[boxes // len(kind.forms) % len(kind.rotations)][self._box]
        self._form = np.asarray(kind.forms)[boxes % len(kind.forms)][self._box]
        port = np.repeat(np.arange(len(self._box)), self._each)  # of each card
        cards = world.take_cards(rng, len(port), self.label, self._box[port], kind.new_cards)
        self._first = cards[0] + np.cumsum(self._each) - self._each if len(cards) else cards
        lines = world.lines
        lines["home"][cards] = rng.integers(0, world.cells, len(boxes))[self._box[port]]
        lines["stationary"][cards] = True
        lines["sms"][cards] *= kind.sms
        for form, device in (("one-imei", self._box[port]), ("port-imei", port)):
            of = self._form[port] == form
            lines["imei"][cards[of]] = world.people.handsets(rng, len(self._box))[device[of]]
        begin = kind.hours[0] * HOUR + rng.integers(0, 90 * MINUTE, len(boxes))[self._box]
        end = kind.hours[1] * HOUR + rng.integers(0, HOUR, len(boxes))[self._box]
        slow = np.where(self._form == "human", kind.human_gap, 1.0)
        slow *= rng.uniform(0.5, 2.0, len(boxes))[self._box]
        self._ports = Diallers(world, rng, kind, begin=begin, end=end, slow=slow)
        self._speed = np.where(rng.random(len(boxes)) < kind.moves, rng.integers(1, 4, len(boxes)), 0)[
            self._box
        ]
        self._last = np.full(len(self._box), -1, np.int64)

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time: calls, and the attaches of cards that are changed."""
        del begin
        world, rng, kind = self.world, self.rng, self.world.scenario.sim_box
        port, time, outcome, made = self._ports.dial(end)
        line = self._first[port] + made // self._rotation[port] % self._each[port]
        to = world.strangers(rng, len(line))
        among = (self._form[port] == "human") & (rng.random(len(line)) < kind.among)
        to[among] = self._first[port[among]] + (made[among] * 7 + 1) % self._each[port[among]]
        rows = outcome.onto(world.setups(rng, line, to, time))
        per_call = self._form[port] == "call-imei"
        rows["imei"][per_call] = world.people.handsets(rng, int(per_call.sum()))
        beside = rng.random(len(rows)) < kind.neighbour_cell
        driven = (time - world.clock.start) // HOUR * self._speed[port]
        rows["cell"] = (rows["cell"] + beside + driven) % world.cells
        return [self._changed(port, line, rows), rows[line != to]]

    def _changed(self, port: Whole, line: Whole, rows: calls.Rows) -> calls.Rows:
        """Attaches of the cards that ports have changed to."""
        first = np.diff(port, prepend=-1) != 0
        before = np.where(first, self._last[port], np.roll(line, 1))
        self._last[port] = line  # of one port the last one stays
        attached: calls.Rows = rows[before != line].copy()
        attached["event"], attached["to"], attached["callee"] = calls.ATTACHED, -1, 0
        attached["time"] -= self.rng.integers(4 * SECOND, 20 * SECOND, len(attached))
        return attached


class CardFarms:
    """Cards of one dealer, hoarded, woken together, each in a handset of its own."""

    label = "card-farm"

    def __init__(self, world: World) -> None:
        rng = world.stream(self.label)
        self.world, self.rng = world, rng
        kind = world.scenario.card_farm
        self.forms: tuple[str, ...] = kind.forms
        farms = np.arange(kind.instances)
        self._farm = np.repeat(farms, rng.integers(kind.cards[0], kind.cards[1] + 1, len(farms)))
        self._cards = cards = world.take_cards(rng, len(self._farm), self.label, self._farm, 0.0)
        lines, n = world.lines, len(cards)
        lines["dealer"][cards] = lines["dealer"][rng.integers(0, world.subscribers, len(farms))][self._farm]
        lines["document"][cards] = lines["document"][cards - np.arange(n) % 5]  # five cards a person, at most
        spread = rng.integers(kind.cells[0], kind.cells[1] + 1, len(farms))[self._farm]
        place = rng.integers(0, world.cells, len(farms))[self._farm]
        lines["home"][cards] = (place + np.arange(n) % spread) % world.cells
        lines["stationary"][cards] = True
        lines["sms"][cards] *= kind.sms
        day = rng.integers(0, len(world.clock.days()), len(farms))[self._farm]
        hour = rng.uniform(9, 17, len(farms))[self._farm]
        wake = (hour * HOUR + rng.random(n) * kind.wake_min * MINUTE).astype(np.int64)
        form = np.asarray(kind.forms)[farms % len(kind.forms)][self._farm]
        midnight = world.clock.start + day * DAY
        shop = midnight + 9 * HOUR + (rng.random(n) * (wake - 8.75 * HOUR).clip(5 * MINUTE)).astype(np.int64)
        shop = np.minimum(shop, midnight + wake - 2 * MINUTE)
        lines["activated"][cards] = np.where(
            form == "today",
            shop,
            midnight - (rng.uniform(1, 40, len(farms))[self._farm] * DAY).astype(np.int64),
        )
        dormant = form == "reactivated"
        lines["activated"][cards[dormant]] -= 300 * DAY
        lines["reactivated"][cards[dormant]] = shop[dormant]
        lasts = rng.uniform(kind.lasts_h[0], kind.lasts_h[1], len(farms))[self._farm] * HOUR
        end = np.minimum(wake + lasts, 23 * HOUR).astype(np.int64)
        slow = rng.uniform(0.6, 2.5, len(farms))[self._farm]
        self._diallers = Diallers(world, rng, kind, begin=wake, end=end, slow=slow, day=day)

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time: calls, and each card's attach before its first one."""
        del begin
        world, rng = self.world, self.rng
        card, time, outcome, made = self._diallers.dial(end)
        line = self._cards[card]
        rows = credit(
            outcome.onto(world.setups(rng, line, world.strangers(rng, len(line)), time)),
            self.label,
            self._farm[card],
        )
        attached = rows[made == 0].copy()
        attached["event"], attached["to"], attached["callee"] = calls.ATTACHED, -1, 0
        attached["time"] -= rng.integers(10 * SECOND, 50 * SECOND, len(attached))
        return [attached, rows]
