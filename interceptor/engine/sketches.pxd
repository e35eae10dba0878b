# The bounded pool of sketches: 1,024 one-byte cells each, lent to a distinct count that outgrew its record. A sketch
# is its borrower's while its tag is the one the borrower noted; a borrower silent for longer than its window may lose
# it, which changes no reading, for the window is empty by then.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from interceptor.engine.atomics cimport LockWaits, ic_store64_relaxed
from interceptor.engine.memory cimport Region
from interceptor.engine.types cimport Millis

cdef enum:
    CELLS = 1024

cdef struct Sketch:
    uint32_t lock
    uint32_t tag                # changes whenever the sketch changes hands
    uint32_t next               # on the free list: 1 + index of the next
    uint32_t[13] unused
    uint8_t[1024] cell

cdef struct SketchPool:
    uint32_t lock
    uint32_t capacity
    uint32_t fresh              # sketches never lent begin here: their pages are not even mapped
    uint32_t free               # 1 + index of the first returned sketch
    uint32_t used
    uint32_t hand
    uint64_t reclaimed
    uint64_t saturated
    uint64_t seed               # of the elements' hashes
    Sketch* sketch
    int64_t* until              # when the last cell of each expires; written under the sketch's lock
    LockWaits waited            # for the pool's lock and the sketches'

cdef struct SketchStats:
    uint32_t capacity
    uint32_t used               # lent and not returned; a silent borrower's is among them until reclaimed
    uint64_t reclaimed
    uint64_t saturated          # how often one was wanted and there was none
    uint64_t nbytes
    LockWaits waited

# The pool lives in memory of so many bytes, which must outlive it: all zero, or what an earlier process has left there
cdef size_t sketches_bytes(uint32_t capacity) noexcept nogil
cdef SketchPool* sketches_new(uint32_t capacity, uint64_t seed, void* memory) noexcept nogil     # NULL: no memory
cdef void sketches_attach(SketchPool* pool) noexcept nogil      # takes up what an earlier process has lent
cdef void sketches_free(SketchPool* pool) noexcept nogil                            # NULL is allowed
cdef SketchStats sketches_stats(SketchPool* pool) noexcept nogil

# Index of a sketch that is nobody's now, its cells in any state; capacity when there is none. A clock hand takes one
# from a borrower silent for longer than its window, and looks no further than 64 in one go.
cdef uint32_t sketch_take(SketchPool* pool, Millis now) noexcept nogil
cdef bint sketch_waits(SketchPool* pool, Millis now) noexcept nogil     # whether sketch_take would find one
# The sketch, locked (the caller unlocks or returns it); NULL when it is the borrower's no more.
cdef Sketch* sketch_open(SketchPool* pool, uint32_t index, uint32_t tag) noexcept nogil
cdef void sketch_return(SketchPool* pool, Sketch* sketch) noexcept nogil            # opened; unlocks it

# Of an opened sketch: nobody may take it before `until`.
cdef inline void sketch_keep(SketchPool* pool, Sketch* sketch, int64_t until) noexcept nogil:
    ic_store64_relaxed(<uint64_t*>&pool.until[sketch - pool.sketch], <uint64_t>until)

cdef class Sketches:        # __cinit__(capacity: int, seed: int)
    cdef SketchPool* pool
    cdef Region region
