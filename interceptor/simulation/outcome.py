"""How calls go: whether they are answered, how long they ring and how long is talked, why they end."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from interceptor.simulation import calls
from interceptor.simulation.clock import HOUR, SECOND

Whole = npt.NDArray[np.int64]


class Manner(Protocol):
    """How calls of a kind go: what `parameters` says of each."""

    @property
    def answered(self) -> float:
        """Share of calls that are."""

    @property
    def ring_s(self) -> float:
        """Median."""

    @property
    def gives_up(self) -> float:
        """Share of the calls not answered that the caller ends before anybody might."""

    @property
    def talk_median_s(self) -> float:
        """Median."""

    @property
    def talk_sigma(self) -> float:
        """Of its logarithm."""


class Outcome(NamedTuple):
    """How calls went: ms of ringing and of talk (0: not answered), and the cause of their end."""

    ring: Whole
    talk: Whole
    cause: Whole

    def onto(self, rows: calls.Rows) -> calls.Rows:
        """The calls, with it."""
        rows["ring"], rows["talk"], rows["cause"] = self
        return rows


class Unanswered(Protocol):
    """Why calls are not answered; the rest is let ring until the network gives up."""

    @property
    def absent(self) -> float:
        """Share: switched off or out of reach."""

    @property
    def rejected(self) -> float:
        """Share: by the callee."""

    @property
    def abandoned(self) -> float:
        """Share: by the caller."""


def outcome(
    rng: np.random.Generator, n: int, manner: Manner, unanswered: Unanswered, answered: Any = None
) -> Outcome:
    """How calls go: how long they ring, how long is talked (0: not answered), and why they end."""
    given_up = rng.random(n) < manner.gives_up
    taken = rng.random(n) < (manner.answered if answered is None else answered)
    ring = np.clip(rng.lognormal(np.log(manner.ring_s * SECOND), 0.5, n), 300, 58 * SECOND)
    talk = np.clip(rng.lognormal(np.log(manner.talk_median_s * SECOND), manner.talk_sigma, n), 800, 3 * HOUR)
    shares = np.cumsum([unanswered.absent, unanswered.rejected, unanswered.abandoned])
    why = np.searchsorted(shares, rng.random(n))
    cause = np.array([calls.ABSENT, calls.REJECTED, calls.CLEARED, calls.NO_ANSWER])[why]
    least = np.array([1_200, 3_000, 4_000, 38_000])[why]
    more = np.array([2_500, 12_000, 24_000, 20_000])[why]
    waits = least + more * rng.random(n)
    return Outcome(
        np.where(taken | given_up, ring, waits).astype(np.int64),
        np.where(taken, talk, 0).astype(np.int64),
        np.where(taken | given_up, calls.CLEARED, cause),
    )
