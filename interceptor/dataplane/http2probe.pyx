# A face of http2 for tests and fuzzing: one session in memory, whose requests are taken out one by one.
from interceptor.dataplane.exchanges cimport Stream
from interceptor.dataplane.http2 cimport (
    Session,
    refuse,
    reply,
    session_ending,
    session_expire,
    session_finished,
    session_free,
    session_gather,
    session_goaway,
    session_new,
    session_open_streams,
    session_receive,
    session_resume,
    session_turn_away,
    watch_all,
)
from interceptor.dataplane.spares cimport spares_free, spares_new
from interceptor.dataplane.words cimport N_CODES, N_METHODS, Batch, Bounds, Peer, Request, Traffic
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

from interceptor.dataplane.words import Code, Ending, Method

cdef enum:
    WRITE = 65536               # bytes gathered at a time


cdef void overflow(Batch* batch, void* desk) noexcept nogil:
    # A batch that is full is answered within session_receive: here each request with its own bytes.
    cdef uint32_t i
    (<uint64_t*>desk)[0] += batch.n
    for i in range(batch.n):
        reply(&batch.request[i], batch.request[i].data, batch.request[i].length)
    batch.n = batch.kept = 0


cdef class SessionProbe:
    cdef Bounds bounds
    cdef Peer peer
    cdef Traffic c
    cdef Batch* batch
    cdef Session* session
    cdef readonly uint64_t overflowed
    cdef list fed               # what the requests in the batch point into

    def __cinit__(self, *, max_message: int = 65536, max_headers: int = 16384, max_streams: int = 1000,
                  window: int = 65535, max_unsent: int = 65536, max_resets: int = 1000, resets_a_second: int = 100,
                  now_ns: int = 1):
        self.bounds.max_message = max_message
        self.bounds.max_headers = max_headers
        self.bounds.max_streams = max_streams
        self.bounds.window = window
        self.bounds.max_unsent = max_unsent
        self.bounds.max_resets = max_resets
        self.bounds.resets_a_second = resets_a_second
        self.fed = []
        self.batch = <Batch*>calloc(1, sizeof(Batch))
        if self.batch == NULL:
            raise MemoryError("no memory for a batch")
        self.batch.room_bytes = 4 * self.bounds.max_message
        self.batch.room = <uint8_t*>malloc(self.batch.room_bytes)
        self.batch.spares = spares_new()
        self.batch.answer = overflow
        self.batch.desk = &self.overflowed
        self.session = session_new(&self.bounds, &self.peer, &self.c, now_ns)
        if self.batch.room == NULL or self.session == NULL:
            raise MemoryError("no memory for a session")

    def __dealloc__(self):
        if self.session != NULL:
            session_free(self.session, self.batch)
        if self.batch != NULL:
            spares_free(self.batch.spares)
            free(self.batch.room)
            free(self.batch)

    def receive(self, data: bytes, now_ns: int = 1, read_ns: int | None = None, speaking: int = 1) -> int:
        cdef const uint8_t* first = data
        cdef size_t n = len(data)
        cdef uint64_t now = now_ns
        cdef int status
        self.forget_answered()
        self.fed.append(data)
        self.batch.now = now_ns if read_ns is None else read_ns
        self.batch.speaking = speaking
        with nogil:
            status = session_receive(self.session, first, n, now, self.batch)
        return status

    def resume(self, now_ns: int = 1) -> None:
        self.forget_answered()
        session_resume(self.session, now_ns, self.batch)

    cdef forget_answered(self):
        cdef uint32_t i
        for i in range(self.batch.n):
            if self.batch.request[i].exchange != NULL:
                return
        self.batch.n = self.batch.kept = 0
        self.fed.clear()

    def requests(self) -> list[tuple[int, Method, bytes, int]]:
        cdef Request* request
        asked = []
        for handle in range(self.batch.n):
            request = &self.batch.request[<uint32_t>handle]
            if request.exchange != NULL:
                asked.append((handle, Method(request.method), request.data[:request.length], request.deadline_ns))
        return asked

    cdef Request* unanswered(self, handle: int) except NULL:
        if not 0 <= handle < self.batch.n or self.batch.request[<uint32_t>handle].exchange == NULL:
            raise KeyError(f"no request waits under {handle}")
        return &self.batch.request[<uint32_t>handle]

    def reply(self, handle: int, message: bytes) -> None:
        cdef const uint8_t* first = message
        reply(self.unanswered(handle), first, <uint32_t>len(message))

    def refuse(self, handle: int, code: Code, text: str) -> None:
        encoded = text.encode()
        cdef const char* first = encoded
        refuse(self.unanswered(handle), code, first, <uint32_t>len(encoded))

    def output(self) -> bytes:
        cdef uint8_t[WRITE] out
        cdef size_t n = session_gather(self.session, out, WRITE)
        gathered = []
        while n:
            gathered.append(out[:n])
            n = session_gather(self.session, out, WRITE)
        return b"".join(gathered)

    def watch_all(self, serving: bool) -> None:
        watch_all(self.session, serving)

    def goaway(self, final: bool) -> None:
        session_goaway(self.session, final)

    def turn_away(self) -> None:
        session_turn_away(self.session)

    def expire(self, since_ns: int) -> int:
        return session_expire(self.session, since_ns)

    @property
    def finished(self) -> bool:
        return session_finished(self.session)

    @property
    def ending(self) -> Ending:
        return Ending(session_ending(self.session))

    @property
    def open_streams(self) -> int:
        return session_open_streams(self.session)

    @property
    def held_bytes(self) -> int:
        cdef const Stream* stream = self.session.open
        held = 0
        while stream != NULL:
            held += stream.kept_room + stream.out_room
            stream = stream.after
        return held

    @property
    def traffic(self) -> dict[str, int]:
        return {
            "messages_in": self.c.messages_in,
            "streams_refused": self.c.streams_refused,
            "oversize": self.c.oversize,
            "shed": self.c.shed,
        }

    @property
    def answered(self) -> dict[tuple[Method, int], int]:
        return {
            (Method(method), code): self.c.requests[<int>method][<int>code]
            for method in range(N_METHODS)
            for code in range(N_CODES)
            if self.c.requests[<int>method][<int>code]
        }
