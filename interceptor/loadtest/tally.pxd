# What becomes of calls, counted by the generator's thread alone with relaxed stores: anyone may read meanwhile.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.engine.atomics cimport ic_store64_relaxed
from interceptor.loadtest.histogram cimport Counts, counts_bump, counts_record

cdef enum:
    STATUSES = 17               # of gRPC
    STATUS_UNKNOWN = 2
    NO_STATUS = 255             # none was told so far
    VERDICTS = 4
    MISMATCHES = 16             # kept
    ERROR_BYTES = 256           # of a message that is kept

cdef struct Interval:           # one row of Generator.series, in the order of its columns
    uint64_t sent
    uint64_t ok
    uint64_t late
    uint64_t failed
    uint64_t unsent
    uint64_t max_ns

cdef struct Call:               # on its way, or a free place for one
    uint64_t due_ns             # its intended start, CLOCK_MONOTONIC
    uint64_t number
    uint32_t request            # number modulo the requests there are
    uint32_t written            # bytes of its message that HTTP/2 has taken
    uint32_t next_free
    uint8_t open
    uint8_t measured            # due after the warm-up
    uint8_t turn                # of its place; a stream's answer must name it
    uint8_t status              # of gRPC
    uint8_t seen                # bytes in `head`
    uint8_t[8] head             # of the reply: its prefix and its verdict

cdef struct Tally:
    uint64_t due
    uint64_t unsent
    uint64_t sent
    uint64_t answered
    uint64_t reset
    uint64_t lost
    uint64_t missing
    uint64_t[17] statuses
    uint64_t[4] verdicts
    uint64_t mismatched
    uint64_t late
    uint64_t unexpected
    uint64_t opened
    uint64_t failed
    uint64_t bytes_in
    uint64_t bytes_out
    uint64_t deadline_ns        # of every call, from its intended start; 0: none
    const uint8_t* expected     # by request: the bits of the verdicts that are right; 0: any
    Counts* latency
    Counts* lag
    Interval* interval          # now
    uint64_t[16] odd_request    # of the first mismatches
    uint8_t[16] odd_verdict
    uint32_t error_bytes        # the first answer that was not OK
    uint8_t error_status        # 0: there was none
    char[256] error


cdef inline void tally_sent(Tally* t, const Call* call, uint64_t now) noexcept nogil:
    counts_bump(&t.interval.sent, 1)
    if call.measured:
        counts_bump(&t.due, 1)
        counts_bump(&t.sent, 1)
        counts_record(t.lag, now - call.due_ns, 1)


cdef inline void tally_unsent(Tally* t, bint measured) noexcept nogil:
    counts_bump(&t.interval.unsent, 1)
    if measured:
        counts_bump(&t.due, 1)
        counts_bump(&t.unsent, 1)


# The call ended without an answer: `counter` says how.
cdef inline void tally_unanswered(Tally* t, const Call* call, uint64_t* counter) noexcept nogil:
    counts_bump(&t.interval.failed, 1)
    if call.measured:
        counts_bump(counter, 1)


cdef inline void tally_verdict(Tally* t, uint32_t request, uint8_t verdict) noexcept nogil:
    cdef uint8_t right = t.expected[request]
    counts_bump(&t.verdicts[verdict], 1)
    if right and not right >> verdict & 1:
        if t.mismatched < MISMATCHES:
            t.odd_request[t.mismatched] = request
            t.odd_verdict[t.mismatched] = verdict
        counts_bump(&t.mismatched, 1)


cdef inline void tally_answer(Tally* t, const Call* call, uint8_t status, uint8_t verdict,
                              uint64_t now) noexcept nogil:
    cdef uint64_t taken = now - call.due_ns
    cdef bint late = t.deadline_ns != 0 and taken > t.deadline_ns
    if taken > t.interval.max_ns:
        ic_store64_relaxed(&t.interval.max_ns, taken)
    counts_bump(&t.interval.failed if status else &t.interval.late if late else &t.interval.ok, 1)
    if not call.measured:
        return
    counts_bump(&t.answered, 1)
    counts_bump(&t.statuses[status if status < STATUSES else STATUS_UNKNOWN], 1)
    if status == 0:
        counts_bump(&t.late, late)
        counts_record(t.latency, taken, 1)
        tally_verdict(t, call.request, verdict if verdict < VERDICTS else 0)
