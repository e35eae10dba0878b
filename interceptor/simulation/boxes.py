"""Many cards in one place: SIM boxes, and farms of new cards."""

import numpy as np

from interceptor.simulation import calls
from interceptor.simulation.dialling import Diallers, strangers
from interceptor.simulation.population import HOUR, MINUTE, SECOND, World

#: How many calls a port makes with a card before it takes the next one, by box.
ROTATIONS = (1, 5, 20)


class SimBoxes:
    """Boxes with ports, each with some cards in turn. What the network sees of the device differs by form."""

    label = "sim-box"

    def __init__(self, world: World) -> None:
        rng = world.stream(self.label)
        self.world, self.rng = world, rng
        kind = world.scenario.sim_box
        self.forms = kind.forms
        instances = np.arange(kind.instances)
        wanted = rng.integers(kind.cards[0], kind.cards[1] + 1, kind.instances)
        each = rng.integers(kind.cards_per_port[0], kind.cards_per_port[1] + 1, kind.instances)
        ports = np.maximum(wanted // each, 1)
        self._box = np.repeat(instances, ports)
        self._each = each[self._box]
        self._rotation = np.asarray(ROTATIONS)[instances // len(kind.forms) % len(ROTATIONS)][self._box]
        cards = world.take_cards(
            rng, int(self._each.sum()), self.label, np.repeat(self._box, self._each), kind.new_cards
        )
        self._first = cards[0] + np.cumsum(self._each) - self._each if len(cards) else cards
        self._form = np.asarray([form % len(kind.forms) for form in instances])[self._box]
        cell = rng.integers(0, world.cells, kind.instances)
        world.lines["home"][cards] = cell[np.repeat(self._box, self._each)]
        world.lines["stationary"][cards] = True
        world.lines["abroad"][cards] = False
        self._port_imei = world.handsets(rng, len(self._box))
        self._box_imei = world.handsets(rng, kind.instances)
        human = np.asarray([form == "human" for form in kind.forms])[self._form]
        begin = kind.hours[0] * HOUR + rng.integers(0, 90 * MINUTE, kind.instances)[self._box]
        end = kind.hours[1] * HOUR + rng.integers(0, HOUR, kind.instances)[self._box]
        slow = np.where(human, kind.human_gap, 1.0) * rng.uniform(0.6, 1.8, kind.instances)[self._box]
        self._ports = Diallers(world, rng, kind, begin=begin, end=end, slow=slow)
        self._made = np.zeros(len(self._box), np.int64)
        self._last = np.full(len(self._box), -1, np.int64)

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time: calls, and the attaches of cards that are changed."""
        del begin
        world, rng, kind = self.world, self.rng, self.world.scenario.sim_box
        port, time, outcome = self._ports.dial(end)
        order = np.lexsort((time, port))
        port, time = port[order], time[order]
        run = np.arange(len(port)) - np.searchsorted(
            port, port
        )  # how many calls of the port came before, here
        turn = (self._made[port] + run) // self._rotation[port] % self._each[port]
        line = self._first[port] + turn
        np.add.at(self._made, port, 1)
        to = strangers(world, rng, len(line))
        form = np.asarray(kind.forms)[self._form[port]]
        among = (form == "human") & (rng.random(len(line)) < kind.among)
        other = self._first[port] + (turn + 1) % self._each[port]
        to[among] = other[among]
        rows = world.setups(rng, line, to, time)
        for name, column in zip(("ring", "talk", "cause"), outcome, strict=True):
            rows[name] = column[order]
        one, per_port, per_call = (form == name for name in ("one-imei", "port-imei", "call-imei"))
        rows["imei"][one] = self._box_imei[self._box[port[one]]]
        rows["imei"][per_port] = self._port_imei[port[per_port]]
        rows["imei"][per_call] = world.handsets(rng, int(per_call.sum()))
        beside = rng.random(len(rows)) < kind.neighbour_cell
        rows["cell"] = (rows["cell"] + beside) % world.cells
        before = np.where(run > 0, np.roll(line, 1), self._last[port]) if len(line) else line
        self._last[port] = line
        changed = (before != line) & (time > world.clock.start + MINUTE)
        attached = rows[changed].copy()
        attached["event"], attached["to"], attached["callee"] = calls.ATTACHED, -1, 0
        attached["time"] -= rng.integers(4 * SECOND, 20 * SECOND, len(attached))
        return [attached, rows[line != to]]
