"""What is sent once: asked before it is sent, remembered when it is in the spool. It comes before the store's memory
while that is away."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

from interceptor.runtime.logs import Log
from interceptor.store.sent import Sent
from interceptor.store.words import StoreError, StoreLeftError

#: keys that wait for the store at most; of those beyond, a repetition is sent once more, with the id it had
WAITING = 1 << 17
#: so many keys are written at once. More wait for others, so many seconds at most: they lie all over the store's index,
#: and cost half when there are some thousands; who dies meanwhile sends them once more, with the id they had
FEW, PERIOD = 200, 1.0
#: seconds for which a store that did not answer is not asked again: the events behind would wait with us
PATIENCE = 15.0


class Once:
    """For one thread.

    A key is a MAC under the installation's secret of whatever makes two messages the same one. It is the id as well:
    whoever receives a message a second time, after a crash at the wrong moment, knows it by that.
    """

    def __init__(
        self, sent: Sent, secret: bytes, log: Log, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._sent = sent
        self._mac = blake2b(digest_size=16, key=secret)
        self._log = log
        self._monotonic = monotonic
        self._made: dict[bytes, int] = {}  # key -> until when; not in the spool yet
        self.waiting: dict[bytes, int] = {}  #: in the spool, not in the store yet: key -> until when
        self._due = 0.0
        self._asks_again = 0.0
        self._failing = False

    def key(self, *parts: bytes) -> bytes:
        """16 bytes."""
        mac = self._mac.copy()
        mac.update(b"\0".join(parts))
        return mac.digest()

    def new(self, keys: Mapping[bytes, int]) -> set[bytes]:
        """Which of the keys, each with when its time is over, were not sent yet. They are taken to be sent now."""
        unknown = {key: until for key, until in keys.items() if key not in self.waiting}
        for until, some in by_end(unknown).items():
            for key in self._ask(until, some):
                del unknown[key]
        self._made = unknown
        return set(unknown)

    def spooled(self) -> None:
        """What was new last is in the spool: remembers it, as `look` does."""
        if self._made and not self.waiting:
            self._due = self._monotonic() + PERIOD
        self.waiting |= self._made
        self._made = {}
        self.look()

    def look(self) -> None:
        """Writes what waits, unless more of it can be written at once in a moment."""
        if len(self.waiting) <= FEW or self._monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        """Writes what waits."""
        if not self.waiting or self._away():
            self._bound()
            return
        try:
            for until, some in by_end(self.waiting).items():
                self._sent.remember(until, some)
                for key in some:
                    del self.waiting[key]
        except StoreLeftError:  # what waits goes to the process that takes over; it can be asked all the same
            self._bound()
        except StoreError as error:
            self._fails(error)
            self._bound()
        else:
            self._failing = False

    def _ask(self, until: int, keys: Sequence[bytes]) -> set[bytes]:
        if self._away():
            return set()
        try:
            return self._sent.known(until, keys)
        except StoreError as error:
            self._fails(error)
            return set()

    def _away(self) -> bool:
        return self._failing and self._monotonic() < self._asks_again

    def _fails(self, error: StoreError) -> None:
        if not self._failing:
            self._log.error(
                "what was sent today is not remembered: reminders and early warnings may come twice, with one id",
                problem=str(error),
            )
        self._failing = True
        self._asks_again = self._monotonic() + PATIENCE

    def _bound(self) -> None:
        if len(self.waiting) > WAITING:
            for key in list(self.waiting)[:-WAITING]:
                del self.waiting[key]


def by_end(keys: Mapping[bytes, int]) -> dict[int, list[bytes]]:
    """Keys by when their time is over."""
    grouped: dict[int, list[bytes]] = defaultdict(list)
    for key, until in keys.items():
        grouped[until].append(key)
    return grouped
