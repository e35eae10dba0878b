# Counters inside an entity's record: sliding-window count and distinct. Plain bytes in, values out; the caller holds
# the record's lock. A window is a ring of SUB_BUCKETS sub-buckets; a reading is off by at most one of them.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.types cimport Millis

cdef enum:
    SUB_BUCKETS = 14
    EXACT = 16              # distinct elements kept exactly before promotion
    CELLS = 1024            # bytes of a promoted sketch: linear counting, one last-seen stamp a cell

cpdef enum Measure:
    MEASURE_COUNT = 0
    MEASURE_DISTINCT = 1

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

cdef struct SketchPool      # bounded; opaque

# Sub-bucket numbers run modulo this: the largest number below 2^32 that 14 (ring) and 255 (stamps) both divide, so
# that ring and stamps go on without a seam where the number wraps. Compared modulo it too: ahead by less than half.
cdef enum:
    CYCLE = 0xFFFFFF00

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

cdef struct SketchStats:
    uint32_t capacity
    uint32_t used               # handed out and not returned; an owner long silent is among them until reclaimed
    uint64_t reclaimed          # taken from an owner silent for longer than its window
    uint64_t saturated          # how often a column wanted one and there was none
    uint64_t nbytes

cdef SketchPool* sketches_new(uint32_t capacity, uint64_t seed) noexcept nogil     # NULL: no memory
cdef void sketches_free(SketchPool* pool) noexcept nogil                            # NULL is allowed
cdef SketchStats sketches_stats(SketchPool* pool) noexcept nogil
