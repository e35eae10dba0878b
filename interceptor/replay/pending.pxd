# What is still to happen to calls that were decided: answers and ends, the next one first. A bounded heap; the texts
# that name a call are copied, for the rows they came with are gone by then.
from libc.stdint cimport int64_t, uint8_t, uint32_t

from interceptor.engine.types cimport MAX_FIELD, Millis, Text

cdef enum:
    MOST_PENDING = 1 << 22      # calls; of more the reports are lost, and counted
    NAMED = 96                  # bytes of the names of a call that are kept beside its times; longer ones apart

cdef struct Due:                # in the heap: by time, and at one time ends before answers
    Millis time
    uint32_t slot
    uint8_t answer              # it is the answer; its end, if there is one, follows

cdef struct Waiting:            # a call, by slot
    Millis answered             # -1: it was not
    Millis ended                # -1: nobody knows
    char* apart                 # NULL: the names are in `named`
    uint32_t call_id            # lengths
    uint32_t on_switch
    uint32_t next_free
    char[96] named

cdef struct Pending:
    Due* due
    uint32_t n
    Waiting* waiting
    uint32_t slots              # that were ever used
    uint32_t room
    uint32_t most               # of that; MOST_PENDING at most
    uint32_t free               # first of the slots that are free again, from 1; 0: none
    uint32_t told               # the slot that the last pending_take told of, likewise
    int64_t lost

# A call that was decided. Answered and ended: -1, or not before now.
cdef void pending_add(Pending* pending, Text call_id, Text on_switch, Millis answered, Millis ended) noexcept nogil
# When the next one is due; a time that never comes when none is.
cdef inline Millis pending_next(const Pending* pending) noexcept nogil:
    return pending.due[0].time if pending.n else <Millis> 0x7fffffffffffffff

# Takes the next one off. The texts live until the next pending_take or pending_add. duration: of an end, ms from the
# answer; -1: it was not answered.
cdef bint pending_take(Pending* pending, Text* call_id, Text* on_switch, Millis* time,
                       int64_t* duration) noexcept nogil      # True: an answer
cdef void pending_free(Pending* pending) noexcept nogil
