# Counters inside an entity's record: sliding-window count and distinct. Plain bytes in, values out; the caller holds
# the record's lock. A window is a ring of 14 sub-buckets (stamps.pxd); a reading is off by at most one of them.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.sketches cimport SketchPool
from interceptor.engine.types cimport Millis

cdef enum:
    EXACT = 16              # distinct elements kept exactly before promotion to a sketch (linear counting)

cdef struct CountColumn:    # 64 bytes: one cache line
    uint32_t epoch          # sub-bucket number of the last change
    uint32_t total          # of the ring
    uint32_t[14] ring

cdef struct DistinctColumn:  # 96 bytes
    uint32_t epoch
    uint32_t sketch         # 0: exact; else 1 + index into the pool
    uint32_t tag            # the sketch is ours while its owner tag equals this
    uint16_t count          # exact: live elements; promoted: live cells
    uint8_t saturated       # wanted a sketch and the pool had none: reads "at least EXACT"
    uint8_t unused
    uint32_t[16] element
    uint8_t[16] stamp

# A clock that goes backwards counts into the column's current sub-bucket. A bump returns the reading after it.
cdef int64_t count_bump(CountColumn* column, Millis window, Millis now) noexcept nogil
cdef int64_t count_read(const CountColumn* column, Millis window, Millis now) noexcept nogil
# What count_read would say after count_bump, touching nothing.
cdef int64_t count_peek(const CountColumn* column, Millis window, Millis now) noexcept nogil
cdef int64_t distinct_bump(DistinctColumn* column, SketchPool* pool, uint64_t element, Millis window,
                           Millis now) noexcept nogil
cdef int64_t distinct_read(const DistinctColumn* column, SketchPool* pool, Millis window,
                           Millis now) noexcept nogil
# What distinct_read would say after distinct_bump, touching nothing.
cdef int64_t distinct_peek(const DistinctColumn* column, SketchPool* pool, uint64_t element, Millis window,
                           Millis now) noexcept nogil
cdef void distinct_drop(DistinctColumn* column, SketchPool* pool) noexcept nogil    # returns its sketch
