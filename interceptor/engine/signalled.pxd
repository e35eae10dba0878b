# A number as signalled, as text: which digits does it say, and how? The dial plan is number.pyx's.
from libc.stdint cimport uint32_t

from interceptor.engine.types cimport Text

cdef enum:
    MAX_DIALLED = 32        # digits kept of a number before its prefixes are read

cdef enum Reading:
    UNREADABLE = 0
    DIGITS = 1
    WITHHELD = 2
    SOS = 3                 # urn:service:sos (RFC 5031)

cdef struct Signalled:
    char[32] digits
    uint32_t n
    bint plus
    char[16] context        # digits of a global phone-context
    uint32_t n_context

# Never reads past raw.length. On DIGITS, out holds at least one digit.
cdef Reading read_signalled(Text raw, Signalled* out) noexcept nogil


cdef inline char lower(char c) noexcept nogil:
    return <char>(c | 32) if 65 <= c <= 90 else c


# Does `text` begin with `word` (in lower case), whatever its own case?
cdef inline bint begins(const char* text, uint32_t n, const char* word, uint32_t length) noexcept nogil:
    cdef uint32_t i
    if n < length:
        return False
    for i in range(length):
        if lower(text[i]) != word[i]:
            return False
    return True
