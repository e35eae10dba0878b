# Blocks of memory kept for the next call (contract: spares.pxd). A batch of calls takes and gives back a dozen small
# blocks for each: more at a time than the C library's own per-thread cache holds.
from libc.stddef cimport size_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

cdef extern from *:
    bint CHECKED "INTERCEPTOR_DEBUG"    # then a block that is gone should be gone: sanitizers look for its users

cdef enum:
    UNIT = 64                   # sizes are multiples of it
    SIZES = 16                  # kinds of block
    MOST = 512                  # blocks kept of each size
    HEAD = 16                   # in front of a block, as malloc aligns: its size

cdef struct Spare:              # a block that is kept
    Spare* next

cdef struct Kept:
    Spare* first
    size_t n

cdef struct Spares:
    Kept[17] of                 # by size in units


cdef inline size_t* head_of(void* block) noexcept nogil:
    return <size_t*>(<char*>block - HEAD)


cdef Spares* spares_new() noexcept nogil:
    return NULL if CHECKED else <Spares*>calloc(1, sizeof(Spares))


cdef void spares_empty(Spares* spares) noexcept nogil:
    cdef Spare* spare
    cdef int units
    if spares == NULL:
        return
    for units in range(1, SIZES + 1):
        while spares.of[units].first != NULL:
            spare = spares.of[units].first
            spares.of[units].first = spare.next
            free(head_of(spare))
        spares.of[units].n = 0


cdef void spares_free(Spares* spares) noexcept nogil:
    spares_empty(spares)
    free(spares)


cdef void* spare_malloc(Spares* spares, size_t n) noexcept nogil:
    cdef size_t units = (n + UNIT - 1) // UNIT
    cdef Kept* kept
    cdef void* block
    if units == 0 or units > SIZES:
        units = 0               # of a size of its own
    elif spares != NULL:
        kept = &spares.of[units]
        if kept.first != NULL:
            block = kept.first
            kept.first = kept.first.next
            kept.n -= 1
            return block
    if n > <size_t>-1 - HEAD:
        return NULL
    block = malloc(HEAD + (units * UNIT if units else n))
    if block == NULL:
        return NULL
    block = <char*>block + HEAD
    head_of(block)[0] = units
    return block


cdef void spare_free(Spares* spares, void* block) noexcept nogil:
    cdef size_t units
    cdef Kept* kept
    if block == NULL:
        return
    units = head_of(block)[0]
    if units == 0 or spares == NULL or spares.of[units].n >= MOST:
        free(head_of(block))
        return
    kept = &spares.of[units]
    (<Spare*>block).next = kept.first
    kept.first = <Spare*>block
    kept.n += 1


cdef void* spare_calloc(Spares* spares, size_t n, size_t size) noexcept nogil:
    cdef void* block
    if size and n > <size_t>-1 // size:
        return NULL
    block = spare_malloc(spares, n * size)
    if block != NULL:
        memset(block, 0, n * size)
    return block


cdef void* spare_realloc(Spares* spares, void* block, size_t n) noexcept nogil:
    cdef size_t units = head_of(block)[0] if block != NULL else 0
    cdef void* other
    if units and n <= units * UNIT:
        return block
    if block != NULL and units == 0:        # of a size of its own, which it may go on having
        other = realloc(head_of(block), HEAD + n) if n <= <size_t>-1 - HEAD else NULL
        return <char*>other + HEAD if other != NULL else NULL
    other = spare_malloc(spares, n)
    if other != NULL and block != NULL:
        memcpy(other, block, units * UNIT)
        spare_free(spares, block)
    return other
