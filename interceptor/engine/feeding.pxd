# What feeds the counters beside a setup: the entity tables a happening visits, by the keys that are known of it. And
# the one line on a decision's way that makes a call followed.
from libc.stdint cimport int64_t, uint8_t, uint32_t

from interceptor.engine.decide cimport Worker
from interceptor.engine.inflight cimport Flight, FlightMap, FlightPlan
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.types cimport Call, Decision, Millis

cdef struct Telling:            # what is known of a happening
    const Call* call            # resolved, and w.frame is its own; NULL: what an entry of the calls in flight kept
    const Flight* flight
    const FlightMap* map        # of the layout that entry was made under; NULL: nobody knows it any more
    Millis setup                # 0: unknown
    int64_t talked              # ms, of an end; -1: it was not answered
    uint8_t follows             # of a call that was decided: its entities are seen no second time
    uint8_t fetched             # what it touches is on its way

cdef Telling tell_call(const Call* call) noexcept nogil
cdef Telling tell_flight(const FlightPlan* plan, const Flight* flight) noexcept nogil
# How long the parties talked, in ms: as reported (-1: it was not); else between the answer, when there was one, and the
# end: by the switch's clock, and where that did not say (0) by ours.
cdef int64_t talked(int64_t duration, bint answered, int64_t answered_switch, int64_t ended_switch,
                    Millis since_answer) noexcept nogil
# To be fetched ahead: the sets of what a happening visits; then, as these say, the records.
cdef void note_sets(const Snapshot* s, Worker* w, uint8_t happening, const Telling* telling) noexcept nogil
cdef void note_records(const Snapshot* s, Worker* w, uint8_t happening, const Telling* telling) noexcept nogil
cdef void feed(const Snapshot* s, Worker* w, uint8_t happening, const Telling* telling, Millis now) noexcept nogil

# What an entry keeps of a call that is resolved; w.frame is its own.
cdef void keep_call(const Snapshot* s, Worker* w, const Call* call, Flight* flight) noexcept nogil

# Call i of a chunk was decided, neither repeated nor an emergency: it is followed from now on; one that was blocked is
# taken off what is active.
cdef void note_decided(const Snapshot* s, Worker* w, const Call* call, uint32_t i, Millis now,
                       const Decision* out) noexcept nogil
