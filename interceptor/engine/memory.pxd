# The only module that takes and returns memory for tables: zeroed, page-aligned, huge pages where there are any.
from libc.stddef cimport size_t

cdef void* reserve(size_t nbytes) noexcept nogil          # NULL when the system has no more; zeroed
cdef void release(void* p, size_t nbytes) noexcept nogil  # NULL is allowed
