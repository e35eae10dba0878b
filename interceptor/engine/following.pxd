# What happens to a call after its decision, and to a card without a call: what the reports do to the counters. Callable
# by any thread that holds no GIL; nothing here allocates or waits. `now` is the service's clock, as for a decision.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from interceptor.engine.decide cimport Worker
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.types cimport Call, Millis, Text

cpdef enum ReportOutcome:
    REPORT_JOINED = 0       # to its decision
    REPORT_CARRIED = 1      # counted by the keys it carried
    REPORT_EARLY = 2        # kept until its Decide comes
    REPORT_REPEATED = 3     # counts nothing, as it was counted before
    REPORT_BLOCKED = 4      # counts nothing, as the call was blocked
    REPORT_UNKNOWN = 5      # counts nothing: no decision to join, no keys, or no counter that reports feed
    N_REPORT_OUTCOMES = 6

cdef struct Report:         # of a call; its texts need to live no longer than the report_call
    Text call_id            # empty: the call's, if it carries one
    Text on_switch          # empty: nobody authenticated
    int64_t time_ms         # by the switch's clock; 0: it did not say
    int64_t duration_ms     # -1: absent
    uint8_t event           # H_ANSWERED or H_ENDED
    uint8_t fetched         # prepare_reports was told of it
    uint64_t a              # the call's name, for who knows it already, in place of the texts; 0, 0: these say it
    uint64_t b
    Call* call              # what it carries, texts and scalars set; NULL: nothing

cdef enum:
    SOON = 128              # reports prepared at a time

# What reports that have a name, SOON at most, will touch is on its way when this returns. A hint: they may come later,
# in any order, or never.
cdef void prepare_reports(const Snapshot* s, Worker* w, const Report* reports, uint32_t n) noexcept nogil

cdef ReportOutcome report_call(const Snapshot* s, Worker* w, const Report* report, Millis now) noexcept nogil

# What happened to a card: `call` has its number as F_FROM, its imsi, imei, cell, trunk, tags and the switch; its
# F_CALL_ID is the report's id. `event`: H_ACTIVATED to H_SMS.
cdef ReportOutcome report_subscription(const Snapshot* s, Worker* w, uint8_t event, Call* call,
                                       Millis now) noexcept nogil
