# The data plane's Python face: binds, starts the threads, ends them, and sums what they count.
import os
import threading
from dataclasses import replace

import cython

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport errno
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from interceptor.dataplane.acceptor cimport (
    MAX_LISTENERS, Acceptor, acceptor_begin, acceptor_end, acceptor_run, acceptor_stop,
)
from interceptor.dataplane.connection cimport Terms
from interceptor.dataplane.loop cimport Arrival, Loop, Orders, loop_free, loop_hand, loop_new, loop_run
from interceptor.dataplane.system cimport (
    SIG_SETMASK, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, monotonic_ns, pthread_create, pthread_join,
    pthread_setname_np, pthread_sigmask, pthread_t, sigdelset, sigfillset, sigset_t,
)
from interceptor.dataplane.tls cimport TlsServer
from interceptor.dataplane.traffic cimport traffic_add, traffic_dict
from interceptor.dataplane.words cimport Traffic
from interceptor.engine.atomics cimport ic_load64, ic_load64_relaxed, ic_store64
from interceptor.engine.engine cimport Enlisted
from interceptor.engine.snapshot cimport MAX_WORKERS
from interceptor.engine.types cimport Text

from interceptor.dataplane import listeners

SECOND = 1_000_000_000


@cython.no_gc_clear         # its threads look at what it holds until they have ended
cdef class DataPlane:
    cdef Orders orders
    cdef Terms terms
    cdef Acceptor acceptor
    cdef (Loop*)[64] loops
    cdef pthread_t[64] threads
    cdef pthread_t accepting
    cdef Text* names
    cdef Traffic ended          # what threads that have ended had counted
    cdef uint32_t n_loops       # that are there
    cdef uint32_t n_running     # whose threads run
    cdef bint accepts
    cdef readonly tuple addresses
    cdef object engine
    cdef TlsServer tls
    cdef object allowed         # the bytes that terms.names leads into
    cdef readonly list listeners
    cdef list enlisted
    cdef object lock
    cdef int n_threads
    cdef int64_t wall_ns
    cdef uint64_t spin_ns

    def __cinit__(self, *_, **__):
        self.acceptor.epoll = self.acceptor.wake = self.acceptor.spare = -1

    def __init__(
        self, engine not None, *, listen, int threads, long long clock_offset_ns, TlsServer tls, client_names,
        double spin_us=0, int max_connections=16384, int max_message=65536, int max_headers=16384,
        int max_streams=1024, int window=1 << 20, int max_unsent=1 << 18, int max_resets=200, int resets_a_second=33,
        double idle_s=0, double age_s=0, double stall_s=10,
    ):
        for name, value, least, most in (
            ("threads", threads, 1, MAX_WORKERS), ("max_connections", max_connections, 1, 1 << 24),
            ("max_message", max_message, 1024, 1 << 19), ("max_headers", max_headers, 1024, 1 << 19),
            ("max_streams", max_streams, 1, 1 << 16), ("window", window, 1 << 16, 1 << 30),
            ("max_unsent", max_unsent, 1024, 1 << 26), ("max_resets", max_resets, 1, 1 << 24),
            ("resets_a_second", resets_a_second, 1, 1 << 24), ("spin_us", spin_us, 0, 1e6),
            ("idle_s", idle_s, 0, 1e8), ("age_s", age_s, 0, 1e8), ("stall_s", stall_s, 0.01, 1e6),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name}: {value} is not in {least}..{most}")
        if self.lock is not None:
            raise RuntimeError("a data plane is made once")
        self.lock = threading.Lock()
        self.engine, self.tls, self.n_threads = engine, tls, threads
        self.wall_ns, self.spin_ns = clock_offset_ns, <uint64_t> (spin_us * 1e3)
        self.acceptor.max_connections = max_connections
        self.listeners, self.enlisted, self.addresses = [], [], ()
        bounds = &self.terms.bounds
        bounds.max_message, bounds.max_headers, bounds.max_streams = max_message, max_headers, max_streams
        bounds.window, bounds.max_unsent = window, max_unsent
        bounds.max_resets, bounds.resets_a_second = max_resets, resets_a_second
        bounds.idle_ns, bounds.age_ns = <uint64_t> (idle_s * 1e9), <uint64_t> (age_s * 1e9)
        bounds.stall_ns = <uint64_t> (stall_s * 1e9)
        if tls is not None:
            self.terms.front = tls.front
        self._allow(client_names)
        self._bind(listen, <int> (stall_s * 2e3) + 1)

    cdef int _allow(self, client_names) except -1:
        cdef size_t i
        self.allowed = ()
        if client_names is None:
            return 0
        self.allowed = tuple(sorted(name.encode() for name in client_names))
        self.names = <Text*> calloc(max(len(self.allowed), 1), sizeof(Text))
        if self.names is NULL:
            raise MemoryError("no memory for the clients' names")
        for i in range(<size_t> len(self.allowed)):
            self.names[i].data = PyBytes_AS_STRING(self.allowed[i])
            self.names[i].length = <uint32_t> PyBytes_GET_SIZE(self.allowed[i])
        self.terms.names, self.terms.n_names, self.terms.guarded = self.names, len(self.allowed), True
        return 0

    cdef int _bind(self, addresses, int stall_ms) except -1:
        if isinstance(addresses, str) or not addresses:
            raise ValueError("listen: give at least one address, in a sequence")
        self.listeners = listeners.listen(addresses, stall_ms)
        if len(self.listeners) > MAX_LISTENERS:
            self._close_listeners()
            raise ValueError(f"listen: more than {MAX_LISTENERS} addresses")
        self.addresses = tuple(dict.fromkeys(listener.address for listener in self.listeners))
        return 0

    def own(self, bint owned):
        with self.lock:
            self.listeners = [replace(listener, owned=owned) for listener in self.listeners]

    cdef int _close_listeners(self) except -1:
        for listener in self.listeners:
            listener.close()
        self.listeners = []
        return 0

    # --- starting

    def start(self, *, bint opened=False):
        with self.lock:
            if self.n_running:
                raise RuntimeError("the data plane runs already")
            if not self.listeners:
                raise RuntimeError("the data plane has been closed: make another")
            ic_store64(&self.orders.opened, opened)
            ic_store64(&self.orders.serving, opened)
            try:
                self._begin()
            except BaseException:
                self._end(0)
                raise

    cdef int _begin(self) except -1:
        cdef sigset_t all_signals, before
        cdef int[MAX_LISTENERS] fds
        cdef Loop* loop
        cdef Enlisted enlisted
        cdef int i, failed = 0
        for i in range(self.n_threads):
            enlisted = self.engine.enlist()
            self.enlisted.append(enlisted)
            loop = loop_new(&self.terms, &self.orders, self.spin_ns)
            if loop is NULL:
                raise OSError(errno, f"no data-plane thread {i}: {os.strerror(errno)}")
            self.loops[i] = loop
            self.n_loops += 1
            loop.desk.worker, loop.desk.publication = enlisted.worker, enlisted.publication
            loop.desk.opened, loop.desk.serving = &self.orders.opened, &self.orders.serving
            loop.desk.traffic, loop.desk.wall_ns = &loop.traffic, self.wall_ns
        for i, listener in enumerate(self.listeners):
            fds[i] = listener.socket.fileno()
        self.acceptor.loops, self.acceptor.n_loops = self.loops, self.n_loops
        if not acceptor_begin(&self.acceptor, fds, <uint32_t> len(self.listeners)):
            raise OSError(errno, f"cannot accept connections: {os.strerror(errno)}")
        # What is for the process is Python's; what a thread brings upon itself stays its own.
        sigfillset(&all_signals)
        for own in (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT):
            sigdelset(&all_signals, own)
        pthread_sigmask(SIG_SETMASK, &all_signals, &before)
        for i in range(self.n_threads):
            failed = pthread_create(&self.threads[i], NULL, loop_run, self.loops[i])
            if failed:
                break
            self.n_running += 1
        if not failed:
            failed = pthread_create(&self.accepting, NULL, acceptor_run, &self.acceptor)
            self.accepts = failed == 0
        pthread_sigmask(SIG_SETMASK, &before, NULL)
        if failed:
            raise OSError(failed, f"no thread for the data plane: {os.strerror(failed)}")
        for i in range(self.n_threads):
            pthread_setname_np(self.threads[i], b"ic-data-%d" % i)
        pthread_setname_np(self.accepting, b"ic-accept")
        return 0

    def open(self):
        with self.lock:
            if not self.n_running:
                raise RuntimeError("the data plane does not run: start it first")
            ic_store64(&self.orders.opened, 1)
            self._serve(1)

    cdef void _serve(self, uint64_t serving) noexcept:
        ic_store64(&self.orders.serving, serving)
        self._nudge()

    cdef void _nudge(self) noexcept:
        cdef Arrival nobody
        cdef uint32_t i
        nobody.fd, nobody.excess = -1, 0
        for i in range(self.n_running):
            loop_hand(self.loops[i], nobody)    # a full pipe wakes it as well

    # --- ending

    def close(self, double grace):
        if not 0 <= grace < 1e8:
            raise ValueError(f"grace: {grace} is no number of seconds")
        with self.lock:
            self._serve(0)
            self._end(<uint64_t> (grace * 1e9))

    cdef int _end(self, uint64_t grace_ns) except -1:
        cdef uint32_t i
        self._stop_accepting()
        self._close_listeners()     # who comes now is refused and goes elsewhere, rather than waiting for nobody
        self._join(grace_ns)
        for i in range(self.n_loops):
            traffic_add(&self.ended, &self.loops[i].traffic)
            loop_free(self.loops[i])
        self.n_loops = 0
        self.enlisted = []
        return 0

    cdef void _stop_accepting(self) noexcept:
        with nogil:
            if self.accepts:
                acceptor_stop(&self.acceptor)
                pthread_join(self.accepting, NULL)
        self.accepts = False
        acceptor_end(&self.acceptor)

    cdef void _join(self, uint64_t grace_ns) noexcept:
        cdef uint32_t i
        ic_store64(&self.orders.drain_by, monotonic_ns() + grace_ns)
        self._nudge()
        with nogil:
            for i in range(self.n_running):
                pthread_join(self.threads[i], NULL)
        self.n_running = 0

    def __dealloc__(self):
        cdef uint32_t i
        self._stop_accepting()
        self._join(0)
        for i in range(self.n_loops):
            loop_free(self.loops[i])
        free(self.names)

    # --- what happened

    def reload_tls(self):
        if self.tls is None:
            raise RuntimeError("this data plane has no certificate: it was made without TLS")
        self.tls.reload()

    def traffic(self):
        cdef Traffic total = self.ended
        cdef uint32_t i
        for i in range(self.n_loops):
            traffic_add(&total, &self.loops[i].traffic)
        return traffic_dict(&total) | {
            "connections": [ic_load64(&self.loops[i].open) for i in range(self.n_loops)],
            "streams": sum([ic_load64_relaxed(&self.loops[i].streams) for i in range(self.n_loops)]),
            "refused": ic_load64_relaxed(&self.acceptor.refused),
            "starved": ic_load64_relaxed(&self.acceptor.starved),
        }
