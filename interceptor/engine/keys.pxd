# Keys: what lists and entities are found by.
#
#   bits 58..63  kind      bits 54..57  number of digits      bits 0..53  the digits as a number
#
# Exact for up to 15 digits: no two inputs share a key. Text has 58 bits of SipHash-2-4 under the
# installation's secret in place of length and value.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.engine.types cimport Key

cpdef enum KeyKind:
    KEY_NONE = 0
    KEY_NUMBER = 1          # E.164 digits
    KEY_SHORT = 2           # short number; the value also holds the region (digits * 1024 + region)
    KEY_IMEI = 3            # the first 14 digits: the device
    KEY_IMSI = 4
    KEY_PREFIX = 5          # the first digits of an E.164 number
    KEY_DOMAIN = 6          # text from here on
    KEY_TEXT = 8            # + Field: the same text in two fields gives two keys

cdef struct Secret:         # of the installation
    uint64_t k0
    uint64_t k1

# 0 when n is 0, over 15, or a byte is no digit
cdef Key digits_key(uint8_t kind, const char* digits, uint32_t n) noexcept nogil
# The digits an exact key (not a short number's) was made of, into out (15 bytes); returns their number
cdef uint32_t key_digits(Key key, char* out) noexcept nogil
cdef Key short_key(const char* digits, uint32_t n, uint32_t region) noexcept nogil   # n <= 12
cdef Key hash_key(uint8_t kind, uint64_t hash) noexcept nogil       # of a text whose siphash is known
cdef Key text_key(const Secret* secret, uint8_t kind, const char* data, uint32_t n) noexcept nogil
cdef uint64_t siphash(const Secret* secret, const char* data, size_t n) noexcept nogil
cdef void siphash_128(const Secret* secret, const char* data, size_t n, uint64_t* a, uint64_t* b) noexcept nogil
cdef Secret secret_from(bytes secret) except *      # ValueError unless it has 16 bytes

# Spreads a key over a table; the seed is the installation's, so that nobody outside can aim at one bucket.
cdef inline uint64_t mix(uint64_t key, uint64_t seed) noexcept nogil:
    cdef uint64_t x = key ^ seed
    x = (x ^ (x >> 32)) * <uint64_t>0xd6e8feb86659fd93
    x = (x ^ (x >> 32)) * <uint64_t>0xd6e8feb86659fd93
    return x ^ (x >> 32)

# [0, n) from a 64-bit hash without a division
cdef inline uint64_t scale(uint64_t hash, uint64_t n) noexcept nogil:
    return ((hash >> 32) * n) >> 32 if n >> 32 == 0 else hash % n
