"""What a response policy zone holds: its domains, its serial, and the last changes for incremental transfers."""

import struct
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from interceptor.store.rpz import EXPIRE, KEEPER, REFRESH, RETRY, SERVER, TTL, owners

#: changes kept for incremental transfers, and names in all of them; who is further behind gets the whole zone
MAX_STEPS = 1024
MAX_JOURNAL = 200_000

_SOA, _NS, _CNAME, _IN = 6, 2, 5, 1
#: in a message whose question is the zone's name, which stands right behind the header
_APEX = b"\xc0\x0c"


@dataclass(frozen=True)
class Step:
    """From one serial to the next."""

    old: int
    new: int
    added: Sequence[str]
    removed: Sequence[str]


class ZoneData:
    """One zone. Any number of threads read it, one changes it.

    Parameters
    ----------
    name
        Of the zone, without a dot at its end.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._domains: set[str] = set()
        self._serial = 0  # 0: it was never filled
        self._steps: deque[Step] = deque()
        self._journal = 0

    @property
    def serial(self) -> int | None:
        """Of what it holds now; None before it was filled."""
        return self._serial or None

    def __len__(self) -> int:
        return len(self._domains)

    def change(self, added: Collection[str], removed: Collection[str], now_s: int) -> bool:
        """Takes domains in and out; whether that changed it.

        Its serial is the time, or one more than it was. So it grows also past restarts and steps of the clock back
        that are short, without being kept.
        """
        with self._lock:
            new = [domain for domain in dict.fromkeys(added) if domain not in self._domains]
            gone = [domain for domain in dict.fromkeys(removed) if domain in self._domains]
            if self._serial and not new and not gone:
                return False
            self._domains.update(new)
            self._domains.difference_update(gone)
            before, self._serial = self._serial, max(self._serial + 1, now_s)
            if before:
                self._remember(Step(before, self._serial, new, gone))
            return True

    def whole(self) -> Iterator[bytes]:
        """Every record, as a full transfer has them: the first and the last is the zone's SOA (RFC 5936)."""
        with self._lock:
            domains, soa = list(self._domains), self.soa(self._serial)
        yield soa
        yield record(_APEX, _NS, wire_name(SERVER))
        yield from self._records(domains)
        yield soa

    def since(self, serial: int) -> Iterator[bytes]:
        """The records of an incremental transfer (RFC 1995); the whole zone when `serial` is too long ago."""
        with self._lock:
            steps = list(self._steps)
            now = self.soa(self._serial)
        if serial == self._serial:
            return iter((now,))
        first = next((i for i, step in enumerate(steps) if step.old == serial), None)
        return self.whole() if first is None else self._changes(now, steps[first:])

    def _changes(self, now: bytes, steps: Iterable[Step]) -> Iterator[bytes]:
        yield now
        for step in steps:
            yield self.soa(step.old)
            yield from self._records(step.removed)
            yield self.soa(step.new)
            yield from self._records(step.added)
        yield now

    def soa(self, serial: int) -> bytes:
        """The record that says which state of the zone this is."""
        numbers = struct.pack("!5I", serial & 0xFFFFFFFF, REFRESH, RETRY, EXPIRE, TTL)
        return record(_APEX, _SOA, wire_name(SERVER) + wire_name(KEEPER) + numbers)

    def _records(self, domains: Iterable[str]) -> Iterator[bytes]:
        for domain in domains:
            for owner in owners(domain, self.name):
                yield record(wire_name(owner)[:-1] + _APEX, _CNAME, b"\0")

    def _remember(self, step: Step) -> None:
        self._steps.append(step)
        self._journal += len(step.added) + len(step.removed)
        while self._steps and (len(self._steps) > MAX_STEPS or self._journal > MAX_JOURNAL):
            dropped = self._steps.popleft()
            self._journal -= len(dropped.added) + len(dropped.removed)


def wire_name(name: str) -> bytes:
    """A name as messages have it (RFC 1035, section 3.1), its end included."""
    labels = name.rstrip(".").encode("ascii").split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(owner: bytes, kind: int, data: bytes) -> bytes:
    """A resource record as messages have it (RFC 1035, section 4.1.3)."""
    return owner + struct.pack("!HHIH", kind, _IN, TTL, len(data)) + data
