# gRPC's words on HTTP/2 (protocol document "gRPC over HTTP2"): method paths, content types, timeouts, status messages.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    PREFIX = 5                  # of a message: compressed?, length as 4 bytes, most significant first
    MAX_STATUS_MESSAGE = 256    # bytes of one before it is encoded; the rest is cut off

cdef inline uint32_t length_of(const uint8_t* prefix) noexcept nogil:
    return (<uint32_t>prefix[1] << 24) | (<uint32_t>prefix[2] << 16) | (<uint32_t>prefix[3] << 8) | prefix[4]

cdef inline void put_prefix(uint8_t* out, uint32_t length) noexcept nogil:
    out[0] = 0
    out[1] = <uint8_t>(length >> 24)
    out[2] = <uint8_t>(length >> 16)
    out[3] = <uint8_t>(length >> 8)
    out[4] = <uint8_t>length

cdef uint8_t method_of(const uint8_t* path, size_t n) noexcept nogil                    # Method
cdef bint is_grpc(const uint8_t* content_type, size_t n) noexcept nogil                 # of protobuf messages
cdef bint read_timeout(const uint8_t* text, size_t n, uint64_t* ns) noexcept nogil      # False: malformed
# Percent-encoded for grpc-message; `out` has room for 3 * MAX_STATUS_MESSAGE bytes. Returns how many it wrote.
cdef uint32_t encode_message(const char* message, uint32_t length, char* out) noexcept nogil
