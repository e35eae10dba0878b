# Percentiles of a histogram of nanoseconds, and its counts as arrays.
from libc.math cimport ceil
from libc.stdint cimport UINT64_MAX, uint64_t, uintptr_t

import numpy as np

from interceptor.engine.atomics cimport ic_load64_relaxed as read, ic_store64_relaxed

N_CELLS = CELLS
LONGEST_NS = 2**36 - 1

if LONGEST_NS != (<uint64_t>1 << LONGEST_BITS) - 1:
    raise ImportError("interceptor.loadtest: histogram.pxd has another longest duration than histogram.pyx")

if sizeof(Counts) != sizeof(uint64_t) * (CELLS + 4):
    raise ImportError("interceptor.loadtest: histogram.pxd has another number of cells than its formula")


def bounds_ns():
    return np.array([longest_of(cell) for cell in range(N_CELLS)], np.int64)


cdef class Histogram:

    def __cinit__(self):
        self.c.min_ns = UINT64_MAX

    def record(self, ns: int, count: int = 1):
        if not (0 <= ns <= UINT64_MAX and 0 <= count <= UINT64_MAX):
            raise ValueError(f"a duration of {ns} ns, counted {count} times: both are 0 .. 2**64 - 1")
        if count:
            counts_record(&self.c, ns, count)

    def add(self, Histogram other not None):
        cdef int cell
        for cell in range(CELLS):
            counts_bump(&self.c.cell[cell], read(&other.c.cell[cell]))
        counts_bump(&self.c.total, read(&other.c.total))
        counts_bump(&self.c.sum_ns, read(&other.c.sum_ns))
        ic_store64_relaxed(&self.c.min_ns, min(self.c.min_ns, read(&other.c.min_ns)))
        ic_store64_relaxed(&self.c.max_ns, max(self.c.max_ns, read(&other.c.max_ns)))

    def percentile(self, double percent):
        if not 0 <= percent <= 100:
            raise ValueError(f"a percentile of {percent}: it is 0 .. 100")
        # The sum of the cells, not `total`: while another thread records, the two differ.
        cdef uint64_t total = 0, rank, passed = 0
        cdef int cell
        for cell in range(CELLS):
            total += read(&self.c.cell[cell])
        if total == 0:
            return 0
        rank = <uint64_t>max(ceil(percent / 100 * total), 1)
        for cell in range(CELLS):
            passed += read(&self.c.cell[cell])
            if passed >= min(rank, total):
                break
        return read(&self.c.max_ns) if cell >= CELLS - 1 else min(longest_of(cell), read(&self.c.max_ns))

    @property
    def counts(self):
        copy = np.empty(CELLS, np.uint64)
        cdef uint64_t* into = <uint64_t*><uintptr_t>copy.ctypes.data
        cdef int cell
        for cell in range(CELLS):
            into[cell] = read(&self.c.cell[cell])
        return copy

    @property
    def total(self):
        return read(&self.c.total)

    @property
    def sum_ns(self):
        return read(&self.c.sum_ns)

    @property
    def min_ns(self):
        return read(&self.c.min_ns) if read(&self.c.total) else 0

    @property
    def max_ns(self):
        return read(&self.c.max_ns)

    @property
    def mean_ns(self):
        return self.sum_ns / self.total if self.total else 0.0
