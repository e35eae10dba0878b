# What one counter is inside an entity's record (contract: columns.pxd); and one column by itself, for tests.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from interceptor.engine.columns cimport (
    COLUMN_MAX, MEASURE_LARGE, N_MEASURES, Column, Pools, column_borrows, column_bytes, column_count, column_drop,
    column_end, column_read, pool_of,
)
from interceptor.engine.distinct cimport DistinctColumn, distinct_peek, inside_of
from interceptor.engine.keys cimport mix
from interceptor.engine.memory cimport Region
from interceptor.engine.sketches cimport (
    Sketch, sketch_take, sketches_bytes, sketches_free, sketches_new, sketches_stats,
)
from interceptor.engine.types cimport Millis


cdef int64_t column_peek(const Column* column, const void* at, const Pools* pools, uint64_t element, int64_t amount,
                         bint ends, Millis now) noexcept nogil:
    cdef uint64_t[12] copy
    if column_borrows(column.measure):
        if ends:
            return column_read(column, at, pools, now)
        return distinct_peek(<const DistinctColumn*>at, pool_of(column.measure, pools), element, column.window, now)
    memset(copy, 0, sizeof(copy))
    memcpy(copy, at, column_bytes(column.measure))
    if ends:
        return column_end(column, copy, pools, amount, now)
    return column_count(column, copy, pools, element, amount, now)


# -- for building and tests ----------------------------------------------------------------------------------------

cdef class Sketches:

    def __cinit__(self, uint32_t capacity, uint64_t seed=0, bint large=False):
        self.region = Region(max(sketches_bytes(capacity, inside_of(large)), <size_t>1))
        self.pool = sketches_new(capacity, inside_of(large), seed, self.region.base)
        if self.pool == NULL:
            raise MemoryError(f"no memory for {capacity} sketches")

    def __dealloc__(self):
        sketches_free(self.pool)

    def take(self, Millis now):
        cdef uint32_t taken = sketch_take(self.pool, now)
        return taken if taken < self.pool.capacity else None

    @property
    def stats(self):
        return sketches_stats(self.pool)


cdef class Window:
    cdef Column column
    cdef Pools pools
    cdef uint64_t[12] memory
    cdef Sketches sketches

    def __cinit__(self, uint32_t measure, Millis window, Sketches sketches=None):
        if window <= 0:
            raise ValueError(f"window: {window} ms; a window is at least 1 ms long")
        if measure >= N_MEASURES:
            raise ValueError(f"measure: {measure}; there are 0 to {N_MEASURES - 1}")
        if column_borrows(measure) != (sketches is not None) or (
                sketches is not None and sketches.pool.inside != inside_of(measure == MEASURE_LARGE)):
            raise ValueError("sketches: a distinct count borrows from those made for it, and nothing else borrows")
        self.column.measure, self.column.window = measure, window
        self.sketches = sketches
        if sketches is not None:
            self.pools.sketches = self.pools.registers = sketches.pool

    def __dealloc__(self):
        if self.sketches is not None:
            column_drop(&self.column, self.memory, &self.pools)

    @property
    def window(self):
        return self.column.window

    def count(self, Millis now, uint64_t element=0, int64_t amount=0):
        return column_count(&self.column, self.memory, &self.pools, element, amount, now)

    def end(self, Millis now, Millis began=0):
        return column_end(&self.column, self.memory, &self.pools, began, now)

    def read(self, Millis now):
        return column_read(&self.column, self.memory, &self.pools, now)

    def peek(self, Millis now, uint64_t element=0, int64_t amount=0):
        return column_peek(&self.column, self.memory, &self.pools, element, amount, False, now)

    def drop(self):
        column_drop(&self.column, self.memory, &self.pools)

    @property
    def promoted(self):
        return column_borrows(self.column.measure) and (<DistinctColumn*>self.memory).sketch != 0

    @property
    def saturated(self):
        return column_borrows(self.column.measure) and (<DistinctColumn*>self.memory).saturated != 0


def hash_of(uint64_t element, uint64_t seed):
    return mix(element, seed)


def sizes():
    return tuple(column_bytes(measure) for measure in range(N_MEASURES)), (
        sizeof(Sketch) + inside_of(False), sizeof(Sketch) + inside_of(True))


if max(sizes()[0]) != COLUMN_MAX:
    raise ImportError("interceptor.engine.columns: a column differs from what records are made for")
