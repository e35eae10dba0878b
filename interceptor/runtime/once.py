"""What is sent once: asked before it is sent, remembered when it is in the spool. It comes before the store's memory
while that is away."""

import hmac
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from interceptor.runtime.logs import Log
from interceptor.store.sent import Sent
from interceptor.store.words import StoreError, StoreLeftError

#: keys that wait for the store at most; of those beyond, a repetition is sent once more, with the id it had
WAITING = 1 << 17
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
        self._secret = secret
        self._log = log
        self._monotonic = monotonic
        self._made: dict[bytes, int] = {}  # key -> until when; not in the spool yet
        self.waiting: dict[bytes, int] = {}  #: in the spool, not in the store yet: key -> until when
        self._asks_again = 0.0
        self._failing = False

    def key(self, *parts: str) -> bytes:
        """16 bytes."""
        return hmac.digest(self._secret, "\0".join(parts).encode(), "sha256")[:16]

    def new(self, keys: Mapping[bytes, int]) -> set[bytes]:
        """Which of the keys, each with when its time is over, were not sent yet. They are taken to be sent now."""
        unknown = {key: until for key, until in keys.items() if key not in self.waiting}
        for until, some in by_end(unknown).items():
            for key in self._ask(until, some):
                del unknown[key]
        self._made = unknown
        return set(unknown)

    def spooled(self) -> None:
        """What was new last is in the spool: remembers it."""
        self.waiting |= self._made
        self._made = {}
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
        for key in list(self.waiting)[: max(len(self.waiting) - WAITING, 0)]:
            del self.waiting[key]


def by_end(keys: Mapping[bytes, int]) -> dict[int, list[bytes]]:
    """Keys by when their time is over."""
    grouped: dict[int, list[bytes]] = defaultdict(list)
    for key, until in keys.items():
        grouped[until].append(key)
    return grouped
