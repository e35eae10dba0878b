# The bounded pool of sketches, lent to distinct counts that outgrew their record. A sketch is its borrower's while its
# tag is the one the borrower noted; a borrower silent for longer than its window may lose it, which changes no reading,
# for the window is empty by then.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

from interceptor.engine.atomics cimport LockWaits, ic_store64_relaxed
from interceptor.engine.types cimport Millis

cdef struct Sketch:             # what is kept in it lies behind it
    uint32_t lock
    uint32_t tag                # changes whenever the sketch changes hands
    uint32_t next               # on the free list: 1 + index of the next
    uint32_t[13] unused

cdef struct SketchHead:         # before the sketches: two processes may lend of one pool
    uint32_t lock
    uint32_t fresh              # sketches never lent begin here: their pages are not even mapped
    uint32_t free               # 1 + index of the first returned sketch
    uint32_t used
    uint32_t hand
    uint32_t[11] unused

cdef struct SketchPool:
    SketchHead* head
    SketchHead empty            # of a pool without sketches, which has no memory
    uint32_t capacity
    uint32_t inside             # bytes kept in a sketch, a multiple of 64
    uint64_t reclaimed          # by this process, as is the next
    uint64_t saturated
    uint64_t seed               # of the elements' hashes
    char* sketches
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
cdef size_t sketches_bytes(uint32_t capacity, uint32_t inside) noexcept nogil
# NULL: no memory
cdef SketchPool* sketches_new(uint32_t capacity, uint32_t inside, uint64_t seed, void* memory) noexcept nogil
# Takes up what an earlier process has lent, and is dead. Of one that lives the pool is used as it is.
cdef void sketches_attach(SketchPool* pool) noexcept nogil
cdef void sketches_free(SketchPool* pool) noexcept nogil                            # NULL is allowed
cdef SketchStats sketches_stats(SketchPool* pool) noexcept nogil

# Index of a sketch that is nobody's now, its inside in any state; capacity when there is none. A clock hand takes one
# from a borrower silent for longer than its window, and looks no further than 64 in one go.
cdef uint32_t sketch_take(SketchPool* pool, Millis now) noexcept nogil
cdef bint sketch_waits(SketchPool* pool, Millis now) noexcept nogil     # whether sketch_take would find one
# The sketch, locked (the caller unlocks or returns it); NULL when it is the borrower's no more.
cdef Sketch* sketch_open(SketchPool* pool, uint32_t index, uint32_t tag) noexcept nogil
cdef void sketch_return(SketchPool* pool, Sketch* sketch) noexcept nogil            # opened; unlocks it

cdef inline Sketch* sketch_at(const SketchPool* pool, uint64_t index) noexcept nogil:
    return <Sketch*>(pool.sketches + index * (sizeof(Sketch) + pool.inside))


cdef inline uint32_t sketch_index(const SketchPool* pool, const Sketch* sketch) noexcept nogil:
    return <uint32_t>(<size_t>(<const char*>sketch - pool.sketches) // (sizeof(Sketch) + pool.inside))


# Of an opened sketch: nobody may take it before `until`.
cdef inline void sketch_keep(SketchPool* pool, Sketch* sketch, int64_t until) noexcept nogil:
    ic_store64_relaxed(<uint64_t*>&pool.until[sketch_index(pool, sketch)], <uint64_t>until)
