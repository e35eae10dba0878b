# What is still to happen to calls that were decided (contract: pending.pxd). Callable without the GIL.
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from interceptor.engine.following cimport SOON
from interceptor.engine.types cimport Happening

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


# --- the calls

cdef bint grow(Pending* pending) noexcept nogil:
    cdef uint32_t room = min(max(2 * pending.room, <uint32_t> 1024), pending.most)
    cdef Waiting* waiting
    cdef Due* due
    if room == pending.room:
        return False
    waiting = <Waiting*> realloc(pending.waiting, room * sizeof(Waiting))
    if waiting is NULL:
        return False
    pending.waiting = waiting
    due = <Due*> realloc(pending.due, room * sizeof(Due))
    if due is NULL:
        return False
    pending.due, pending.room = due, room
    return True


# A slot, from 1; 0: there is no more room.
cdef uint32_t slot(Pending* pending) noexcept nogil:
    cdef uint32_t found = pending.free
    if found:
        pending.free = pending.waiting[found - 1].next
        return found
    if pending.slots == pending.room and not grow(pending):
        return 0
    pending.slots += 1
    return pending.slots


# What comes next of a call, into the heap or onto the wheel.
cdef void put(Pending* pending, uint32_t at) noexcept nogil:
    cdef Waiting* call = &pending.waiting[at - 1]
    cdef uint32_t* first
    cdef Due one
    if call.time >> STRETCH_BITS >= pending.opened:
        first = &pending.wheel[(call.time >> STRETCH_BITS) & (STRETCHES - 1)]
        call.next, first[0] = first[0], at
        return
    one.time, one.slot, one.answer = call.time, at, call.answer
    pending.n += 1
    rise(pending.due, pending.n - 1, one)


# A stretch holds what falls into it, and what falls into it a turn of the wheel or more later.
cdef void pending_open(Pending* pending, Millis now) noexcept nogil:
    cdef int64_t upto = (now >> STRETCH_BITS) + 1
    cdef int64_t stretch = max(pending.opened, upto - STRETCHES)
    cdef uint32_t at, next
    pending.opened = upto
    while stretch < upto:
        at = pending.wheel[stretch & (STRETCHES - 1)]
        pending.wheel[stretch & (STRETCHES - 1)] = 0
        while at:
            next = pending.waiting[at - 1].next
            put(pending, at)
            at = next
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
    call.a, call.b, call.ended, call.answer = a, b, ended, answered >= 0
    call.time = answered if call.answer else ended
    call.duration = ended - answered if call.answer else -1
    put(pending, at)


cdef inline void tell(const Waiting* call, Report* report) noexcept nogil:
    memset(report, 0, sizeof(Report))
    report.a, report.b, report.time_ms = call.a, call.b, call.time
    report.event = Happening.H_ANSWERED if call.answer else Happening.H_ENDED
    report.duration_ms = -1 if call.answer else call.duration


cdef void pending_take(Pending* pending, Report* report) noexcept nogil:
    cdef uint32_t at = pending.due[0].slot
    cdef Waiting* call = &pending.waiting[at - 1]
    tell(call, report)
    pending.n -= 1
    if pending.n:
        sink(pending.due, pending.n, pending.due[pending.n])
    if call.answer and call.ended >= 0:
        call.time, call.answer = call.ended, False
        put(pending, at)
    else:
        call.next, pending.free = pending.free, at


cdef uint32_t pending_soon(Pending* pending, Millis until, Report* reports, uint32_t most) noexcept nogil:
    cdef uint32_t[SOON] at      # places in the heap
    cdef uint32_t n = 0, seen = 0, below
    if most and pending_due(pending, until):
        at[0], n = 0, 1
    while seen < n:             # who is below one that is due later is too
        for below in range(4 * at[seen] + 1, min(4 * at[seen] + 5, pending.n)):
            if n < most and pending.due[below].time <= until:
                at[n] = below
                n += 1
        tell(&pending.waiting[pending.due[at[seen]].slot - 1], &reports[seen])
        seen += 1
    return n


cdef void pending_free(Pending* pending) noexcept nogil:
    free(pending.waiting)
    free(pending.due)
