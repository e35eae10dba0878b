# When calls arrive: the random gaps of a Poisson process.
from libc.math cimport log
from libc.stdint cimport uint64_t


# SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
cdef inline uint64_t next_random(uint64_t* state) noexcept nogil:
    cdef uint64_t z
    state[0] += <uint64_t>0x9E3779B97F4A7C15
    z = state[0]
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


# The gap to the next call: exponential, of this mean.
cdef inline double next_gap(uint64_t* state, double mean) noexcept nogil:
    return -log(<double>((next_random(state) >> 11) + 1) * (1.0 / 9007199254740992.0)) * mean
