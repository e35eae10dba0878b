# The table of what happened lately (contract: recent.pxd). Nothing is moved or rehashed; every access of a set is
# under its lock, held for one scan of 15 ends and at most one entry.
from interceptor.engine.atomics cimport (
    LockWaits, add_lock_waits, ic_add64, ic_changed, ic_changing, ic_held, ic_load64, ic_load64_relaxed, ic_lock,
    ic_store64_relaxed, ic_unlock,
)
from interceptor.engine.keys cimport mix, scale
from interceptor.engine.memory cimport Region, region_part
from interceptor.engine.recent cimport RECENT_WAYS, Recent, RecentEntry, RecentSet
from interceptor.engine.types cimport Millis
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from * nogil:
    """
    #include <stdint.h>
    /* Whether one of 15 ends has these 16 bits of hash, read without the lock: a key that was there before the call is
       never missed, for no entry moves while it is live. A way never used looks like a key whose bits are 0: rare, and
       the lock tells. */
    #if defined(__x86_64__)
    #include <emmintrin.h>
    static inline int ic_may_be_there(const uint64_t* end, uint16_t bits) {
        const __m128i want = _mm_set1_epi16((short)bits);
        __m128i found = _mm_setzero_si128();
        #define IC_END(i) (long long)__atomic_load_n(end + (i), __ATOMIC_RELAXED)
        for (int i = 0; i < 14; i += 2)
            found = _mm_or_si128(found, _mm_cmpeq_epi16(_mm_set_epi64x(IC_END(i + 1), IC_END(i)), want));
        found = _mm_or_si128(found, _mm_cmpeq_epi16(_mm_set1_epi64x(IC_END(14)), want));
        #undef IC_END
        return _mm_movemask_epi8(found) & 0x0303;       /* of each end the lowest 16 bits */
    }
    #else
    static inline int ic_may_be_there(const uint64_t* end, uint16_t bits) {
        int found = 0;
        for (int i = 0; i < 15; i++) found |= (uint16_t)__atomic_load_n(end + i, __ATOMIC_RELAXED) == bits;
        return found;
    }
    #endif
    """
    bint ic_may_be_there(const uint64_t* end, uint16_t bits) noexcept

cdef enum:
    VALUE = 32              # bytes of a value
    TAG_BITS = 16
    NOWHERE = 15            # "no way of the set"

cdef Millis LAST_END = (<int64_t>1 << 47) - 1

if sizeof(RecentSet) != 128 or sizeof(RecentEntry) != 64:
    raise ImportError("interceptor.engine.recent: struct layout differs from what the kernel was written for")


cdef inline uint64_t hash_of(const Recent* table, uint64_t a, uint64_t b) noexcept nogil:
    return mix(a if table.by_a else a ^ mix(b, table.seed), table.seed)


cdef inline Millis end_of(const RecentSet* entries, int way) noexcept nogil:
    return entries.end[way] >> TAG_BITS


cdef inline RecentEntry* entry_at(const Recent* table, const RecentSet* of, int way) noexcept nogil:
    return table.entries + (of - table.sets) * RECENT_WAYS + way


cdef inline int way_of(const Recent* table, const RecentSet* of, uint64_t hash, uint64_t a,
                       uint64_t b) noexcept nogil:
    # The way that holds the key, live or ended; NOWHERE without one.
    cdef int way
    cdef const RecentEntry* entry
    for way in range(RECENT_WAYS):
        if of.end[way] != 0 and ((<uint64_t>of.end[way] ^ hash) & ((1 << TAG_BITS) - 1)) == 0:
            entry = entry_at(table, of, way)
            if entry.a == a and entry.b == b:
                return way
    return NOWHERE


cdef const void* recent_set(const Recent* table, uint64_t a, uint64_t b) noexcept nogil:
    return table.sets + scale(hash_of(table, a, b), table.n_sets)


cdef bint recent_any(const Recent* table, uint64_t a) noexcept nogil:
    cdef uint64_t hash = hash_of(table, a, 0)
    return ic_may_be_there(<const uint64_t*>table.sets[scale(hash, table.n_sets)].end, <uint16_t>hash)


cdef bint recent_find(Recent* table, uint64_t a, uint64_t b, Millis now, void* value) noexcept nogil:
    cdef uint64_t hash = hash_of(table, a, b)
    cdef RecentSet* of = table.sets + scale(hash, table.n_sets)
    cdef int way
    cdef bint found
    if not ic_may_be_there(<const uint64_t*>of.end, <uint16_t>hash):   # nearly every call is new: it takes no lock
        return False
    ic_lock(&of.lock, &table.waited)
    way = way_of(table, of, hash, a, b)
    found = way != NOWHERE and end_of(of, way) > now
    if found and value != NULL:
        memcpy(value, entry_at(table, of, way).value, VALUE)
    ic_unlock(&of.lock)
    return found


cdef Millis recent_until(Recent* table, uint64_t a, uint64_t b, Millis now) noexcept nogil:
    cdef uint64_t hash = hash_of(table, a, b)
    cdef RecentSet* of = table.sets + scale(hash, table.n_sets)
    cdef int way
    cdef Millis end = 0
    ic_lock(&of.lock, &table.waited)
    way = way_of(table, of, hash, a, b)
    if way != NOWHERE and end_of(of, way) > now:
        end = end_of(of, way)
    ic_unlock(&of.lock)
    return end


cdef inline int nearest_end(const RecentSet* of) noexcept nogil:
    # A way never used has end 0, an ended one an end before every live one: both are taken before anything live.
    cdef int way, nearest = 0
    for way in range(1, RECENT_WAYS):
        if of.end[way] < of.end[nearest]:
            nearest = way
    return nearest


cdef const void* recent_entry(const Recent* table, uint64_t a, uint64_t b) noexcept nogil:
    cdef const RecentSet* of = <const RecentSet*>recent_set(table, a, b)
    cdef uint64_t nearest = ic_load64_relaxed(<const uint64_t*>&of.end[0]), end
    cdef int way, best = 0
    for way in range(1, RECENT_WAYS):       # as nearest_end, but without the lock
        end = ic_load64_relaxed(<const uint64_t*>&of.end[way])
        if end < nearest:
            nearest = end
            best = way
    return entry_at(table, of, best)


cdef bint recent_put(Recent* table, uint64_t a, uint64_t b, Millis now, Millis until, const void* value,
                     bint fresh_only, bint bounded) noexcept nogil:
    cdef uint64_t hash = hash_of(table, a, b)
    cdef RecentSet* of = table.sets + scale(hash, table.n_sets)
    cdef RecentEntry* entry
    cdef int way
    cdef bint done = False
    if now < 0:
        now = 0                 # an end of 0 means "never used"
    ic_lock(&of.lock, &table.waited)
    way = way_of(table, of, hash, a, b)
    if way != NOWHERE and fresh_only and end_of(of, way) > now:
        pass
    elif until <= now:
        if way != NOWHERE:
            ic_store64_relaxed(<uint64_t*>&of.end[way], 0)
            ic_add64(&table.used, <uint64_t>-1)
    else:
        if way == NOWHERE:
            way = nearest_end(of)
            if of.end[way] == 0:
                ic_add64(&table.used, 1)
            elif end_of(of, way) > now:
                if bounded:
                    way = NOWHERE
                    ic_add64(&table.refused, 1)
                else:
                    ic_add64(&table.evicted, 1)
        if way != NOWHERE:
            ic_changing(&of.lock, way)
            entry = entry_at(table, of, way)
            entry.a = a
            entry.b = b
            if value == NULL:
                memset(entry.value, 0, VALUE)
            else:
                memcpy(entry.value, value, VALUE)
            ic_store64_relaxed(<uint64_t*>&of.end[way],
                               <uint64_t>min(until, LAST_END) << TAG_BITS | (hash & ((1 << TAG_BITS) - 1)))
            done = True
    ic_unlock(&of.lock)
    return done


cdef uint64_t count_live(Recent* table, Millis now) noexcept nogil:
    cdef uint64_t i, live = 0
    cdef int way
    for i in range(table.n_sets):
        ic_lock(&table.sets[i].lock, &table.waited)
        for way in range(RECENT_WAYS):
            live += table.sets[i].end[way] != 0 and end_of(&table.sets[i], way) > now
        ic_unlock(&table.sets[i].lock)
    return live


# Takes up what an earlier process has left; an entry that was being changed is dropped, unless that one is alive. How
# many were.
cdef uint64_t recent_attach(Recent* table, bint alive) noexcept nogil:
    cdef uint64_t i, torn = 0
    cdef int way
    cdef RecentSet* of
    table.used = 0
    for i in range(table.n_sets):
        of = &table.sets[i]
        if ic_held(of.lock) and not alive:
            way = ic_changed(of.lock)
            if way >= 0:
                of.end[way] = 0
                torn += 1
            ic_unlock(&of.lock)
        for way in range(RECENT_WAYS):
            table.used += of.end[way] != 0
    return torn


cdef size_t lay_out(Recent* table, char* base) noexcept nogil:
    cdef size_t used = 0
    table.sets = <RecentSet*>region_part(base, &used, table.n_sets * sizeof(RecentSet))
    table.entries = <RecentEntry*>region_part(base, &used, table.n_sets * RECENT_WAYS * sizeof(RecentEntry))
    return used


cdef class RecentTable:
    def __cinit__(self, entries: int, seed: int, Region region=None, bint alive=False, bint by_a=False):
        self.table = &self.own
        self.own.by_a = by_a
        self.own.seed = seed & 0xffffffffffffffff
        nbytes = self.bytes_for(entries)
        if region is not None and region.nbytes != nbytes:
            raise ValueError(f"region: {region.nbytes} bytes for a table of {nbytes}")
        self.region = Region(nbytes) if region is None else region
        self.own.n_sets = (entries + RECENT_WAYS - 1) // RECENT_WAYS
        lay_out(&self.own, self.region.base)
        if not self.region.fresh:
            self.torn = recent_attach(&self.own, alive)

    @staticmethod
    def bytes_for(entries: int) -> int:
        cdef Recent table
        if not 1 <= entries <= 1 << 32:
            raise ValueError(f"entries {entries}: a table holds 1 to {1 << 32}")
        memset(&table, 0, sizeof(table))
        table.n_sets = (entries + RECENT_WAYS - 1) // RECENT_WAYS
        return lay_out(&table, NULL)

    def find(self, a: int, b: int, now: int) -> bytes | None:
        cdef char[VALUE] value
        if not recent_find(self.table, a, b, now, value):
            return None
        return value[:VALUE]

    def any(self, a: int) -> bool:
        if not self.own.by_a:
            raise ValueError("this table keeps the entries of one `a` apart: make it `by_a`")
        return recent_any(self.table, a)

    def put(self, a: int, b: int, now: int, until: int, value: bytes = b"", fresh_only: bool = False,
            bounded: bool = False) -> bool:
        cdef char[VALUE] padded
        cdef const char* given = value
        cdef size_t n = len(value)
        cdef uint64_t key_a = a, key_b = b
        cdef Millis at = now, end = until
        cdef bint fresh = fresh_only, within = bounded, done
        if n > VALUE:
            raise ValueError(f"a value has at most {VALUE} bytes, not {n}")
        memset(padded, 0, VALUE)
        memcpy(padded, given, n)
        with nogil:
            done = recent_put(self.table, key_a, key_b, at, end, padded, fresh, within)
        return done

    def until(self, a: int, b: int, now: int) -> int | None:
        cdef Millis end = recent_until(self.table, a, b, now)
        return end if end else None

    def live(self, now: int) -> int:
        cdef Millis at = now
        cdef uint64_t live
        with nogil:
            live = count_live(self.table, at)
        return live

    def __len__(self) -> int:
        return ic_load64(&self.own.used)

    def locked(self):
        return [(<char*>self.own.sets - self.region.base, sizeof(RecentSet), self.own.n_sets,
                 <char*>self.own.entries - self.region.base, RECENT_WAYS * sizeof(RecentEntry))]

    @property
    def last_end(self) -> int:
        cdef uint64_t i
        cdef int way
        cdef Millis last = 0
        with nogil:
            for i in range(self.own.n_sets):
                for way in range(RECENT_WAYS):
                    last = max(last, <int64_t>ic_load64_relaxed(<uint64_t*>&self.own.sets[i].end[way]) >> TAG_BITS)
        return last

    @property
    def evicted(self) -> int:
        return ic_load64(&self.own.evicted)

    @property
    def refused(self) -> int:
        return ic_load64(&self.own.refused)

    @property
    def waited(self):
        cdef LockWaits waited
        memset(&waited, 0, sizeof(waited))
        add_lock_waits(&waited, &self.own.waited)
        return waited

    @property
    def capacity(self) -> int:
        return self.own.n_sets * RECENT_WAYS

    @property
    def nbytes(self) -> int:
        return self.own.n_sets * (sizeof(RecentSet) + RECENT_WAYS * sizeof(RecentEntry))
