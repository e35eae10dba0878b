# Key -> bitmap of lists. One table for all lists; readers take no lock, one writer; a change is seen by the
# next lookup. 16 bytes a slot, four slots a cache line.
from libc.stdint cimport uint64_t

from interceptor.engine.types cimport Key

cdef struct Slot:
    Key key                 # 0: never used. A key stays in its slot until the table is rebuilt.
    uint64_t bitmap         # 0: the key is on no list any more

cdef struct Lists:
    Slot* slots             # reserved by memory.pyx, 4 * groups of them, line-aligned
    uint64_t groups
    uint64_t seed
    uint64_t used           # slots with a key
    uint64_t live           # slots with a bitmap

cdef void lists_prefetch(const Lists* lists, Key key) noexcept nogil
cdef uint64_t lists_find(const Lists* lists, Key key) noexcept nogil     # key 0 is on no list

cdef class ListTable:
    cdef Lists* lists       # replaced by a larger one when full; the old one lives until `retire`
    cdef list retired
