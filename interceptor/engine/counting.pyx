# What a call counts (contract: counting.pxd): one visit to each of its entities, whatever becomes of the call.
from libc.stdint cimport uint8_t, uint32_t

from interceptor.engine.columns cimport ACT_COUNT, ACT_READ
from interceptor.engine.decide cimport Entity
from interceptor.engine.entities cimport SPARE, Touch, entities_touch
from interceptor.engine.entity_records cimport hash_of
from interceptor.engine.snapshot cimport NO_FIELD, NO_GROUP, Counter, Group


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


cdef void count(const Snapshot* s, Worker* w, const Call* call, uint32_t i, Millis now, bint peek) noexcept nogil:
    cdef uint32_t g, k, n
    cdef const Group* group
    cdef const Counter* counter
    cdef const Entity* entity
    cdef Touch* touch
    cdef bint there, counts, apart
    for g in range(s.n_groups):
        group, entity = &s.groups[g], &w.entity[i][g]
        there = entity.a != 0
        n = 0
        for k in range(group.first, group.last):
            counter = &s.counters[k]
            apart = counter.other != NO_GROUP and not same(entity, &w.entity[i][counter.other])
            if counter.other == NO_GROUP or not counter.feeds:
                w.readable[counter.index] = there
            if not there or (counter.other != NO_GROUP and not counter.feeds and not apart):
                continue        # of one key: the visit that feeds it reads it
            touch = &w.touches[n]
            touch.column, touch.counter = counter.column, SPARE if apart and counter.feeds else counter.index
            touch.element = 0 if counter.element == NO_FIELD else call.key[counter.element]
            touch.amount, touch.follows = 0, 0
            counts = False
            if counter.feeds:
                counts = holds(s, w, counter.where_start, counter.where_end)
                counts &= counter.element == NO_FIELD or touch.element != 0
                w.counted[counter.index] = counts
            touch.act = <uint8_t> (ACT_COUNT if counts else ACT_READ)
            n += 1
        if n:
            entities_touch(group.table, entity.a, entity.b, entity.hashed, now, w.touches, n, w.counter, peek)
