"""Who calls most: callers counted in bounded memory, over the last minute."""

from collections import deque
from collections.abc import Iterable
from heapq import nlargest
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from interceptor.engine.types import NumberStatus, Verdict

KEPT = 512  # callers that a count is kept of
SLICES = 6  # that a minute is told in: the oldest goes as a whole

#: withheld callers share no counter here either
KNOWN = (NumberStatus.NUMBER_E164, NumberStatus.NUMBER_SHORT, NumberStatus.NUMBER_UNPARSEABLE)

#: what rule of which policy warned or blocked
Stopped = tuple[int, int]


class Frequent:
    """The most frequent of any number of keys (Misra and Gries, 1982; merged as Agarwal et al., 2012, say).

    A count is never above the true one, and below it by at most all that was counted / (kept + 1).
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self.counts: dict[bytes, int] = {}

    def add(self, counted: Iterable[tuple[bytes, int]]) -> None:
        """Counts a batch of keys, each so many times."""
        counts = self.counts
        for key, times in counted:
            counts[key] = counts.get(key, 0) + times
        if len(counts) > 2 * self._kept:
            self._shrink()

    def __getitem__(self, key: bytes) -> int:
        return self.counts.get(key, 0)

    def _shrink(self) -> None:
        # What is taken off one is taken off kept + 1 at least: so often can that be, and no more.
        cut = nlargest(self._kept + 1, self.counts.values())[-1]
        self.counts = {key: times - cut for key, times in self.counts.items() if times > cut}


class Slice:
    """Callers of some seconds, from `begun` on."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.by_verdict = {verdict: Frequent() for verdict in Verdict}
        self.stopped: dict[bytes, Stopped] = {}  # of callers that were warned about or blocked, the last one

    def add(self, events: npt.NDArray[np.void]) -> None:
        for verdict, frequent in self.by_verdict.items():
            # backwards, so that the first one found is the last one made
            chosen = events[events["verdict"] == verdict][::-1]
            if not len(chosen):
                continue
            callers, last, times = np.unique(chosen["caller"], return_index=True, return_counts=True)
            frequent.add(zip(callers.tolist(), times.tolist(), strict=True))
            if verdict != Verdict.PASS:
                made = chosen[last]
                by = zip(made["revision"].tolist(), made["rule"].tolist(), strict=True)
                self.stopped.update(zip(callers.tolist(), by, strict=True))
        if len(self.stopped) > 8 * KEPT:
            warned, blocked = self.by_verdict[Verdict.WARN], self.by_verdict[Verdict.BLOCK]
            self.stopped = {key: by for key, by in self.stopped.items() if warned[key] or blocked[key]}


class Calling(NamedTuple):
    """A caller and what was seen of him; the order is that of `Hottest.top`."""

    blocked: int
    warned: int
    passed: int
    caller: bytes
    stopped: Stopped | None  #: by what he was last


class Hottest:
    """Callers of the last minute, from `now` on, by whichever clock."""

    def __init__(self, now: float) -> None:
        self._slices = deque([Slice(now)], SLICES)

    @property
    def since(self) -> float:
        """From when on callers are counted."""
        return self._slices[0].begun

    def add(self, events: npt.NDArray[np.void]) -> None:
        """A batch of decisions, in their order."""
        known = np.isin(events["caller_status"], KNOWN) & (events["trial"] == 0) & (events["repeated"] == 0)
        self._slices[-1].add(events[known])

    def turn(self, now: float) -> None:
        """Begins another slice, and lets the oldest go; to be called `SLICES` times a minute."""
        self._slices.append(Slice(now))

    def top(self, most: int) -> list[Calling]:
        """Callers of most blocked calls, then of warned ones, then of passes."""
        sums: dict[bytes, list[int]] = {}
        for each in self._slices:
            for verdict, frequent in each.by_verdict.items():
                for key, times in frequent.counts.items():
                    sums.setdefault(key, [0] * (max(Verdict) + 1))[verdict] += times
        callers = (
            (of[Verdict.BLOCK], of[Verdict.WARN], of[Verdict.PASS], caller) for caller, of in sums.items()
        )
        return [Calling(*caller, self._stopped(caller[-1])) for caller in nlargest(most, callers)]

    def _stopped(self, caller: bytes) -> Stopped | None:
        return next((each.stopped[caller] for each in reversed(self._slices) if caller in each.stopped), None)
