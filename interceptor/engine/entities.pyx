# The bounded table of one kind of entity: finds or makes an entity's record and bumps the columns in it. Owns its
# memory, all of it reserved when the table is made; no clock.
from libc.stddef cimport size_t
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from interceptor.engine.ahead cimport Ahead, ahead_fetch, ahead_note
from interceptor.engine.atomics cimport (
    add_lock_waits, ic_add64, ic_changed, ic_changing, ic_held, ic_load64_relaxed, ic_lock, ic_unlock,
)
from interceptor.engine.columns cimport (
    ACT_COUNT, ACT_END, ACT_READ, COLUMN_MAX, MEASURE_DISTINCT, MEASURE_LARGE, N_MEASURES, Column, Pools,
    column_borrows, column_bytes, column_count, column_end, column_peek, column_read,
)
from interceptor.engine.distinct cimport inside_of
from interceptor.engine.entities cimport MAX_COLUMNS, MAX_LARGE, EntityStats, Measured, Touch
from interceptor.engine.entity_records cimport (
    KEY_BYTES, NO_WAY, STRIPES, Entities, Stripe, drop_columns, find_way, hash_of, lines_of, note_record, pool_parts,
    record_of, record_size, set_of, stripe_of, take_way, units_of,
)
from interceptor.engine.entity_sets cimport (
    ALL_WAYS, ERA, WAYS, EntitySet, SetTime, ic_number_of, time_of, vacate, way_expired, ways_expired, ways_free,
)
from interceptor.engine.keys cimport mix, scale
from interceptor.engine.memory cimport Region, region_part
from interceptor.engine.sketches cimport (
    sketches_attach, sketches_bytes, sketches_free, sketches_new, sketches_stats,
)
from interceptor.engine.types cimport Key, Millis

cdef enum:
    UNIT_MS = 1000              # an age unit, at least; more where the longest window is over 8192 of them

if sizeof(EntitySet) != 64 or sizeof(Stripe) != 64 or sizeof(Touch) != 24:
    raise ImportError("interceptor.engine.entities: struct layout differs from what the kernels were written for")

cdef char[COLUMN_MAX] NOTHING   # the columns of an entity that is not there

# -- making and freeing ------------------------------------------------------------------------------------------

# Says what the table is like, and where it is, if there is memory; returns how many bytes it takes.
cdef size_t lay_out(Entities* table, uint64_t slots, const Measured* columns, uint32_t n, uint32_t sketches,
                    char* base) noexcept nogil:
    cdef uint32_t i, offset = KEY_BYTES
    cdef Millis longest = 1
    cdef size_t used = 0
    for i in range(n):
        table.column[i].offset = offset
        table.column[i].measure = columns[i].measure
        table.column[i].window = columns[i].window
        longest = columns[i].window if columns[i].window > longest else longest
        offset += column_bytes(columns[i].measure)
        table.borrower[table.n_borrowers] = <uint8_t>i
        table.n_borrowers += column_borrows(columns[i].measure)
        if columns[i].measure == MEASURE_DISTINCT:
            table.sketches = sketches
        if columns[i].measure == MEASURE_LARGE:
            table.large = min(sketches, <uint32_t>MAX_LARGE)
    table.n_columns = n
    table.record_bytes = record_size(offset)
    table.unit = (longest + ERA - 1) // ERA
    if table.unit < UNIT_MS:
        table.unit = UNIT_MS
    table.horizon = <uint32_t>((longest + table.unit - 1) // table.unit)
    table.n_sets = (slots + WAYS - 1) // WAYS if slots else 1
    table.sets = <EntitySet*>region_part(base, &used, table.n_sets * sizeof(EntitySet))
    table.records = <char*>region_part(base, &used, table.n_sets * WAYS * table.record_bytes)
    table.sketches_at = used
    table.large_at = used + sketches_bytes(table.sketches, inside_of(False))
    return table.large_at + sketches_bytes(table.large, inside_of(True))


cdef size_t entities_bytes(uint64_t slots, const Measured* columns, uint32_t n, uint32_t sketches) noexcept nogil:
    cdef Entities table
    memset(&table, 0, sizeof(table))
    return lay_out(&table, slots, columns, n, sketches, NULL)


cdef Entities* entities_new(uint64_t slots, const Measured* columns, uint32_t n, uint32_t sketches, uint64_t seed,
                            void* memory) noexcept nogil:
    cdef Entities* table = <Entities*>calloc(1, sizeof(Entities))
    cdef Pools* pools
    if table == NULL:
        return NULL
    lay_out(table, slots, columns, n, sketches, <char*>memory)
    table.seed = seed
    pools = &table.pools
    pools.sketches = sketches_new(table.sketches, inside_of(False), mix(seed, 0x736b65746368),
                                  <char*>memory + table.sketches_at)
    pools.registers = sketches_new(table.large, inside_of(True), mix(seed, 0x6c61726765),
                                   <char*>memory + table.large_at)
    if pools.sketches == NULL or pools.registers == NULL:
        entities_free(table)
        return NULL
    return table


cdef void entities_free(Entities* table) noexcept nogil:
    if table != NULL:
        sketches_free(table.pools.sketches)
        sketches_free(table.pools.registers)
        free(table)


# A record that was being changed is dropped; what its set says beside it is whole at every step of a change.
cdef uint64_t entities_attach(Entities* table, bint alive) noexcept nogil:
    cdef uint64_t i, torn = 0
    cdef int way
    cdef EntitySet* s
    if not alive:
        sketches_attach(table.pools.sketches)
        sketches_attach(table.pools.registers)
    for i in range(table.n_sets):
        s = &table.sets[i]
        if ic_held(s.lock) and not alive:
            way = ic_changed(s.lock)
            if way >= 0:
                drop_columns(table, <char*>record_of(table, s, way))
                vacate(s, way)
                torn += 1
            ic_unlock(&s.lock)
        stripe_of(table, s).used += ic_number_of(ALL_WAYS & ~ways_free(s))
    return torn


cdef EntityStats entities_stats(Entities* table) noexcept nogil:
    cdef EntityStats stats
    cdef uint32_t i
    memset(&stats, 0, sizeof(stats))
    for i in range(<uint32_t>STRIPES):
        stats.used += ic_load64_relaxed(&table.stripe[i].used)
        stats.evicted_probation += ic_load64_relaxed(&table.stripe[i].evicted_probation)
        stats.evicted_protected += ic_load64_relaxed(&table.stripe[i].evicted_protected)
    stats.slots = table.n_sets * WAYS
    stats.sketches = sketches_stats(table.pools.sketches)
    stats.large = sketches_stats(table.pools.registers)
    stats.waited = stats.sketches.waited
    add_lock_waits(&stats.waited, &stats.large.waited)
    add_lock_waits(&stats.waited, &table.waited)
    stats.nbytes = table.n_sets * (sizeof(EntitySet) + <uint64_t>WAYS * table.record_bytes)
    stats.nbytes += sizeof(Entities) + stats.sketches.nbytes + stats.large.nbytes
    return stats


# -- touching -----------------------------------------------------------------------------------------------------

cdef void entities_touch(Entities* table, Key a, Key b, uint64_t hashed, Millis now, const Touch* touches, uint32_t n,
                         uint32_t acts, int64_t* values, bint peek) noexcept nogil:
    cdef EntitySet* s = set_of(table, hashed)
    cdef uint32_t way, i
    cdef SetTime time
    cdef const Touch* touch
    cdef const Column* column
    cdef char* record
    cdef char* at
    ic_lock(&s.lock, &table.waited)
    time = time_of(s, units_of(table, now))
    if acts & ACT_COUNT and not peek:
        way = take_way(table, s, hashed, a, b, &time, not touches[0].follows)
    else:
        way = find_way(table, s, hashed, a, b)
        if way != NO_WAY and way_expired(s, &time, table.horizon, way):
            way = NO_WAY
        if way == NO_WAY or peek:
            look(table, s, way, now, touches, n, values)
            ic_unlock(&s.lock)
            return
        if acts:
            ic_changing(&s.lock, way)
    record = <char*>record_of(table, s, way)
    for i in range(n):
        touch = &touches[i]
        column = &table.column[touch.column]
        at = record + column.offset
        if touch.act == ACT_COUNT:
            values[touch.counter] = column_count(column, at, &table.pools, touch.element, touch.amount, now)
        elif touch.act == ACT_READ:
            values[touch.counter] = column_read(column, at, &table.pools, now)
        else:
            values[touch.counter] = column_end(column, at, &table.pools, touch.amount, now)
    ic_unlock(&s.lock)


# What the touches would answer, of an entity that is not there too.
cdef void look(const Entities* table, const EntitySet* s, uint32_t way, Millis now, const Touch* touches, uint32_t n,
               int64_t* values) noexcept nogil:
    cdef const char* record = NULL
    cdef const Touch* touch
    cdef const Column* column
    cdef const char* at
    cdef uint32_t i
    if way != NO_WAY:
        record = <const char*>record_of(table, s, way)
    for i in range(n):
        touch = &touches[i]
        column = &table.column[touch.column]
        at = record + column.offset if record != NULL else &NOTHING[0]
        if touch.act == ACT_READ:
            values[touch.counter] = column_read(column, at, &table.pools, now)
        else:
            values[touch.counter] = column_peek(column, at, &table.pools, touch.element, touch.amount,
                                                touch.act == ACT_END, now)


# The entity goes, whatever it has counted; False when it is not there.
cdef bint entities_forget(Entities* table, Key a, Key b) noexcept nogil:
    cdef uint64_t hashed = hash_of(table, a, b)
    cdef EntitySet* s = set_of(table, hashed)
    cdef uint32_t way
    ic_lock(&s.lock, &table.waited)
    way = find_way(table, s, hashed, a, b)
    if way != NO_WAY:
        ic_changing(&s.lock, way)
        drop_columns(table, <char*>record_of(table, s, way))
        vacate(s, way)
        ic_add64(&stripe_of(table, s).used, <uint64_t>-1)
    ic_unlock(&s.lock)
    return way != NO_WAY


# When the entity was last touched, to the table's unit of time; -1: it is not there, or has expired.
cdef Millis entities_seen(Entities* table, Key a, Key b, Millis now) noexcept nogil:
    cdef uint64_t hashed = hash_of(table, a, b), units = units_of(table, now)
    cdef EntitySet* s = set_of(table, hashed)
    cdef Millis seen = -1
    cdef SetTime time
    cdef uint32_t way
    ic_lock(&s.lock, &table.waited)
    time = time_of(s, units)
    way = find_way(table, s, hashed, a, b)
    if way != NO_WAY and not way_expired(s, &time, table.horizon, way):
        seen = <Millis>(units - <uint64_t>max(<int16_t>(time.now - s.age[way]), 0)) * table.unit
    ic_unlock(&s.lock)
    return seen


cdef uint64_t entities_live(Entities* table, Millis now) noexcept nogil:
    cdef uint64_t live = 0, i, units = units_of(table, now)
    cdef SetTime time
    cdef EntitySet* s
    for i in range(table.n_sets):
        s = &table.sets[i]
        ic_lock(&s.lock, &table.waited)
        time = time_of(s, units)
        live += ic_number_of(ALL_WAYS & ~(ways_free(s) | ways_expired(s, &time, table.horizon)))
        ic_unlock(&s.lock)
    return live


# -- for building and tests --------------------------------------------------------------------------------------

cdef int take_columns(uint64_t slots, columns, Measured* measured) except -1:
    cdef uint32_t i
    if not 1 <= len(columns) <= MAX_COLUMNS:
        raise ValueError(f"columns: {len(columns)} given; a group has 1 to {MAX_COLUMNS}")
    for i, (measure, window) in enumerate(columns):
        if not 0 <= measure < N_MEASURES:
            raise ValueError(f"columns[{i}]: measure {measure}; there are 0 to {N_MEASURES - 1}")
        if not 1 <= window <= 1 << 40:
            raise ValueError(f"columns[{i}]: a window of {window} ms; it must be 1 to 2^40 ms")
        measured[i].measure = measure
        measured[i].window = window
    if not 1 <= slots <= 1 << 40:
        raise ValueError(f"slots: {slots}; a table holds 1 to 2^40 entities")
    return 0


cdef class EntityTable:
    def __cinit__(self, uint64_t slots, columns, uint32_t sketches=0, uint64_t seed=0, Region region=None,
                  bint alive=False):
        cdef Measured[32] measured
        cdef size_t nbytes
        self.columns = tuple((int(measure), int(window)) for measure, window in columns)
        take_columns(slots, self.columns, measured)
        nbytes = entities_bytes(slots, measured, <uint32_t>len(self.columns), sketches)
        if region is not None and region.nbytes != nbytes:
            raise ValueError(f"region: {region.nbytes} bytes for a table of {nbytes}")
        self.region = Region(nbytes) if region is None else region
        self.table = entities_new(slots, measured, <uint32_t>len(self.columns), sketches, seed, self.region.base)
        if self.table == NULL:
            raise MemoryError(f"the system has no memory for {slots} entities; lower the budget")
        if not self.region.fresh:
            with nogil:
                self.torn = entities_attach(self.table, alive)

    @staticmethod
    def bytes_for(uint64_t slots, columns, uint32_t sketches=0):
        cdef Measured[32] measured
        columns = tuple(columns)
        take_columns(slots, columns, measured)
        return entities_bytes(slots, measured, <uint32_t>len(columns), sketches)

    def __dealloc__(self):
        entities_free(self.table)

    def touch(self, Key a, Key b, Millis now, touches, bint peek=False, bint follows=False):
        cdef Touch[64] packed
        cdef int64_t[64] values
        cdef uint32_t n = 0, acts = 0, i
        for column, act, element, amount in touches:
            if n == 64:
                raise ValueError("touches: more than 64")
            if not 0 <= column < self.table.n_columns:
                raise ValueError(f"touches[{n}]: column {column} of a table that has {self.table.n_columns}")
            if not ACT_READ <= act <= ACT_END:
                raise ValueError(f"touches[{n}]: act {act} is neither a read, a count nor an end")
            packed[n].column, packed[n].act, packed[n].follows = column, act, follows
            packed[n].counter, packed[n].element, packed[n].amount = n, element, amount
            acts |= packed[n].act
            n += 1
        with nogil:
            entities_touch(self.table, a, b, hash_of(self.table, a, b), now, packed, n, acts, values, peek)
        return [values[i] for i in range(n)]

    def touch_many(self, const uint64_t[::1] keys_a, const uint64_t[::1] keys_b, const int64_t[::1] now,
                   const uint64_t[::1] elements, int64_t[:, ::1] values=None, uint32_t chunk=64):
        cdef Py_ssize_t n = keys_a.shape[0], start, end, i
        cdef uint32_t k, columns = self.table.n_columns
        cdef uint64_t lines = lines_of(self.table, 0, self.table.record_bytes)
        cdef Ahead ahead
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
        ahead.n = 0
        memset(touches, 0, sizeof(touches))
        for k in range(columns):
            touches[k].column = <uint16_t>k
            touches[k].counter = k
            touches[k].act = ACT_COUNT
        with nogil:
            start = 0
            while start < n:
                end = min(start + max(chunk, <uint32_t>1), n)
                if chunk > 1:
                    for i in range(start, end):
                        ahead_note(&ahead, set_of(self.table, hash_of(self.table, a[i], b[i])), 1)
                    ahead_fetch(&ahead)
                    for i in range(start, end):
                        note_record(&ahead, self.table, hash_of(self.table, a[i], b[i]), lines)
                    ahead_fetch(&ahead)
                for i in range(start, end):
                    for k in range(columns):
                        touches[k].element = element[i]
                    out = &spare[0] if base == NULL else base + i * columns
                    entities_touch(self.table, a[i], b[i], hash_of(self.table, a[i], b[i]), at[i], touches, columns,
                                   ACT_COUNT, out, False)
                start = end

    def contains(self, Key a, Key b):
        cdef uint64_t hashed = hash_of(self.table, a, b)
        cdef EntitySet* s = set_of(self.table, hashed)
        cdef bint found
        with nogil:
            ic_lock(&s.lock, &self.table.waited)
            found = find_way(self.table, s, hashed, a, b) != NO_WAY
            ic_unlock(&s.lock)
        return found

    def set_of(self, Key a, Key b):
        return scale(hash_of(self.table, a, b), self.table.n_sets)

    def locked(self):
        cdef Entities* table = self.table
        cdef const char* base = self.region.base
        parts = [(<char*>table.sets - base, sizeof(EntitySet), table.n_sets, table.records - base,
                  WAYS * table.record_bytes)]
        return parts + pool_parts(table.pools.sketches, base) + pool_parts(table.pools.registers, base)

    def forget(self, Key a, Key b):
        return bool(entities_forget(self.table, a, b))

    def seen(self, Key a, Key b, Millis now):
        cdef Millis seen = entities_seen(self.table, a, b, now)
        return None if seen < 0 else seen

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
    def slots(self):
        return self.table.n_sets * WAYS

    @property
    def record_bytes(self):
        return self.table.record_bytes

    @property
    def nbytes(self):
        return entities_stats(self.table).nbytes
