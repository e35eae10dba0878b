# Digit trie: prefixes of numbers, of IMEIs (TAC) and of IMSIs (MCC-MNC) -> bitmap of lists. Immutable once built.
from libc.stdint cimport uint32_t, uint64_t

cpdef enum PrefixRoot:      # one trie, a root for each kind of digits
    ROOT_NUMBER = 0         # E.164 digits, without "+"
    ROOT_IMEI = 1
    ROOT_IMSI = 2
    N_ROOTS = 3

cdef struct Prefixes        # opaque

# The union of the bitmaps of every listed prefix of `digits`
cdef uint64_t prefixes_find(const Prefixes* trie, uint32_t root, const char* digits, uint32_t n) noexcept nogil

cdef class PrefixTrie:
    cdef Prefixes* trie
