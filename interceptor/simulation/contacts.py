"""Who knows whom: an undirected graph, so that who is called also calls; few contacts are strong."""

import numpy as np
import numpy.typing as npt

from interceptor.simulation.population import Random, Whole
from interceptor.simulation.world import World


class Contacts:
    """Contacts of our subscribers and of those of other networks who know one of ours.

    Parameters
    ----------
    activity
        How much each of our subscribers calls; who calls more knows more.
    """

    def __init__(self, world: World, activity: npt.NDArray[np.float64]) -> None:
        ordinary = world.scenario.ordinary
        rng = world.stream("contacts")
        n, others = world.subscribers, world.others
        elsewhere = others / (n + others)
        edges = max(int(n * ordinary.contacts / (2 - elsewhere)), 1)
        cumulated = np.cumsum(activity**0.6)
        some = np.searchsorted(cumulated, rng.random(edges) * cumulated[-1])
        near = rng.random(edges) < ordinary.neighbours
        spread = np.where(rng.random(edges) < 0.4, 60, max(n / 40, 60))
        local = (some + 1 + np.rint(rng.laplace(0, 1, edges) * spread).astype(np.int64)) % n
        far = np.searchsorted(cumulated, rng.random(edges) * cumulated[-1])
        partner = np.where(near, local, far)
        away = rng.random(edges) < elsewhere
        partner[away] = world.first_other + partner[away] * others // n
        met = partner != some
        some, partner = some[met].astype(np.int32), partner[met].astype(np.int32)
        strength = rng.integers(0, 1 << 20, len(some))
        key = np.concatenate([some, partner]).astype(np.int64) << 20 | np.tile(strength, 2)
        order = np.argsort(key, kind="stable")
        self._known = np.concatenate([partner, some])[order]
        self._first = np.searchsorted(key[order] >> 20, np.arange(world.first_fixed + 1)).astype(np.int64)
        self._loyalty = ordinary.loyalty

    def degree(self, line: Whole) -> Whole:
        """How many contacts."""
        return self._first[line + 1] - self._first[line]

    def pick(self, rng: Random, line: Whole) -> Whole:
        """One contact each, strong ones more often; -1 for who has none."""
        degree = self.degree(line)
        rank = (degree * rng.random(len(line)) ** self._loyalty).astype(np.int64)
        place = np.minimum(self._first[line] + rank, len(self._known) - 1)
        return np.where(degree > 0, self._known[place].astype(np.int64), -1)
