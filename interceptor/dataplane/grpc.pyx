# gRPC's words on HTTP/2 (contract: grpc.pxd).
from interceptor.dataplane.grpc cimport MAX_STATUS_MESSAGE
from interceptor.dataplane.words cimport METHOD_UNKNOWN, N_METHODS
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, strlen

ctypedef const char* Literal

cdef Literal[6] PATHS           # by Method
cdef size_t[6] PATH_LENGTHS
PATHS[:] = [
    b"/interceptor.v1.InterceptionService/Decide",
    b"/interceptor.v1.InterceptionService/DecideStream",
    b"/interceptor.v1.InterceptionService/ReportCall",
    b"/interceptor.v1.InterceptionService/ReportSubscription",
    b"/grpc.health.v1.Health/Check",
    b"/grpc.health.v1.Health/Watch",
]
if len(PATHS) != METHOD_UNKNOWN or METHOD_UNKNOWN + 1 != N_METHODS:
    raise ImportError("interceptor.dataplane.grpc: the paths are not those of the methods")

cdef void measure_paths() noexcept nogil:
    cdef int method
    for method in range(<int>METHOD_UNKNOWN):
        PATH_LENGTHS[method] = strlen(PATHS[method])

measure_paths()

cdef enum:
    TIMEOUT_DIGITS = 8

cdef uint64_t LONGEST_NS = <uint64_t>1 << 60    # 36 years: added to any clock it is still a time

cdef const char* CONTENT_TYPE = b"application/grpc"
cdef const char* HEX = b"0123456789ABCDEF"


cdef uint8_t method_of(const uint8_t* path, size_t n) noexcept nogil:
    cdef int method
    for method in range(<int>METHOD_UNKNOWN):
        if PATH_LENGTHS[method] == n and memcmp(path, PATHS[method], n) == 0:
            return <uint8_t>method
    return METHOD_UNKNOWN


cdef bint is_grpc(const uint8_t* content_type, size_t n) noexcept nogil:
    if n < 16 or memcmp(content_type, CONTENT_TYPE, 16) != 0:
        return False
    if n >= 22 and memcmp(content_type + 16, b"+proto", 6) == 0:
        return n == 22 or content_type[22] == c';'
    return n == 16 or content_type[16] == c';'


cdef inline uint64_t unit_ns(uint8_t unit) noexcept nogil:
    if unit == c'H':
        return <uint64_t>3600 * 1000000000
    if unit == c'M':
        return <uint64_t>60 * 1000000000
    if unit == c'S':
        return 1000000000
    if unit == c'm':
        return 1000000
    if unit == c'u':
        return 1000
    return 1 if unit == c'n' else 0


cdef bint read_timeout(const uint8_t* text, size_t n, uint64_t* ns) noexcept nogil:
    cdef uint64_t value = 0, unit
    cdef size_t i
    if n < 2 or n > TIMEOUT_DIGITS + 1:
        return False
    for i in range(n - 1):
        if text[i] < c'0' or text[i] > c'9':
            return False
        value = value * 10 + (text[i] - c'0')
    unit = unit_ns(text[n - 1])
    if unit == 0:
        return False
    # 99,999,999 hours are more than 64 bits of nanoseconds
    ns[0] = LONGEST_NS if value > LONGEST_NS // unit else value * unit
    return True


cdef uint32_t encode_message(const char* message, uint32_t length, char* out) noexcept nogil:
    cdef uint32_t i, n = 0
    cdef uint8_t byte
    for i in range(min(length, <uint32_t>MAX_STATUS_MESSAGE)):
        byte = <uint8_t>message[i]
        if 0x20 <= byte <= 0x7e and byte != c'%':
            out[n] = <char>byte
            n += 1
        else:
            out[n] = c'%'
            out[n + 1] = HEX[byte >> 4]
            out[n + 2] = HEX[byte & 15]
            n += 3
    return n
