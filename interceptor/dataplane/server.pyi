"""The data plane: gRPC for switches on threads that never take the GIL."""

from collections.abc import Sequence
from typing import Any

from interceptor.dataplane.listeners import Listener
from interceptor.dataplane.tls import TlsServer
from interceptor.engine.engine import Engine

class DataPlane:
    """Answers InterceptionService and grpc.health.v1 on its own sockets, with an engine's published policy.

    Bound when made, answering from `start` to `close`, SERVING from `open` on. Any thread may call any method; no
    method but `close` waits.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        listen: Sequence[str | Listener],
        threads: int,
        clock_offset_ns: int,
        tls: TlsServer | None,
        client_names: frozenset[str] | None,
        spin_us: float = 0,
        max_connections: int = 16384,
        max_message: int = 65536,
        max_headers: int = 16384,
        max_streams: int = 1024,
        window: int = 1 << 20,
        max_unsent: int = 1 << 18,
        max_resets: int = 200,
        resets_a_second: int = 33,
        idle_s: float = 0,
        age_s: float = 0,
        stall_s: float = 10,
    ) -> None:
        """Binds, and reads nothing yet.

        listen: ``HOST:PORT``, ``[IPV6]:PORT`` or ``unix:PATH``; port 0 is any free one; or a
        socket that listens already, of a process that hands it over. clock_offset_ns: what is
        added to CLOCK_MONOTONIC for the engine's clock. tls: None for plain sockets. client_names: who may ask, by the
        name in the client's certificate; None for anybody. spin_us: how long a thread that has run dry asks for more
        before it sleeps, in microseconds.

        Bounds of one connection: max_message, max_headers, window (of a stream), max_unsent (replies that wait on a
        stream): bytes. max_streams: open at once. max_resets, resets_a_second: streams a client may reset in one go,
        and in the long run; in one go of calls with a deadline max_streams, since the time of all that are open may be
        up together while we do not run. idle_s, age_s: seconds without an open stream, or altogether, after which a
        connection is drained; 0 for never, since a switch keeps its connections. stall_s: seconds for a handshake, the
        rest of a request, or the taking of an answer. max_connections: of all threads; what comes on top is told
        GOAWAY.

        Raises ValueError for a number out of its range or what is no address, OSError naming an address that cannot
        be bound.
        """

    @property
    def addresses(self) -> tuple[str, ...]:
        """What clients dial, in the order of `listen`, with the ports the system chose."""

    @property
    def listeners(self) -> list[Listener]:
        """The sockets; none when it has been closed."""

    def own(self, owned: bool) -> None:
        """Whether files of Unix sockets go when it is closed: not while another process listens on them too."""

    def start(self, *, opened: bool = False) -> None:
        """Starts the threads; health says NOT_SERVING and calls are UNAVAILABLE until `open`, or `opened`: not at all.

        Raises OSError when the system gives no more threads, files or memory, RuntimeError when it runs, has been
        closed, or the engine has no place for so many threads.
        """

    def open(self) -> None:
        """Health says SERVING, and whoever watches it hears so."""

    def close(self, grace: float) -> None:
        """Ends it: no new connections, GOAWAY, and up to `grace` seconds for what is under way.

        Health says NOT_SERVING first. Returns when every thread has ended; a second time does nothing.
        """

    def reload_tls(self) -> None:
        """Reads certificate, key and CA again, for connections to come. Errors as TlsServer.reload."""

    def traffic(self) -> dict[str, Any]:
        """What has been counted since the start, by name.

        requests: method -> gRPC status -> number. ended: why -> connections. batches, latency: counts of the buckets
        of `traffic.BATCH_BOUNDS` and `traffic.LATENCY_BOUNDS_NS`, and one more without a bound; latency runs from a
        request's first byte read to its reply written. connections: open now, by thread. streams: open now (a quarter
        of a second old). refused: connections closed without a word. starved: times there was no file or memory for
        one.
        """
