# Memory that comes and goes with every call: blocks a thread keeps by size for its next ones.
from libc.stddef cimport size_t

cdef struct Spares              # of one thread, whatever connection the blocks belonged to

cdef Spares* spares_new() noexcept nogil                                    # NULL: no memory, or a build that checks it
cdef void spares_empty(Spares* spares) noexcept nogil                       # gives the blocks back. NULL is allowed
cdef void spares_free(Spares* spares) noexcept nogil                        # gives everything back. NULL is allowed

# As malloc and its like; a block may be given back to other spares than it came from. Without spares: the system's.
cdef void* spare_malloc(Spares* spares, size_t n) noexcept nogil
cdef void* spare_calloc(Spares* spares, size_t n, size_t size) noexcept nogil
cdef void* spare_realloc(Spares* spares, void* block, size_t n) noexcept nogil
cdef void spare_free(Spares* spares, void* block) noexcept nogil
