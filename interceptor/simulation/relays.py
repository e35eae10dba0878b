"""Two handsets and a cable: a pair fed by a telephone call, and a single telephone fed by an app."""

import numpy as np

from interceptor.simulation import calls
from interceptor.simulation.clock import HOUR, MINUTE, SECOND
from interceptor.simulation.dialling import Diallers, credit
from interceptor.simulation.parameters import Relay
from interceptor.simulation.population import Whole
from interceptor.simulation.world import World


class Relays:
    """Handsets that dial victims, in a room or a car; many belong to somebody who lends them and has a life.

    Parameters
    ----------
    label
        ``relay-phone``: the gang's leg is a call as well, of or to a second handset. ``relay-app``: it is not seen.
    """

    def __init__(self, world: World, label: str) -> None:
        rng = world.stream(label)
        self.world, self.rng, self.label = world, rng, label
        phone = label == "relay-phone"
        kind: Relay = world.scenario.relay_phone if phone else world.scenario.relay_app
        n = kind.instances
        self.forms: tuple[str, ...] = world.scenario.relay_phone.forms if phone else ()
        self._form = np.asarray(self.forms or ("app",))[np.arange(n) % max(len(self.forms), 1)]
        moves = rng.random(n) < kind.moves
        self._speed = np.where(moves, rng.integers(1, 4, n), 0)
        self._cell = rng.integers(0, world.cells, n)
        self._victims = self._handsets(kind, n)
        self._gangs = self._handsets(kind, n) if phone else self._victims
        # The gang's own end: a number abroad or a mobile of another network, one a gang.
        abroad = world.first_abroad + rng.integers(0, world.abroad, n)
        elsewhere = world.first_other + rng.integers(0, world.others, n)
        self._end = np.where(rng.random(n) < 0.5, abroad, elsewhere)
        begin = rng.uniform(8, 19, n) * HOUR
        end = np.minimum(begin + rng.uniform(kind.lasts_h[0], kind.lasts_h[1], n) * HOUR, 22 * HOUR)
        self._diallers = Diallers(
            world,
            rng,
            kind,
            begin=begin.astype(np.int64),
            end=end.astype(np.int64),
            slow=rng.uniform(0.6, 2.5, n),
        )
        self._session = np.zeros(n, np.int64)

    def _handsets(self, kind: Relay, n: int) -> Whole:
        """One a pair: with a new card, or somebody's own."""
        world, rng = self.world, self.rng
        new = rng.random(n) < kind.new_cards
        line = np.zeros(n, np.int64)
        line[new] = world.take_cards(rng, int(new.sum()), self.label, np.flatnonzero(new), 1.0)
        lent = world.employ(int((~new).sum()), self.label)
        line[~new] = lent
        world.lines["instance"][line] = np.arange(n)
        world.lines["home"][line] = self._cell
        world.lines["stationary"][line] = True
        return line

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time; the gang's legs with it."""
        del begin
        world, rng = self.world, self.rng
        pair, time, outcome, _ = self._diallers.dial(end)
        rows = outcome.onto(world.setups(rng, self._victims[pair], world.strangers(rng, len(pair)), time))
        hour = (time - world.clock.start) // HOUR
        rows["cell"] = (self._cell[pair] + hour * self._speed[pair]) % world.cells
        used = world.since(self._victims[pair]) <= time
        pair, rows = pair[used], rows[used]
        rows = credit(rows, self.label, pair)
        return [rows] if self.label == "relay-app" else [self._legs(pair, rows), rows]

    def _legs(self, pair: Whole, rows: calls.Rows) -> calls.Rows:
        """The gang's legs: one around each victim's call, or one for an hour of them."""
        world, rng, kind = self.world, self.rng, self.world.scenario.relay_phone
        own, gang, n = self._gangs[pair], self._end[pair], len(rows)
        received, session = (self._form[pair] == form for form in ("is-called", "session"))
        lead = rng.exponential(kind.lead_s * SECOND, n).astype(np.int64) + 300
        lag = rng.exponential(kind.lag_s * SECOND, n).astype(np.int64) + 200
        length = lead + rows["ring"] + rows["talk"] + lag
        length[session] = rng.integers(20 * MINUTE, 75 * MINUTE, int(session.sum()))
        time = rows["time"] - lead
        legs = world.setups(rng, np.where(received, gang, own), np.where(received, own, gang), time)
        legs["ring"] = np.minimum(rng.integers(600, 2_500, n), length // 2)
        legs["talk"] = length - legs["ring"]
        legs["cause"] = calls.CLEARED
        legs["cell"] = np.where(received, -1, rows["cell"])
        keep = ~session
        for row in np.flatnonzero(session):  # a new long leg only when the last one is over
            if time[row] >= self._session[pair[row]]:
                self._session[pair[row]] = time[row] + length[row] + 5 * SECOND
                keep[row] = True
        return credit(legs[keep], self.label, pair[keep])
