# Key -> bitmap of lists. One table for all lists; readers take no lock, one writer; a change is seen by the
# next lookup. 16 bytes a slot, four slots (a group) a cache line, linear probing over groups.
#
# What readers rely on: slots of a group are used in order; a key stays in its slot until the table is rebuilt
# elsewhere; its bitmap is written before the key is; at least a quarter of the slots was never used, so a probe ends.
from libc.stdint cimport uint64_t

from interceptor.engine.atomics cimport ic_load64, ic_prefetch_read
from interceptor.engine.keys cimport mix, scale
from interceptor.engine.types cimport Key

cdef struct Slot:
    Key key                 # 0: never used
    uint64_t bitmap         # 0: the key is on no list any more

cdef struct Tally:          # the writer's, kept off the line that readers share
    uint64_t used           # slots with a key
    uint64_t live           # slots with a bitmap
    uint64_t[64] count      # keys by list

cdef struct Lists:          # four words: who publishes a table keeps a copy of them where its readers look anyway
    Slot* slots             # reserved by memory.pyx, 4 * groups of them, line-aligned
    uint64_t groups
    uint64_t seed
    Tally* tally

cdef inline const Slot* lists_group(const Lists* lists, Key key) noexcept nogil:
    return lists.slots + 4 * scale(mix(key, lists.seed), lists.groups)

cdef inline void lists_prefetch(const Lists* lists, Key key) noexcept nogil:
    ic_prefetch_read(lists_group(lists, key))

# Bit i: the key is on list i. Key 0 is on no list. Written without a branch per slot: which slot of the group
# holds the key is random, and a wrong guess costs more than the four comparisons.
cdef inline uint64_t lists_find(const Lists* lists, Key key) noexcept nogil:
    cdef const Slot* group = lists_group(lists, key)
    cdef const Slot* end = lists.slots + 4 * lists.groups
    cdef Key k0, k1, k2, k3
    if key == 0:
        return 0
    while True:
        k0 = ic_load64(&group[0].key)
        k1 = ic_load64(&group[1].key)
        k2 = ic_load64(&group[2].key)
        k3 = ic_load64(&group[3].key)
        if (k0 == key) | (k1 == key) | (k2 == key) | (k3 == key):
            return ic_load64(&group[1 * (k1 == key) + 2 * (k2 == key) + 3 * (k3 == key)].bitmap)
        if k3 == 0:         # slots are used in order: a free one ends the probe
            return 0
        group += 4
        if group == end:
            group = lists.slots

# Puts the bits on the key. 1: done; 0: nothing to do; -1: no room under the load limit, the table must grow.
cdef int lists_add(Lists* lists, Key key, uint64_t bits) noexcept nogil
# Takes the bits off the key: 1 when one of them was on it.
cdef int lists_remove(Lists* lists, Key key, uint64_t bits) noexcept nogil

cdef class ListTable:       # __cinit__(capacity: int, seed: int)
    cdef Lists lists
    cdef Tally tally
    cdef int grow(self, uint64_t more) except -1        # to other slots: not for a table that a call may look at
