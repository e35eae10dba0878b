# A ring of 14 sub-buckets of 16 bits: what of it is left once its window has moved on. No state.
from libc.stdint cimport uint16_t, uint32_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif
    enum { IC_RING = 14 };

    /* `slot` is the newest cell's. Once the ring has moved on by d, the d oldest are gone; all are from 14 on. */
    #if defined(__SSE2__)
    /* Eight cells from `first` on: -1 of each that is left. Two vectors of a ring share cells 6 and 7. */
    static inline __m128i ic_ring_left(uint32_t first, uint32_t slot, uint32_t d) {
        const short f = (short)first, left = (short)(d < IC_RING ? IC_RING - (int)d : 0);
        __m128i cell = _mm_add_epi16(_mm_set_epi16(7, 6, 5, 4, 3, 2, 1, 0), _mm_set1_epi16(f));
        __m128i age = _mm_sub_epi16(_mm_set1_epi16((short)slot), cell);
        age = _mm_add_epi16(age, _mm_and_si128(_mm_srai_epi16(age, 15), _mm_set1_epi16(IC_RING)));
        return _mm_cmpgt_epi16(_mm_set1_epi16(left), age);
    }
    static inline uint32_t ic_ring_added(__m128i low, __m128i high) {
        const __m128i half = _mm_set1_epi32(0xffff);
        __m128i sum;
        high = _mm_srli_si128(high, 4);     /* without those that `low` has too */
        sum = _mm_add_epi32(_mm_add_epi32(_mm_and_si128(low, half), _mm_srli_epi32(low, 16)),
                            _mm_add_epi32(_mm_and_si128(high, half), _mm_srli_epi32(high, 16)));
        sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
        return (uint32_t)_mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
    }
    #define IC_RING_LOW(ring) _mm_loadu_si128((const __m128i*)(ring))
    #define IC_RING_HIGH(ring) _mm_loadu_si128((const __m128i*)((ring) + 6))

    static inline uint32_t ic_ring_sum(const uint16_t* ring) {
        return ic_ring_added(IC_RING_LOW(ring), IC_RING_HIGH(ring));
    }
    static inline uint32_t ic_ring_sum_after(const uint16_t* ring, uint32_t slot, uint32_t d) {
        return ic_ring_added(_mm_and_si128(IC_RING_LOW(ring), ic_ring_left(0, slot, d)),
                             _mm_and_si128(IC_RING_HIGH(ring), ic_ring_left(6, slot, d)));
    }
    static inline void ic_ring_turn(uint16_t* ring, uint32_t slot, uint32_t d) {
        __m128i low = _mm_and_si128(IC_RING_LOW(ring), ic_ring_left(0, slot, d));
        __m128i high = _mm_and_si128(IC_RING_HIGH(ring), ic_ring_left(6, slot, d));
        _mm_storeu_si128((__m128i*)ring, low);
        _mm_storeu_si128((__m128i*)(ring + 6), high);
    }
    #else
    static inline int ic_ring_is_left(uint32_t cell, uint32_t slot, uint32_t d) {
        return (cell <= slot ? slot - cell : slot + IC_RING - cell) + d < IC_RING;
    }
    static inline uint32_t ic_ring_sum(const uint16_t* ring) {
        uint32_t sum = 0;
        for (uint32_t i = 0; i < IC_RING; i++) sum += ring[i];
        return sum;
    }
    static inline uint32_t ic_ring_sum_after(const uint16_t* ring, uint32_t slot, uint32_t d) {
        uint32_t sum = 0;
        if (d >= IC_RING) return 0;
        for (uint32_t i = 0; i < IC_RING; i++) sum += ic_ring_is_left(i, slot, d) ? ring[i] : 0u;
        return sum;
    }
    static inline void ic_ring_turn(uint16_t* ring, uint32_t slot, uint32_t d) {
        d = d < IC_RING ? d : IC_RING;
        for (uint32_t i = 0; i < IC_RING; i++) if (!ic_ring_is_left(i, slot, d)) ring[i] = 0;
    }
    #endif
    """
    enum:
        RING "IC_RING"
    uint32_t ic_ring_sum(const uint16_t* ring) noexcept
    uint32_t ic_ring_sum_after(const uint16_t* ring, uint32_t slot, uint32_t d) noexcept
    void ic_ring_turn(uint16_t* ring, uint32_t slot, uint32_t d) noexcept
