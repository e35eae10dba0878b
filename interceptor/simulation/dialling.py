"""Those who dial one number after the other: when each of their telephones begins its next call."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from interceptor.simulation import calls
from interceptor.simulation.clock import DAY, MINUTE, SECOND
from interceptor.simulation.outcome import Outcome
from interceptor.simulation.parameters import Dialling
from interceptor.simulation.population import Random, Whole
from interceptor.simulation.world import World

NEVER = np.iinfo(np.int64).max


class Dialled(NamedTuple):
    """Calls of a slice of time, sorted by dialler and time: who begins when, how it goes, the how manieth it is."""

    dialler: Whole
    time: Whole
    outcome: Outcome
    made: Whole


class Diallers:
    """Telephones that each dial, wait, talk, pause and dial again, between two moments of the day.

    Parameters
    ----------
    manner
        How calls go, and how long the pauses are.
    begin, end
        Ms after midnight at which each begins and stops work.
    slow
        How many times as long the pauses of each are.
    day
        The only day each works on; None: every day.
    """

    def __init__(
        self,
        world: World,
        rng: Random,
        manner: Dialling,
        *,
        begin: Whole,
        end: Whole,
        slow: Any = 1.0,
        day: Whole | None = None,
    ) -> None:
        self._world, self._rng, self._manner = world, rng, manner
        self._begin, self._end, self._once = begin, end, day is not None
        self._slow = np.broadcast_to(np.asarray(slow, float), begin.shape)
        first = np.minimum(manner.gap_median_s * self._slow * SECOND, 30 * MINUTE)
        days = np.zeros(len(begin), np.int64) if day is None else day
        self._next = (
            world.clock.start + days * DAY + begin + (rng.random(len(begin)) * first).astype(np.int64)
        )
        self._made = np.zeros(len(begin), np.int64)

    def __len__(self) -> int:
        return len(self._next)

    def stop(self, which: npt.NDArray[np.bool_]) -> None:
        """These are done."""
        self._next[which] = NEVER

    def dial(self, until: int) -> Dialled:
        """All calls that begin before `until`, and have not been told yet."""
        rng, manner, start = self._rng, self._manner, self._world.clock.start
        parts = [np.zeros((6, 0), np.int64)]
        while len(due := np.flatnonzero(self._next < until)):
            begins = self._next[due]
            midnight = start + (begins - start) // DAY * DAY
            works = begins - midnight <= self._end[due]
            went = self._world.outcome(rng, len(due), manner)
            gap = rng.lognormal(np.log(manner.gap_median_s * SECOND), manner.gap_sigma, len(due))
            over = begins + went.ring + went.talk + SECOND + (gap * self._slow[due]).astype(np.int64)
            again = np.full(len(due), NEVER) if self._once else midnight + DAY + self._begin[due]
            self._next[due] = np.where(works, over, again)
            parts.append(np.stack([due, begins, self._made[due], *went])[:, works])
            self._made[due] += works
        found = np.concatenate(parts, axis=1)
        dialler, time, made, *went_ = found[:, np.lexsort((found[1], found[0]))]
        return Dialled(dialler, time, Outcome(*went_), made)


def credit(rows: calls.Rows, label: str, instance: Whole) -> calls.Rows:
    """Says whose doing calls are."""
    rows["label"], rows["instance"] = calls.LABELS.index(label), instance
    rows["fraud"] = calls.LABELS.index(label) >= calls.FIRST_OFFENDER
    return rows
