# Counters and latency histogram of one worker: plain memory of its own pages, no lock, summed by whoever asks.
from libc.stdint cimport UINT64_MAX, uint8_t, uint64_t

from interceptor.engine.memory cimport release, reserve

LATENCY_BOUNDS_NS = (
    100, 200, 500,
    1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000,
)

cdef extern from * nogil:
    """
    #define ic_bit_length(x) ((x) ? 64u - (unsigned)__builtin_clzll(x) : 0u)
    """
    unsigned int ic_bit_length(unsigned long long x) noexcept

cdef uint64_t[17] bounds        # LATENCY_BOUNDS_NS, then "no bound"
cdef uint8_t[65] first_bucket   # by bit length: the bucket of the smallest number of that length

cdef enum:
    TOTALS = (sizeof(Stats) - sizeof(uint64_t) - sizeof(RuleStats*)) // sizeof(uint64_t)   # words before `rules`


cdef void learn_bounds() noexcept:
    cdef uint64_t smallest
    cdef uint8_t bucket
    cdef unsigned int length
    for bucket in range(LATENCY_BUCKETS - 1):
        bounds[bucket] = LATENCY_BOUNDS_NS[bucket]
    bounds[LATENCY_BUCKETS - 1] = UINT64_MAX
    for length in range(65):
        smallest = <uint64_t>1 << (length - 1) if length else 0
        bucket = 0
        while smallest > bounds[bucket]:
            bucket += 1
        first_bucket[length] = bucket


if len(LATENCY_BOUNDS_NS) != LATENCY_BUCKETS - 1:
    raise ImportError("interceptor.engine: stats.pxd has another number of latency buckets than stats.pyx")
learn_bounds()


cdef inline size_t stats_bytes(uint64_t rules) noexcept nogil:
    return sizeof(Stats) + rules * sizeof(RuleStats)


cdef Stats* stats_new(uint64_t rules) noexcept nogil:
    # Pages of its own: two workers never write to one cache line.
    cdef Stats* stats = <Stats*>reserve(stats_bytes(rules))
    if stats != NULL:
        stats.rules = rules
        stats.rule = <RuleStats*>(stats + 1)
    return stats


cdef void stats_free(Stats* stats) noexcept nogil:
    if stats != NULL:
        release(stats, stats_bytes(stats.rules))


cdef void stats_latency(Stats* stats, uint64_t ns, uint64_t calls) noexcept nogil:
    # Bounds at least double, so at most one lies between numbers of one bit length: one comparison, rarely two.
    cdef uint8_t bucket = first_bucket[ic_bit_length(ns)]
    while ns > bounds[bucket]:
        bucket += 1
    stats_bump(&stats.latency[bucket], calls)
    stats_bump(&stats.latency_sum_ns, ns * calls)


cdef void stats_sum(Stats* into, const Stats* one, uint64_t rules) noexcept nogil:
    cdef uint64_t* totals = <uint64_t*>into
    cdef const uint64_t* more = <const uint64_t*>one
    cdef size_t i
    for i in range(<size_t>TOTALS):
        stats_bump(&totals[i], ic_load64_relaxed(&more[i]))
    totals = <uint64_t*>into.rule
    more = <const uint64_t*>one.rule
    for i in range(rules * (sizeof(RuleStats) // sizeof(uint64_t))):
        stats_bump(&totals[i], ic_load64_relaxed(&more[i]))


cdef dict stats_dict(const Stats* stats):
    cdef uint64_t i
    cdef int bucket
    return {
        "verdict": [stats.verdict[i] for i in range(4)],
        "emergency": stats.emergency,
        "defaulted": stats.defaulted,
        "repeated": stats.repeated,
        "graced": stats.graced,
        "list_hits": [stats.list_hits[i] for i in range(64)],
        "reports": [stats.reports[i] for i in range(6)],
        "latency": [stats.latency[bucket] for bucket in range(LATENCY_BUCKETS)],
        "latency_sum_ns": stats.latency_sum_ns,
        "rules": [
            {
                "decided": stats.rule[i].decided,
                "blocked": stats.rule[i].blocked,
                "shadow": stats.rule[i].shadow,
                "absent": stats.rule[i].absent,
                "failed": stats.rule[i].failed,
                "added": stats.rule[i].added,
                "not_added": stats.rule[i].not_added,
            }
            for i in range(stats.rules)
        ],
    }


cdef class WorkerStats:

    def __cinit__(self, uint64_t rules):
        self.stats = stats_new(rules)
        if self.stats == NULL:
            raise MemoryError(f"no memory for the counters of {rules} rules")

    def __dealloc__(self):
        stats_free(self.stats)

    def latency(self, uint64_t ns, uint64_t calls=1):
        stats_latency(self.stats, ns, calls)

    def rule(self, uint64_t index, uint64_t decided=0, uint64_t shadow=0, uint64_t absent=0, uint64_t failed=0):
        if index >= self.stats.rules:
            raise IndexError(f"rule {index} of {self.stats.rules}")
        stats_bump(&self.stats.rule[index].decided, decided)
        stats_bump(&self.stats.rule[index].shadow, shadow)
        stats_bump(&self.stats.rule[index].absent, absent)
        stats_bump(&self.stats.rule[index].failed, failed)

    def verdict(self, unsigned int verdict, unsigned int list_index=0, uint64_t list_hits=0):
        if verdict > 3 or list_index > 63:
            raise IndexError(f"verdict {verdict} or list {list_index} is out of range")
        stats_bump(&self.stats.verdict[verdict], 1)
        stats_bump(&self.stats.list_hits[list_index], list_hits)

    def add(self, WorkerStats other):
        stats_sum(self.stats, other.stats, min(self.stats.rules, other.stats.rules))

    @property
    def totals(self):
        return stats_dict(self.stats)
