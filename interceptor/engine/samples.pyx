# Recent calls (contract: samples.pxd): taking one, the ring they wait in, and reading one back.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from interceptor.engine.atomics cimport ic_add64, ic_cas64, ic_load64, ic_store64
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.types cimport F_CALLER, F_TAG, MAX_TAGS, N_FIELDS

cdef enum:
    MAGIC = 0x31534349          # "ICS1": records are kept in memory alone, one layout is enough

# turn == p: free for the p-th record put; p + 1: holds it; p + SAMPLE_SLOTS: drained, free for the next round.
cdef struct Place:
    uint64_t turn
    char[8192] record

cdef struct Samples:
    uint64_t last               # the time of the last sample, as it is bits
    uint64_t tail               # records put
    uint64_t dropped
    uint64_t head               # records drained
    Place[256] place

if sizeof(Sample) != 192 or sizeof(Place) != SAMPLE_BYTES + 8:
    raise ImportError("interceptor.engine.samples: struct layout differs from what the kernel was written for")


cdef inline uint32_t texts_size(const Call* call) noexcept nogil:
    cdef uint32_t field, size = 0
    for field in range(N_FIELDS):
        if field != F_CALLER:
            size += call.text[field].length
    return size


# Never twice within SAMPLE_MS, whichever way the clock went since: it may step back in a replay.
cdef inline bint take_turn(Samples* ring, Millis* sampled, Millis now) noexcept nogil:
    cdef uint64_t last = ic_load64(&ring.last)
    cdef uint64_t since = <uint64_t>now - last, until = last - <uint64_t>now
    if since < SAMPLE_MS or until < SAMPLE_MS:
        sampled[0] = <Millis>last
        return False
    sampled[0] = now
    return ic_cas64(&ring.last, &last, <uint64_t>now)


# -> NULL when the ring is full
cdef Place* claim(Samples* ring, uint64_t* position) noexcept nogil:
    cdef Place* place
    cdef int64_t ahead
    position[0] = ic_load64(&ring.tail)
    while True:
        place = &ring.place[position[0] % SAMPLE_SLOTS]
        ahead = <int64_t>(ic_load64(&place.turn) - position[0])
        if ahead == 0:
            if ic_cas64(&ring.tail, position, position[0] + 1):
                return place
        elif ahead < 0:
            return NULL
        else:
            position[0] = ic_load64(&ring.tail)


cdef void sample_put(Samples* ring, Millis* sampled, const Call* call, const Decision* decision, bint graced,
                     Millis now, const Meanings* meanings, const int64_t* counter,
                     const uint8_t* readable) noexcept nogil:
    cdef uint32_t i, counters = 0 if call.emergency else meanings.counters
    cdef uint32_t size = sizeof(Sample) + 16 * counters + texts_size(call)
    cdef uint64_t position
    cdef Place* place
    cdef Sample* sample
    cdef uint64_t* identity
    cdef int64_t* value
    cdef char* at
    if not take_turn(ring, sampled, now):
        return
    place = NULL if size > SAMPLE_BYTES else claim(ring, &position)
    if place == NULL:
        ic_add64(&ring.dropped, 1)
        return
    sample = <Sample*>place.record
    sample.magic, sample.size, sample.time = MAGIC, size, now
    sample.decision, sample.revision, sample.rule = decision.id, decision.revision, decision.rule
    sample.verdict, sample.block_class = decision.verdict, decision.block_class
    sample.emergency, sample.graced, sample.counters = call.emergency, graced, <uint16_t>counters
    memcpy(sample.scalar, call.scalar, sizeof(sample.scalar))
    sample.present = call.present
    memcpy(sample.tag, meanings.tag, sizeof(sample.tag))
    identity = <uint64_t*>(sample + 1)
    value = <int64_t*>(identity + counters)
    for i in range(counters):
        identity[i] = meanings.counter[i]
        value[i] = counter[i] if readable[i] else <int64_t>UNREADABLE
    at = <char*>(value + counters)
    for i in range(N_FIELDS):
        sample.length[i] = 0 if i == F_CALLER else <uint16_t>call.text[i].length
        if sample.length[i]:
            memcpy(at, call.text[i].data, sample.length[i])
            at += sample.length[i]
    ic_store64(&place.turn, position + 1)


# ---- reading one back ----------------------------------------------------------------------------------------

cdef const uint64_t* sample_counters(const Sample* sample) noexcept nogil:
    return <const uint64_t*>(sample + 1)


cdef const int64_t* sample_values(const Sample* sample) noexcept nogil:
    return <const int64_t*>(sample_counters(sample) + sample.counters)


cdef const Sample* sample_read(const char* data, size_t n, const Meanings* meanings, Call* call,
                               uint32_t* unknown) noexcept nogil:
    cdef const Sample* sample = <const Sample*>data
    cdef const char* at
    cdef const char* text[8]
    cdef uint32_t i, k
    cdef size_t size = sizeof(Sample)
    if n < sizeof(Sample) or sample.magic != MAGIC or sample.size != n:
        return NULL
    size += 16 * <size_t>sample.counters
    for i in range(N_FIELDS):
        size += sample.length[i]
    if size != n:
        return NULL
    memset(call, 0, sizeof(Call))
    memcpy(call.scalar, sample.scalar, sizeof(call.scalar))
    call.present = sample.present
    at = data + sizeof(Sample) + 16 * <size_t>sample.counters
    for i in range(N_FIELDS):
        if i >= F_TAG:
            text[i - F_TAG] = at
        elif sample.length[i]:
            call.text[i].data, call.text[i].length = at, sample.length[i]
        at += sample.length[i]
    unknown[0] = 0
    for i in range(MAX_TAGS):
        if meanings.tag[i] == 0:
            continue
        for k in range(MAX_TAGS):
            if sample.tag[k] == meanings.tag[i]:
                break
        else:
            unknown[0] |= <uint32_t>1 << i
            continue
        if sample.length[F_TAG + k]:
            call.text[F_TAG + i].data, call.text[F_TAG + i].length = text[k], sample.length[F_TAG + k]
    return sample


cdef class SampleRing:

    def __cinit__(self):
        cdef uint64_t i
        self.ring = <Samples*>reserve(sizeof(Samples))
        if self.ring == NULL:
            raise MemoryError("no memory for the ring of recent calls")
        for i in range(<uint64_t>SAMPLE_SLOTS):
            self.ring.place[i].turn = i

    def __dealloc__(self):
        if self.ring != NULL:
            release(self.ring, sizeof(Samples))

    def drain(self, Py_ssize_t limit):
        # Stops at the first record that is still being written: they come out in order.
        cdef Place* place
        cdef uint64_t head = self.ring.head
        drained = []
        while len(drained) < limit:
            place = &self.ring.place[head % SAMPLE_SLOTS]
            if ic_load64(&place.turn) != head + 1:
                break
            drained.append(place.record[:(<Sample*>place.record).size])
            ic_store64(&place.turn, head + SAMPLE_SLOTS)
            head += 1
        self.ring.head = head
        return drained

    @property
    def dropped(self):
        return ic_load64(&self.ring.dropped)
