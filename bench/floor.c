/* The floor of a decision: as many random cache lines as the decision touches, and nothing else done with them. */
#include <stdint.h>

struct table {              /* one kind of thing a decision looks at: slots of the list table, records of callers */
    char *base;
    uint64_t places;
    uint64_t stride;        /* bytes from one place to the next */
    uint32_t lines;         /* cache lines touched of a place, side by side */
    uint32_t thousandths;   /* of the calls that look here at all */
    uint32_t writes;        /* the lines are changed, as those of a counter are */
};

enum { LINE = 64, CHUNK = 64, TABLES = 32 };

static inline uint64_t spread(uint64_t x) {
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

static inline char *place_of(const struct table *t, uint64_t hash) {
    return t->base + (uint64_t)(((unsigned __int128)hash * t->places) >> 64) * t->stride;
}

static inline int looks(const struct table *t, uint64_t call) { return call * 619 % 1000 < t->thousandths; }

static inline uint64_t touch(const struct table *t, char *place) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < t->lines; i++) {
        volatile uint64_t *word = (volatile uint64_t *)(place + (uint64_t)i * LINE);
        uint64_t value = *word;
        sum += value;
        if (t->writes) *word = value + 1;
    }
    return sum;
}

/* One call at a time: its lines do not wait for each other, the next call's wait for all of them. */
uint64_t floor_single(const struct table *tables, uint32_t n, uint64_t calls, uint64_t seed) {
    for (uint64_t call = 0; call < calls; call++) {
        uint64_t sum = 0;
        for (uint32_t k = 0; k < n; k++)
            if (looks(&tables[k], call)) sum += touch(&tables[k], place_of(&tables[k], spread(seed + (call << 5 | k))));
        seed ^= spread(sum) & 1;
    }
    return seed;
}

/* `chunk` calls at a time: the lines of all are fetched ahead, then touched. */
uint64_t floor_batch(const struct table *tables, uint32_t n, uint64_t calls, uint64_t seed, uint32_t chunk) {
    static char *places[CHUNK][TABLES];
    uint64_t sum = 0;
    if (chunk < 1 || chunk > CHUNK || n > TABLES) return 0;
    for (uint64_t first = 0; first < calls; first += chunk) {
        uint32_t some = calls - first < chunk ? (uint32_t)(calls - first) : chunk;
        for (uint32_t c = 0; c < some; c++)
            for (uint32_t k = 0; k < n; k++) {
                char *place = 0;
                if (looks(&tables[k], first + c)) {
                    place = place_of(&tables[k], spread(seed + ((first + c) << 5 | k)));
                    for (uint32_t i = 0; i < tables[k].lines; i++) __builtin_prefetch(place + (uint64_t)i * LINE, 1, 3);
                }
                places[c][k] = place;
            }
        for (uint32_t c = 0; c < some; c++)
            for (uint32_t k = 0; k < n; k++)
                if (places[c][k]) sum += touch(&tables[k], places[c][k]);
    }
    return sum;
}
