# The idle loop: a thread that does nothing but read the clock, and what it is kept from.
from libc.stdint cimport uint64_t

from interceptor.dataplane.system cimport monotonic_ns
from interceptor.loadtest.histogram cimport CELLS, Counts, Histogram, counts_record, longest_of


def idle_gaps(double seconds, long long shortest_ns=1_000):
    if not 0 < seconds <= 3600:
        raise ValueError(f"idle_gaps for {seconds} s: it is more than 0 and at most 3600")
    if shortest_ns < 0:
        raise ValueError(f"idle_gaps of at least {shortest_ns} ns: it is 0 or more")
    cdef Histogram gaps = Histogram()
    cdef Counts* counts = &gaps.c
    cdef uint64_t shortest = shortest_ns, last = monotonic_ns(), now
    cdef uint64_t end = last + <uint64_t>(seconds * 1e9)
    with nogil:
        while last < end:
            now = monotonic_ns()
            if now - last >= shortest:
                counts_record(counts, now - last, 1)
            last = now
    return gaps


def idle_delay_ns(Histogram gaps not None, double seconds, double percent):
    if not (seconds > 0 and 0 <= percent <= 100):
        raise ValueError(f"the delay at {percent} % of {seconds} s: a percentage of a positive time")
    # Of a gap g the moments that wait longer than x last g - x: x is where these add up to what may wait longer.
    cdef double allowed = (1 - percent / 100) * seconds * 1e9, longer = 0, lost = 0
    cdef uint64_t gap
    cdef int cell
    for cell in range(CELLS - 1, -1, -1):
        if gaps.c.cell[cell]:
            gap = min(longest_of(cell), gaps.c.max_ns)
            if lost - longer * gap > allowed:
                break
            longer += gaps.c.cell[cell]
            lost += <double>gaps.c.cell[cell] * gap
    return (lost - allowed) / longer if lost > allowed else 0.0
