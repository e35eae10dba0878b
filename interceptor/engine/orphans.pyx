# Locks that a process held when it died while another used the same tables. No live holder keeps one for longer than it
# takes to change an entry, and each that lets go changes the word; so a word that stays the same for long is orphaned.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.atomics cimport ic_add64, ic_changed, ic_unlock
from interceptor.engine.entities cimport EntityTable
from interceptor.engine.entity_records cimport Entities, drop_columns, record_of, stripe_of
from interceptor.engine.entity_sets cimport EntitySet, vacate
from interceptor.engine.inflight cimport FlightTable
from interceptor.engine.recent cimport RecentTable
from interceptor.engine.sketches cimport SketchPool, sketch_at

cdef uint64_t FLIGHT_OPEN = <uint64_t>1 << 62     # of a rank (inflight.pxd)

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    /* Held, and by the same holder, for a second and more: one that lost its core has it again long before. */
    static int ic_orphaned(const uint32_t* lock) {
        const uint32_t word = __atomic_load_n(lock, __ATOMIC_ACQUIRE);
        const struct timespec pause = {0, 10000000};
        int i;
        for (i = 0; i < 120; i++) {
            if (!(word & 1) || __atomic_load_n(lock, __ATOMIC_ACQUIRE) != word) return 0;
            nanosleep(&pause, 0);
        }
        return 1;
    }
    """
    bint ic_orphaned(const uint32_t* lock) noexcept


# A pool's first, whose sketches a record gives back.
cdef void release_sketches(SketchPool* pool) noexcept nogil:
    cdef uint32_t i
    if ic_orphaned(&pool.head.lock):
        ic_unlock(&pool.head.lock)
    for i in range(pool.head.fresh):
        if ic_orphaned(&sketch_at(pool, i).lock):
            ic_unlock(&sketch_at(pool, i).lock)


cdef uint64_t release_entities(Entities* table) noexcept nogil:
    cdef uint64_t i, torn = 0
    cdef int way
    cdef EntitySet* s
    release_sketches(table.pools.sketches)
    release_sketches(table.pools.registers)
    for i in range(table.n_sets):
        s = &table.sets[i]
        if ic_orphaned(&s.lock):
            way = ic_changed(s.lock)
            if way >= 0:
                drop_columns(table, <char*>record_of(table, s, way))
                if s.tag[way]:
                    ic_add64(&stripe_of(table, s).used, <uint64_t>-1)
                vacate(s, way)
                torn += 1
            ic_unlock(&s.lock)
    return torn


def release(table not None):
    cdef EntityTable entities
    cdef RecentTable recent
    cdef FlightTable flights
    cdef uint64_t i, torn = 0
    cdef int way
    if isinstance(table, EntityTable):
        entities = table
        with nogil:
            torn = release_entities(entities.table)
    elif isinstance(table, RecentTable):
        recent = table
        with nogil:
            for i in range(recent.own.n_sets):
                if ic_orphaned(&recent.own.sets[i].lock):
                    way = ic_changed(recent.own.sets[i].lock)
                    if way >= 0:
                        if recent.own.sets[i].end[way]:
                            ic_add64(&recent.own.used, <uint64_t>-1)
                        recent.own.sets[i].end[way] = 0
                        torn += 1
                    ic_unlock(&recent.own.sets[i].lock)
    else:
        flights = table
        with nogil:
            for i in range(flights.own.n_sets):
                if ic_orphaned(&flights.own.sets[i].lock):
                    way = ic_changed(flights.own.sets[i].lock)
                    if way >= 0:
                        if flights.own.sets[i].rank[way]:
                            ic_add64(&flights.own.used, <uint64_t>-1)
                        if flights.own.sets[i].rank[way] & FLIGHT_OPEN:
                            ic_add64(&flights.own.open, <uint64_t>-1)
                        flights.own.sets[i].rank[way] = 0
                        torn += 1
                    ic_unlock(&flights.own.sets[i].lock)
    return torn


def hold(table not None, int way=-1):
    """For tests: holds the lock of the first set as who dies does."""
    cdef RecentTable recent
    cdef EntityTable entities
    cdef uint32_t word = 1 | <uint32_t>(way + 1) << 1
    if isinstance(table, RecentTable):
        recent = table
        recent.own.sets[0].lock |= word
    else:
        entities = table
        entities.table.sets[0].lock |= word
