"""Two handsets and a cable: a pair fed by a telephone call, and a single telephone fed by an app."""

import numpy as np

from interceptor.simulation import calls
from interceptor.simulation.dialling import Diallers, strangers
from interceptor.simulation.parameters import Relay
from interceptor.simulation.population import HOUR, MINUTE, SECOND, World


class Relays:
    """The handset that dials victims, in a room or a car.

    Parameters
    ----------
    label
        ``relay-phone``: the gang's leg is a call as well, of or to the second handset. ``relay-app``: it is not seen.
    """

    def __init__(self, world: World, label: str) -> None:
        rng = world.stream(label)
        self.world, self.rng, self.label = world, rng, label
        phone = label == "relay-phone"
        kind: Relay = world.scenario.relay_phone if phone else world.scenario.relay_app
        self._kind, n = kind, kind.instances
        self.forms = world.scenario.relay_phone.forms if phone else ()
        self._victims = world.take_cards(rng, n, label, np.arange(n), kind.new_cards)
        self._gangs = world.take_cards(
            rng, n if phone else 0, label, np.arange(n if phone else 0), kind.new_cards
        )
        self._cell = rng.integers(0, world.cells, n)
        self._moves = rng.random(n) < kind.moves
        for cards in (self._victims, self._gangs):
            world.lines["home"][cards] = self._cell[: len(cards)]
            world.lines["abroad"][cards] = False
        # The gang's own end: a number abroad or a mobile of another network, one a gang.
        far = rng.random(n) < 0.5
        self._end = np.where(
            far,
            world.first_abroad + rng.integers(0, world.abroad, n),
            world.first_other + rng.integers(0, world.others, n),
        )
        self._form = np.arange(n) % max(len(self.forms), 1)
        hours = rng.uniform(kind.lasts_h[0], kind.lasts_h[1], n)
        begin = (rng.uniform(8, 20, n) * HOUR).astype(np.int64)
        end = np.minimum(begin + hours * HOUR, 22 * HOUR).astype(np.int64)
        self._diallers = Diallers(world, rng, kind, begin=begin, end=end, slow=rng.uniform(0.6, 2.0, n))
        self._session = np.zeros(n, np.int64)

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time; the gang's legs with it."""
        del begin
        world, rng = self.world, self.rng
        pair, time, outcome = self._diallers.dial(end)
        rows = outcome.onto(world.setups(rng, self._victims[pair], strangers(world, rng, len(pair)), time))
        hour = (time - world.clock.start) // HOUR
        rows["cell"] = np.where(
            self._moves[pair], (self._cell[pair] + hour * 3) % world.cells, self._cell[pair]
        )
        if self.label == "relay-app" or not len(rows):
            return [rows]
        return [rows, self._legs(pair, rows)]

    def _legs(self, pair: np.ndarray, rows: calls.Rows) -> calls.Rows:
        """The gang's legs: one around each victim's call, or one for an hour of them."""
        world, rng, kind = self.world, self.rng, self.world.scenario.relay_phone
        form = np.asarray(kind.forms)[self._form[pair]]
        a, gang = self._gangs[pair], self._end[pair]
        received = form == "is-called"
        legs = world.setups(rng, np.where(received, gang, a), np.where(received, a, gang), rows["time"])
        lead = rng.exponential(kind.lead_s * SECOND, len(rows)).astype(np.int64) + 300
        lag = rng.exponential(kind.lag_s * SECOND, len(rows)).astype(np.int64) + 200
        length = lead + rows["ring"] + rows["talk"] + lag
        session = form == "session"
        length[session] = rng.integers(20 * MINUTE, 75 * MINUTE, int(session.sum()))
        legs["time"] -= lead
        legs["ring"] = np.minimum(rng.integers(600, 2_500, len(rows)), length // 2)
        legs["talk"] = length - legs["ring"]
        legs["cause"] = calls.CLEARED
        legs["cell"] = np.where(received, -1, rows["cell"])
        legs["label"], legs["instance"] = rows["label"], rows["instance"]
        keep = ~session
        for row in np.flatnonzero(session):  # a new long leg only when the last one is over
            if legs["time"][row] >= self._session[pair[row]]:
                self._session[pair[row]] = legs["time"][row] + length[row] + 5 * SECOND
                keep[row] = True
        kept: calls.Rows = legs[keep]
        return kept
