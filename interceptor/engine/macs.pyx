# MACs of keys, many at once: SipHash-2-4 with 128 bits over a key and a second one.
from libc.stdint cimport uint8_t, uint64_t

import numpy as np

from interceptor.engine.keys cimport Secret, secret_from, siphash_128


cdef inline void store_le(uint8_t* p, uint64_t x) noexcept nogil:
    cdef int i
    for i in range(8):
        p[i] = <uint8_t>(x >> 8 * i)


cdef void macs(const Secret* secret, const uint64_t* keys, const uint64_t* keys2, size_t n,
               uint8_t* out) noexcept nogil:
    cdef uint8_t[16] message
    cdef uint64_t a, b
    cdef size_t i
    for i in range(n):
        store_le(message, keys[i])
        store_le(message + 8, keys2[i])
        siphash_128(secret, <const char*>message, sizeof(message), &a, &b)
        store_le(out + 16 * i, a)
        store_le(out + 16 * i + 8, b)


def macs_of(bytes secret, const uint64_t[::1] keys, const uint64_t[::1] keys2):
    cdef Secret s = secret_from(secret)
    cdef uint8_t[:, ::1] out
    if keys.shape[0] != keys2.shape[0]:
        raise ValueError(f"{keys.shape[0]} keys with {keys2.shape[0]} second keys")
    made = np.empty((keys.shape[0], 16), dtype=np.uint8)
    if keys.shape[0]:
        out = made
        with nogil:
            macs(&s, &keys[0], &keys2[0], <size_t>keys.shape[0], &out[0, 0])
    return made
