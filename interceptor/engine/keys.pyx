# Builds keys: exact ones from digits, keyed SipHash-2-4 (Aumasson, Bernstein 2012) from any other text.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.engine.types cimport Key

cdef enum:
    KIND_SHIFT = 58
    LENGTH_SHIFT = 54
    REGION_BITS = 10
    MAX_EXACT = 15          # 10**15 < 2**54
    MAX_SHORT = 12          # 10**12 * 1024 < 2**54

cdef uint64_t ZEROS = 0x3030303030303030        # "00000000"
cdef uint64_t DIGITS = 0x0f0f0f0f0f0f0f0f
cdef uint64_t PAIRS = 0x00ff00ff00ff00ff
cdef uint64_t FOURS = 0x0000ffff0000ffff
cdef uint64_t HIGH_HALVES = 0xf0f0f0f0f0f0f0f0
cdef uint64_t SIXES = 0x0606060606060606        # carries ":" to "?" out of the row of the digits
cdef uint64_t THREES = 0x3333333333333333
cdef uint64_t HASH_MASK = (<uint64_t>1 << KIND_SHIFT) - 1


cdef inline uint64_t load_le(const uint8_t* p) noexcept nogil:
    # Compilers see one load in this; it is right on any byte order.
    return (<uint64_t>p[0] | <uint64_t>p[1] << 8 | <uint64_t>p[2] << 16 | <uint64_t>p[3] << 24
            | <uint64_t>p[4] << 32 | <uint64_t>p[5] << 40 | <uint64_t>p[6] << 48 | <uint64_t>p[7] << 56)


cdef inline uint64_t rotl(uint64_t x, int b) noexcept nogil:
    return (x << b) | (x >> (64 - b))


cdef inline void sip_round(uint64_t* v) noexcept nogil:
    v[0] += v[1]
    v[1] = rotl(v[1], 13) ^ v[0]
    v[0] = rotl(v[0], 32)
    v[2] += v[3]
    v[3] = rotl(v[3], 16) ^ v[2]
    v[0] += v[3]
    v[3] = rotl(v[3], 21) ^ v[0]
    v[2] += v[1]
    v[1] = rotl(v[1], 17) ^ v[2]
    v[2] = rotl(v[2], 32)


# Eight digits in one word, the first in its lowest byte, as a number: pairs, then fours, then all of them.
cdef inline uint64_t eight_digits(uint64_t word) noexcept nogil:
    word = (word & DIGITS) * (10 * 0x100 + 1) >> 8
    word = (word & PAIRS) * (100 * 0x10000 + 1) >> 16
    return (word & FOURS) * (10000 * <uint64_t>0x100000000 + 1) >> 32


cdef inline bint are_digits(uint64_t word) noexcept nogil:
    return (word & HIGH_HALVES | (word + SIXES & HIGH_HALVES) >> 4) == THREES


# The digits as a number; *ok is cleared when a byte is no digit.
cdef inline uint64_t digits_value(const char* digits, uint32_t n, bint* ok) noexcept nogil:
    cdef uint64_t value = 0, first, last
    cdef uint32_t i, d, wrong = 0
    if 8 < n < 16:
        # the last eight digits, and those before them behind zeros
        first = load_le(<const uint8_t*>digits)
        last = load_le(<const uint8_t*>digits + n - 8)
        ok[0] = are_digits(first) and are_digits(last)
        first = first << 8 * (16 - n) | ZEROS >> 8 * (n - 8)
        return eight_digits(first) * 100000000 + eight_digits(last)
    if n == 8:
        first = load_le(<const uint8_t*>digits)
        ok[0] = are_digits(first)
        return eight_digits(first)
    for i in range(n):
        d = <uint32_t><uint8_t>digits[i] - 48
        wrong |= d > 9
        value = value * 10 + d
    ok[0] = wrong == 0
    return value


cdef Key digits_key(uint8_t kind, const char* digits, uint32_t n) noexcept nogil:
    cdef bint ok
    cdef uint64_t value
    if n == 0 or n > MAX_EXACT:
        return 0
    value = digits_value(digits, n, &ok)
    if not ok:
        return 0
    return <uint64_t>kind << KIND_SHIFT | <uint64_t>n << LENGTH_SHIFT | value


cdef uint32_t key_digits(Key key, char* out) noexcept nogil:
    cdef uint32_t n = <uint32_t>(key >> LENGTH_SHIFT) & 15, i = n
    cdef uint64_t value = key & ((<uint64_t>1 << LENGTH_SHIFT) - 1)
    while i:
        i -= 1
        out[i] = <char>(48 + value % 10)
        value //= 10
    return n


cdef Key short_key(const char* digits, uint32_t n, uint32_t region) noexcept nogil:
    cdef bint ok
    cdef uint64_t value
    if n == 0 or n > MAX_SHORT or region >> REGION_BITS:
        return 0
    value = digits_value(digits, n, &ok)
    if not ok:
        return 0
    return (<uint64_t>KEY_SHORT << KIND_SHIFT | <uint64_t>n << LENGTH_SHIFT
            | value << REGION_BITS | region)


cdef Key hash_key(uint8_t kind, uint64_t hash) noexcept nogil:
    return <uint64_t>kind << KIND_SHIFT | (hash & HASH_MASK)


cdef Key text_key(const Secret* secret, uint8_t kind, const char* data, uint32_t n) noexcept nogil:
    if n == 0:              # an absent text has no key
        return 0
    return hash_key(kind, siphash(secret, data, n))


# The state before the last rounds.
cdef inline void absorb(const Secret* secret, const char* data, size_t n, uint64_t* v) noexcept nogil:
    cdef const uint8_t* p = <const uint8_t*>data
    cdef uint64_t m, last = <uint64_t>(n & 0xff) << 56
    cdef size_t i, whole = n & ~<size_t>7
    v[0] = secret.k0 ^ <uint64_t>0x736f6d6570736575
    v[1] ^= secret.k1 ^ <uint64_t>0x646f72616e646f6d
    v[2] = secret.k0 ^ <uint64_t>0x6c7967656e657261
    v[3] = secret.k1 ^ <uint64_t>0x7465646279746573
    for i in range(0, whole, 8):
        m = load_le(p + i)
        v[3] ^= m
        sip_round(v)
        sip_round(v)
        v[0] ^= m
    for i in range(whole, n):
        last |= <uint64_t>p[i] << (8 * (i - whole))
    v[3] ^= last
    sip_round(v)
    sip_round(v)
    v[0] ^= last


cdef inline uint64_t squeeze(uint64_t* v) noexcept nogil:
    sip_round(v)
    sip_round(v)
    sip_round(v)
    sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


cdef uint64_t siphash(const Secret* secret, const char* data, size_t n) noexcept nogil:
    cdef uint64_t[4] v
    v[1] = 0
    absorb(secret, data, n, v)
    v[2] ^= 0xff
    return squeeze(v)


cdef void siphash_128(const Secret* secret, const char* data, size_t n, uint64_t* a, uint64_t* b) noexcept nogil:
    cdef uint64_t[4] v
    v[1] = 0xee
    absorb(secret, data, n, v)
    v[2] ^= 0xee
    a[0] = squeeze(v)
    v[1] ^= 0xdd
    b[0] = squeeze(v)


cdef Secret secret_from(bytes secret) except *:
    cdef Secret s
    cdef const uint8_t* p
    if len(secret) != 16:
        raise ValueError(f"the installation's secret has 16 bytes, not {len(secret)}")
    p = <const uint8_t*><const char*>secret
    s.k0 = load_le(p)
    s.k1 = load_le(p + 8)
    return s


cdef uint8_t checked_kind(int kind) except 0:
    if not 0 < kind < 64:
        raise ValueError(f"key kind {kind} is not in 1..63")
    return <uint8_t>kind


def digits_key_of(int kind, bytes digits):
    return digits_key(checked_kind(kind), digits, <uint32_t>min(len(digits), 255))


def short_key_of(bytes digits, unsigned int region):
    return short_key(digits, <uint32_t>min(len(digits), 255), region)


def text_key_of(bytes secret, int kind, bytes data):
    cdef Secret s = secret_from(secret)
    if len(data) > 0xffffffff:
        raise ValueError("a text of 4 GiB or more has no key")
    return text_key(&s, checked_kind(kind), data, <uint32_t>len(data))


def key_digits_of(uint64_t key):
    cdef char[16] digits
    cdef uint32_t n = key_digits(key, digits)
    return digits[:n]


def siphash_of(bytes secret, bytes data):
    cdef Secret s = secret_from(secret)
    return siphash(&s, data, len(data))


def siphash_128_of(bytes secret, bytes data):
    cdef Secret s = secret_from(secret)
    cdef uint64_t a, b
    siphash_128(&s, data, len(data), &a, &b)
    return a, b


def mix_of(uint64_t key, uint64_t seed):
    return mix(key, seed)


def scale_of(uint64_t hash, uint64_t n):
    return scale(hash, n)
