# What a worker counts: written by its thread alone (relaxed stores), summed at scrape.
from libc.stdint cimport uint64_t

from interceptor.engine.atomics cimport ic_load64_relaxed, ic_store64_relaxed

cdef enum:
    LATENCY_BUCKETS = 17

cdef struct RuleStats:
    uint64_t decided
    uint64_t blocked            # of those: a demoted rule decides and does not block
    uint64_t shadow
    uint64_t absent             # ended in an error because something was not there
    uint64_t failed             # any other error
    uint64_t added              # entries its add_to made
    uint64_t not_added          # add_to refused: unverified, full, or over its rate

cdef struct Stats:
    uint64_t[4] verdict         # by Verdict
    uint64_t emergency
    uint64_t defaulted
    uint64_t repeated
    uint64_t graced             # analytics blocks passed over in the emergency grace time
    uint64_t[64] list_hits      # by list
    uint64_t[6] reports         # by ReportOutcome of following.pxd
    uint64_t[17] latency        # by LATENCY_BOUNDS_NS; the last is +Inf
    uint64_t latency_sum_ns
    uint64_t rules
    RuleStats* rule             # by rule index; lies behind the struct, in the same pages

cdef Stats* stats_new(uint64_t rules) noexcept nogil                # NULL when the system has no memory
cdef void stats_free(Stats* stats) noexcept nogil                   # NULL is allowed
cdef void stats_latency(Stats* stats, uint64_t ns, uint64_t calls) noexcept nogil   # `calls` calls took ns each
# into += one, while the writer of `one` goes on; rules: how many of their rules are the same (those are added)
cdef void stats_sum(Stats* into, const Stats* one, uint64_t rules) noexcept nogil
cdef dict stats_dict(const Stats* stats)    # the totals by name: `WorkerStats.totals`

# Adds to a counter of one's own Stats; readers elsewhere see the old or the new value.
cdef inline void stats_bump(uint64_t* counter, uint64_t by) noexcept nogil:
    ic_store64_relaxed(counter, ic_load64_relaxed(counter) + by)

cdef class WorkerStats:         # __cinit__(rules: int)
    cdef Stats* stats
