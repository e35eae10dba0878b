# Recent calls: a bounded lock-free ring of sampled ones, each with all that another policy needs to decide it again.
# Many engine threads put, one Python thread drains; what finds the ring full is counted.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.types cimport Call, Decision, Millis

cdef enum:
    SAMPLE_BYTES = 8192         # of a record, at most
    SAMPLE_SLOTS = 256
    SAMPLE_MS = 64              # between two samples: 15.6 a second, 56,250 an hour

# How a record begins; its counters follow (the identity of each, then the value of each), then its texts.
cdef struct Sample:
    uint32_t magic
    uint32_t size               # of the record
    Millis time
    uint64_t decision           # its id
    int64_t[4] scalar           # by Scalar
    uint64_t[8] tag             # by place among the texts: identity of the tag's name
    uint32_t present
    uint32_t revision           # of the policy that decided
    uint16_t rule
    uint8_t verdict
    uint8_t block_class
    uint8_t emergency
    uint8_t graced              # the callee had dialled an emergency number a short while before
    uint16_t counters           # of an emergency call: 0, as it is not counted
    uint16_t[28] length         # of the texts, by Field; 0 for F_CALLER, which is one of the others

cdef enum:
    UNREADABLE = -1             # value of a counter: its key was absent, withheld or unparseable

# What a policy counts and which tags it reads, by identity: keyed hashes of what they mean, whatever they are called.
cdef struct Meanings:
    uint64_t[8] tag             # 0: none
    const uint64_t* counter     # by counter index
    uint32_t counters

cdef struct Samples             # opaque

# Whether it is time to look at the clock that all workers share; `sampled` is the worker's own.
cdef inline bint sample_due(Millis sampled, Millis now) noexcept nogil:
    return <uint64_t>now - <uint64_t>sampled >= SAMPLE_MS

# Puts the call if no other worker did within SAMPLE_MS. Counters are read unless the call is an emergency one.
cdef void sample_put(Samples* ring, Millis* sampled, const Call* call, const Decision* decision, bint graced,
                     Millis now, const Meanings* meanings, const int64_t* counter,
                     const uint8_t* readable) noexcept nogil

# A record as a call whose texts and scalars are set, its tags in the order of `meanings`. They point into it.
# NULL: it is no record. unknown: bit i: what decided the call did not read tag i of `meanings`.
cdef const Sample* sample_read(const char* data, size_t n, const Meanings* meanings, Call* call,
                               uint32_t* unknown) noexcept nogil
cdef const uint64_t* sample_counters(const Sample* sample) noexcept nogil      # identities
cdef const int64_t* sample_values(const Sample* sample) noexcept nogil

cdef class SampleRing:          # __cinit__()
    cdef Samples* ring
