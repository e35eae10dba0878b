"""The calls of the last hour: a sample of them, each with its counters' values, on which changes are tried."""

import threading
from collections import deque
from collections.abc import Sequence
from itertools import chain, compress, islice

import numpy as np
import numpy.typing as npt

from interceptor.engine.engine import Engine
from interceptor.engine.spec import Spec
from interceptor.runtime.protection import pieces

#: calls kept, and how long: at 15.6 a second an hour fits
KEPT, HOUR_MS = 65_536, 3_600_000


class RecentCalls:
    """A bounded queue of the engine's samples, and which keys their lists are asked for. Any number of threads."""

    def __init__(self, engine: Engine, kept: int = KEPT, kept_ms: int = HOUR_MS) -> None:
        self._engine = engine
        self._kept_ms = kept_ms
        self._samples: deque[tuple[int, bytes]] = deque(maxlen=kept)
        self._taken = 0  # samples that were ever added: the number of the next one
        self._lock = threading.Lock()
        self._spec: Spec | None = None  # which lists are asked, and for what
        self._indexed = 0  # up to this number
        self._used = 0  # of the following two
        self._keys = np.empty(0, dtype=np.uint64)
        self._of = np.empty(0, dtype=np.int64)  # number of the sample that asks for each key, ascending

    def add(self, samples: Sequence[bytes], now_ms: int) -> None:
        """Takes samples of calls that were decided just now; the oldest go."""
        with self._lock:
            self._samples.extend((now_ms, sample) for sample in samples)
            self._taken += len(samples)
            while self._samples and self._samples[0][0] <= now_ms - self._kept_ms:
                self._samples.popleft()

    def all(self) -> list[bytes]:
        """Every one that is kept, the oldest first."""
        with self._lock:
            return [sample for _, sample in self._samples]

    def asking(self, *keys: npt.NDArray[np.uint64]) -> list[bytes]:
        """Those to which it can matter whether some keys are on lists of the policy in force."""
        with self._lock:
            first = self._taken - len(self._samples)
            self._index(first)
            asked = self._keys[: self._used]
            if not len(asked):
                return []
            found = np.zeros(len(asked), dtype=bool)
            for piece in chain.from_iterable(map(pieces, keys)):
                found |= np.isin(asked, piece)
            of = self._of[: self._used][found]
            asking = np.zeros(len(self._samples), dtype=bool)
            asking[of[of >= first] - first] = True
            if not asking.any():  # as nearly always: a single add waits for this
                return []
            return [sample for _, sample in compress(self._samples, asking.tolist())]

    def _index(self, first: int) -> None:
        """What the samples ask for that came since it was last asked."""
        spec = self._engine.spec
        if spec is not self._spec:
            self._spec, self._indexed, self._used = spec, first, 0
        start = max(self._indexed, first)
        if start == self._taken:
            return
        new = [sample for _, sample in islice(reversed(self._samples), self._taken - start)][::-1]
        keys, counts = self._engine.asked(new)
        self._make_room(len(keys), first)
        into = slice(self._used, self._used + len(keys))
        self._keys[into], self._of[into] = keys, np.repeat(np.arange(start, self._taken), counts)
        self._used, self._indexed = into.stop, self._taken

    def _make_room(self, wanted: int, first: int) -> None:
        """For more keys; those of samples that are gone go."""
        if self._used + wanted <= len(self._keys):
            return
        kept = slice(int(np.searchsorted(self._of[: self._used], first)), self._used)
        self._used = kept.stop - kept.start
        room = np.empty(self._used + wanted, dtype=np.int64)  # and as much again, so that it is seldom done
        self._keys = np.concatenate([self._keys[kept], room.view(np.uint64), room.view(np.uint64)])
        self._of = np.concatenate([self._of[kept], room, room])

    def __len__(self) -> int:
        return len(self._samples)
