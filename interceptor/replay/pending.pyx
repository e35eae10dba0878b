# What is still to happen to calls that were decided (contract: pending.pxd). Callable without the GIL.
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

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
        pending.free = pending.waiting[found - 1].next_free
        return found
    if pending.slots == pending.room and not grow(pending):
        return 0
    pending.slots += 1
    return pending.slots


cdef void let_go(Pending* pending) noexcept nogil:
    cdef uint32_t told = pending.told
    cdef Waiting* call
    if told == 0:
        return
    call = &pending.waiting[told - 1]
    free(call.apart)
    call.apart, call.next_free = NULL, pending.free
    pending.free, pending.told = told, 0


cdef inline const char* names(const Waiting* call) noexcept nogil:
    if call.apart is NULL:
        return call.named
    return call.apart


cdef void pending_add(Pending* pending, Text call_id, Text on_switch, Millis answered, Millis ended) noexcept nogil:
    cdef uint32_t at
    cdef Waiting* call
    cdef Due one
    cdef char* apart = NULL
    cdef char* to
    if answered < 0 and ended < 0:
        return
    let_go(pending)
    if call_id.length + on_switch.length > NAMED:
        apart = <char*> malloc(call_id.length + on_switch.length)
        at = 0 if apart is NULL else slot(pending)
    else:
        at = slot(pending)
    if at == 0:
        free(apart)
        pending.lost += 1
        return
    call = &pending.waiting[at - 1]
    call.answered, call.ended, call.apart = answered, ended, apart
    call.call_id, call.on_switch = call_id.length, on_switch.length
    to = &call.named[0] if apart is NULL else apart
    if call_id.length:
        memcpy(to, call_id.data, call_id.length)
    if on_switch.length:
        memcpy(to + call_id.length, on_switch.data, on_switch.length)
    one.slot, one.answer = at - 1, answered >= 0
    one.time = answered if answered >= 0 else ended
    pending.n += 1
    rise(pending.due, pending.n - 1, one)


cdef bint pending_take(Pending* pending, Text* call_id, Text* on_switch, Millis* time,
                       int64_t* duration) noexcept nogil:
    cdef Due one = pending.due[0]
    cdef Waiting* call
    cdef bint answer = one.answer
    let_go(pending)
    call = &pending.waiting[one.slot]
    call_id.data, call_id.length = names(call), call.call_id
    on_switch.data, on_switch.length = names(call) + call.call_id, call.on_switch
    time[0] = one.time
    duration[0] = call.ended - call.answered if not answer and call.answered >= 0 else -1
    if answer and call.ended >= 0:
        one.time, one.answer = call.ended, False
        sink(pending.due, pending.n, one)
        return True
    pending.told = one.slot + 1
    pending.n -= 1
    if pending.n:
        sink(pending.due, pending.n, pending.due[pending.n])
    return answer


cdef void pending_free(Pending* pending) noexcept nogil:
    cdef uint32_t i
    for i in range(pending.slots):
        free(pending.waiting[i].apart)
    free(pending.waiting)
    free(pending.due)
