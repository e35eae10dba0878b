# Digit trie: prefixes of numbers, of IMEIs (TAC) and of IMSIs (MCC-MNC) -> bitmap of lists. Immutable once built.
from libc.stdint cimport uint16_t, uint32_t, uint64_t

cpdef enum PrefixRoot:      # one trie, a root for each kind of digits
    ROOT_NUMBER = 0         # E.164 digits, without "+"
    ROOT_IMEI = 1
    ROOT_IMSI = 2
    N_ROOTS = 3

cdef struct Node:           # 16 bytes
    uint64_t bitmap         # lists that hold exactly this prefix
    uint32_t first          # index of its first child; children lie side by side, in order of their digit
    uint16_t children       # bit d: there is a child for digit d
    uint16_t unused

cdef struct Prefixes:
    Node* nodes             # [0..N_ROOTS) are the roots
    uint32_t n
    uint64_t[64] count      # prefixes by list

# The union of the bitmaps of every listed prefix of `digits`. A byte that is no digit ends the walk.
cdef uint64_t prefixes_find(const Prefixes* trie, uint32_t root, const char* digits, uint32_t n) noexcept nogil

cdef class PrefixTrie:      # __cinit__(entries: Iterable[tuple[root, digits, list_index]], *, words=None)
    cdef Prefixes* trie
    cdef Prefixes own
    cdef readonly object words  # its entries, in order
