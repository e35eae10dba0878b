# The little of protobuf that a client of ours reads, and the numbers it writes into calls that are there already.
from libc.stdint cimport uint8_t, uint64_t


# Overwrites `digits` bytes with the last digits of `number`.
cdef inline void write_digits(uint8_t* out, int digits, uint64_t number) noexcept nogil:
    while digits > 0:
        digits -= 1
        out[digits] = <uint8_t>(48 + number % 10)
        number //= 10


cdef struct Field:              # one field of a message
    uint64_t tag                # its number << 3 | its wire type
    uint64_t value              # a varint's value; the length of bytes
    const uint8_t* data         # of bytes


# NULL: the varint does not end before `end`.
cdef inline const uint8_t* read_varint(const uint8_t* p, const uint8_t* end, uint64_t* value) noexcept nogil:
    cdef int shift = 0
    value[0] = 0
    while p < end and shift < 64:
        value[0] |= <uint64_t>(p[0] & 127) << shift
        if p[0] < 128:
            return p + 1
        p += 1
        shift += 7
    return NULL


# What lies behind the field at `p`; NULL: there is no whole field.
cdef inline const uint8_t* read_field(const uint8_t* p, const uint8_t* end, Field* field) noexcept nogil:
    cdef int kind
    p = read_varint(p, end, &field.tag)
    field.data, field.value = NULL, 0
    if p == NULL:
        return NULL
    kind = field.tag & 7
    if kind == 0:
        return read_varint(p, end, &field.value)
    if kind == 2:
        p = read_varint(p, end, &field.value)
    elif kind == 1 or kind == 5:
        field.value = 8 if kind == 1 else 4
    else:
        return NULL
    if p == NULL or field.value > <uint64_t>(end - p):
        return NULL
    field.data = p
    return p + field.value


# The first varint field of this number; 0: there is none.
cdef inline uint64_t varint_field(const uint8_t* p, const uint8_t* end, uint64_t number) noexcept nogil:
    cdef Field field
    while p < end:
        p = read_field(p, end, &field)
        if p == NULL:
            return 0
        if field.tag == number << 3:
            return field.value
    return 0
