# A register of the VM and what can be done to one: inline pieces of program.pyx. No memory, no state of its own.
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp

from interceptor.engine.opcodes cimport STATE_ABSENT, STATE_OK
from interceptor.engine.types cimport (
    F_REDIRECTING, MAX_REDIRECTING, NUMBER_E164, NUMBER_SHORT, Call, Number,
)

cdef extern from * nogil:
    """
    /* Whole-number arithmetic that says when the result does not fit. */
    #define ic_add_overflows(a, b, r) __builtin_add_overflow((a), (b), (r))
    #define ic_sub_overflows(a, b, r) __builtin_sub_overflow((a), (b), (r))
    #define ic_mul_overflows(a, b, r) __builtin_mul_overflow((a), (b), (r))
    """
    bint ic_add_overflows(int64_t a, int64_t b, int64_t* r) noexcept
    bint ic_sub_overflows(int64_t a, int64_t b, int64_t* r) noexcept
    bint ic_mul_overflows(int64_t a, int64_t b, int64_t* r) noexcept

cdef union Payload:
    int64_t i                   # int, duration, bool (0 or 1)
    double d
    const char* p               # text

cdef struct Register:           # while the state is not OK, value and length are 0
    Payload v
    uint32_t length
    uint8_t state

cdef enum Order:                # of an int and a double on the number line
    BEFORE
    SAME
    BEHIND
    UNORDERED                   # the double is NaN

cdef inline void put_int(Register* r, int64_t value) noexcept nogil:
    r.v.i = value
    r.length = 0
    r.state = STATE_OK


cdef inline void put_double(Register* r, double value) noexcept nogil:
    r.v.d = value
    r.length = 0
    r.state = STATE_OK


cdef inline void put_text(Register* r, const char* data, uint32_t length) noexcept nogil:
    r.v.p = data
    r.length = length
    r.state = STATE_OK


cdef inline void put_failure(Register* r, uint8_t state) noexcept nogil:
    r.v.i = 0
    r.length = 0
    r.state = state


cdef inline bint fails(Register* r, const Register* a, const Register* b) noexcept nogil:
    # Of two failing operands the left one's state is the result's.
    cdef uint8_t state = a.state if a.state else b.state
    if state:
        put_failure(r, state)
    return state != 0


cdef inline Order compare_mixed(int64_t i, double d) noexcept nogil:
    # The int is rounded to a double first, as CEL's conformance tests have it (the "lossy" ones of `comparisons`):
    # 9223372036854775807 is not less than 9223372036854775808.0.
    cdef double x = <double>i
    if x < d:
        return BEFORE
    if x > d:
        return BEHIND
    return SAME if x == d else UNORDERED


cdef inline int compare_text(const Register* a, const Register* b) noexcept nogil:
    # Byte order of UTF-8 is code point order, which is CEL's.
    cdef uint32_t n = a.length if a.length < b.length else b.length
    cdef int order = memcmp(a.v.p, b.v.p, n) if n else 0
    if order:
        return order
    return (a.length > b.length) - (a.length < b.length)


cdef inline int64_t code_points(const Register* a) noexcept nogil:
    cdef int64_t n = 0
    cdef uint32_t i
    for i in range(a.length):
        n += (a.v.p[i] & 0xC0) != 0x80
    return n


cdef inline bint readable(const Number* number) noexcept nogil:
    return number.status == NUMBER_E164 or number.status == NUMBER_SHORT


cdef inline void put_number_prefix(Register* r, const Number* number, uint32_t digits) noexcept nogil:
    cdef uint32_t plus = 1 if number.length and number.text[0] == b"+" else 0
    if readable(number) and number.length - plus >= digits:
        put_text(r, &number.text[plus], digits)
    else:
        put_failure(r, STATE_ABSENT)


cdef inline int64_t redirections(const Call* call) noexcept nogil:
    cdef uint32_t n = MAX_REDIRECTING
    while n and call.text[F_REDIRECTING + n - 1].length == 0:
        n -= 1
    return n
