# The generator's thread: one run over all connections, from the first handshake to the last answer.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.loadtest.connection cimport Asking, Connection
from interceptor.loadtest.tally cimport Interval

cdef struct Run:
    Asking asking
    Connection* connection
    uint32_t connections
    Connection** queue          # those to flush in this round
    uint32_t queued
    uint32_t turn               # the connection to ask next
    bint pressed                # more calls are due than one round asks
    uint64_t look_ns            # when to look for connections that are down
    double mean_gap_ns          # 0: closed loop
    uint64_t random
    uint64_t number             # of the next call
    uint32_t request            # ... and what it asks
    uint32_t requests
    double due                  # when it is due: ns from `begun`
    uint64_t begun              # when the clock started; 0: not yet
    uint64_t ended              # when it was over; 0: not yet
    uint64_t warm_up_ns
    uint64_t end                # nothing is due from then on; before the clock has started: the run's length
    uint64_t grace_ns
    uint64_t spin_ns
    uint64_t active_ns          # when something happened last
    uint64_t interval_ns
    uint64_t intervals
    Interval* interval
    uint64_t stop               # somebody wants it to end

cdef bint drive(Run* r) noexcept nogil                  # false: no connection came about, asking.trouble says why
