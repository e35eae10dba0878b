# One set of the entity table, a cache line: who is in it, who is protected, how stale each is, and whom a newcomer
# replaces. Changes nothing but the line it is given; the caller holds its lock, except for the hint.
#
# Time inside a set runs in age units and in eras of 8192 of them, no window being longer than an era. A set remembers
# the era of its last change; when a later one comes, what is expired is freed, so that the 16 bits kept of each
# entity's last touch are never ambiguous: the age of what is left is below 4 eras. A set's clock does not go back
# past its era; a set nobody has changed for 32,768 eras (8.5 years at least) would take the new time for an old one.
from libc.stdint cimport int16_t, uint16_t, uint32_t, uint64_t

cdef enum:
    WAYS = 14
    PROTECTED = 12
    ERA = 8192

cdef extern from * nogil:
    """
    #include <stdint.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    enum { IC_WAYS = 14, IC_ALL_WAYS = (1 << IC_WAYS) - 1, IC_SEEN_TWICE = 0x8000, IC_STRANGER = 16 };

    typedef struct {
        uint32_t lock;              /* atomics.pxd; it says which way's record is being changed */
        uint16_t protected_ways;    /* bit i: way i is protected */
        uint16_t era;
        uint16_t tag[IC_WAYS];      /* 0: free; 15 bits of the hash, and IC_SEEN_TWICE */
        uint16_t age[IC_WAYS];      /* time of the last touch, in age units modulo 2^16 */
    } ic_entity_set;

    /* Everything but the lock is written with this, so that a look without the lock is no data race. */
    #define ic_store16(p, v) __atomic_store_n((p), (uint16_t)(v), __ATOMIC_RELAXED)

    static inline uint32_t ic_first(uint32_t ways) { return (uint32_t)__builtin_ctz(ways); }
    static inline uint32_t ic_number_of(uint32_t ways) { return (uint32_t)__builtin_popcount(ways); }

    /* Each of these answers with a bit a way. Vectors read 16 lanes from tag[0], and from tag[12] (the two before
       age[0]): both stay inside the line. */
    #if defined(__SSE2__)
    #define IC_TAGS(s, half) _mm_loadu_si128((const __m128i*)((const char*)(s) + 8) + (half))
    #define IC_AGES(s, half) _mm_loadu_si128((const __m128i*)((const char*)(s) + 32) + (half))
    #define IC_LANES(lo, hi) ((uint32_t)_mm_movemask_epi8(_mm_packs_epi16((lo), (hi))))

    static inline uint32_t ic_lanes_tagged(__m128i low, __m128i high, uint16_t want, uint16_t mask) {
        __m128i w = _mm_set1_epi16((short)want), m = _mm_set1_epi16((short)mask);
        return IC_LANES(_mm_cmpeq_epi16(_mm_and_si128(low, m), w),
                        _mm_cmpeq_epi16(_mm_and_si128(high, m), w)) & IC_ALL_WAYS;
    }
    static inline uint32_t ic_ways_tagged(const ic_entity_set* s, uint16_t want, uint16_t mask) {
        return ic_lanes_tagged(IC_TAGS(s, 0), IC_TAGS(s, 1), want, mask);
    }
    /* Without the lock: the first way in use that has the tag, else the first free one, else IC_WAYS. Word by word:
       what is seen may be torn between two changes, never within a tag. Unless it has the tag, IC_STRANGER besides. */
    static inline uint32_t ic_way_glanced(const ic_entity_set* s, uint16_t tag) {
        const long long* word = (const long long*)s;
        #define IC_WORD(i) __atomic_load_n(word + (i), __ATOMIC_RELAXED)
        __m128i low = _mm_set_epi64x(IC_WORD(2), IC_WORD(1)), high = _mm_set_epi64x(IC_WORD(4), IC_WORD(3));
        #undef IC_WORD
        uint32_t ways = ic_lanes_tagged(low, high, tag, 0x7fff);
        if (ways) return ic_first(ways);
        return ic_first(ic_lanes_tagged(low, high, 0, 0xffff) | 1u << IC_WAYS) | IC_STRANGER;
    }
    static inline uint32_t ic_ways_older(const ic_entity_set* s, uint16_t now, uint16_t units) {
        __m128i n = _mm_set1_epi16((short)now), u = _mm_set1_epi16((short)units);
        return IC_LANES(_mm_cmpgt_epi16(_mm_sub_epi16(n, IC_AGES(s, 0)), u),
                        _mm_cmpgt_epi16(_mm_sub_epi16(n, IC_AGES(s, 1)), u)) >> 2;
    }
    /* The first of those longest silent among `ways` (not none); a touch from the future is as young as one now. */
    static inline uint32_t ic_stalest(const ic_entity_set* s, uint16_t now, uint32_t ways) {
        const __m128i zero = _mm_setzero_si128(), n = _mm_set1_epi16((short)now);
        const __m128i lane = _mm_set_epi16(128, 64, 32, 16, 8, 4, 2, 1);
        __m128i lo = _mm_max_epi16(_mm_sub_epi16(n, IC_AGES(s, 0)), zero);
        __m128i hi = _mm_max_epi16(_mm_sub_epi16(n, IC_AGES(s, 1)), zero);
        __m128i out_lo = _mm_cmpeq_epi16(_mm_and_si128(_mm_set1_epi16((short)(ways << 2 & 255)), lane), zero);
        __m128i out_hi = _mm_cmpeq_epi16(_mm_and_si128(_mm_set1_epi16((short)(ways >> 6 & 255)), lane), zero);
        __m128i most;
        lo = _mm_or_si128(lo, out_lo);      /* -1: not among them */
        hi = _mm_or_si128(hi, out_hi);
        most = _mm_max_epi16(lo, hi);
        most = _mm_max_epi16(most, _mm_shuffle_epi32(most, 0x4e));
        most = _mm_max_epi16(most, _mm_shuffle_epi32(most, 0xb1));
        most = _mm_max_epi16(most, _mm_or_si128(_mm_slli_epi32(most, 16), _mm_srli_epi32(most, 16)));
        return ic_first((IC_LANES(_mm_cmpeq_epi16(lo, most), _mm_cmpeq_epi16(hi, most)) >> 2) & ways);
    }
    #else
    static inline uint32_t ic_ways_tagged(const ic_entity_set* s, uint16_t want, uint16_t mask) {
        uint32_t ways = 0;
        for (uint32_t i = 0; i < IC_WAYS; i++) ways |= (uint32_t)((s->tag[i] & mask) == want) << i;
        return ways;
    }
    static inline uint32_t ic_way_glanced(const ic_entity_set* s, uint16_t tag) {
        uint32_t ways = 0, unused = 1u << IC_WAYS;
        for (uint32_t i = 0; i < IC_WAYS; i++) {
            uint16_t is = __atomic_load_n(&s->tag[i], __ATOMIC_RELAXED);
            ways |= (uint32_t)((is & 0x7fff) == tag) << i;
            unused |= (uint32_t)(is == 0) << i;
        }
        return ways ? ic_first(ways) : ic_first(unused) | IC_STRANGER;
    }
    static inline uint32_t ic_ways_older(const ic_entity_set* s, uint16_t now, uint16_t units) {
        uint32_t ways = 0;
        for (uint32_t i = 0; i < IC_WAYS; i++)
            ways |= (uint32_t)((int16_t)(uint16_t)(now - s->age[i]) > (int16_t)units) << i;
        return ways;
    }
    static inline uint32_t ic_stalest(const ic_entity_set* s, uint16_t now, uint32_t ways) {
        uint32_t stalest = ic_first(ways);
        int most = -1;
        for (uint32_t left = ways; left; left &= left - 1) {
            int age = (int16_t)(uint16_t)(now - s->age[ic_first(left)]);
            if (age < 0) age = 0;
            if (age > most) { most = age; stalest = ic_first(left); }
        }
        return stalest;
    }
    #endif

    /* A copy for the hint, word by word: it may be torn between two changes, never within a tag. */
    static inline void ic_glance(const ic_entity_set* s, ic_entity_set* copy) {
        const uint64_t* from = (const uint64_t*)s;
        uint64_t* to = (uint64_t*)copy;
        for (int i = 0; i < 8; i++) to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
    }
    """
    ctypedef struct EntitySet "ic_entity_set":
        uint32_t lock
        uint16_t protected_ways
        uint16_t era
        uint16_t[14] tag
        uint16_t[14] age
    enum:
        ALL_WAYS "IC_ALL_WAYS"
        SEEN_TWICE "IC_SEEN_TWICE"
        STRANGER "IC_STRANGER"
    void ic_store16(uint16_t* p, uint32_t v) noexcept
    uint32_t ic_first(uint32_t ways) noexcept
    uint32_t ic_number_of(uint32_t ways) noexcept
    uint32_t ic_ways_tagged(const EntitySet* s, uint16_t want, uint16_t mask) noexcept
    uint32_t ic_ways_older(const EntitySet* s, uint16_t now, uint16_t units) noexcept
    uint32_t ic_way_glanced(const EntitySet* s, uint16_t tag) noexcept
    uint32_t ic_stalest(const EntitySet* s, uint16_t now, uint32_t ways) noexcept
    void ic_glance(const EntitySet* s, EntitySet* copy) noexcept

cdef struct SetTime:
    uint16_t now                # in age units, modulo 2^16
    uint16_t era
    bint passed                 # so much later than the last change that everything in the set is expired


# Ways in use, whose 15 bits of hash are `tag`
cdef inline uint32_t ways_with(const EntitySet* s, uint16_t tag) noexcept nogil:
    return ic_ways_tagged(s, tag, 0x7fff)


cdef inline uint32_t ways_free(const EntitySet* s) noexcept nogil:
    return ic_ways_tagged(s, 0, 0xffff)


# `units` since 1970
cdef inline SetTime time_of(const EntitySet* s, uint64_t units) noexcept nogil:
    cdef SetTime time
    cdef int16_t eras
    time.era = <uint16_t>(units // ERA)
    time.now = <uint16_t>units
    eras = <int16_t>(time.era - s.era)
    time.passed = eras > 2
    if eras < 0 and ways_free(s) != ALL_WAYS:
        time.era = s.era
        time.now = <uint16_t>(s.era * ERA)
    return time


# Ways in use, silent for more than `horizon` units
cdef inline uint32_t ways_expired(const EntitySet* s, const SetTime* time, uint32_t horizon) noexcept nogil:
    return (ALL_WAYS if time.passed else ic_ways_older(s, time.now, <uint16_t>horizon)) & ~ways_free(s)


# The same of one that is in use
cdef inline bint way_expired(const EntitySet* s, const SetTime* time, uint32_t horizon, uint32_t way) noexcept nogil:
    return time.passed or <int16_t>(time.now - s.age[way]) > <int16_t>horizon


# A free or expired way; else the stalest on probation (there are always two: PROTECTED < WAYS).
cdef inline uint32_t way_for_newcomer(const EntitySet* s, const SetTime* time, uint32_t horizon) noexcept nogil:
    cdef uint32_t ways = ways_free(s) | ways_expired(s, time, horizon)
    return ic_first(ways) if ways else ic_stalest(s, time.now, ALL_WAYS & ~<uint32_t>s.protected_ways)


# Where, as far as one can see without the lock, the entity is; or will be, then STRANGER besides.
cdef inline uint32_t way_hinted(const EntitySet* s, uint16_t tag) noexcept nogil:
    cdef EntitySet seen
    cdef uint32_t way = ic_way_glanced(s, tag)
    if way != (WAYS | STRANGER):
        return way
    ic_glance(s, &seen)
    way = ic_stalest(&seen, <uint16_t>(seen.era * ERA + (ERA - 1)), ALL_WAYS & ~<uint32_t>seen.protected_ways)
    return way | STRANGER


cdef inline void set_protected(EntitySet* s, uint32_t ways) noexcept nogil:
    ic_store16(&s.protected_ways, ways)


# A second touch: the way is protected; were it the 13th, the stalest protected one goes back on probation.
cdef inline void protect(EntitySet* s, uint32_t way, const SetTime* time) noexcept nogil:
    cdef uint32_t ways = s.protected_ways
    if (ways >> way) & 1:
        return
    if ic_number_of(ways) >= PROTECTED:
        ways &= ~(<uint32_t>1 << ic_stalest(s, time.now, ways))
    set_protected(s, ways | (<uint32_t>1 << way))
    ic_store16(&s.tag[way], s.tag[way] | SEEN_TWICE)


# Notes a touch; an earlier time makes nobody older.
cdef inline void note_touch(EntitySet* s, uint32_t way, const SetTime* time) noexcept nogil:
    if <int16_t>(time.now - s.age[way]) > 0:
        ic_store16(&s.age[way], time.now)


cdef inline void occupy(EntitySet* s, uint32_t way, uint16_t tag, const SetTime* time) noexcept nogil:
    ic_store16(&s.tag[way], tag)
    ic_store16(&s.age[way], time.now)
    set_protected(s, s.protected_ways & ~(<uint32_t>1 << way))


# Nobody is in the way any more.
cdef inline void vacate(EntitySet* s, uint32_t way) noexcept nogil:
    ic_store16(&s.tag[way], 0)
    set_protected(s, s.protected_ways & ~(<uint32_t>1 << way))


# A later era has begun: frees what is expired; how many that were.
cdef inline uint32_t begin_era(EntitySet* s, SetTime* time, uint32_t horizon) noexcept nogil:
    cdef uint32_t ways = ways_expired(s, time, horizon), left = ways
    while left:
        ic_store16(&s.tag[ic_first(left)], 0)
        left &= left - 1
    set_protected(s, s.protected_ways & ~ways)
    ic_store16(&s.era, time.era)
    time.passed = False
    return ic_number_of(ways)
