# Calls that come as rows of a numpy array: checked on the way in, decided in chunks, answered in a second array.
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.decide cimport Worker
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.types cimport Call, Decision, Millis

cdef class Batch:               # __init__(calls, now_ms): raises what Engine.decide_batch does
    cdef const char* rows
    cdef const Millis* now
    cdef Decision* out
    cdef readonly size_t n
    cdef readonly object answers
    cdef object keep            # the arrays the pointers lead into

# Decides rows [first, last), `chunk` at a time; `calls` has room for a chunk.
cdef void batch_decide(Batch batch, const Snapshot* s, Worker* w, Call* calls, size_t first, size_t last,
                       uint32_t chunk) noexcept nogil
cdef uint64_t nanoseconds() noexcept nogil      # of a clock that never steps
