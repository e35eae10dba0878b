# The time of windows: sub-bucket numbers, and the one-byte stamps in which distinct elements keep theirs. No state.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.engine.types cimport Millis

cdef enum:
    SUB_BUCKETS = 14
    # Sub-bucket numbers run modulo this: the largest number below 2^32 that 14 (ring) and 255 (stamps) both divide,
    # so that ring and stamps go on without a seam where the number wraps.
    CYCLE = 0xFFFFFF00

cdef extern from * nogil:
    """
    #include <stdint.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif
    /* Stamps run 1..255 and round again, 0 is "empty"; a stamp is live while its age is below reach. */
    static inline uint8_t ic_live_stamp(uint8_t s, uint8_t current, uint8_t reach) {
        uint8_t age = (uint8_t)(current - s - (s > current));
        return (uint8_t)((s != 0) & (age < reach));
    }
    /* Of 16 stamps, a bit each: which are live, and which are empty. n is a multiple of 16 below. */
    #if defined(__SSE2__)
    static inline __m128i ic_live_lanes(__m128i s, uint8_t current, uint8_t reach) {
        const __m128i zero = _mm_setzero_si128(), now = _mm_set1_epi8((char)current);
        __m128i behind = _mm_cmpeq_epi8(_mm_subs_epu8(s, now), zero);      /* -1 where s <= current */
        __m128i age = _mm_sub_epi8(_mm_set1_epi8((char)(current - 1)), _mm_add_epi8(s, behind));
        __m128i old = _mm_cmpeq_epi8(_mm_subs_epu8(_mm_set1_epi8((char)reach), age), zero);
        return _mm_andnot_si128(_mm_or_si128(old, _mm_cmpeq_epi8(s, zero)), _mm_set1_epi8(-1));
    }
    static inline uint32_t ic_lanes_number(__m128i lanes) {
        __m128i sums = _mm_sad_epu8(_mm_sub_epi8(_mm_setzero_si128(), lanes), _mm_setzero_si128());
        return (uint32_t)(_mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4));
    }
    static inline uint32_t ic_stamps_live(const uint8_t* s, uint32_t n, uint8_t current, uint8_t reach) {
        uint32_t live = 0;
        for (uint32_t i = 0; i < n; i += 16)
            live += ic_lanes_number(ic_live_lanes(_mm_loadu_si128((const __m128i*)(s + i)), current, reach));
        return live;
    }
    static inline uint32_t ic_stamps_sweep(uint8_t* s, uint32_t n, uint8_t current, uint8_t reach) {
        uint32_t live = 0;
        for (uint32_t i = 0; i < n; i += 16) {
            __m128i stamps = _mm_loadu_si128((const __m128i*)(s + i)), is = ic_live_lanes(stamps, current, reach);
            _mm_storeu_si128((__m128i*)(s + i), _mm_and_si128(stamps, is));
            live += ic_lanes_number(is);
        }
        return live;
    }
    static inline uint32_t ic_live_bits(const uint8_t* s, uint8_t current, uint8_t reach) {
        __m128i stamps = _mm_loadu_si128((const __m128i*)s);
        return (uint32_t)_mm_movemask_epi8(ic_live_lanes(stamps, current, reach));
    }
    static inline uint32_t ic_empty_bits(const uint8_t* s) {
        __m128i stamps = _mm_loadu_si128((const __m128i*)s);
        return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(stamps, _mm_setzero_si128()));
    }
    static inline __m128i ic_equal_4(const uint32_t* e, __m128i x) {
        return _mm_cmpeq_epi32(_mm_loadu_si128((const __m128i*)e), x);
    }
    static inline uint32_t ic_equal_bits(const uint32_t* e, uint32_t x) {
        const __m128i want = _mm_set1_epi32((int)x);
        __m128i low = _mm_packs_epi32(ic_equal_4(e, want), ic_equal_4(e + 4, want));
        __m128i high = _mm_packs_epi32(ic_equal_4(e + 8, want), ic_equal_4(e + 12, want));
        return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(low, high));
    }
    #else
    static inline uint32_t ic_stamps_live(const uint8_t* s, uint32_t n, uint8_t current, uint8_t reach) {
        uint32_t live = 0;
        for (uint32_t i = 0; i < n; i++) live += ic_live_stamp(s[i], current, reach);
        return live;
    }
    static inline uint32_t ic_stamps_sweep(uint8_t* s, uint32_t n, uint8_t current, uint8_t reach) {
        uint32_t live = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint8_t is = ic_live_stamp(s[i], current, reach);
            s[i] = (uint8_t)(is ? s[i] : 0);
            live += is;
        }
        return live;
    }
    static inline uint32_t ic_live_bits(const uint8_t* s, uint8_t current, uint8_t reach) {
        uint32_t bits = 0;
        for (uint32_t i = 0; i < 16; i++) bits |= (uint32_t)ic_live_stamp(s[i], current, reach) << i;
        return bits;
    }
    static inline uint32_t ic_empty_bits(const uint8_t* s) {
        uint32_t bits = 0;
        for (uint32_t i = 0; i < 16; i++) bits |= (uint32_t)(s[i] == 0) << i;
        return bits;
    }
    static inline uint32_t ic_equal_bits(const uint32_t* e, uint32_t x) {
        uint32_t bits = 0;
        for (uint32_t i = 0; i < 16; i++) bits |= (uint32_t)(e[i] == x) << i;
        return bits;
    }
    #endif
    /* bit i: element i is x and live */
    static inline uint32_t ic_elements_find(const uint32_t* e, const uint8_t* s, uint32_t x,
                                            uint8_t current, uint8_t reach) {
        return ic_equal_bits(e, x) & ic_live_bits(s, current, reach);
    }
    static inline uint32_t ic_lowest(uint32_t mask) { return (uint32_t)__builtin_ctz(mask); }
    """
    uint8_t ic_live_stamp(uint8_t stamp, uint8_t current, uint8_t reach) noexcept
    uint32_t ic_stamps_live(const uint8_t* stamps, uint32_t n, uint8_t current, uint8_t reach) noexcept
    uint32_t ic_stamps_sweep(uint8_t* stamps, uint32_t n, uint8_t current, uint8_t reach) noexcept
    uint32_t ic_elements_find(const uint32_t* elements, const uint8_t* stamps, uint32_t element,
                              uint8_t current, uint8_t reach) noexcept
    uint32_t ic_empty_bits(const uint8_t* stamps) noexcept
    uint32_t ic_lowest(uint32_t mask) noexcept

cdef inline uint64_t sub_bucket(Millis window, Millis now) noexcept nogil:
    return 0 if now <= 0 or window <= 0 else <uint64_t>now * SUB_BUCKETS // <uint64_t>window


# Its number in the cycle. Only windows below six seconds have numbers that wrap in this century.
cdef inline uint32_t in_cycle(uint64_t number) noexcept nogil:
    return <uint32_t>number if number < CYCLE else <uint32_t>(number % CYCLE)


# How far `number` is ahead of `epoch`, modulo CYCLE; 0 when it is behind.
cdef inline uint32_t ahead(uint32_t number, uint32_t epoch) noexcept nogil:
    cdef uint32_t d = number - epoch if number >= epoch else number + (CYCLE - epoch)
    return d if d < CYCLE // 2 else 0


cdef inline uint8_t stamp_of(uint32_t epoch) noexcept nogil:
    return <uint8_t>(epoch % 255 + 1)


# How many sub-buckets back a stamp is still live once the window has moved on by d.
cdef inline uint8_t reach_after(uint32_t d) noexcept nogil:
    return <uint8_t>(SUB_BUCKETS - d) if d < SUB_BUCKETS else 0
