# The protobuf wire format (protobuf.dev, "Encoding"): a cursor over a message's bytes, one field after the other. It
# takes what the protobuf runtime takes. No state.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from interceptor.dataplane.faults cimport Fault, Flaw

cdef enum:
    VARINT = 0                  # wire types
    FIXED64 = 1
    LENGTH = 2
    GROUP = 3
    END_GROUP = 4
    FIXED32 = 5

cdef enum:
    MAX_VARINT = 10             # bytes of a number; ...
    MAX_TAG = 5                 # ... of a tag or a length
    MAX_DEPTH = 100             # messages and groups within one another

cdef struct Cursor:
    const uint8_t* start
    const uint8_t* at
    const uint8_t* end
    uint32_t depth              # messages and groups that may still lie within this one

cdef struct Piece:              # one field
    uint32_t number
    uint32_t wire
    uint64_t value              # of a VARINT
    const uint8_t* data         # of a LENGTH
    uint32_t length

cdef inline Cursor cursor(const uint8_t* data, uint32_t n, uint32_t depth) noexcept nogil:
    cdef Cursor c
    c.start = c.at = data
    c.end = data + n
    c.depth = depth
    return c

# Bits beyond the 64th are dropped.
cdef inline bint long_varint(Cursor* c, uint32_t most, uint64_t* value) noexcept nogil:
    cdef uint32_t i
    value[0] = 0
    for i in range(most):
        if c.at + i == c.end:
            return False
        value[0] |= <uint64_t> (c.at[i] & 0x7f) << 7 * i
        if c.at[i] < 0x80:
            c.at += i + 1
            return True
    return False

cdef inline bint varint(Cursor* c, uint32_t most, uint64_t* value) noexcept nogil:
    if c.at < c.end and c.at[0] < 0x80:
        value[0] = c.at[0]
        c.at += 1
        return True
    return long_varint(c, most, value)

cdef inline bint skip_fixed(Cursor* c, uint32_t n) noexcept nogil:
    if c.end - c.at < n:
        return False
    c.at += n
    return True

# Behind the end of the group `number`, whose tag has been read.
cdef inline bint skip_group(Cursor* c, uint64_t number) noexcept nogil:
    cdef uint64_t tag, value
    cdef uint64_t[100] inside       # groups that are open
    cdef uint32_t open = 1
    inside[0] = number
    if c.depth == 0:
        return False
    while varint(c, MAX_TAG, &tag) and tag >> 32 == 0:
        if tag & 7 == END_GROUP:
            open -= 1
            if inside[open] != tag >> 3:
                return False
            if open == 0:
                return True
        elif tag & 7 == GROUP:
            if open == c.depth:
                return False
            inside[open] = tag >> 3
            open += 1
        elif tag & 7 == VARINT:
            if not varint(c, MAX_VARINT, &value):
                return False
        elif tag & 7 == LENGTH:
            if not varint(c, MAX_TAG, &value) or <uint64_t> (c.end - c.at) < value:
                return False
            c.at += value
        elif not skip_fixed(c, 8 if tag & 7 == FIXED64 else 4) or tag & 7 > FIXED32:
            return False
    return False

cdef inline bint fail(Fault* fault, uint8_t flaw, size_t at, uint64_t value) noexcept nogil:
    fault.flaw, fault.at, fault.value = flaw, <uint32_t> at, <int64_t> value
    return False

# Reads the next field of a cursor that is not at its end. False: it makes no sense, and `fault` says why.
cdef inline bint next_field(Cursor* c, Piece* p, Fault* fault) noexcept nogil:
    cdef size_t begun = c.at - c.start
    cdef uint64_t tag
    p.value, p.data, p.length = 0, NULL, 0
    if not varint(c, MAX_TAG, &tag):
        return fail(fault, Flaw.FLAW_VARINT, begun, 0)
    p.number, p.wire = <uint32_t> (tag >> 3), <uint32_t> (tag & 7)
    if p.number == 0 or tag >> 32:
        return fail(fault, Flaw.FLAW_NUMBER, begun, 0)
    if p.wire == LENGTH:
        if not varint(c, MAX_TAG, &p.value):
            return fail(fault, Flaw.FLAW_VARINT, begun, 0)
        if <uint64_t> (c.end - c.at) < p.value:
            return fail(fault, Flaw.FLAW_CUT, begun, p.value - <uint64_t> (c.end - c.at))
        p.data, p.length = c.at, <uint32_t> p.value
        c.at += p.length
        return True
    if p.wire == VARINT:
        return varint(c, MAX_VARINT, &p.value) or fail(fault, Flaw.FLAW_VARINT, begun, 0)
    if p.wire == FIXED32 or p.wire == FIXED64:
        p.value = 4 if p.wire == FIXED32 else 8
        return skip_fixed(c, <uint32_t> p.value) or fail(fault, Flaw.FLAW_CUT, begun, p.value - (c.end - c.at))
    if p.wire == GROUP:
        return skip_group(c, p.number) or fail(fault, Flaw.FLAW_GROUP, begun, 0)
    return fail(fault, Flaw.FLAW_WIRE, begun, p.wire)

# --- writing

cdef inline uint32_t varint_size(uint64_t value) noexcept nogil:
    cdef uint32_t n = 1
    while n < MAX_VARINT and value >> 7 * n:
        n += 1
    return n

cdef inline uint8_t* put_varint(uint8_t* out, uint64_t value) noexcept nogil:
    while value > 0x7f:
        out[0] = <uint8_t> (value | 0x80)
        out += 1
        value >>= 7
    out[0] = <uint8_t> value
    return out + 1

cdef inline uint8_t* put_bytes(uint8_t* out, const void* data, uint32_t n) noexcept nogil:
    memcpy(out, data, n)
    return out + n
