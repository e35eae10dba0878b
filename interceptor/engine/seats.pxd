# The workers of one engine, MAX_WORKERS in all: Python threads take one while they decide, a thread that holds no GIL
# has one of its own for good.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.decide cimport Worker
from interceptor.engine.events cimport EventRing
from interceptor.engine.samples cimport SampleRing
from interceptor.engine.snapshot cimport SnapshotHolder
from interceptor.engine.types cimport Call

cdef class Seat:                    # a worker's memory; a thread takes a seat while it decides
    cdef Worker w
    cdef Call[64] calls
    cdef SnapshotHolder snapshot    # it decides with; None: the seat is free

    cdef uint64_t since             # how many tables had been replaced when it was taken

    cdef int take(self, SnapshotHolder snapshot, uint64_t replaced) except -1

cdef class Seats:                   # all of it under the GIL
    cdef object idle                # Seats that nobody sits on
    cdef list seats                 # all there are
    cdef list enlisted              # workers of threads that hold no GIL
    cdef uint32_t made
    cdef EventRing events
    cdef SampleRing samples
    cdef uint64_t first_id
    cdef uint32_t pass_sample

    cdef Seat free(self)            # waits for one when all are taken
    cdef int leave(self, Seat seat) except -1
    cdef uint64_t oldest(self)      # `since` of the seat that was taken longest ago; the largest number when none is
    cdef int enlist(self, Worker* w, SnapshotHolder current) except -1   # `current` may be None
    cdef int enrol(self, SnapshotHolder snapshot) except -1             # the enlisted may decide with it
    cdef uint32_t _place(self) noexcept
    cdef void _begin(self, Worker* w, uint32_t place) noexcept
