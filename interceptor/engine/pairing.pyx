# Calls that began and ended together (contract: pairing.pxd). Places lie in sets of four; a set is one cache line, and
# a place's calls are a ring beside it. Every access of a set is under its lock, held for one look over a ring.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from interceptor.engine.ahead cimport Ahead, ahead_note
from interceptor.engine.atomics cimport (
    LockWaits, ic_add64, ic_load8, ic_load64_relaxed, ic_lock, ic_store8, ic_store64_relaxed, ic_unlock,
)
from interceptor.engine.keys cimport mix, scale
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.pairing cimport RING, PairingStats
from interceptor.engine.types cimport Key, Millis

cdef enum:
    PLACES = 4                  # of a set
    QUARTER = RING // 4

cdef struct PlaceSet:           # 64 bytes
    uint32_t lock
    uint8_t[4] next             # where a place's next call goes in its ring
    uint8_t[4] filled           # calls in the ring
    uint32_t unused
    Key[4] place                # 0: there is none
    uint64_t[2] spare

cdef struct Ended:
    Key who
    Millis began
    Millis ended

cdef struct Ring:               # of one place: 1,600 bytes
    uint64_t paired             # bit i: call i went with another
    Millis[4] latest            # end of the calls that were ever in a quarter of it: most places need no look further
    uint64_t[3] unused
    Ended[64] call

cdef struct Pairing:
    PlaceSet* sets
    Ring* rings
    uint64_t n_sets
    uint64_t seed
    Millis apart
    uint64_t used
    uint64_t evicted
    uint64_t crowded
    LockWaits waited

if sizeof(PlaceSet) != 64 or sizeof(Ring) != 64 + 3 * 8 * RING or 4 * QUARTER != RING:
    raise ImportError("interceptor.engine.pairing: struct layout differs from what the kernel was written for")


cdef Pairing* pairing_new(uint64_t places, Millis apart, uint64_t seed) noexcept nogil:
    cdef Pairing* pairing = <Pairing*>calloc(1, sizeof(Pairing))
    if pairing == NULL:
        return NULL
    pairing.n_sets = (places + PLACES - 1) // PLACES if places else 1
    pairing.apart = apart
    pairing.seed = seed
    pairing.sets = <PlaceSet*>reserve(pairing.n_sets * sizeof(PlaceSet))
    pairing.rings = <Ring*>reserve(pairing.n_sets * PLACES * sizeof(Ring))
    if pairing.sets == NULL or pairing.rings == NULL:
        pairing_free(pairing)
        return NULL
    return pairing


cdef void pairing_free(Pairing* pairing) noexcept nogil:
    if pairing != NULL:
        release(pairing.sets, pairing.n_sets * sizeof(PlaceSet))
        release(pairing.rings, pairing.n_sets * PLACES * sizeof(Ring))
        free(pairing)


cdef PairingStats pairing_stats(Pairing* pairing) noexcept nogil:
    cdef PairingStats stats
    stats.places = pairing.n_sets * PLACES
    stats.used = ic_load64_relaxed(&pairing.used)
    stats.evicted = ic_load64_relaxed(&pairing.evicted)
    stats.crowded = ic_load64_relaxed(&pairing.crowded)
    stats.nbytes = sizeof(Pairing) + pairing.n_sets * (sizeof(PlaceSet) + PLACES * sizeof(Ring))
    return stats


cdef inline PlaceSet* set_of(const Pairing* pairing, Key place) noexcept nogil:
    return &pairing.sets[scale(mix(place, pairing.seed), pairing.n_sets)]


cdef const void* pairing_set(const Pairing* pairing, Key place) noexcept nogil:
    return set_of(pairing, place)


cdef inline Ring* ring_of(const Pairing* pairing, const PlaceSet* s, uint32_t way) noexcept nogil:
    return &pairing.rings[<uint64_t>(s - pairing.sets) * PLACES + way]


cdef inline Millis last_end(const Pairing* pairing, const PlaceSet* s, uint32_t way) noexcept nogil:
    return ring_of(pairing, s, way).call[(s.next[way] + RING - 1) % RING].ended


cdef void pairing_note(const Pairing* pairing, Key place, Ahead* ahead) noexcept nogil:
    cdef const PlaceSet* s = set_of(pairing, place)
    cdef const Ring* ring
    cdef uint32_t way
    for way in range(<uint32_t>PLACES):
        if ic_load64_relaxed(&s.place[way]) == place:
            ring = ring_of(pairing, s, way)
            ahead_note(ahead, ring, 1)
            ahead_note(ahead, &ring.call[ic_load8(&s.next[way])], 1)
            return


# The way of a place; one that is new takes a free one, or that of the place where a call ended the longest ago.
cdef uint32_t take_way(Pairing* pairing, PlaceSet* s, Key place) noexcept nogil:
    cdef uint32_t way, stalest = 0
    for way in range(<uint32_t>PLACES):
        if s.place[way] == place:
            return way
    for way in range(<uint32_t>PLACES):
        if s.place[way] == 0:
            ic_add64(&pairing.used, 1)
            stalest = way
            break
        if last_end(pairing, s, way) < last_end(pairing, s, stalest):
            stalest = way
    else:
        ic_add64(&pairing.evicted, 1)
    memset(ring_of(pairing, s, stalest).latest, 0, 4 * sizeof(Millis))
    ic_store64_relaxed(&s.place[stalest], place)
    ic_store8(&s.next[stalest], 0)
    s.filled[stalest] = 0
    return stalest


cdef inline bint within(Millis a, Millis b, Millis apart) noexcept nogil:
    return (a - b if a > b else b - a) <= apart


cdef uint32_t pairing_ended(Pairing* pairing, Key place, Key who, Millis began, Millis ended, Key* partners,
                            uint32_t most, uint64_t* anew) noexcept nogil:
    cdef PlaceSet* s = set_of(pairing, place)
    cdef uint32_t way, quarter, i, k, slot, n = 0
    cdef uint64_t told = 0
    cdef Ring* ring
    cdef const Ended* call
    anew[0] = 0
    ic_lock(&s.lock, &pairing.waited)
    way = take_way(pairing, s, place)
    ring = ring_of(pairing, s, way)
    for quarter in range((s.filled[way] + QUARTER - 1) // QUARTER):
        if ring.latest[quarter] < ended - pairing.apart:
            continue
        for i in range(quarter * QUARTER, min((quarter + 1) * QUARTER, <uint32_t>s.filled[way])):
            call = &ring.call[i]
            if not within(call.ended, ended, pairing.apart) or not within(call.began, began, pairing.apart) \
                    or call.who == who:
                continue
            for k in range(n):
                if partners[k] == call.who:
                    break
            else:
                if n < most:
                    partners[n] = call.who
                    anew[0] |= (~(ring.paired >> i) & 1) << n
                    told |= <uint64_t>1 << i
                    n += 1
    slot = s.next[way]
    if s.filled[way] < RING:
        s.filled[way] += 1
    elif ended - ring.call[slot].ended <= pairing.apart:
        ic_add64(&pairing.crowded, 1)
    ring.paired = (ring.paired | told) & ~(<uint64_t>1 << slot) | <uint64_t>(n != 0) << slot
    ring.call[slot].who, ring.call[slot].began, ring.call[slot].ended = who, began, ended
    ring.latest[slot // QUARTER] = max(ring.latest[slot // QUARTER], ended)
    ic_store8(&s.next[way], <uint8_t>((slot + 1) % RING))
    ic_unlock(&s.lock)
    return n


# -- for building and tests --------------------------------------------------------------------------------------

cdef class PairingTable:
    def __cinit__(self, uint64_t places, Millis apart_ms, uint64_t seed=0):
        if not 1 <= places <= 1 << 32:
            raise ValueError(f"places: {places}; a table is for 1 to {1 << 32}")
        if not 0 <= apart_ms <= 1 << 40:
            raise ValueError(f"apart_ms: {apart_ms}; it must be 0 to 2^40 ms")
        self.pairing = pairing_new(places, apart_ms, seed)
        if self.pairing == NULL:
            raise MemoryError(f"the system has no memory for the calls of {places} places; lower the budget")

    def __dealloc__(self):
        pairing_free(self.pairing)

    def ended(self, Key place, Key who, Millis began, Millis ended, uint32_t most=RING):
        cdef Key[RING] partners
        cdef uint64_t anew
        cdef uint32_t n, i
        if not place or not who:
            raise ValueError("place and who: a key is not 0")
        with nogil:
            n = pairing_ended(self.pairing, place, who, began, ended, partners, min(most, <uint32_t>RING), &anew)
        return [(partners[i], bool((anew >> i) & 1)) for i in range(n)]

    @property
    def stats(self):
        return pairing_stats(self.pairing)
