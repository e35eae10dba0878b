# The bounded table of one kind of entity: finds or makes an entity's record and bumps the columns in it. Owns its
# memory, all of it reserved when the table is made; no clock.
#
# Time inside a set runs in age units (a second, or 1/8192 of the longest window if that is more) and in eras of 8192
# of them. A set remembers the era of its last change; when a later one comes, what is expired is freed, so that the
# 16 bits kept of each entity's last touch are never ambiguous. A set's clock does not go back past its era.
from libc.stdint cimport int16_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from interceptor.engine.atomics cimport ic_add64, ic_load64_relaxed, ic_lock, ic_prefetch, ic_unlock
from interceptor.engine.entities cimport (
    MAX_COLUMNS, PROTECTED, WAYS, Entities, EntityStats, Measured, Touch,
)
from interceptor.engine.keys cimport mix, scale
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.types cimport Key, Millis
from interceptor.engine.windows cimport (
    MEASURE_COUNT, MEASURE_DISTINCT, CountColumn, DistinctColumn, SketchPool, count_bump, count_peek, count_read,
    distinct_bump, distinct_drop, distinct_peek, distinct_read, sketches_free, sketches_new, sketches_stats,
)

cdef extern from * nogil:
    """
    #include <stdint.h>
    /* Tags and ages are written with these, so that a peek without the lock is no data race. */
    #define ic_load16(p)     __atomic_load_n((p), __ATOMIC_RELAXED)
    #define ic_store16(p, v) __atomic_store_n((p), (uint16_t)(v), __ATOMIC_RELAXED)
    /* bit i: the lower 15 bits of tag[i] are `want` (the sixteenth marks an entity seen twice) */
    static inline uint32_t ic_tags_find(const uint16_t* tag, uint16_t want) {
        uint32_t found = 0;
        for (uint32_t i = 0; i < 14; i++) found |= ((tag[i] & 0x7fffu) == want) ? (1u << i) : 0u;
        return found;
    }
    static inline uint32_t ic_first(uint32_t mask) { return (uint32_t)__builtin_ctz(mask); }
    static inline uint32_t ic_bits(uint32_t mask) { return (uint32_t)__builtin_popcount(mask); }
    static inline void ic_look(const void* p) { (void)*(const volatile uint64_t*)p; }
    """
    uint16_t ic_load16(const uint16_t* p) noexcept
    void ic_store16(uint16_t* p, uint32_t v) noexcept
    uint32_t ic_tags_find(const uint16_t* tag, uint16_t want) noexcept
    uint32_t ic_first(uint32_t mask) noexcept
    uint32_t ic_bits(uint32_t mask) noexcept
    void ic_look(const void* p) noexcept

cdef enum:
    ERA = 8192                  # age units; no window is longer
    UNIT_MS = 1000
    SEEN_TWICE = 0x8000         # of a tag
    STRIPES = 16
    KEY_BYTES = 16
    LINE = 64
    PREFETCH_LINES = 8
    NO_WAY = 14

cdef struct EntitySet:          # one cache line
    uint32_t lock
    uint16_t protected_ways     # bit i: way i is protected
    uint16_t era
    uint16_t[14] tag            # 0: free
    uint16_t[14] age            # time of the last touch, in units

cdef struct Column:
    uint32_t offset
    uint32_t measure
    Millis window

cdef struct Stripe:             # counted by set, so that two threads seldom write one line
    uint64_t used
    uint64_t evicted_probation
    uint64_t evicted_protected
    uint64_t[5] unused

cdef struct Entities:
    EntitySet* sets
    char* records
    SketchPool* pool
    uint64_t n_sets
    uint64_t seed
    int64_t unit
    uint32_t horizon            # an entity silent for more units than this is expired
    uint32_t record_bytes
    uint32_t n_columns
    bint distinct               # some column is: records may hold sketches
    Column[32] column
    Stripe[16] stripe

if sizeof(EntitySet) != LINE or sizeof(Stripe) != LINE or sizeof(Touch) != 16:
    raise ImportError("interceptor.engine.entities: struct layout differs from what the kernels were written for")


# -- making and freeing ------------------------------------------------------------------------------------------

# A record that would touch no more lines unaligned stays as it is; any other begins at a line.
cdef inline uint32_t record_size(uint32_t nbytes) noexcept nogil:
    return nbytes if nbytes % LINE == KEY_BYTES else (nbytes + LINE - 1) // LINE * LINE


cdef Entities* entities_new(uint64_t slots, const Measured* columns, uint32_t n, uint32_t sketches,
                            uint64_t seed) noexcept nogil:
    cdef Entities* table = <Entities*>calloc(1, sizeof(Entities))
    cdef uint32_t i, offset = KEY_BYTES
    cdef Millis longest = 1
    if table == NULL:
        return NULL
    for i in range(n):
        table.column[i].offset = offset
        table.column[i].measure = columns[i].measure
        table.column[i].window = columns[i].window
        longest = columns[i].window if columns[i].window > longest else longest
        if columns[i].measure == MEASURE_COUNT:
            offset += sizeof(CountColumn)
        else:
            offset += sizeof(DistinctColumn)
            table.distinct = True
    table.n_columns = n
    table.record_bytes = record_size(offset)
    table.unit = (longest + ERA - 1) // ERA
    if table.unit < UNIT_MS:
        table.unit = UNIT_MS
    table.horizon = <uint32_t>((longest + table.unit - 1) // table.unit)
    table.seed = seed
    table.n_sets = (slots + WAYS - 1) // WAYS if slots else 1
    table.sets = <EntitySet*>reserve(table.n_sets * sizeof(EntitySet))
    table.records = <char*>reserve(table.n_sets * WAYS * table.record_bytes)
    table.pool = sketches_new(sketches if table.distinct else 0, mix(seed, 0x736b65746368))
    if table.sets == NULL or table.records == NULL or table.pool == NULL:
        entities_free(table)
        return NULL
    return table


cdef void entities_free(Entities* table) noexcept nogil:
    if table != NULL:
        release(table.sets, table.n_sets * sizeof(EntitySet))
        release(table.records, table.n_sets * WAYS * table.record_bytes)
        sketches_free(table.pool)
        free(table)


cdef EntityStats entities_stats(Entities* table) noexcept nogil:
    cdef EntityStats stats
    cdef uint32_t i
    memset(&stats, 0, sizeof(stats))
    for i in range(<uint32_t>STRIPES):
        stats.used += ic_load64_relaxed(&table.stripe[i].used)
        stats.evicted_probation += ic_load64_relaxed(&table.stripe[i].evicted_probation)
        stats.evicted_protected += ic_load64_relaxed(&table.stripe[i].evicted_protected)
    stats.slots = table.n_sets * WAYS
    stats.sketches = sketches_stats(table.pool)
    stats.nbytes = table.n_sets * (sizeof(EntitySet) + <uint64_t>WAYS * table.record_bytes)
    stats.nbytes += sizeof(Entities) + stats.sketches.nbytes
    return stats


# -- finding -----------------------------------------------------------------------------------------------------

cdef inline uint64_t hash_of(const Entities* table, Key a, Key b) noexcept nogil:
    return mix(b, mix(a, table.seed))


cdef inline EntitySet* set_of(const Entities* table, uint64_t hashed) noexcept nogil:
    return &table.sets[scale(hashed, table.n_sets)]


cdef inline uint16_t tag_of(uint64_t hashed) noexcept nogil:
    cdef uint16_t tag = <uint16_t>(hashed & 0x7fff)
    return tag if tag else 1


cdef inline uint64_t* record_of(const Entities* table, const EntitySet* s, uint32_t way) noexcept nogil:
    return <uint64_t*>(table.records + (<uint64_t>(s - table.sets) * WAYS + way) * table.record_bytes)


cdef inline uint32_t find_way(const Entities* table, const EntitySet* s, uint64_t hashed, Key a, Key b) noexcept nogil:
    cdef uint32_t found = ic_tags_find(s.tag, tag_of(hashed)), way
    cdef const uint64_t* record
    while found:
        way = ic_first(found)
        record = record_of(table, s, way)
        if record[0] == a and record[1] == b:
            return way
        found &= found - 1
    return NO_WAY


# -- time and replacement ----------------------------------------------------------------------------------------

cdef struct SetTime:
    uint16_t now                # in units, modulo 2^16
    uint16_t era
    bint passed                 # so much later than the last change that everything in the set is expired


cdef inline bint is_empty(const EntitySet* s) noexcept nogil:
    cdef uint32_t way
    for way in range(<uint32_t>WAYS):
        if s.tag[way]:
            return False
    return True


cdef inline SetTime time_of(const Entities* table, const EntitySet* s, Millis now) noexcept nogil:
    cdef SetTime time
    cdef uint64_t units = 0 if now <= 0 else <uint64_t>now // <uint64_t>table.unit
    cdef int16_t eras
    time.era = <uint16_t>(units // ERA)
    time.now = <uint16_t>units
    eras = <int16_t>(time.era - s.era)
    time.passed = eras > 2
    if eras < 0 and not is_empty(s):
        time.era = s.era
        time.now = <uint16_t>(s.era * ERA)
    return time


cdef inline uint32_t age_of(EntitySet* s, uint32_t way, const SetTime* time) noexcept nogil:
    cdef int16_t age = <int16_t>(time.now - ic_load16(&s.age[way]))
    return age if age > 0 else 0


cdef inline bint is_expired(const Entities* table, EntitySet* s, uint32_t way, const SetTime* time) noexcept nogil:
    return time.passed or age_of(s, way, time) > table.horizon


# A free or expired way; else the stalest on probation (there are always two: PROTECTED < WAYS).
cdef inline uint32_t way_for_newcomer(const Entities* table, EntitySet* s, uint32_t protected_ways,
                                      const SetTime* time) noexcept nogil:
    cdef uint32_t way, age, stalest = NO_WAY, most = 0
    for way in range(<uint32_t>WAYS):
        if ic_load16(&s.tag[way]) == 0 or time.passed:
            return way
        age = age_of(s, way, time)
        if age > table.horizon:
            return way
        if not (protected_ways >> way) & 1 and (stalest == NO_WAY or age > most):
            stalest = way
            most = age
    return stalest


cdef inline Stripe* stripe_of(Entities* table, const EntitySet* s) noexcept nogil:
    return &table.stripe[(s - table.sets) % STRIPES]


# An era has gone by since the last change: frees what is expired. Their records keep what they hold (sketches too,
# which the pool's hand may take) until the way is used again.
cdef void sweep(Entities* table, EntitySet* s, const SetTime* time) noexcept nogil:
    cdef uint32_t way, freed = 0
    for way in range(<uint32_t>WAYS):
        if s.tag[way] and is_expired(table, s, way, time):
            ic_store16(&s.tag[way], 0)
            s.protected_ways &= <uint16_t>(~(1 << way))
            freed += 1
    s.era = time.era
    if freed:
        ic_add64(&stripe_of(table, s).used, -<uint64_t>freed)


# Empties a way's record for an entity that is new in it.
cdef void begin(Entities* table, EntitySet* s, uint32_t way, uint64_t hashed, Key a, Key b,
                const SetTime* time) noexcept nogil:
    cdef uint64_t* record = record_of(table, s, way)
    cdef uint32_t i
    if table.distinct:
        for i in range(table.n_columns):
            if table.column[i].measure == MEASURE_DISTINCT:
                distinct_drop(<DistinctColumn*>(<char*>record + table.column[i].offset), table.pool)
    record[0] = a
    record[1] = b
    memset(record + 2, 0, table.record_bytes - KEY_BYTES)
    ic_store16(&s.tag[way], tag_of(hashed))
    ic_store16(&s.age[way], time.now)
    s.protected_ways &= <uint16_t>(~(1 << way))


cdef uint32_t make_room(Entities* table, EntitySet* s, const SetTime* time) noexcept nogil:
    cdef uint32_t way = way_for_newcomer(table, s, s.protected_ways, time)
    if s.tag[way] == 0:
        ic_add64(&stripe_of(table, s).used, 1)
    elif not is_expired(table, s, way, time):
        if s.tag[way] & SEEN_TWICE:
            ic_add64(&stripe_of(table, s).evicted_protected, 1)
        else:
            ic_add64(&stripe_of(table, s).evicted_probation, 1)
    return way


# A second touch: the way is protected; were it the 13th, the stalest protected one goes back on probation.
cdef void protect(EntitySet* s, uint32_t way, const SetTime* time) noexcept nogil:
    cdef uint32_t i, age, stalest = NO_WAY, most = 0
    if ic_bits(s.protected_ways) >= PROTECTED:
        for i in range(<uint32_t>WAYS):
            if (s.protected_ways >> i) & 1:
                age = age_of(s, i, time)
                if stalest == NO_WAY or age > most:
                    stalest = i
                    most = age
        s.protected_ways &= <uint16_t>(~(1 << stalest))
    s.protected_ways |= <uint16_t>(1 << way)
    ic_store16(&s.tag[way], s.tag[way] | SEEN_TWICE)


# -- touching ----------------------------------------------------------------------------------------------------

cdef void entities_prefetch(const Entities* table, Key a, Key b) noexcept nogil:
    ic_prefetch(set_of(table, hash_of(table, a, b)))


# A hint, read without the lock: the first way with the tag, else the one a newcomer would most likely get.
cdef void entities_prefetch_record(const Entities* table, Key a, Key b) noexcept nogil:
    cdef uint64_t hashed = hash_of(table, a, b)
    cdef EntitySet* s = set_of(table, hashed)
    cdef uint16_t want = tag_of(hashed)
    cdef uint32_t way, nbytes
    cdef char* record
    for way in range(<uint32_t>WAYS):
        if (ic_load16(&s.tag[way]) & 0x7fff) == want:
            break
    else:
        way = 0
        while way < WAYS - 1 and ic_load16(&s.tag[way]):
            way += 1
    record = <char*>record_of(table, s, way)
    nbytes = 0
    while nbytes < table.record_bytes and nbytes < PREFETCH_LINES * LINE:
        ic_prefetch(record + nbytes)
        nbytes += LINE


cdef inline int64_t read_column(const Entities* table, const Touch* touch, const char* record,
                                Millis now) noexcept nogil:
    cdef const Column* column = &table.column[touch.column]
    if column.measure == MEASURE_COUNT:
        return count_read(<const CountColumn*>(record + column.offset), column.window, now)
    return distinct_read(<const DistinctColumn*>(record + column.offset), table.pool, column.window, now)


cdef inline int64_t peek_column(const Entities* table, const Touch* touch, const char* record,
                                Millis now) noexcept nogil:
    cdef const Column* column = &table.column[touch.column]
    if column.measure == MEASURE_COUNT:
        return count_peek(<const CountColumn*>(record + column.offset), column.window, now)
    return distinct_peek(<const DistinctColumn*>(record + column.offset), table.pool, touch.element,
                         column.window, now)


cdef inline int64_t bump_column(Entities* table, const Touch* touch, char* record, Millis now) noexcept nogil:
    cdef const Column* column = &table.column[touch.column]
    if column.measure == MEASURE_COUNT:
        return count_bump(<CountColumn*>(record + column.offset), column.window, now)
    return distinct_bump(<DistinctColumn*>(record + column.offset), table.pool, touch.element, column.window, now)


cdef void entities_touch(Entities* table, Key a, Key b, Millis now, const Touch* touches, uint32_t n,
                         int64_t* values, bint peek) noexcept nogil:
    cdef uint64_t hashed = hash_of(table, a, b)
    cdef EntitySet* s = set_of(table, hashed)
    cdef uint32_t way, i, counts = 0
    cdef SetTime time
    cdef char* record = NULL
    for i in range(n):
        counts |= touches[i].counts
    ic_lock(&s.lock)
    time = time_of(table, s, now)
    if counts and not peek and time.era != s.era:
        sweep(table, s, &time)
        time.passed = False
    way = find_way(table, s, hashed, a, b)
    if way != NO_WAY and is_expired(table, s, way, &time):
        if counts and not peek:
            begin(table, s, way, hashed, a, b, &time)          # back after all its windows ran out: as a newcomer
        else:
            way = NO_WAY
    elif counts and not peek:
        if way != NO_WAY:
            if not (s.protected_ways >> way) & 1:
                protect(s, way, &time)
        else:
            way = make_room(table, s, &time)
            begin(table, s, way, hashed, a, b, &time)
    if way == NO_WAY:
        for i in range(n):
            values[touches[i].counter] = peek and touches[i].counts
    else:
        record = <char*>record_of(table, s, way)
        if counts and not peek and age_of(s, way, &time):       # an earlier time makes nobody older
            ic_store16(&s.age[way], time.now)
        for i in range(n):
            if not touches[i].counts:
                values[touches[i].counter] = read_column(table, &touches[i], record, now)
            elif peek:
                values[touches[i].counter] = peek_column(table, &touches[i], record, now)
            else:
                values[touches[i].counter] = bump_column(table, &touches[i], record, now)
    ic_unlock(&s.lock)


cdef uint64_t entities_live(Entities* table, Millis now) noexcept nogil:
    cdef uint64_t live = 0, i
    cdef uint32_t way
    cdef SetTime time
    cdef EntitySet* s
    for i in range(table.n_sets):
        s = &table.sets[i]
        ic_lock(&s.lock)
        time = time_of(table, s, now)
        for way in range(<uint32_t>WAYS):
            live += s.tag[way] != 0 and not is_expired(table, s, way, &time)
        ic_unlock(&s.lock)
    return live


# -- for building and tests --------------------------------------------------------------------------------------

cdef class EntityTable:
    def __cinit__(self, uint64_t slots, columns, uint32_t sketches=0, uint64_t seed=0):
        cdef Measured[32] measured
        cdef uint32_t i
        self.columns = tuple((int(measure), int(window)) for measure, window in columns)
        if not 1 <= len(self.columns) <= MAX_COLUMNS:
            raise ValueError(f"columns: {len(self.columns)} given; a group has 1 to {MAX_COLUMNS}")
        for i, (measure, window) in enumerate(self.columns):
            if measure not in (MEASURE_COUNT, MEASURE_DISTINCT):
                raise ValueError(f"columns[{i}]: measure {measure} is neither count nor distinct")
            if not 1 <= window <= 1 << 40:
                raise ValueError(f"columns[{i}]: a window of {window} ms; it must be 1 to 2^40 ms")
            measured[i].measure = measure
            measured[i].window = window
        if not 1 <= slots <= 1 << 40:
            raise ValueError(f"slots: {slots}; a table holds 1 to 2^40 entities")
        self.table = entities_new(slots, measured, <uint32_t>len(self.columns), sketches, seed)
        if self.table == NULL:
            raise MemoryError(f"the system has no address space for {slots} entities; lower the budget")

    def __dealloc__(self):
        entities_free(self.table)

    def touch(self, Key a, Key b, Millis now, touches, bint peek=False):
        cdef Touch[64] packed
        cdef int64_t[64] values
        cdef uint32_t n = 0, i
        for column, counts, element in touches:
            if n == 64:
                raise ValueError("touches: more than 64")
            if not 0 <= column < self.table.n_columns:
                raise ValueError(f"touches[{n}]: column {column} of a table that has {self.table.n_columns}")
            packed[n].column = column
            packed[n].counts = bool(counts)
            packed[n].counter = n
            packed[n].element = element
            n += 1
        with nogil:
            entities_touch(self.table, a, b, now, packed, n, values, peek)
        return [values[i] for i in range(n)]

    def touch_many(self, const uint64_t[::1] keys_a, const uint64_t[::1] keys_b, const int64_t[::1] now,
                   const uint64_t[::1] elements, int64_t[:, ::1] values=None, uint32_t chunk=64):
        cdef Py_ssize_t n = keys_a.shape[0], start, end, i
        cdef uint32_t k, columns = self.table.n_columns
        cdef Touch[32] touches
        cdef int64_t[32] spare
        cdef int64_t* out
        if keys_b.shape[0] != n or now.shape[0] != n or elements.shape[0] != n:
            raise ValueError("keys_a, keys_b, now and elements differ in length")
        if values is not None and (values.shape[0] != n or values.shape[1] != columns):
            raise ValueError(f"values: shape must be ({n}, {columns})")
        if n == 0:
            return
        cdef const uint64_t* a = &keys_a[0]
        cdef const uint64_t* b = &keys_b[0]
        cdef const int64_t* at = &now[0]
        cdef const uint64_t* element = &elements[0]
        cdef int64_t* base = NULL if values is None else &values[0, 0]
        memset(touches, 0, sizeof(touches))
        for k in range(columns):
            touches[k].column = <uint16_t>k
            touches[k].counter = k
            touches[k].counts = 1
        with nogil:
            start = 0
            while start < n:
                end = start + (chunk if chunk else 1)
                end = n if end > n else end
                if chunk > 1:
                    for i in range(start, end):
                        entities_prefetch(self.table, a[i], b[i])
                    for i in range(start, end):
                        entities_prefetch_record(self.table, a[i], b[i])
                for i in range(start, end):
                    for k in range(columns):
                        touches[k].element = element[i]
                    out = &spare[0] if base == NULL else base + i * columns
                    entities_touch(self.table, a[i], b[i], at[i], touches, columns, out, False)
                start = end

    def floor_many(self, const uint64_t[::1] keys_a, const uint64_t[::1] keys_b, uint32_t chunk=64):
        cdef Py_ssize_t n = keys_a.shape[0], start, end, i
        cdef uint64_t hashed
        cdef uint32_t line, lines = (self.table.record_bytes + LINE - 1) // LINE
        cdef char* record
        if keys_b.shape[0] != n:
            raise ValueError("keys_a and keys_b differ in length")
        with nogil:
            start = 0
            while start < n:
                end = start + (chunk if chunk else 1)
                end = n if end > n else end
                for i in range(start, end if chunk > 1 else start):
                    hashed = hash_of(self.table, keys_a[i], keys_b[i])
                    ic_prefetch(set_of(self.table, hashed))
                    record = <char*>record_of(self.table, set_of(self.table, hashed), hashed % WAYS)
                    for line in range(lines):
                        ic_prefetch(record + line * LINE)
                for i in range(start, end):
                    hashed = hash_of(self.table, keys_a[i], keys_b[i])
                    ic_look(set_of(self.table, hashed))
                    record = <char*>record_of(self.table, set_of(self.table, hashed), hashed % WAYS)
                    for line in range(lines):
                        ic_look(record + line * LINE)
                start = end

    def contains(self, Key a, Key b):
        cdef uint64_t hashed = hash_of(self.table, a, b)
        cdef EntitySet* s = set_of(self.table, hashed)
        cdef bint found
        with nogil:
            ic_lock(&s.lock)
            found = find_way(self.table, s, hashed, a, b) != NO_WAY
            ic_unlock(&s.lock)
        return found

    def set_of(self, Key a, Key b):
        return scale(hash_of(self.table, a, b), self.table.n_sets)

    def live(self, Millis now):
        cdef uint64_t live
        with nogil:
            live = entities_live(self.table, now)
        return live

    @property
    def stats(self):
        return entities_stats(self.table)

    @property
    def used(self):
        return entities_stats(self.table).used

    @property
    def evicted_probation(self):
        return entities_stats(self.table).evicted_probation

    @property
    def evicted_protected(self):
        return entities_stats(self.table).evicted_protected

    @property
    def saturated(self):
        return entities_stats(self.table).sketches.saturated

    @property
    def slots(self):
        return self.table.n_sets * WAYS

    @property
    def record_bytes(self):
        return self.table.record_bytes

    @property
    def nbytes(self):
        return entities_stats(self.table).nbytes
