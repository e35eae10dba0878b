# Who decides with an engine (contract: seats.pxd): Python threads on seats, and enlisted threads that hold no GIL.
import queue

from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.decide cimport Worker, take_up
from interceptor.engine.events cimport EventRing
from interceptor.engine.samples cimport SampleRing
from interceptor.engine.snapshot cimport MAX_WORKERS, SnapshotHolder


cdef class Seat:
    cdef int take(self, SnapshotHolder snapshot, uint64_t replaced) except -1:
        snapshot.enrol(self.w.index)
        take_up(&self.w, &snapshot.c)
        snapshot.readers += 1
        self.snapshot, self.since = snapshot, replaced
        return 0


cdef class Seats:
    def __init__(self, EventRing events, SampleRing samples, uint64_t first_id, uint32_t pass_sample):
        self.idle, self.seats, self.enlisted = queue.SimpleQueue(), [], []
        self.events, self.samples = events, samples
        self.first_id, self.pass_sample = first_id, pass_sample

    cdef Seat free(self):
        cdef Seat seat
        cdef uint32_t place
        try:
            return self.idle.get_nowait()
        except queue.Empty:
            if self.made == MAX_WORKERS:
                return self.idle.get()
            place = self._place()       # before anything lets another thread in
            seat = Seat()
            self._begin(&seat.w, place)
            self.seats.append(seat)
            return seat

    cdef int leave(self, Seat seat) except -1:
        if seat.snapshot is not None:
            seat.snapshot.readers -= 1
            seat.snapshot = None
        self.idle.put(seat)
        return 0

    cdef uint64_t oldest(self):
        cdef Seat seat
        cdef uint64_t oldest = <uint64_t> -1
        for seat in self.seats:
            if seat.snapshot is not None:
                oldest = min(oldest, seat.since)
        return oldest

    cdef int enlist(self, Worker* w, SnapshotHolder current) except -1:
        cdef uint32_t place
        if self.made >= MAX_WORKERS - 1:        # one is left to Python threads, which wait for each other
            raise RuntimeError(f"an engine decides with {MAX_WORKERS} threads, and {self.made} have their place: "
                               "start fewer")
        place = self._place()
        if current is not None:
            current.enrol(place)
        self.enlisted.append(place)
        self._begin(w, place)
        return 0

    cdef int enrol(self, SnapshotHolder snapshot) except -1:
        for worker in self.enlisted:
            snapshot.enrol(worker)
        return 0

    cdef uint32_t _place(self) noexcept:
        self.made += 1
        return self.made - 1

    cdef void _begin(self, Worker* w, uint32_t place) noexcept:
        w.index, w.next_id = place, self.first_id
        w.ring, w.pass_sample, w.samples = self.events.ring, self.pass_sample, self.samples.ring
