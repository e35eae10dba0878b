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
    /* Stamps run 1..255 and round again, 0 is "empty"; a stamp is live while its age is below reach. */
    static inline uint8_t ic_live_stamp(uint8_t s, uint8_t current, uint8_t reach) {
        uint8_t age = (uint8_t)(current - s - (s > current));
        return (uint8_t)((s != 0) & (age < reach));
    }
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
    /* bit i: element i is x and live */
    static inline uint32_t ic_elements_find(const uint32_t* e, const uint8_t* s, uint32_t x,
                                            uint8_t current, uint8_t reach) {
        uint32_t found = 0;
        for (uint32_t i = 0; i < 16; i++) found |= (e[i] == x) ? (1u << i) : 0u;
        for (uint32_t left = found; left; left &= left - 1) {
            uint32_t i = (uint32_t)__builtin_ctz(left);
            if (!ic_live_stamp(s[i], current, reach)) found &= ~(1u << i);
        }
        return found;
    }
    static inline uint32_t ic_lowest(uint32_t mask) { return (uint32_t)__builtin_ctz(mask); }
    """
    uint8_t ic_live_stamp(uint8_t stamp, uint8_t current, uint8_t reach) noexcept
    uint32_t ic_stamps_live(const uint8_t* stamps, uint32_t n, uint8_t current, uint8_t reach) noexcept
    uint32_t ic_stamps_sweep(uint8_t* stamps, uint32_t n, uint8_t current, uint8_t reach) noexcept
    uint32_t ic_elements_find(const uint32_t* elements, const uint8_t* stamps, uint32_t element,
                              uint8_t current, uint8_t reach) noexcept
    uint32_t ic_lowest(uint32_t mask) noexcept

cdef inline uint64_t sub_bucket(Millis window, Millis now) noexcept nogil:
    return 0 if now <= 0 or window <= 0 else <uint64_t>now * SUB_BUCKETS // <uint64_t>window


# How far `number` is ahead of `epoch`, modulo CYCLE; 0 when it is behind.
cdef inline uint32_t ahead(uint32_t number, uint32_t epoch) noexcept nogil:
    cdef uint32_t d = number - epoch if number >= epoch else number + (CYCLE - epoch)
    return d if d < CYCLE // 2 else 0


cdef inline uint8_t stamp_of(uint32_t epoch) noexcept nogil:
    return <uint8_t>(epoch % 255 + 1)


# How many sub-buckets back a stamp is still live once the window has moved on by d.
cdef inline uint8_t reach_after(uint32_t d) noexcept nogil:
    return <uint8_t>(SUB_BUCKETS - d) if d < SUB_BUCKETS else 0
