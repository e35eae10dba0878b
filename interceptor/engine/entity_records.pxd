# Where an entity's record is in its table, and who makes room for a newcomer. Changes the table's memory alone; the
# caller holds the lock of the set, except for what finds.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from interceptor.engine.ahead cimport Ahead, ahead_note_lines
from interceptor.engine.atomics cimport LockWaits, ic_add64, ic_changing
from interceptor.engine.columns cimport Column, Pools, column_bytes, column_drop
from interceptor.engine.entity_sets cimport (
    SEEN_TWICE, STRANGER, WAYS, EntitySet, SetTime, begin_era, ic_first, note_touch, occupy, protect, way_expired,
    way_for_newcomer, way_hinted, ways_with,
)
from interceptor.engine.keys cimport mix, scale
from interceptor.engine.sketches cimport Sketch, SketchPool
from interceptor.engine.types cimport Key, Millis

cdef enum:
    STRIPES = 16
    KEY_BYTES = 16
    RECORD_LINE = 64
    NO_WAY = 14

cdef struct Stripe:             # counted by set, so that two threads seldom write one line
    uint64_t used
    uint64_t evicted_probation
    uint64_t evicted_protected
    uint64_t[5] unused

cdef struct Entities:
    EntitySet* sets
    char* records
    Pools pools
    uint64_t n_sets
    uint64_t seed
    int64_t unit
    uint32_t horizon            # an entity silent for more units than this is expired
    uint32_t record_bytes
    uint32_t n_columns
    uint32_t sketches
    uint32_t large
    uint64_t sketches_at        # where in the memory they begin
    uint64_t large_at
    Column[32] column
    uint8_t[32] borrower        # the columns that borrow
    uint32_t n_borrowers
    Stripe[16] stripe
    LockWaits waited            # for the sets' locks

# The least that lets no record touch a line more than one that begins at a line: what is over the last whole line is
# rounded up to a power of two, which then divides every offset.
cdef inline uint32_t record_size(uint32_t nbytes) noexcept nogil:
    cdef uint32_t over = nbytes % RECORD_LINE, place = 8
    while place < over:
        place *= 2
    return nbytes - over + place if over else nbytes


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


# The lines that n bytes of a record may be in, a bit a line from the one in which the record begins.
cdef inline uint64_t lines_of(const Entities* table, uint32_t at, uint32_t n) noexcept nogil:
    cdef uint32_t apart = table.record_bytes & (~table.record_bytes + 1), begins = 0
    cdef uint64_t lines = 0
    while begins < RECORD_LINE:             # where in a line one may begin
        lines |= ((<uint64_t>2 << ((begins + at + n - 1) // RECORD_LINE)) - 1) & \
            ~((<uint64_t>1 << ((begins + at) // RECORD_LINE)) - 1)
        begins += apart
    return lines


cdef inline uint64_t lines_of_key(const Entities* table) noexcept nogil:
    return lines_of(table, 0, KEY_BYTES)


cdef inline uint64_t lines_of_column(const Entities* table, uint32_t column) noexcept nogil:
    return lines_of(table, table.column[column].offset, column_bytes(table.column[column].measure))


# Notes what a touch of an entity will need of its record, as far as one can see without the lock where it is or will
# be: those lines; of a newcomer's all, for it is emptied.
cdef inline void note_record(Ahead* ahead, const Entities* table, uint64_t hashed, uint64_t lines) noexcept nogil:
    cdef const EntitySet* s = set_of(table, hashed)
    cdef uint32_t way = way_hinted(s, tag_of(hashed))
    if way & STRANGER:
        lines = ((<uint64_t>1 << ((table.record_bytes + RECORD_LINE - 1) // RECORD_LINE)) - 1)
    ahead_note_lines(ahead, record_of(table, s, way & ~<uint32_t>STRANGER), lines)


cdef inline uint32_t find_way(const Entities* table, const EntitySet* s, uint64_t hashed, Key a, Key b) noexcept nogil:
    cdef uint32_t found = ways_with(s, tag_of(hashed)), way
    cdef const uint64_t* record
    while found:
        way = ic_first(found)
        record = record_of(table, s, way)
        if record[0] == a and record[1] == b:
            return way
        found &= found - 1
    return NO_WAY


cdef inline uint64_t units_of(const Entities* table, Millis now) noexcept nogil:
    return 0 if now <= 0 else <uint64_t>now // <uint64_t>table.unit


# -- making room -------------------------------------------------------------------------------------------------

cdef inline Stripe* stripe_of(Entities* table, const EntitySet* s) noexcept nogil:
    return &table.stripe[(s - table.sets) % STRIPES]


# What a record has borrowed goes back.
cdef inline void drop_columns(Entities* table, char* record) noexcept nogil:
    cdef uint32_t i
    cdef const Column* column
    for i in range(table.n_borrowers):
        column = &table.column[table.borrower[i]]
        column_drop(column, record + column.offset, &table.pools)


# Empties a way's record for an entity that is new in it. What was there gives its sketches back.
cdef inline void begin(Entities* table, EntitySet* s, uint32_t way, uint64_t hashed, Key a, Key b,
                       const SetTime* time) noexcept nogil:
    cdef uint64_t* record = record_of(table, s, way)
    drop_columns(table, <char*>record)
    record[0] = a
    record[1] = b
    memset(record + 2, 0, table.record_bytes - KEY_BYTES)
    occupy(s, way, tag_of(hashed), time)


# The way of an entity that is to be counted, made if need be; protected if it is sighted once more.
cdef inline uint32_t take_way(Entities* table, EntitySet* s, uint64_t hashed, Key a, Key b,
                              SetTime* time, bint sighted) noexcept nogil:
    cdef uint32_t way
    cdef Stripe* stripe = stripe_of(table, s)
    if time.era != s.era:
        # Freed records keep their sketches, which the pool's hand may take, until the way is used again.
        ic_add64(&stripe.used, -<uint64_t>begin_era(s, time, table.horizon))
    way = find_way(table, s, hashed, a, b)
    if way == NO_WAY:
        way = way_for_newcomer(s, time, table.horizon)
        if s.tag[way] == 0:
            ic_add64(&stripe.used, 1)
        elif not way_expired(s, time, table.horizon, way):
            ic_add64(&stripe.evicted_protected if s.tag[way] & SEEN_TWICE else &stripe.evicted_probation, 1)
        ic_changing(&s.lock, way)
        begin(table, s, way, hashed, a, b, time)
        return way
    ic_changing(&s.lock, way)
    if way_expired(s, time, table.horizon, way):
        begin(table, s, way, hashed, a, b, time)        # back after all its windows ran out: as a newcomer
    else:
        if sighted:
            protect(s, way, time)
        note_touch(s, way, time)
    return way


# Where in a table's memory its sketches lie under their locks, for copies
cdef inline list pool_parts(const SketchPool* pool, const char* base):
    if pool.capacity == 0:
        return []
    return [(pool.sketches - base, sizeof(Sketch) + pool.inside, pool.capacity, <char*>pool.until - base,
             sizeof(int64_t))]
