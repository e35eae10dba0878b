# The ring of decisions: bounded, many producers, one consumer, after Vyukov's queue with a turn number in each slot.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from interceptor.engine.atomics cimport ic_add64, ic_cas64, ic_load64, ic_store64
from interceptor.engine.keys cimport key_digits
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.types cimport (
    F_CALL_ID, F_CALLEE, F_CALLER, F_CELL, F_IMEI, F_IMSI, F_SWITCH, F_TRUNK, N_FIELDS, N_NUMBERS,
    NUMBER_E164, NUMBER_SHORT, Number,
)

EVENT_DTYPE = np.dtype([
    ("sequence", "<u8"), ("time_ms", "<i8"), ("decision", "<u8"), ("shadow", "<u8"), ("added_key", "<u8"),
    ("revision", "<u4"), ("rule", "<u2"), ("verdict", "u1"), ("block_class", "u1"),
    ("repeated", "u1"), ("added", "u1"), ("emergency", "u1"), ("verified", "u1"),
    ("caller_status", "u1"), ("callee_status", "u1"), ("errors", "<u2"),
    ("caller", "S24"), ("callee", "S24"), ("trunk", "S48"), ("switch", "S24"),
    ("call_id", "S64"), ("imei", "S16"), ("imsi", "S16"), ("cell", "S48"),
    ("added_text", "S52"), ("would_rule", "<u2"), ("would_verdict", "u1"), ("trial", "u1"),
])

# turn == p: free for the p-th event put; p + 1: holds it; p + capacity: drained, free for the next round.
cdef struct Place:
    uint64_t turn
    Event event

cdef struct Ring:               # what producers, the consumer and both write lies on lines of its own
    uint64_t mask
    uint64_t nbytes
    uint64_t[6] line0
    uint64_t tail               # events put
    uint64_t dropped
    uint64_t[6] line1
    uint64_t head               # events drained
    uint64_t[7] line2
    # the places follow

if sizeof(Place) != 384 or EVENT_DTYPE.itemsize != sizeof(Event) or sizeof(Ring) % 64:
    raise ImportError("interceptor.engine: an event's layout differs between C and numpy")


cdef inline Place* place_of(Ring* ring, uint64_t position) noexcept nogil:
    return <Place*>(ring + 1) + (position & ring.mask)


cdef inline void copy_text(char* to, uint32_t size, const char* data, uint32_t length) noexcept nogil:
    cdef uint32_t n = length
    if n > size:
        n = size
        while n and (data[n] & 0xC0) == 0x80:
            n -= 1
    if n:
        memcpy(to, data, n)
    memset(to + n, 0, size - n)


cdef inline void copy_field(char* to, uint32_t size, const Call* call, uint32_t field) noexcept nogil:
    copy_text(to, size, call.text[field].data, call.text[field].length)


# -> the number's status
cdef inline uint8_t copy_number(char* to, uint32_t size, const Call* call, uint32_t field) noexcept nogil:
    cdef const Number* number = &call.number[field]
    if number.status == NUMBER_E164 or number.status == NUMBER_SHORT:
        copy_text(to, size, number.text, number.length)
    else:
        copy_field(to, size, call, field)
    return number.status


cdef inline void copy_added(Event* event, const Call* call, uint32_t field) noexcept nogil:
    cdef char[16] digits
    event.added_key = call.key[field]
    if field < N_NUMBERS:
        copy_number(event.added_text, sizeof(event.added_text), call, field)
    elif field == F_IMEI or field == F_IMSI:
        copy_text(event.added_text, sizeof(event.added_text), digits, key_digits(call.key[field], digits))
    else:
        copy_field(event.added_text, sizeof(event.added_text), call, field)


cdef inline void fill(Event* event, const Call* call, const Decision* decision, const Aside* aside,
                      Millis now) noexcept nogil:
    event.time_ms = now
    event.decision = decision.id
    event.shadow = decision.shadow
    event.revision = decision.revision
    event.rule = decision.rule
    event.verdict = decision.verdict
    event.block_class = decision.block_class
    event.repeated = decision.repeated
    event.added = decision.added
    event.emergency = call.emergency
    event.verified = call.verified
    event.errors = decision.errors
    event.caller_status = copy_number(event.caller, sizeof(event.caller), call, F_CALLER)
    event.callee_status = copy_number(event.callee, sizeof(event.callee), call, F_CALLEE)
    copy_field(event.trunk, sizeof(event.trunk), call, F_TRUNK)
    copy_field(event.switch, sizeof(event.switch), call, F_SWITCH)
    copy_field(event.call_id, sizeof(event.call_id), call, F_CALL_ID)
    copy_field(event.imei, sizeof(event.imei), call, F_IMEI)
    copy_field(event.imsi, sizeof(event.imsi), call, F_IMSI)
    copy_field(event.cell, sizeof(event.cell), call, F_CELL)
    event.added_key = 0
    memset(event.added_text, 0, sizeof(event.added_text))
    if decision.added:
        copy_added(event, call, aside.added_field)
    event.trial = aside.trial
    event.would_verdict = aside.would_verdict
    event.would_rule = aside.would_rule


cdef void ring_put(Ring* ring, const Call* call, const Decision* decision, const Aside* aside,
                   Millis now) noexcept nogil:
    # An event's number is its position plus the drops before it. Whoever wins position p read `dropped` after tail
    # became p and before it became p + 1, so the numbers rise with the positions: no second counter to keep in step.
    cdef uint64_t position = ic_load64(&ring.tail)
    cdef uint64_t dropped
    cdef Place* place
    cdef int64_t ahead
    while True:
        dropped = ic_load64(&ring.dropped)
        place = place_of(ring, position)
        ahead = <int64_t>(ic_load64(&place.turn) - position)
        if ahead == 0:
            if ic_cas64(&ring.tail, &position, position + 1):
                break
        elif ahead < 0:         # the event of a round ago is still there
            ic_add64(&ring.dropped, 1)
            return
        else:                   # another producer took the position since
            position = ic_load64(&ring.tail)
    place.event.sequence = position + dropped
    fill(&place.event, call, decision, aside, now)
    ic_store64(&place.turn, position + 1)


cdef uint64_t ring_drain(Ring* ring, Event* out, uint64_t limit) noexcept nogil:
    # Stops at the first event that is still being written: events come out in order.
    cdef uint64_t n = 0
    cdef uint64_t head = ring.head
    cdef Place* place
    while n < limit:
        place = place_of(ring, head)
        if ic_load64(&place.turn) != head + 1:
            break
        out[n] = place.event
        ic_store64(&place.turn, head + ring.mask + 1)
        head += 1
        n += 1
    ic_store64(&ring.head, head)
    return n


cdef class EventRing:

    def __cinit__(self, uint64_t capacity):
        cdef uint64_t nbytes = sizeof(Ring) + capacity * sizeof(Place)
        cdef uint64_t i
        if not 2 <= capacity <= 1 << 24 or capacity & (capacity - 1):
            raise ValueError(f"capacity of the event ring must be a power of two from 2 to 2^24, not {capacity}")
        self.ring = <Ring*>reserve(nbytes)
        if self.ring == NULL:
            raise MemoryError(f"no memory for a ring of {capacity} events")
        self.ring.mask = capacity - 1
        self.ring.nbytes = nbytes
        for i in range(capacity):
            place_of(self.ring, i).turn = i

    def __dealloc__(self):
        if self.ring != NULL:
            release(self.ring, self.ring.nbytes)

    @property
    def capacity(self):
        return self.ring.mask + 1

    @property
    def dropped(self):
        return ic_load64(&self.ring.dropped)

    @property
    def entered(self):
        return ic_load64(&self.ring.tail)

    @property
    def next_sequence(self):
        return ic_load64(&self.ring.tail) + ic_load64(&self.ring.dropped)

    def __len__(self):
        cdef uint64_t head = ic_load64(&self.ring.head)     # first: another thread may drain meanwhile
        return ic_load64(&self.ring.tail) - head

    def drain(self, uint64_t limit=4096):
        cdef uint64_t held = ic_load64(&self.ring.tail) - ic_load64(&self.ring.head)
        cdef uint64_t n = min(limit, held)
        cdef object events = np.empty(n, dtype=EVENT_DTYPE)
        cdef size_t address = events.ctypes.data
        with nogil:
            n = ring_drain(self.ring, <Event*>address, n)
        return events[:n]

    def put(self, texts=None, *, numbers=None, keys=None, now=0, **decision):
        cdef Call call
        cdef Decision answer
        cdef Aside aside
        cdef bytes data
        memset(&call, 0, sizeof(Call))
        memset(&answer, 0, sizeof(Decision))
        memset(&aside, 0, sizeof(Aside))
        for field, text in (texts or {}).items():
            if not 0 <= field < N_FIELDS:
                raise ValueError(f"field {field} is outside 0..{N_FIELDS - 1}")
            data = text
            call.text[<size_t>field].data = <const char*>data
            call.text[<size_t>field].length = <uint32_t>len(data)
        for field, (status, text) in (numbers or {}).items():
            if not 0 <= field < N_NUMBERS or len(text) > 24:
                raise ValueError(f"number field {field} is outside 0..{N_NUMBERS - 1} or longer than 24 bytes")
            data = text
            call.number[<size_t>field].status = status
            call.number[<size_t>field].length = <uint8_t>len(data)
            memcpy(call.number[<size_t>field].text, <const char*>data, len(data))
        for field, key in (keys or {}).items():
            call.key[<size_t>field] = key
        call.emergency = decision.pop("emergency", 0)
        call.verified = decision.pop("verified", 0)
        for name, value in decision.items():
            if name == "id":
                answer.id = value
            elif name == "shadow":
                answer.shadow = value
            elif name == "revision":
                answer.revision = value
            elif name == "rule":
                answer.rule = value
            elif name == "verdict":
                answer.verdict = value
            elif name == "block_class":
                answer.block_class = value
            elif name == "repeated":
                answer.repeated = value
            elif name == "added":
                answer.added = value
            elif name == "errors":
                answer.errors = value
            elif name == "added_field":
                aside.added_field = value
            elif name == "trial":
                aside.trial = value
            elif name == "would_verdict":
                aside.would_verdict = value
            elif name == "would_rule":
                aside.would_rule = value
            else:
                raise TypeError(f"a decision has no field {name}")
        ring_put(self.ring, &call, &answer, &aside, now)

    def put_many(self, uint32_t producer, uint32_t events):
        # Every field of an event says the same: that a drained one is whole can be seen from itself.
        cdef Call call
        cdef Decision answer
        cdef Aside aside
        cdef uint64_t n
        cdef char[16] digits
        cdef uint64_t rest
        cdef int i
        memset(&call, 0, sizeof(Call))
        memset(&answer, 0, sizeof(Decision))
        memset(&aside, 0, sizeof(Aside))
        with nogil:
            call.text[<uint32_t>F_CALLER].data = digits
            call.text[<uint32_t>F_CALLER].length = 16
            call.text[<uint32_t>F_CELL] = call.text[<uint32_t>F_CALLER]
            for n in range(events):
                answer.id = (<uint64_t>producer << 32) | n
                answer.shadow = ~answer.id
                answer.revision = <uint32_t>n
                rest = answer.id
                for i in range(16):
                    digits[15 - i] = <char>(97 + (rest & 15))
                    rest >>= 4
                ring_put(self.ring, &call, &answer, &aside, <Millis>n)
