# The table of calls in flight (contract: inflight.pxd). Nothing is moved or rehashed; every access of a set is under
# its lock, held for one scan of 15 ranks and at most one entry.
from interceptor.engine.atomics cimport (
    LockWaits, add_lock_waits, ic_add64, ic_changed, ic_changing, ic_held, ic_load64, ic_load64_relaxed, ic_lock,
    ic_store64_relaxed, ic_unlock,
)
from interceptor.engine.keys cimport mix, scale
from interceptor.engine.memory cimport Region, region_part
from interceptor.engine.types cimport REPEAT_MS, Millis
from libc.stddef cimport size_t
from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    TAG_BITS = 16
    NOWHERE = 15                # "no way of the set"

cdef uint64_t OPEN = <uint64_t>1 << 62      # of a rank: in flight
cdef uint64_t TAG = (1 << TAG_BITS) - 1
cdef Millis LAST_TIME = (<Millis>1 << 46) - 2
cdef Millis DAY = 86400 * 1000              # the longest that a counter waits for an end

if sizeof(FlightSet) != 128 or sizeof(Flight) != 128:
    raise ImportError("interceptor.engine.inflight: struct layout differs from what the kernel was written for")


# --- where entries are

cdef inline uint64_t hash_of(const InFlight* flights, uint64_t a, uint64_t b) noexcept nogil:
    return mix(a ^ mix(b, flights.seed), flights.seed)


cdef inline uint64_t rank_of(bint open, Millis at, uint64_t hash) noexcept nogil:
    # A time plus one: no way in use has rank 0.
    cdef Millis within = 0 if at < 0 else min(at, LAST_TIME)
    return (OPEN if open else <uint64_t>0) | <uint64_t>(within + 1) << TAG_BITS | (hash & TAG)


cdef inline Flight* entry_at(const InFlight* flights, const FlightSet* of, int way) noexcept nogil:
    return flights.entries + (of - flights.sets) * FLIGHT_WAYS + way


# An entry of a name has its first half; the set and the tag stand for the other one, which parties may be mixed into.
cdef inline bint has_name(const InFlight* flights, const FlightSet* of, int way, uint64_t hash,
                          uint64_t a) noexcept nogil:
    return of.rank[way] != 0 and ((of.rank[way] ^ hash) & TAG) == 0 and entry_at(flights, of, way).a == a


cdef inline int way_of_call(const InFlight* flights, const FlightSet* of, uint64_t hash, const Flight* call,
                            uint64_t parties) noexcept nogil:
    # Of the call itself, else of reports whose Decide is unseen.
    cdef int way, reported = NOWHERE
    cdef const Flight* entry
    for way in range(FLIGHT_WAYS):
        if has_name(flights, of, way, hash, call.a):
            entry = entry_at(flights, of, way)
            if not entry.state & FLIGHT_SETUP:
                reported = way
            elif entry.b == call.b ^ parties:
                return way
    return reported


cdef inline int way_of_name(const InFlight* flights, const FlightSet* of, uint64_t hash, uint64_t a) noexcept nogil:
    # The newest in flight, else who was done last.
    cdef int way, found = NOWHERE
    for way in range(FLIGHT_WAYS):
        if has_name(flights, of, way, hash, a) and (found == NOWHERE or of.rank[way] > of.rank[found]):
            found = way
    return found


cdef inline int least(const FlightSet* of) noexcept nogil:
    # A way never used, else who has been done for longest, else the oldest call.
    cdef int way, first = 0
    cdef uint64_t rank, smallest = ic_load64_relaxed(&of.rank[0])
    for way in range(1, FLIGHT_WAYS):
        rank = ic_load64_relaxed(&of.rank[way])
        if rank < smallest:
            first, smallest = way, rank
    return first


cdef const void* flights_set(const InFlight* flights, uint64_t a, uint64_t b) noexcept nogil:
    return flights.sets + scale(hash_of(flights, a, b), flights.n_sets)


cdef const void* flights_entry(const InFlight* flights, uint64_t a, uint64_t b) noexcept nogil:
    cdef uint64_t hash = hash_of(flights, a, b), rank
    cdef const FlightSet* of = flights.sets + scale(hash, flights.n_sets)
    cdef int way
    for way in range(FLIGHT_WAYS):
        rank = ic_load64_relaxed(&of.rank[way])
        if rank != 0 and ((rank ^ hash) & TAG) == 0:
            return entry_at(flights, of, way)
    return entry_at(flights, of, least(of))


cdef bint flights_glance(const InFlight* flights, uint64_t a, uint64_t b, Flight* out) noexcept nogil:
    cdef const uint64_t* entry = <const uint64_t*>flights_entry(flights, a, b)
    cdef uint64_t* to = <uint64_t*>out
    cdef int i
    for i in range(<int>(sizeof(Flight) // 8)):
        to[i] = ic_load64_relaxed(entry + i)
    if out.a != a:              # its b may have parties in it that no report knows
        out.state = 0
    return out.state != 0


# --- changes, under the lock of the set

cdef inline void set_rank(InFlight* flights, FlightSet* of, int way, uint64_t rank) noexcept nogil:
    cdef uint64_t was = of.rank[way]
    if (was ^ rank) & OPEN:
        ic_add64(&flights.open, 1 if rank & OPEN else <uint64_t>-1)
    if was == 0:
        ic_add64(&flights.used, 1)
    ic_store64_relaxed(&of.rank[way], rank)


# An early report is waited with for as long as a repeated call is known; a call of its name after that is another one.
cdef inline bint outdated(const Flight* entry, Millis now) noexcept nogil:
    return not entry.state & FLIGHT_SETUP and now - entry.setup >= REPEAT_MS


cdef FlightFound flights_begin(InFlight* flights, const Flight* call, uint64_t parties, Millis now,
                               Flight* before) noexcept nogil:
    cdef uint64_t hash = hash_of(flights, call.a, call.b)
    cdef FlightSet* of = flights.sets + scale(hash, flights.n_sets)
    cdef Flight* entry
    cdef FlightFound found = FOUND_NOTHING
    cdef int way
    ic_lock(&of.lock, &flights.waited)
    way = way_of_call(flights, of, hash, call, parties)
    if way == NOWHERE:
        way = least(of)
        entry = entry_at(flights, of, way)
        if of.rank[way] & OPEN and now - entry.setup < DAY:
            ic_add64(&flights.evicted, 1)
    else:
        entry = entry_at(flights, of, way)
        if not outdated(entry, now):
            found = FOUND_ENTRY
            memcpy(before, entry, sizeof(Flight))
    ic_changing(&of.lock, way)
    memcpy(entry, call, sizeof(Flight))
    entry.b ^= parties
    if found == FOUND_ENTRY and not before.state & FLIGHT_SETUP and not call.state & FLIGHT_BLOCKED:
        entry.state |= before.state & (FLIGHT_ANSWERED | FLIGHT_ENDED)
        entry.answered_switch = before.answered_switch
    set_rank(flights, of, way, rank_of(not entry.state & (FLIGHT_BLOCKED | FLIGHT_ENDED), now, hash))
    ic_unlock(&of.lock)
    return found


cdef FlightFound flights_report(InFlight* flights, const Flight* otherwise, uint8_t bits, bint only_join, Millis now,
                                Flight* before) noexcept nogil:
    cdef uint64_t hash = hash_of(flights, otherwise.a, otherwise.b)
    cdef FlightSet* of = flights.sets + scale(hash, flights.n_sets)
    cdef Flight* entry = NULL
    cdef FlightFound found = FOUND_NOTHING
    cdef int way
    ic_lock(&of.lock, &flights.waited)
    way = way_of_name(flights, of, hash, otherwise.a)
    if way != NOWHERE:
        entry = entry_at(flights, of, way)
        if not (outdated(entry, now) and not entry.state & FLIGHT_COUNTED):
            if not only_join or entry.state & (FLIGHT_SETUP | FLIGHT_COUNTED):
                found = FOUND_ENTRY
                memcpy(before, entry, sizeof(Flight))
                ic_changing(&of.lock, way)
                join(entry, otherwise, bits, now)
                if bits & FLIGHT_ENDED and of.rank[way] & OPEN:
                    set_rank(flights, of, way, rank_of(False, now, hash))
            only_join = True
    if found == FOUND_NOTHING and not only_join:
        if way == NOWHERE:
            way = least(of)
            entry = entry_at(flights, of, way)
            if of.rank[way] & OPEN and now - entry.setup < DAY:
                ic_add64(&flights.refused, 1)
                found = FOUND_NO_ROOM
        if found == FOUND_NOTHING:
            ic_changing(&of.lock, way)
            memcpy(entry, otherwise, sizeof(Flight))
            entry.state |= bits
            if bits & FLIGHT_ANSWERED:
                entry.answered = since_setup(entry, now)
            # an early one outlasts what is done, so that its Decide finds it
            set_rank(flights, of, way, rank_of(
                False, now if entry.state & FLIGHT_COUNTED else now + REPEAT_MS, hash))
    ic_unlock(&of.lock)
    return found


cdef inline uint32_t since_setup(const Flight* entry, Millis now) noexcept nogil:
    return <uint32_t>min(max(now - entry.setup, <Millis>0), <Millis>UINT32_MAX)


cdef inline void join(Flight* entry, const Flight* otherwise, uint8_t bits, Millis now) noexcept nogil:
    if not entry.state & (FLIGHT_SETUP | FLIGHT_COUNTED):
        wait_on(entry, otherwise, bits)
    if bits & FLIGHT_ANSWERED and not entry.state & FLIGHT_ANSWERED:
        entry.answered = since_setup(entry, now)
        entry.answered_switch = otherwise.answered_switch
    entry.state |= bits


# Early reports of one call, and another one: it waits with them, or with the keys it carries all of them are counted.
cdef inline void wait_on(Flight* entry, const Flight* otherwise, uint8_t bits) noexcept nogil:
    cdef uint8_t waiting = entry.state
    cdef int64_t answered_switch = entry.answered_switch
    if otherwise.state & FLIGHT_COUNTED:
        memcpy(entry, otherwise, sizeof(Flight))
        entry.state |= waiting
        entry.answered_switch = answered_switch
    elif bits & FLIGHT_ENDED and not waiting & FLIGHT_ENDED:
        entry.key[<int>EARLY_DURATION] = otherwise.key[<int>EARLY_DURATION]
        entry.key[<int>EARLY_ENDED] = otherwise.key[<int>EARLY_ENDED]


# --- the region

cdef size_t place(InFlight* flights, char* base) noexcept nogil:
    cdef size_t used = 0
    flights.head = <FlightHead*>region_part(base, &used, sizeof(FlightHead))
    flights.sets = <FlightSet*>region_part(base, &used, flights.n_sets * sizeof(FlightSet))
    flights.entries = <Flight*>region_part(base, &used, flights.n_sets * FLIGHT_WAYS * sizeof(Flight))
    return used


# Takes up what an earlier process has left; an entry that was being changed is dropped, unless that one is alive. How
# many were.
cdef uint64_t attach(InFlight* flights, bint alive) noexcept nogil:
    cdef uint64_t i, torn = 0
    cdef int way
    cdef FlightSet* of
    for i in range(flights.n_sets):
        of = &flights.sets[i]
        if ic_held(of.lock) and not alive:
            way = ic_changed(of.lock)
            if way >= 0:
                of.rank[way] = 0
                torn += 1
            ic_unlock(&of.lock)
        for way in range(FLIGHT_WAYS):
            flights.used += of.rank[way] != 0
            flights.open += (of.rank[way] & OPEN) != 0
    return torn


cdef inline uint64_t sets_for(uint64_t entries) noexcept nogil:
    return (entries + FLIGHT_WAYS - 1) // FLIGHT_WAYS


cdef class FlightTable:
    def __cinit__(self, entries: int, seed: int, Region region=None, bint alive=False):
        self.flights = &self.own
        nbytes = self.bytes_for(entries)
        if region is not None and region.nbytes != nbytes:
            raise ValueError(f"region: {region.nbytes} bytes for a table of {nbytes}")
        self.own.seed = seed & 0xffffffffffffffff
        self.own.n_sets = sets_for(entries)
        self.region = Region(nbytes) if region is None else region
        place(&self.own, self.region.base)
        if not self.region.fresh:
            self.torn = attach(&self.own, alive)

    @staticmethod
    def bytes_for(entries: int) -> int:
        cdef InFlight flights
        if not 1 <= entries <= 1 << 32:
            raise ValueError(f"entries {entries}: a table of calls in flight holds 1 to {1 << 32}")
        memset(&flights, 0, sizeof(flights))
        flights.n_sets = sets_for(entries)
        return place(&flights, NULL)

    cdef int lay_out(self, FlightPlan* plan, parts, wheres) except -1:
        cdef FlightHead* head = self.own.head
        cdef FlightLayout wanted
        cdef FlightLayout* newest = &head.layouts[head.generation % FLIGHT_LAYOUTS]
        cdef int i
        memset(&wanted, 0, sizeof(FlightLayout))
        for i in range(<int>len(parts)):
            wanted.part[i] = parts[i]
        for i in range(<int>len(wheres)):
            wanted.where[i] = wheres[i]
        if head.generation == 0 or not same(newest, &wanted):
            wanted.generation = head.generation + 1
            memcpy(&head.layouts[wanted.generation % FLIGHT_LAYOUTS], &wanted, sizeof(FlightLayout))
            head.generation = wanted.generation
        plan.flights = self.flights
        plan.layout = <uint16_t>head.generation
        for i in range(FLIGHT_LAYOUTS):
            match(&plan.map[i], &wanted, &head.layouts[i])
        return 0

    def begin(self, a: int, b: int, now: int, *, parties: int = 0, blocked: bool = False, keys=(), where: int = 0):
        cdef Flight call, before
        cdef Millis at = now
        cdef uint64_t between = parties
        cdef FlightFound found
        memset(&call, 0, sizeof(Flight))
        call.a, call.b, call.setup, call.where = a, b, now, where
        call.state = <uint8_t>(FLIGHT_SETUP | (FLIGHT_BLOCKED if blocked else 0))
        for i, key in enumerate(keys):
            call.key[<int>i] = key
        with nogil:
            found = flights_begin(self.flights, &call, between, at, &before)
        return seen(found, &before)

    def report(self, a: int, b: int, bits: int, now: int, *, counted: bool = False, only_join: bool = False,
               duration: int | None = None, switch_ms: int = 0):
        cdef Flight otherwise, before
        cdef Millis at = now
        cdef uint8_t what = bits
        cdef bint only = only_join
        cdef FlightFound found
        memset(&otherwise, 0, sizeof(Flight))
        otherwise.a, otherwise.b, otherwise.setup = a, b, now
        if what & FLIGHT_ANSWERED:
            otherwise.answered_switch = switch_ms
        if counted:
            otherwise.state = FLIGHT_COUNTED
        elif what & FLIGHT_ENDED:
            otherwise.key[<int>EARLY_DURATION] = 0 if duration is None else duration + 1
            otherwise.key[<int>EARLY_ENDED] = switch_ms
        with nogil:
            found = flights_report(self.flights, &otherwise, what, only, at, &before)
        return seen(found, &before)

    def glance(self, a: int, b: int):
        cdef Flight hint
        if not flights_glance(self.flights, a, b, &hint):
            return None
        return seen(FOUND_ENTRY, &hint)[1]

    def __len__(self) -> int:
        return ic_load64(&self.own.used)

    @property
    def open(self) -> int:
        return ic_load64(&self.own.open)

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
        return self.own.n_sets * FLIGHT_WAYS

    @property
    def nbytes(self) -> int:
        return self.region.nbytes


cdef object seen(FlightFound found, const Flight* before):
    if found != FOUND_ENTRY:
        return FlightFound(found), None
    return FlightFound(found), (int(before.state), before.setup, before.answered_switch, before.where,
                                [before.key[i] for i in range(<int>FLIGHT_PARTS)])


cdef bint same(const FlightLayout* one, const FlightLayout* other) noexcept nogil:
    cdef int i
    for i in range(FLIGHT_PARTS):
        if one.part[i] != other.part[i]:
            return False
    for i in range(FLIGHT_WHERES):
        if one.where[i] != other.where[i]:
            return False
    return True


cdef void match(FlightMap* map, const FlightLayout* mine, const FlightLayout* theirs) noexcept nogil:
    map.generation = theirs.generation
    for_each(map.part, mine.part, theirs.part, FLIGHT_PARTS)
    for_each(map.where, mine.where, theirs.where, FLIGHT_WHERES)


cdef void for_each(uint8_t* slots, const uint64_t* mine, const uint64_t* theirs, int n) noexcept nogil:
    cdef int i, k
    for i in range(n):
        slots[i] = NO_SLOT
        for k in range(n):
            if mine[i] != 0 and mine[i] == theirs[k]:
                slots[i] = <uint8_t>k
