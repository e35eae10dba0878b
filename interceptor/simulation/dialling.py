"""Those who dial one number after the other: when each of their telephones begins its next call."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from interceptor.simulation.parameters import Dialling
from interceptor.simulation.population import DAY, MINUTE, SECOND, Outcome, Random, World

Whole = npt.NDArray[np.int64]


class Dialled(NamedTuple):
    """Calls of a slice of time: which dialler begins when, and how it goes."""

    dialler: Whole
    time: Whole
    outcome: Outcome


class Diallers:
    """Telephones that each dial, wait, talk, pause and dial again, between two moments of every day.

    Parameters
    ----------
    manner
        How calls go, and how long the pauses are.
    begin, end
        Ms after midnight at which each begins and stops work.
    slow
        How many times as long the pauses of each are.
    """

    def __init__(
        self, world: World, rng: Random, manner: Dialling, *, begin: Whole, end: Whole, slow: object = 1.0
    ) -> None:
        self._world, self._rng, self._manner = world, rng, manner
        self._begin, self._end = begin, end
        self._slow = np.broadcast_to(np.asarray(slow, float), begin.shape)
        first = np.minimum(manner.gap_median_s * self._slow * SECOND, 30 * MINUTE)
        self._next = world.clock.start + begin + (rng.random(len(begin)) * first).astype(np.int64)

    def dial(self, until: int) -> Dialled:
        """All calls that begin before `until`, and have not been told yet."""
        dialler, time, outcomes = [], [], []
        while len(due := np.flatnonzero(self._next < until)):
            begins = self._next[due]
            late = begins - self._midnight(begins) > self._end[due]
            went = self._world.outcome(self._rng, len(due), self._manner)
            gap = self._rng.lognormal(
                np.log(self._manner.gap_median_s * SECOND), self._manner.gap_sigma, len(due)
            )
            ends = begins + went.ring + went.talk
            tomorrow = self._midnight(begins) + DAY + self._begin[due]
            self._next[due] = np.where(
                late, tomorrow, ends + SECOND + (gap * self._slow[due]).astype(np.int64)
            )
            dialler.append(due[~late])
            time.append(begins[~late])
            outcomes.append(Outcome(*(column[~late] for column in went)))
        if not dialler:
            nothing = np.zeros(0, np.int64)
            return Dialled(nothing, nothing, Outcome(nothing, nothing, nothing))
        outcome = Outcome(*(np.concatenate(column) for column in zip(*outcomes, strict=True)))
        return Dialled(np.concatenate(dialler), np.concatenate(time), outcome)

    def _midnight(self, time: Whole) -> Whole:
        start = self._world.clock.start
        return start + (time - start) // DAY * DAY


def strangers(world: World, rng: Random, n: int) -> Whole:
    """Mobile subscribers of ours and of others, at random."""
    line = rng.integers(0, world.subscribers + world.others, n)
    return np.where(line < world.subscribers, line, line - world.subscribers + world.first_other)
