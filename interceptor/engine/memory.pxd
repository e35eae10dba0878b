# The only module that takes and returns memory for tables: zeroed, page-aligned, huge pages where there are any.
from libc.stddef cimport size_t

cdef void* reserve(size_t nbytes) noexcept nogil          # NULL when the system has no more; zeroed
cdef void release(void* p, size_t nbytes) noexcept nogil  # NULL is allowed

# The memory of one table: laid out by the table, without pointers, the same way by every process of one LAYOUT. It is
# the process's own, or a file's that outlives it. Kept alive by whoever has the table.
cdef class Region:
    cdef char* base             # of a cache line at least; never NULL
    cdef readonly size_t nbytes
    cdef readonly bint fresh    # all zero; else an earlier process has left it, and may have died in the middle
    cdef void* mapped
    cdef size_t span

# The next part of a region that is handed out in parts, `used` of it so far: of pages of its own. With base NULL, only
# counts, so that one function says how much a table needs and lays it out.
cdef void* region_part(char* base, size_t* used, size_t nbytes) noexcept nogil
