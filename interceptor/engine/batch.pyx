# Calls that come as rows of a numpy array (contract: batch.pxd), for Python threads and for one that holds no GIL.
import numpy as np

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.border cimport load_row, row_problem
from interceptor.engine.decide cimport Worker, decide_chunk
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.stats cimport stats_latency
from interceptor.engine.types cimport Call, Decision, Millis

from interceptor.engine.answers import CallError
from interceptor.engine.border import CALL_DTYPE
from interceptor.engine.types import Field

DECISION_DTYPE = np.dtype([
    ("id", "<u8"), ("shadow", "<u8"), ("revision", "<u4"), ("rule", "<u2"), ("verdict", "u1"), ("block_class", "u1"),
    ("repeated", "u1"), ("added", "u1"), ("errors", "<u2"), ("_", "<u4")])
if DECISION_DTYPE.itemsize != sizeof(Decision):
    raise ImportError("interceptor.engine: DECISION_DTYPE differs from struct Decision")

cdef size_t ROW = CALL_DTYPE.itemsize

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    static inline uint64_t ic_nanoseconds(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    }
    """
    uint64_t ic_nanoseconds() noexcept


cdef uint64_t nanoseconds() noexcept nogil:
    return ic_nanoseconds()


cdef class Batch:
    def __init__(self, calls, now_ms):
        cdef size_t i
        cdef int problem = -1
        if not (isinstance(calls, np.ndarray) and calls.dtype == CALL_DTYPE and calls.ndim == 1
                and calls.flags.c_contiguous):
            raise TypeError("calls: give a contiguous one-dimensional array of CALL_DTYPE")
        self.n = len(calls)
        times = np.ascontiguousarray(now_ms, dtype=np.int64)
        if times.shape != (self.n,):
            raise ValueError(f"now_ms: give one time a call, {self.n}, not {times.shape}")
        self.answers = np.empty(self.n, dtype=DECISION_DTYPE)
        self.rows = <const char*> <size_t> calls.ctypes.data
        self.now = <const Millis*> <size_t> times.ctypes.data
        self.out = <Decision*> <size_t> self.answers.ctypes.data
        self.keep = calls, times
        with nogil:
            for i in range(self.n):
                problem = row_problem(self.rows + i * ROW)
                if problem >= 0:
                    break
        if problem >= 0:
            raise CallError(Field(problem).name.removeprefix("F_").lower(),
                            f"row {i}: a control character, or not valid UTF-8; nothing was decided")


cdef void batch_decide(Batch batch, const Snapshot* s, Worker* w, Call* calls, size_t first, size_t last,
                       uint32_t chunk) noexcept nogil:
    cdef uint32_t some, i
    cdef uint64_t begun
    while first < last:
        some = <uint32_t> min(<size_t> chunk, last - first)
        begun = ic_nanoseconds()
        for i in range(some):
            load_row(batch.rows + (first + i) * ROW, &calls[i])
        decide_chunk(s, w, calls, some, batch.now + first, batch.out + first)
        stats_latency(w.stats, (ic_nanoseconds() - begun) // some, some)
        first += some
