# The idle loop: a thread that does nothing but read the clock, and what it is kept from.
from libc.stdint cimport uint64_t

from interceptor.dataplane.system cimport monotonic_ns
from interceptor.loadtest.histogram cimport Counts, Histogram, counts_record


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
