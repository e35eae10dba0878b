# The generator's Python face: parameters checked, memory taken, one run, and what it counted.
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy
from posix.unistd cimport close

import math
import os
from urllib.parse import unquote

import numpy as np

from interceptor.dataplane.grpc cimport PREFIX
from interceptor.dataplane.nghttp2 cimport (
    NGHTTP2_NV_FLAG_NO_COPY_NAME, NGHTTP2_NV_FLAG_NO_COPY_VALUE, nghttp2_option_del, nghttp2_option_new,
    nghttp2_option_set_no_http_messaging, nghttp2_session_callbacks_del,
)
from interceptor.dataplane.system cimport EPOLL_CLOEXEC, epoll_create1, monotonic_ns
from interceptor.dataplane.tls cimport TlsClient
from interceptor.engine.atomics cimport ic_load64, ic_load64_relaxed as read, ic_store64_relaxed
from interceptor.engine.memory cimport release, reserve
from interceptor.loadtest.arrivals cimport next_gap
from interceptor.loadtest.connection cimport (
    CLOSED_EARLY, IN_BYTES, MAX_MESSAGE, NOT_HTTP2, OUT_BYTES, REFUSED_TLS, TURNED_AWAY, Connection,
)
from interceptor.loadtest.drive cimport Run, drive
from interceptor.loadtest.histogram cimport Histogram
from interceptor.loadtest.requests cimport Requests
from interceptor.loadtest.session cimport callbacks_new
from interceptor.loadtest.tally cimport MISMATCHES, STATUSES, VERDICTS, Call, Interval, Tally

from interceptor.loadtest.outcome import Outcome
from interceptor.loadtest.target import resolve

MODES = {
    "unary": b"/interceptor.v1.InterceptionService/Decide",
    "stream": b"/interceptor.v1.InterceptionService/DecideStream",
}
COLUMNS = ("sent", "ok", "late", "failed", "unsent", "max_ns")
TROUBLE = {
    REFUSED_TLS: "the TLS handshake failed",
    CLOSED_EARLY: "it closed the connection",
    NOT_HTTP2: "it does not speak HTTP/2",
    TURNED_AWAY: "it said GOAWAY: it takes no more connections",
    0: "no answer within 5 s",
}


def within(name, value, least, most):
    if not least <= value <= most:      # NaN is not
        raise ValueError(f"{name} {value}: it is {least:g} .. {most:g}")


cdef class Generator:
    cdef Run run_state
    cdef Tally tally
    cdef Requests requests
    cdef TlsClient tls
    cdef Histogram latencies, lags
    cdef object target, table, texts
    cdef double warm_up
    cdef bint ran

    def __init__(
        self, str address not None, Requests requests not None, *, str mode="unary", int connections=1, rate=None,
        int in_flight=100, double duration=10.0, double warm_up=0.0, double grace=1.0, int deadline_ms=0,
        uint64_t seed=1, uint64_t first=0, int spin_us=50, double interval=0.1, TlsClient tls=None,
    ):
        cdef Run* r = &self.run_state
        if r.connection != NULL:
            raise RuntimeError("a Generator is for one run: make another one")
        if mode not in MODES:
            raise ValueError(f"mode {mode!r}: it is unary or stream")
        within("connections", connections, 1, 4096)
        within("in_flight", in_flight, 1, 65536)
        within("connections * in_flight", connections * in_flight, 1, 1 << 24)
        within("duration", duration, 0.001, 86_400)
        within("warm_up", warm_up, 0, 86_400)
        within("grace", grace, 0, 3600)
        within("deadline_ms", deadline_ms, 0, 60_000)
        within("first", first, 0, 2**62 - 1)
        within("spin_us", spin_us, 0, 1_000_000)
        within("interval", interval, 0.001, 3600)
        if rate is not None:
            within("rate", rate, 0.001, 1e8)
        if requests.n == 0:
            raise ValueError("there is nothing to ask")
        self.target, self.requests, self.tls, self.warm_up = resolve(address), requests, tls, warm_up
        self.latencies, self.lags = Histogram(), Histogram()
        r.intervals = math.ceil((warm_up + duration + grace) / interval) + 1
        within("intervals of the run", r.intervals, 1, 10_000_000)
        self.table = np.zeros((r.intervals, len(COLUMNS)), np.uint64)
        r.interval = <Interval*><uintptr_t>self.table.ctypes.data
        r.interval_ns = <uint64_t>(interval * 1e9)
        r.warm_up_ns, r.end, r.grace_ns = <uint64_t>(warm_up * 1e9), <uint64_t>(duration * 1e9), <uint64_t>(grace * 1e9)
        r.spin_ns = <uint64_t>spin_us * 1000
        r.random, r.number = seed, first
        r.requests = <uint32_t>requests.n
        r.request = first % r.requests
        r.mean_gap_ns = 1e9 / rate if rate else 0
        if rate:
            r.due = next_gap(&r.random, r.mean_gap_ns)
        self.tally.deadline_ns = <uint64_t>deadline_ms * 1_000_000
        self.tally.expected = requests.expected
        self.tally.latency, self.tally.lag = &self.latencies.c, &self.lags.c
        self.tally.interval = r.interval
        self.ask_with(mode, deadline_ms, in_flight)
        self.take_memory(connections)

    cdef ask_with(self, str mode, int deadline_ms, int in_flight):
        cdef Run* r = &self.run_state
        cdef bytes sockaddr = self.target.sockaddr
        cdef const unsigned char* text
        headers = [
            b":method", b"POST", b":scheme", b"http" if self.tls is None else b"https", b":path", MODES[mode],
            b":authority", self.target.authority.encode(), b"te", b"trailers", b"content-type", b"application/grpc",
        ]
        r.asking.streaming = mode == "stream"
        if deadline_ms and not r.asking.streaming:
            headers += [b"grpc-timeout", b"1m"]
            rendered = b"".join((bytes((len(b"%um" % ms),)) + b"%um" % ms).ljust(8) for ms in range(deadline_ms + 1))
        else:
            rendered = b""
        self.texts = (sockaddr, headers, rendered)
        r.asking.headers = len(headers) // 2
        for i, (name, value) in enumerate(zip(headers[::2], headers[1::2])):
            text = name
            r.asking.header[i].name, r.asking.header[i].namelen = <uint8_t*>text, len(name)
            text = value
            r.asking.header[i].value, r.asking.header[i].valuelen = <uint8_t*>text, len(value)
            r.asking.header[i].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE
        text = rendered
        r.asking.timeouts = <uint8_t*>text
        text = sockaddr
        r.asking.peer, r.asking.peer_bytes, r.asking.family = text, len(sockaddr), self.target.family
        r.asking.front = NULL if self.tls is None else self.tls.front
        text = self.requests.data
        r.asking.data, r.asking.offsets = text, self.requests.offsets
        r.asking.serials = self.requests.serials
        memcpy(r.asking.serial_at, self.requests.serial_at, sizeof(r.asking.serial_at))
        memcpy(r.asking.serial_digits, self.requests.serial_digits, sizeof(r.asking.serial_digits))
        r.asking.deadline_ms, r.asking.in_flight = deadline_ms, in_flight
        r.asking.tally = &self.tally

    cdef take_memory(self, uint32_t connections):
        cdef Run* r = &self.run_state
        cdef Connection* c
        cdef uint32_t i
        cdef bint short = False
        r.asking.epoll = -1
        r.connection = <Connection*>reserve(connections * sizeof(Connection))
        if r.connection == NULL:
            raise MemoryError(f"no memory for {connections} connections")
        r.connections = connections
        r.queue = <Connection**>reserve(connections * sizeof(Connection*))
        r.asking.input = <uint8_t*>reserve(IN_BYTES)
        r.asking.scratch = <uint8_t*>reserve(MAX_MESSAGE + PREFIX)
        r.asking.callbacks = callbacks_new()
        if nghttp2_option_new(&r.asking.option) == 0:
            nghttp2_option_set_no_http_messaging(r.asking.option, 1)    # it is a server's answers that are measured
        for i in range(connections):
            c = &r.connection[i]
            c.asking, c.fd = &r.asking, -1
            c.call = <Call*>reserve(r.asking.in_flight * sizeof(Call))
            c.out = <uint8_t*>reserve(OUT_BYTES)
            short |= c.call == NULL or c.out == NULL
            if r.asking.streaming:
                c.staged = <uint8_t*>reserve(OUT_BYTES)
                c.piece = <uint8_t*>reserve(MAX_MESSAGE)
                short |= c.staged == NULL or c.piece == NULL
        if short or r.queue == NULL or r.asking.input == NULL or r.asking.scratch == NULL \
                or r.asking.callbacks == NULL or r.asking.option == NULL:
            raise MemoryError(f"no memory for {connections} connections")
        r.asking.epoll = epoll_create1(EPOLL_CLOEXEC)
        if r.asking.epoll < 0:
            raise OSError("no epoll: too many files are open")

    def __dealloc__(self):
        cdef Run* r = &self.run_state
        cdef uint32_t i
        if r.connection == NULL:
            return
        for i in range(r.connections):
            release(r.connection[i].call, r.asking.in_flight * sizeof(Call))
            release(r.connection[i].out, OUT_BYTES)
            release(r.connection[i].staged, OUT_BYTES)
            release(r.connection[i].piece, MAX_MESSAGE)
        release(r.queue, r.connections * sizeof(Connection*))
        release(r.connection, r.connections * sizeof(Connection))
        release(r.asking.input, IN_BYTES)
        release(r.asking.scratch, MAX_MESSAGE + PREFIX)
        nghttp2_session_callbacks_del(r.asking.callbacks)
        nghttp2_option_del(r.asking.option)
        if r.asking.epoll >= 0:
            close(r.asking.epoll)

    def run(self):
        cdef bint connected
        if self.ran or self.run_state.connection == NULL:
            raise RuntimeError("a Generator runs once: make another one")
        self.ran = True
        with nogil:
            connected = drive(&self.run_state)
        trouble = self.run_state.asking.trouble
        if not connected:
            why = TROUBLE[trouble] if trouble in TROUBLE else os.strerror(trouble)
            raise ConnectionError(f"no connection to {self.target.text}: {why}")

    def stop(self):
        ic_store64_relaxed(&self.run_state.stop, 1)

    @property
    def elapsed(self):
        cdef uint64_t begun = ic_load64(&self.run_state.begun)
        cdef uint64_t ended = ic_load64(&self.run_state.ended)
        return ((ended or monotonic_ns()) - begun) / 1e9 if begun else 0.0

    @property
    def outcome(self):
        cdef const Tally* t = &self.tally
        return Outcome(
            due=read(&t.due), unsent=read(&t.unsent), sent=read(&t.sent), answered=read(&t.answered),
            reset=read(&t.reset), lost=read(&t.lost), missing=read(&t.missing),
            statuses=tuple([read(&t.statuses[i]) for i in range(STATUSES)]),
            verdicts=tuple([read(&t.verdicts[i]) for i in range(VERDICTS)]),
            mismatched=read(&t.mismatched), late=read(&t.late), unexpected=read(&t.unexpected),
            opened=read(&t.opened), failed=read(&t.failed),
            bytes_in=read(&t.bytes_in), bytes_out=read(&t.bytes_out),
        )

    @property
    def latency(self):
        return self.latencies

    @property
    def lag(self):
        return self.lags

    @property
    def series(self):
        begins = np.arange(self.run_state.intervals) * (self.run_state.interval_ns / 1e9) - self.warm_up
        return {"seconds": begins} | {name: self.table[:, i].copy() for i, name in enumerate(COLUMNS)}

    @property
    def mismatches(self):
        kept = min(read(&self.tally.mismatched), <uint64_t>MISMATCHES)
        return [(self.tally.odd_request[i], self.tally.odd_verdict[i]) for i in range(kept)]

    @property
    def first_error(self):
        if self.tally.error_status == 0:
            return ""
        text = self.tally.error[:self.tally.error_bytes].decode(errors="replace")
        return f"status {self.tally.error_status}: {unquote(text)}"
