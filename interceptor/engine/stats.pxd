# What a worker counts: written by its thread alone (relaxed stores), summed at scrape.
from libc.stdint cimport uint64_t

cdef enum:
    LATENCY_BUCKETS = 18

cdef struct RuleStats:
    uint64_t decided
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
    uint64_t[18] latency        # by LATENCY_BOUNDS_NS; the last is +Inf
    uint64_t latency_sum_ns
    RuleStats* rule             # by rule index

cdef Stats* stats_new(uint64_t rules) noexcept nogil
cdef void stats_free(Stats* stats) noexcept nogil
cdef void stats_latency(Stats* stats, uint64_t ns, uint64_t calls) noexcept nogil   # `calls` calls took ns each
