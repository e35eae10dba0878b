"""HTTP/2 sessions of the data plane, in memory: what its tests and its fuzzer see of them."""

from interceptor.dataplane.words import Code, Ending, Method

class SessionProbe:
    """A server's side of one connection, without a socket and without a clock.

    Requests wait until they are answered. Should 1,024 of them wait, each gets its own bytes as its reply, which is
    counted in `overflowed`.

    Parameters
    ----------
    max_message, max_headers, max_streams, window, max_unsent, max_resets, resets_a_second : int
        What a client may take; see ``Bounds`` in words.pxd.
    now_ns : int
        When the connection was made. All times are nanoseconds on one clock that never goes back.

    Raises
    ------
    MemoryError
        When the system has no room.
    """

    overflowed: int

    def __init__(
        self,
        *,
        max_message: int = 65536,
        max_headers: int = 16384,
        max_streams: int = 1000,
        window: int = 65535,
        max_unsent: int = 65536,
        max_resets: int = 1000,
        resets_a_second: int = 100,
        now_ns: int = 1,
    ) -> None: ...
    def receive(self, data: bytes, now_ns: int = 1, read_ns: int | None = None, speaking: int = 1) -> int:
        """Takes what the client sent. -1: the connection is beyond help.

        now_ns: when its first byte came; read_ns: when it was read (at once, when not given); speaking: connections
        that had something to say then.
        """

    def resume(self, now_ns: int = 1) -> None:
        """Takes messages that were held back while their stream's replies waited."""

    def requests(self) -> list[tuple[int, Method, bytes, int]]:
        """Every request that waits: its handle, its method, its message, its deadline (0: none)."""

    def reply(self, handle: int, message: bytes) -> None:
        """Answers a request. KeyError: none waits under this handle, or its stream has closed."""

    def refuse(self, handle: int, code: Code, text: str) -> None:
        """Answers a request with a status. KeyError as in `reply`."""

    def output(self) -> bytes:
        """All that is to be written now."""

    def watch_all(self, serving: bool) -> None:
        """Tells every Health/Watch."""

    def goaway(self, final: bool) -> None:
        """The first or the second step of leaving."""

    def turn_away(self) -> None:
        """Leaves before anything was asked."""

    def expire(self, since_ns: int) -> int:
        """Resets streams that have kept us waiting since before `since_ns`; how many."""

    @property
    def finished(self) -> bool:
        """Nothing more to read or write."""

    @property
    def ending(self) -> Ending: ...
    @property
    def open_streams(self) -> int: ...
    @property
    def held_bytes(self) -> int:
        """Memory of the open streams for what was received and not taken, and for replies not sent."""

    @property
    def traffic(self) -> dict[str, int]:
        """Counters: messages_in, streams_refused, oversize."""

    @property
    def answered(self) -> dict[tuple[Method, int], int]:
        """Calls by method and gRPC status."""
