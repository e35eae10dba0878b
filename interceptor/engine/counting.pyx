# What a call counts (contract: counting.pxd): one visit to each of its entities, whatever becomes of the call.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.atomics cimport ic_lowest_bit
from interceptor.engine.columns cimport ACT_COUNT, ACT_READ
from interceptor.engine.decide cimport Entity
from interceptor.engine.entities cimport SPARE, Touch, entities_touch
from interceptor.engine.entity_records cimport hash_of
from interceptor.engine.program cimport UNREAD
from interceptor.engine.snapshot cimport NO_FIELD, NO_GROUP, Counter, Group
from libc.string cimport memcpy


cdef void name_entities(const Snapshot* s, Worker* w, const Call* call, uint32_t i) noexcept nogil:
    cdef uint32_t k
    cdef Entity* entity
    for k in range(s.n_groups):
        entity = &w.entity[i][k]
        entity.a, entity.b = part_key(&s.groups[k].a, call), 0
        if s.groups[k].b.field != NO_FIELD:
            entity.b = part_key(&s.groups[k].b, call)
            if entity.b == 0:
                entity.a = 0
        if entity.a:
            entity.hashed = hash_of(s.groups[k].table, entity.a, entity.b)


cdef inline bint same(const Entity* one, const Entity* other) noexcept nogil:
    return one.a == other.a and one.b == other.b


# Nobody is counted in the group: its key is not there.
cdef inline void miss(const Snapshot* s, Worker* w, const Group* group) noexcept nogil:
    cdef uint32_t k
    for k in range(group.first, group.last):
        if s.counters[k].other == NO_GROUP or not s.counters[k].feeds:
            w.readable[s.counters[k].index] = 0


cdef void count(const Snapshot* s, Worker* w, const Call* call, uint32_t i, Millis now, bint peek) noexcept nogil:
    cdef uint32_t g, k, n
    cdef const Group* group
    cdef const Counter* counter
    cdef const Entity* entity
    cdef Touch* touch
    cdef bint counts, visited
    cdef uint32_t acts
    w.counted_by, w.row, w.unread = s, i, 0
    for g in range(s.n_groups):
        group, entity = &s.groups[g], &w.entity[i][g]
        if entity.a == 0:
            miss(s, w, group)
            continue
        visited = peek
        n = acts = 0
        for k in range(group.first, group.last):
            counter = &s.counters[k]
            touch = &w.touches[n]
            memcpy(touch, &counter.touch, sizeof(Touch))
            if counter.other == NO_GROUP:
                w.readable[counter.index] = 1
            elif not counter.feeds:
                w.readable[counter.index] = 1
                if same(entity, &w.entity[i][counter.other]):
                    continue    # of one key: the visit that feeds it reads it
            elif same(entity, &w.entity[i][counter.other]):
                visited = True
            else:
                touch.counter = SPARE
            if counter.feeds:
                counts = True
                if counter.element != NO_FIELD:
                    touch.element = call.key[counter.element]
                    counts = touch.element != 0
                if counter.where_start != counter.where_end and counts:
                    counts = holds(s, w, counter.where_start, counter.where_end)
                if peek:
                    w.counted[counter.index] = counts
                if counts:
                    touch.act = ACT_COUNT
                    acts = ACT_COUNT
            n += 1
        if n and (visited or acts):
            entities_touch(group.table, entity.a, entity.b, entity.hashed, now, w.touches, n, acts, w.counter, peek)
        elif n:
            leave(w, g, n)


# Group g counts nothing of this call, which is true of its first n touches: it is visited if somebody asks.
cdef inline void leave(Worker* w, uint32_t g, uint32_t n) noexcept nogil:
    cdef uint32_t k
    w.unread |= <uint64_t> 1 << g
    for k in range(n):
        if w.touches[k].counter != SPARE:
            w.readable[w.touches[k].counter] = UNREAD


cdef void read_group(Worker* w, uint32_t g) noexcept nogil:
    cdef const Group* group = &w.counted_by.groups[g]
    cdef const Entity* entity = &w.entity[w.row][g]
    cdef const Counter* counter
    cdef Touch[32] touches
    cdef uint32_t k, n = 0
    w.unread &= ~(<uint64_t> 1 << g)
    for k in range(group.first, group.last):
        counter = &w.counted_by.counters[k]
        if w.counted_by.read_in[counter.index] == g and w.readable[counter.index] == UNREAD:
            touches[n] = counter.touch
            w.readable[counter.index] = 1
            n += 1
    entities_touch(group.table, entity.a, entity.b, entity.hashed, w.frame.now, touches, n, ACT_READ, w.counter, False)


cdef void read_counter(void* reader, uint32_t counter) noexcept nogil:
    read_group(<Worker*> reader, (<Worker*> reader).counted_by.read_in[counter])


cdef void read_all(Worker* w) noexcept nogil:
    while w.unread:
        read_group(w, <uint32_t> ic_lowest_bit(w.unread))
