# Lines that will be needed soon: noted first, then fetched in one tight loop. A fetch that misses the TLB holds up the
# instructions behind it until the page is found; page walks overlap only when the fetches stand close together.
from libc.stdint cimport uint32_t

from interceptor.engine.atomics cimport ic_prefetch

cdef enum:
    AHEAD = 1024

cdef struct Ahead:
    uint32_t n
    uint32_t[1024] lines        # of 64 bytes each
    (const char*)[1024] place


cdef inline void ahead_fetch(Ahead* ahead) noexcept nogil:
    cdef uint32_t i, line
    for i in range(ahead.n):
        for line in range(ahead.lines[i]):
            ic_prefetch(ahead.place[i] + 64 * line)
    ahead.n = 0


cdef inline void ahead_note(Ahead* ahead, const void* place, uint32_t lines) noexcept nogil:
    if ahead.n == AHEAD:
        ahead_fetch(ahead)
    ahead.place[ahead.n] = <const char*> place
    ahead.lines[ahead.n] = lines
    ahead.n += 1
