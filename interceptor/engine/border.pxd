# Where calls come in as Python objects or array rows: every text is checked here, once.
from libc.stdint cimport uint8_t, uint32_t

from interceptor.engine.types cimport Call

cdef enum TextProblem:
    TEXT_OK = 0
    TEXT_CONTROL = 1
    TEXT_UTF8 = 2

# No control characters, valid UTF-8.
cdef int text_problem(const uint8_t* data, uint32_t n) noexcept nogil

# The columns of a row of CALL_DTYPE, by Field.
cdef struct Row:
    uint32_t[28] offset
    uint32_t[28] width          # 0: the field has no column
    uint32_t scalar
    uint32_t present

cdef Row ROW
cdef void load_row(const char* row, Call* call) noexcept nogil
# -1, or the Field of the first text of the row that is malformed
cdef int row_problem(const char* row) noexcept nogil

# Fills `call` from a mapping of field names. `keep` takes the bytes it points into. Returns None, or the CallError of
# the first malformed field: that field is then absent.
cdef object load_mapping(object mapping, tuple tags, Call* call, list keep)
