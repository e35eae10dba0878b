# Rows of recorded calls as Arrow's buffers hold them: read where they lie, no text is copied.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from interceptor.engine.types cimport Call, Millis, Text

cpdef enum Flaw:            # what is wrong with a row
    FLAW_NONE = 0
    FLAW_CONTROL = 1        # a text holds a control character
    FLAW_UTF8 = 2
    FLAW_LONG = 3           # a text of more than MAX_FIELD bytes
    FLAW_BROKEN = 4         # the column's offsets or codes lead outside of it

cdef struct Texts:          # a column of texts, plain or by codes
    const uint8_t* valid    # NULL: all are
    int64_t first           # its place of row 0 in the buffers
    const int32_t* at       # plain: where each begins, and the last ends
    const char* data
    int64_t size
    const int32_t* code     # NULL: plain
    Text* word              # by code; of a bad one data is NULL and length its Flaw
    int64_t words

cdef struct Wholes:         # a column of whole numbers
    const uint8_t* valid
    int64_t first
    const int64_t* value    # NULL: no such column

cdef struct Flags:
    const uint8_t* valid
    int64_t first
    const uint8_t* bit      # NULL: no such column

cdef struct Rows:
    int64_t n
    Texts[28] text          # by Field
    uint8_t[28] field       # those that there are
    uint32_t fields
    uint8_t[28] scattered   # and those of them whose texts do not lie in the order of the rows
    uint32_t scattereds
    Texts redirecting       # the values of all rows
    const uint8_t* redirecting_valid
    const int32_t* redirecting_at       # where each row's begin; NULL: no such column
    int64_t redirecting_first
    Wholes time
    Wholes answered
    Wholes ended
    Wholes[4] whole         # by Scalar
    Flags[4] flag           # by Scalar
    const uint8_t* event    # Happening; NULL: all are calls
    const uint8_t* bad      # 1: the row is passed over; NULL: none is

cdef inline bint is_set(const uint8_t* bits, int64_t i) noexcept nogil:
    return bits is NULL or (bits[i >> 3] >> (i & 7)) & 1

# The number at row i; `otherwise` where there is none.
cdef inline int64_t whole_at(const Wholes* column, int64_t i, int64_t otherwise) noexcept nogil:
    if column.value is NULL or not is_set(column.valid, column.first + i):
        return otherwise
    return column.value[column.first + i]

# Sets texts and scalars of a call to those of row i. Returns FLAW_NONE, or what is wrong: then field gets whose text it
# is, or 255.
cdef Flaw load_call(const Rows* rows, int64_t i, Call* call, uint8_t* field) noexcept nogil

cdef class Columns:         # owns what its rows point into
    cdef Rows rows
    cdef object keep
    cdef list owned         # (address, size) of tables of words
    cdef int texts(self, Texts* column, array) except -1
