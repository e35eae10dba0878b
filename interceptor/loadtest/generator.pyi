"""Drives a server with calls from one thread, in open or closed loop, and measures what comes back."""

from interceptor.dataplane.tls import TlsClient
from interceptor.loadtest.histogram import Histogram
from interceptor.loadtest.outcome import Outcome, Series
from interceptor.loadtest.requests import Requests

class Generator:
    """One run against one server.

    Open loop (`rate`): calls start at times drawn beforehand (a Poisson process), whatever the server does, and a
    call's latency counts from its intended start. What cannot be sent at once (the server's
    SETTINGS_MAX_CONCURRENT_STREAMS, `in_flight`, a full socket) waits in order, its latency running; it is given up
    as unsent once its deadline has passed. Closed loop (no `rate`): every connection keeps `in_flight` calls open;
    this finds out what a server can do, not how long a call takes.

    Parameters
    ----------
    address
        ``HOST:PORT`` or ``unix:PATH``.
    requests
        What to ask.
    mode
        ``"unary"``: Decide. ``"stream"``: DecideStream, one stream a connection.
    connections
        Open at once, 1 .. 4096. One that breaks is opened anew, every 100 ms until it comes about.
    rate
        Calls a second, over all connections; None: closed loop.
    in_flight
        Calls a connection has open at once, 1 .. 65536: in open loop at most, in closed loop always.
    duration
        Seconds of the measured run; up to a day.
    warm_up
        Seconds before it, not counted.
    grace
        Seconds after it in which answers are waited for.
    deadline_ms
        From the intended start; what is left of it is sent along (grpc-timeout, or deadline_ms in a stream), in whole
        milliseconds, rounded up. 0: none. At most 60,000. An answer is waited for beyond it, and counted as late.
    seed
        Of the arrivals.
    first
        Number of the first call, 0 .. 2**62 - 1; the next has the next.
    spin_us
        Before it sleeps, the thread looks again for so long; it wakes so long before the next call is due.
    interval
        Seconds of one element of `series`; at least 0.001. A run has at most 10 million of them.
    tls
        None: plaintext.

    Raises
    ------
    ValueError
        When a parameter is out of its range.
    OSError
        When the address cannot be resolved.
    """

    def __init__(
        self,
        address: str,
        requests: Requests,
        *,
        mode: str = "unary",
        connections: int = 1,
        rate: float | None = None,
        in_flight: int = 100,
        duration: float = 10.0,
        warm_up: float = 0.0,
        grace: float = 1.0,
        deadline_ms: int = 0,
        seed: int = 1,
        first: int = 0,
        spin_us: int = 50,
        interval: float = 0.1,
        tls: TlsClient | None = None,
    ) -> None: ...
    def run(self) -> None:
        """Runs to the end, in the calling thread, without the GIL. Once.

        The clock starts when every connection is open or has failed, after 5 s at the latest.

        Raises
        ------
        ConnectionError
            When no connection came about at all; it names the address and the reason.
        RuntimeError
            When it has run already.
        """

    def stop(self) -> None:
        """Ends the run early, from any thread: nothing more is sent, open calls have their grace."""

    @property
    def elapsed(self) -> float:
        """Seconds since the clock started, warm-up included; 0 before."""

    @property
    def outcome(self) -> Outcome:
        """The counts, live; exact once `run` has returned."""

    @property
    def latency(self) -> Histogram:
        """Of the measured answers with status OK: intended start to answer. Live."""

    @property
    def lag(self) -> Histogram:
        """Of the measured calls sent: intended start to the call's being handed to the socket. Live.

        In open loop this says what of a latency was spent before the server could know of the call: the generator's
        own lateness, and waiting for a free stream.
        """

    @property
    def series(self) -> Series:
        """What happened interval by interval, warm-up included. Live."""

    @property
    def mismatches(self) -> list[tuple[int, int]]:
        """The first 16 unexpected verdicts: (index of the request, the verdict that came)."""

    @property
    def first_error(self) -> str:
        """Status and message of the first answer that was not OK; empty when there was none."""
