# Lines that will be needed soon: noted first, then fetched in one tight loop. A fetch that misses the TLB holds up the
# instructions behind it until the page is found; page walks overlap only when the fetches stand close together.
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.atomics cimport ic_lowest_bit, ic_prefetch

cdef enum:
    AHEAD = 1024

cdef struct Ahead:
    uint32_t n
    uint64_t[1024] lines        # of 64 bytes, a bit each from the one `place` is in
    (const char*)[1024] place


cdef inline void ahead_fetch(Ahead* ahead) noexcept nogil:
    cdef uint32_t i
    cdef uint64_t lines
    cdef const char* first
    for i in range(ahead.n):
        lines = ahead.lines[i]
        first = ahead.place[i] - (<size_t> ahead.place[i] & 63)
        while lines:
            ic_prefetch(first + 64 * ic_lowest_bit(lines))
            lines &= lines - 1
    ahead.n = 0


cdef inline void ahead_note_lines(Ahead* ahead, const void* place, uint64_t lines) noexcept nogil:
    if ahead.n == AHEAD:
        ahead_fetch(ahead)
    ahead.place[ahead.n] = <const char*> place
    ahead.lines[ahead.n] = lines
    ahead.n += 1


cdef inline void ahead_note(Ahead* ahead, const void* place, uint32_t n) noexcept nogil:
    ahead_note_lines(ahead, place, (<uint64_t> 1 << n) - 1)
