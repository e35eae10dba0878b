# What is still to happen to calls that were decided: answers and ends, the next one first. What is due soon lies in a
# heap, what is due later by the stretch of time it falls into, on a wheel; all of it is bounded.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from interceptor.engine.following cimport Report
from interceptor.engine.types cimport Millis

cdef enum:
    MOST_PENDING = 1 << 22      # calls; of more the reports are lost, and counted
    STRETCH_BITS = 10           # a stretch of time is so many bits of a Millis
    BUNCH = 14
    STRETCHES = 1 << 12         # of the wheel: more than an hour; later ones go round with it

cdef struct Due:                # in the heap: by time, and at one time ends before answers
    Millis time
    uint32_t slot
    uint8_t answer

cdef struct Waiting:            # a call, by slot
    uint64_t a                  # its name; where the slot is free, the next one that is, from 1; 0: none
    uint64_t b
    Millis answered             # -1: it was not
    Millis ended                # -1: nobody knows

cdef struct Bunch:              # calls of one stretch, a line
    uint32_t next               # bunch of the same stretch, or that is free as well, from 1; 0: none
    uint32_t n
    uint32_t[14] call           # slots, and of which the answer comes next

cdef struct Pending:
    Due* due
    uint32_t n
    Waiting* waiting
    Bunch* bunch
    uint32_t bunches            # that were ever used
    uint32_t free_bunch         # first of those that are free again, from 1; 0: none
    uint32_t slots              # that were ever used
    uint32_t room
    uint32_t most               # of that; MOST_PENDING at most
    uint32_t free               # first of the slots that are free again, from 1; 0: none
    int64_t opened              # what falls into an earlier stretch than this is in the heap
    uint32_t[4096] wheel        # by stretch modulo STRETCHES: the first bunch, from 1
    int64_t lost

# A call of that name was decided. Answered and ended: -1, or not before now.
cdef void pending_add(Pending* pending, uint64_t a, uint64_t b, Millis answered, Millis ended) noexcept nogil
cdef void pending_open(Pending* pending, Millis now) noexcept nogil
# Whether something is due by now.
cdef inline bint pending_due(Pending* pending, Millis now) noexcept nogil:
    if now >> STRETCH_BITS >= pending.opened:
        pending_open(pending, now)
    return pending.n != 0 and pending.due[0].time <= now

# Takes the next one off, as it is reported; only after pending_due.
cdef void pending_take(Pending* pending, Report* report) noexcept nogil
# Those that are due by then and not taken off yet, at most so many (SOON), in no order; returns how many.
cdef uint32_t pending_soon(Pending* pending, Millis until, Report* reports, uint32_t most) noexcept nogil
cdef void pending_free(Pending* pending) noexcept nogil

cdef class PendingReports:      # __cinit__(most: int)
    cdef Pending pending
