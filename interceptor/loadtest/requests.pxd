# The table of prepared requests.
from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef class Requests:
    cdef bytes data
    cdef object kept                    # the arrays behind the pointers
    cdef const int64_t* offsets         # n + 1
    cdef const uint8_t* expected
    cdef readonly Py_ssize_t n
    cdef int serials
    cdef uint32_t[2] serial_at
    cdef int[2] serial_digits
