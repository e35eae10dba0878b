# How many different elements, inside an entity's record: exactly up to 16, and then by a sketch that is borrowed from
# a pool: linear counting in 1,024 cells, or, where the pool's are such, HyperLogLog (large.pxd). Plain bytes in, values
# out; the caller holds the record's lock. A column of zeros is an empty one.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.sketches cimport SketchPool
from interceptor.engine.types cimport Millis

cdef enum:
    EXACT = 16              # elements kept exactly before promotion to a sketch
    CELLS = 1024            # of linear counting, a byte each: the stamp of the last sight

cdef struct DistinctColumn:  # 96 bytes
    uint32_t epoch          # sub-bucket number of the last change
    uint32_t sketch         # 0: exact; else 1 + index into the pool
    uint32_t tag            # the sketch is ours while its owner tag equals this
    uint16_t count          # exact: live elements; promoted: live cells, or 1 of a large one
    uint8_t saturated       # wanted a sketch and the pool had none: reads "at least EXACT"
    uint8_t unused
    uint32_t[16] element    # the upper half of its hash
    uint8_t[16] stamp

# Of a pool for promoted columns: bytes inside a sketch
cdef uint32_t inside_of(bint large) noexcept nogil

# A clock that goes backwards counts into the column's current sub-bucket. A bump returns the reading after it.
cdef int64_t distinct_bump(DistinctColumn* column, SketchPool* pool, uint64_t element, Millis window,
                           Millis now) noexcept nogil
cdef int64_t distinct_read(const DistinctColumn* column, SketchPool* pool, Millis window,
                           Millis now) noexcept nogil
# What distinct_read would say after distinct_bump, touching nothing.
cdef int64_t distinct_peek(const DistinctColumn* column, SketchPool* pool, uint64_t element, Millis window,
                           Millis now) noexcept nogil
cdef void distinct_drop(DistinctColumn* column, SketchPool* pool) noexcept nogil    # returns its sketch
