# (callee, caller) -> bitmap of lists: called subscribers' own entries. Readers take no lock, one writer; a change is
# seen by the next lookup. 16 bytes a slot, four slots (a group) a cache line, linear probing over groups.
#
# Both keys are exact, so a slot holds them whole: of a number's or short number's key 58 bits and one for its kind; the
# five bits left in each word hold which of the policy's pair lists the pair is on. In a group's last slot bit 63 of the
# callee's word says that some pair of this group is in a later one: most calls are on nobody's list, and stop here.
#
#   bits 0..57  length and value, as in the key      bit 58  short number      bits 59..62  lists      bit 63  more
#
# What readers rely on: slots of a group are used in order; a pair stays in its slot; the caller's word is written
# before the callee's, each as a whole, and "more" before both; a quarter of the slots was never used, so a probe ends.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.engine.atomics cimport ic_load64, ic_lowest_bit
from interceptor.engine.keys cimport mix, scale
from interceptor.engine.types cimport Key

cpdef enum PairLimits:
    MAX_PAIR_LISTS = 8      # of one policy
    LISTS_PER_WORD = 4

cdef struct PairSlot:
    uint64_t callee         # 0: never used
    uint64_t caller

cdef struct PairTally:      # the writer's, kept off the line that readers share
    uint64_t used           # slots with a pair
    uint64_t live           # slots with a list
    uint64_t[8] count       # pairs by bit
    uint32_t n_lists        # bits that stand for a list

cdef struct Pairs:
    PairSlot* slots         # reserved by memory.pyx, 4 * groups of them, line-aligned
    uint64_t groups
    uint64_t seed
    PairTally* tally
    uint8_t[8] list         # by bit: index of the policy's list; written before the first pair that is on it
    uint64_t[3] unused

cdef inline uint64_t half_of(Key key) noexcept nogil:
    # KEY_NUMBER is 1, KEY_SHORT 2: the higher bit of the two tells them apart
    return key & ((<uint64_t>1 << 58) - 1) | key >> 1 & <uint64_t>1 << 58

cdef inline const PairSlot* pairs_group(const Pairs* pairs, Key callee, Key caller) noexcept nogil:
    return pairs.slots + 4 * scale(mix(caller, mix(callee, pairs.seed)), pairs.groups)

# Whether the slot holds the pair, whatever lists it is on.
cdef inline uint64_t is_pair(uint64_t callee_word, uint64_t caller_word, uint64_t a, uint64_t b) noexcept nogil:
    return ((callee_word ^ a) | (caller_word ^ b)) << 5 == 0

# Bit i: the pair is on the policy's i-th list. A call without a caller or callee is on none. Without a branch per slot,
# as in lists.pxd.
cdef inline uint64_t pairs_find(const Pairs* pairs, Key callee, Key caller) noexcept nogil:
    cdef const PairSlot* group = pairs_group(pairs, callee, caller)
    cdef const PairSlot* end = pairs.slots + 4 * pairs.groups
    cdef uint64_t a = half_of(callee), b = half_of(caller)
    cdef uint64_t a0, a1, a2, a3, m0, m1, m2, m3, on, bitmap
    if callee == 0 or caller == 0:
        return 0
    while True:
        a0 = ic_load64(&group[0].callee)
        a1 = ic_load64(&group[1].callee)
        a2 = ic_load64(&group[2].callee)
        a3 = ic_load64(&group[3].callee)
        m0 = is_pair(a0, ic_load64(&group[0].caller), a, b)
        m1 = is_pair(a1, ic_load64(&group[1].caller), a, b)
        m2 = is_pair(a2, ic_load64(&group[2].caller), a, b)
        m3 = is_pair(a3, ic_load64(&group[3].caller), a, b)
        if m0 | m1 | m2 | m3:
            break
        if a3 >> 63 == 0:
            return 0
        group += 4
        if group == end:
            group = pairs.slots
    group += m1 + 2 * m2 + 3 * m3
    on = ic_load64(&group.callee) >> 59 & 15 | ic_load64(&group.caller) >> 59 << LISTS_PER_WORD
    bitmap = 0
    while on:
        bitmap |= <uint64_t>1 << pairs.list[ic_lowest_bit(on)]
        on &= on - 1
    return bitmap

# Puts the pair on the lists of the bits (not list indexes). 1: done; 0: nothing to do; -1: it is full.
cdef int pairs_add(Pairs* pairs, Key callee, Key caller, uint64_t bits) noexcept nogil
# Takes it off: 1 when it was on one of them.
cdef int pairs_remove(Pairs* pairs, Key callee, Key caller, uint64_t bits) noexcept nogil

cdef class PairTable:       # __cinit__(capacity: int, seed: int)
    cdef Pairs pairs
    cdef PairTally tally
    cdef int grow(self, uint64_t more) except -1        # to other slots: not for a table that a call may look at
    cdef uint64_t bit_of(self, int list_index, bint assigned) except? 0
    cdef uint64_t _add(self, const Key* keys, uint64_t n, int list_index) except? 0
