# What is still to happen to calls that were decided (contract: pending.pxd). Callable without the GIL.
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from interceptor.engine.atomics cimport ic_prefetch_read
from interceptor.engine.following cimport SOON
from interceptor.engine.types cimport H_ANSWERED, H_ENDED

from interceptor.engine.types import Happening

cdef enum:
    ANSWER = 1 << 30            # in a bunch: the answer comes next, and then the end
    SLOT = ANSWER - 1

if sizeof(Bunch) != 64 or sizeof(Waiting) != 32:
    raise ImportError("interceptor.replay.pending: struct layout differs from what the kernel was written for")

# --- the heap: four below each

cdef inline bint before(const Due* one, const Due* other) noexcept nogil:
    return one.time < other.time or (one.time == other.time and one.answer < other.answer)


cdef void rise(Due* due, uint32_t at, Due one) noexcept nogil:
    cdef uint32_t above
    while at:
        above = (at - 1) >> 2
        if not before(&one, &due[above]):
            break
        due[at] = due[above]
        at = above
    due[at] = one


cdef void sink(Due* due, uint32_t n, Due one) noexcept nogil:
    cdef uint32_t at = 0, below, k, least
    while True:
        below = 4 * at + 1
        if below >= n:
            break
        least = below
        for k in range(below + 1, min(below + 4, n)):
            if before(&due[k], &due[least]):
                least = k
        if not before(&due[least], &one):
            break
        due[at] = due[least]
        at = least
    due[at] = one


# --- the wheel

# Of a stretch one bunch alone is not full, the first.
cdef inline uint32_t bunches_for(uint32_t room) noexcept nogil:
    return room // BUNCH + STRETCHES


cdef void onto_wheel(Pending* pending, int64_t stretch, uint32_t what) noexcept nogil:
    cdef uint32_t* first = &pending.wheel[stretch & (STRETCHES - 1)]
    cdef uint32_t at = first[0]
    cdef Bunch* bunch
    if at == 0 or pending.bunch[at - 1].n == BUNCH:
        at = pending.free_bunch
        if at:
            pending.free_bunch = pending.bunch[at - 1].next
        else:
            pending.bunches += 1
            at = pending.bunches
        pending.bunch[at - 1].next, pending.bunch[at - 1].n = first[0], 0
        first[0] = at
    bunch = &pending.bunch[at - 1]
    bunch.call[bunch.n] = what
    bunch.n += 1


# --- the calls

cdef bint widen(void** array, size_t size) noexcept nogil:
    cdef void* wider = realloc(array[0], size)
    if wider is NULL:
        return False
    array[0] = wider
    return True


cdef bint grow(Pending* pending) noexcept nogil:
    cdef uint32_t room = min(max(2 * pending.room, <uint32_t> 1024), pending.most)
    if room == pending.room or not (
            widen(<void**> &pending.waiting, room * sizeof(Waiting))
            and widen(<void**> &pending.bunch, bunches_for(room) * sizeof(Bunch))
            and widen(<void**> &pending.due, room * sizeof(Due))):
        return False
    pending.room = room
    return True


# A slot, from 1; 0: there is no more room.
cdef uint32_t slot(Pending* pending) noexcept nogil:
    cdef uint32_t found = pending.free
    if found:
        pending.free = <uint32_t> pending.waiting[found - 1].a
        return found
    if pending.slots == pending.room and not grow(pending):
        return 0
    pending.slots += 1
    return pending.slots


# What comes next of a call, its answer or its end, into the heap or onto the wheel.
cdef void put(Pending* pending, uint32_t at, bint answer) noexcept nogil:
    cdef const Waiting* call = &pending.waiting[at - 1]
    cdef Due one
    one.time, one.slot, one.answer = call.answered if answer else call.ended, at, answer
    if one.time >> STRETCH_BITS >= pending.opened:
        onto_wheel(pending, one.time >> STRETCH_BITS, at | ANSWER if answer else at)
        return
    pending.n += 1
    rise(pending.due, pending.n - 1, one)


# A stretch holds what falls into it, and what falls into it a turn of the wheel or more later.
cdef void pending_open(Pending* pending, Millis now) noexcept nogil:
    cdef int64_t upto = (now >> STRETCH_BITS) + 1
    cdef int64_t stretch = max(pending.opened, upto - STRETCHES)
    cdef uint32_t next, at, k
    cdef Bunch bunch
    pending.opened = upto
    while stretch < upto:
        next = pending.wheel[stretch & (STRETCHES - 1)]
        pending.wheel[stretch & (STRETCHES - 1)] = 0
        while next:
            at = next
            bunch = pending.bunch[at - 1]
            next = bunch.next
            if next:
                ic_prefetch_read(&pending.bunch[next - 1])
            for k in range(bunch.n):
                ic_prefetch_read(&pending.waiting[(bunch.call[k] & SLOT) - 1])
            pending.bunch[at - 1].next, pending.free_bunch = pending.free_bunch, at
            for k in range(bunch.n):
                put(pending, bunch.call[k] & SLOT, bunch.call[k] & ANSWER != 0)
        stretch += 1


cdef void pending_add(Pending* pending, uint64_t a, uint64_t b, Millis answered, Millis ended) noexcept nogil:
    cdef uint32_t at
    cdef Waiting* call
    if answered < 0 and ended < 0:
        return
    at = slot(pending)
    if at == 0:
        pending.lost += 1
        return
    call = &pending.waiting[at - 1]
    call.a, call.b, call.answered, call.ended = a, b, answered, ended
    put(pending, at, answered >= 0)


cdef inline void tell(const Pending* pending, const Due* due, Report* report) noexcept nogil:
    cdef const Waiting* call = &pending.waiting[due.slot - 1]
    memset(report, 0, sizeof(Report))
    report.a, report.b, report.time_ms = call.a, call.b, due.time
    report.event = H_ANSWERED if due.answer else H_ENDED
    report.duration_ms = -1 if due.answer or call.answered < 0 else call.ended - call.answered


cdef void pending_take(Pending* pending, Report* report) noexcept nogil:
    cdef Due due = pending.due[0]
    tell(pending, &due, report)
    pending.n -= 1
    if pending.n:
        sink(pending.due, pending.n, pending.due[pending.n])
    if due.answer and pending.waiting[due.slot - 1].ended >= 0:
        put(pending, due.slot, False)
    else:
        pending.waiting[due.slot - 1].a, pending.free = pending.free, due.slot


cdef uint32_t pending_soon(Pending* pending, Millis until, Report* reports, uint32_t most) noexcept nogil:
    cdef uint32_t[SOON] at      # places in the heap
    cdef uint32_t n = 0, seen = 0, below
    if most and pending_due(pending, until):
        at[0], n = 0, 1
    while seen < n:             # who is below one that is due later is too
        ic_prefetch_read(&pending.waiting[pending.due[at[seen]].slot - 1])
        for below in range(4 * at[seen] + 1, min(4 * at[seen] + 5, pending.n)):
            if n < most and pending.due[below].time <= until:
                at[n] = below
                n += 1
        seen += 1
    for seen in range(n):
        tell(pending, &pending.due[at[seen]], &reports[seen])
    return n


cdef void pending_free(Pending* pending) noexcept nogil:
    free(pending.waiting)
    free(pending.bunch)
    free(pending.due)


# -- for tests ---------------------------------------------------------------------------------------------------

cdef class PendingReports:
    def __cinit__(self, uint32_t most=MOST_PENDING):
        self.pending.most = min(most, <uint32_t> MOST_PENDING)

    def __dealloc__(self):
        pending_free(&self.pending)

    def add(self, uint64_t a, uint64_t b, Millis answered=-1, Millis ended=-1):
        pending_add(&self.pending, a, b, answered, ended)

    def take(self, Millis now):
        cdef Report report
        found = []
        while pending_due(&self.pending, now):
            pending_take(&self.pending, &report)
            found.append(told(&report))
        return found

    def soon(self, Millis until, uint32_t most=SOON):
        cdef Report[SOON] reports
        cdef uint32_t i, n = pending_soon(&self.pending, until, reports, min(most, <uint32_t> SOON))
        return [told(&reports[i]) for i in range(n)]

    @property
    def lost(self):
        return self.pending.lost


cdef object told(const Report* report):
    return report.a, report.b, report.time_ms, Happening(report.event), report.duration_ms
