"""The obvious table of calls in flight, of one set: a dict, and a look at all of it when it is full."""

from dataclasses import dataclass, replace

from interceptor.engine.types import Limits

DAY = 24 * 3600 * 1000


@dataclass(frozen=True)
class Flight:
    """A call that was decided; or what reports said of one whose Decide is unseen."""

    since: int  #: its setup; of reports alone when the first came
    decided: bool = True
    blocked: bool = False
    answered: bool = False
    ended: bool = False
    counted: bool = False  #: by the keys a report carried
    answered_switch: int = 0
    duration: int | None = None  #: of an early end
    keys: tuple[int, ...] = ()
    stays_until: int = 0  #: who is done makes room in this order

    @property
    def in_flight(self) -> bool:
        return self.decided and not self.blocked and not self.ended

    @property
    def rank(self) -> tuple[bool, int]:
        """The least makes room; of one name, the greatest is what a report is about."""
        return self.in_flight, self.stays_until

    @property
    def waits(self) -> bool:
        """Early reports, which wait for their Decide."""
        return not self.decided and not self.counted


#: Of (switch, call_id): whoever calls chooses it, so that calls between several parties may have one.
Name = tuple[int, int]


class InFlight:
    def __init__(self, ways: int) -> None:
        self.ways = ways
        self.flights: dict[tuple[Name, int | None], Flight] = {}  #: by name and parties; None: reports alone
        self.evicted = 0
        self.refused = 0

    @property
    def open(self) -> int:
        return sum(flight.in_flight for flight in self.flights.values())

    def begin(
        self, name: Name, now: int, *, parties: int = 0, blocked: bool = False, keys: tuple[int, ...] = ()
    ) -> Flight | None:
        """A call is decided. What was there of it, or of reports under its name."""
        before = self.flights.pop((name, parties), None) or self.flights.pop((name, None), None)
        if before is None:
            self.make_room(now, only_done=False)
        elif not before.decided and now - before.since >= Limits.REPEAT_MS:
            before = None
        call = Flight(now, blocked=blocked, keys=keys, stays_until=now)
        if before is not None and not before.decided and not blocked:
            call = replace(
                call,
                answered=before.answered,
                ended=before.ended,
                answered_switch=before.answered_switch,
            )
        self.flights[name, parties] = call
        return before

    def report(
        self,
        name: Name,
        now: int,
        *,
        answered: bool,
        ended: bool,
        counted: bool = False,
        only_join: bool = False,
        duration: int | None = None,
        switch_ms: int = 0,
    ) -> Flight | None:
        """A report. What was there under its name: the newest call in flight, else who was done last."""
        of_name = {key: flight for key, flight in self.flights.items() if key[0] == name}
        key = max(of_name, key=lambda key: of_name[key].rank, default=(name, None))
        before = of_name.get(key)
        if only_join and (before is None or before.waits):
            return None
        new = Flight(
            now, decided=False, counted=counted, stays_until=now if counted else now + Limits.REPEAT_MS
        )
        if before is None and not self.make_room(now, only_done=True):
            return None
        if before is not None and before.waits and now - before.since >= Limits.REPEAT_MS:
            before = None
        flight = new if before is None else before
        if flight.waits and counted:  # all that waited is counted with the keys that came
            flight = replace(flight, since=now, counted=True, keys=())
        if answered and not flight.answered:
            flight = replace(flight, answered=True, answered_switch=switch_ms)
        if ended and not flight.ended:
            duration = None if flight.decided or flight.counted else duration
            until = now if flight.in_flight else flight.stays_until
            flight = replace(flight, ended=True, duration=duration, stays_until=until)
        self.flights[key] = flight
        return before

    def make_room(self, now: int, *, only_done: bool) -> bool:
        if len(self.flights) < self.ways:
            return True
        key, flight = min(self.flights.items(), key=lambda item: item[1].rank)
        if flight.in_flight and now - flight.since < DAY:
            if only_done:
                self.refused += 1
                return False
            self.evicted += 1
        del self.flights[key]
        return True
