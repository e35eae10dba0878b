# Header fields of a request (contract: fields.pxd). They are looked at eight bytes at a time, for a fraction of what
# nghttp2 spends on the same rules.
from interceptor.dataplane.exchanges cimport Stream, no_length
from interceptor.dataplane.grpc cimport is_grpc, method_of, read_timeout
from interceptor.dataplane.words cimport METHOD_UNKNOWN
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

cdef enum:                      # Stream.pseudo
    SEEN_METHOD = 1
    SEEN_SCHEME = 2
    SEEN_PATH = 4
    SEEN_AUTHORITY = 8
    SEEN_ORDINARY = 16          # from here on no pseudo field may come


cdef inline uint64_t each(uint64_t byte) noexcept nogil:
    return <uint64_t>0x0101010101010101 * byte


cdef inline uint64_t high_bits() noexcept nogil:
    return each(0x80)


cdef inline uint64_t zero(uint64_t word) noexcept nogil:
    # Not 0 when a byte of the word is.
    return (word - each(1)) & ~word & high_bits()


cdef inline uint64_t breaks_value(uint64_t word) noexcept nogil:
    cdef uint64_t controls = (word - each(0x20)) & ~word & high_bits()
    if controls == 0:           # nearly always
        return 0
    return zero(word) | zero(word ^ each(c'\n')) | zero(word ^ each(c'\r'))


cdef inline uint64_t breaks_name(uint64_t word) noexcept nogil:
    # Controls, space, upper case, a colon, and what is not ASCII. With the high bits off, adding 0x80 - bound to a byte
    # sets its high bit from `bound` on, and carries into no other byte.
    cdef uint64_t low = word & ~high_bits()
    cdef uint64_t from_space = low + each(0x80 - 0x21)
    cdef uint64_t from_a = low + each(0x80 - c'A')
    cdef uint64_t behind_z = low + each(0x80 - c'Z' - 1)
    cdef uint64_t delete = low + each(1)
    return (word | ~from_space | (from_a & ~behind_z) | delete | zero(low ^ each(c':'))) & high_bits()


cdef inline uint64_t last_word(const uint8_t* text, size_t n) noexcept nogil:
    # The last 8 bytes of a text, or all it has, some of them twice. n > 0.
    cdef uint64_t word = 0
    cdef uint32_t first = 0, last = 0
    if n >= 8:
        memcpy(&word, text + n - 8, 8)
        return word
    if n >= 4:
        memcpy(&first, text, 4)
        memcpy(&last, text + n - 4, 4)
        return first | <uint64_t>last << 32
    first = text[0] | <uint32_t>text[n // 2] << 8 | <uint32_t>text[n - 1] << 16 | <uint32_t>text[0] << 24
    return first | <uint64_t>first << 32


cdef inline bint clean_value(const uint8_t* value, size_t n) noexcept nogil:
    cdef uint64_t word, bad = 0
    cdef size_t i = 0
    if n == 0:
        return True
    while i + 8 < n:
        memcpy(&word, value + i, 8)
        bad |= breaks_value(word)
        i += 8
    return (bad | breaks_value(last_word(value, n))) == 0


cdef inline bint clean_name(const uint8_t* name, size_t n) noexcept nogil:
    cdef uint64_t word, bad = 0
    cdef size_t i = 0
    if n == 0:
        return False
    while i + 8 < n:
        memcpy(&word, name + i, 8)
        bad |= breaks_name(word)
        i += 8
    return (bad | breaks_name(last_word(name, n))) == 0


cdef inline bint padded_with_space(const uint8_t* value, size_t n) noexcept nogil:
    return n != 0 and (value[0] == c' ' or value[0] == c'\t' or value[n - 1] == c' ' or value[n - 1] == c'\t')


cdef inline bint same(const uint8_t* text, size_t n, const char* wanted, size_t wanted_n) noexcept nogil:
    return n == wanted_n and memcmp(text, wanted, n) == 0


cdef bint read_pseudo(Stream* stream, const uint8_t* name, size_t n, const uint8_t* value,
                      size_t length) noexcept nogil:
    cdef uint8_t seen
    if stream.trailing or stream.pseudo & SEEN_ORDINARY:
        return False
    if same(name, n, b":path", 5):
        seen = SEEN_PATH
        stream.method = method_of(value, length)
        if stream.method == METHOD_UNKNOWN:
            stream.length = <uint32_t>min(length, sizeof(stream.inline))
            memcpy(stream.inline, value, stream.length)
    elif same(name, n, b":method", 7):
        seen = SEEN_METHOD
        stream.posted = same(value, length, b"POST", 4)
    elif same(name, n, b":scheme", 7):
        seen = SEEN_SCHEME
    elif same(name, n, b":authority", 10):
        seen = SEEN_AUTHORITY
    else:
        return False
    if stream.pseudo & seen:
        return False
    stream.pseudo |= seen
    return length != 0 or seen == SEEN_AUTHORITY


cdef bint read_length(Stream* stream, const uint8_t* value, size_t n) noexcept nogil:
    cdef uint64_t length = 0
    cdef size_t i
    if n == 0 or n > 18 or stream.announced != no_length():
        return False
    for i in range(n):
        if value[i] < c'0' or value[i] > c'9':
            return False
        length = length * 10 + (value[i] - c'0')
    stream.announced = length
    return True


cdef inline bint of_connection(const uint8_t* name, size_t n) noexcept nogil:
    return (same(name, n, b"connection", 10) or same(name, n, b"keep-alive", 10) or same(name, n, b"upgrade", 7)
            or same(name, n, b"proxy-connection", 16) or same(name, n, b"transfer-encoding", 17))


cdef bint read_ordinary(Stream* stream, const uint8_t* name, size_t n, const uint8_t* value,
                        size_t length) noexcept nogil:
    cdef uint64_t timeout = 0
    stream.pseudo |= SEEN_ORDINARY
    if padded_with_space(value, length):
        return False
    if n == 12:
        if memcmp(name, b"content-type", 12) == 0:
            stream.refused_media = not is_grpc(value, length)
            return True
        if memcmp(name, b"grpc-timeout", 12) == 0:
            stream.bad_timeout = not read_timeout(value, length, &timeout)
            stream.deadline_ns = stream.arrived_ns + timeout
            stream.session.usual_ns = timeout
            return True
    elif n == 13:
        if memcmp(name, b"grpc-encoding", 13) == 0:
            stream.encoded = not same(value, length, b"identity", 8)
            return True
    elif n == 2:
        if memcmp(name, b"te", 2) == 0:
            return same(value, length, b"trailers", 8)
    elif n == 14:
        if memcmp(name, b"content-length", 14) == 0:
            return read_length(stream, value, length)
    return clean_name(name, n) and not of_connection(name, n)


cdef void read_field(Stream* stream, const uint8_t* name, size_t n, const uint8_t* value, size_t length) noexcept nogil:
    if stream.malformed:
        return
    if not clean_value(value, length):
        stream.malformed = True
    elif n != 0 and name[0] == c':':
        stream.malformed = not read_pseudo(stream, name, n, value, length)
    elif stream.trailing:
        stream.malformed = not clean_name(name, n) or of_connection(name, n) or padded_with_space(value, length)
    else:
        stream.malformed = not read_ordinary(stream, name, n, value, length)


cdef bint well_formed(const Stream* stream) noexcept nogil:
    cdef uint8_t needed = SEEN_METHOD | SEEN_SCHEME | SEEN_PATH if stream.posted else SEEN_METHOD
    return not stream.malformed and stream.pseudo & needed == needed
