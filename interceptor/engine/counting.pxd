# What a call counts: the entities it belongs to, and what it does to their counters. Callable by any thread that holds
# no GIL; nothing here allocates or waits.
from libc.stdint cimport uint32_t

from interceptor.engine.decide cimport Worker
from interceptor.engine.keys cimport KeyKind, digits_key
from interceptor.engine.program cimport Outcome, evaluate
from interceptor.engine.snapshot cimport Part, Snapshot
from interceptor.engine.types cimport NUMBER_E164, Call, Key, Millis


# What is asked from now on is asked about this call, which is resolved.
cdef inline void look_at(const Snapshot* s, Worker* w, const Call* call, Millis now) noexcept nogil:
    w.frame.call, w.frame.now, w.frame.clock = call, now, &s.clocks[call.trunk]


# A part of a key of a resolved call; 0 when it is absent, withheld or unparseable.
cdef inline Key part_key(const Part* part, const Call* call) noexcept nogil:
    if part.prefix == 0:
        return call.key[part.field]
    if call.number[part.field].status != NUMBER_E164 or call.number[part.field].length <= part.prefix:
        return 0
    return digits_key(KeyKind.KEY_PREFIX, call.number[part.field].text + 1, part.prefix)


# Whether a condition holds for the call that is looked at; an empty one does, one that ends in an error does not.
cdef inline bint holds(const Snapshot* s, const Worker* w, uint32_t start, uint32_t end) noexcept nogil:
    return start == end or evaluate(&s.program, start, end, &w.frame) == Outcome.MATCH


# The entities of call i of a chunk, by group: w.entity[i].
cdef void name_entities(const Snapshot* s, Worker* w, const Call* call, uint32_t i) noexcept nogil

# Visits those in which it counts, in the order of the groups: w.counter, w.readable. The others are read when they are
# asked for. With peek: as if counted, and nothing is; all are read.
cdef void count(const Snapshot* s, Worker* w, const Call* call, uint32_t i, Millis now, bint peek) noexcept nogil

# Of Frame.read; `reader` is the worker.
cdef void read_counter(void* reader, uint32_t counter) noexcept nogil
# Reads what nobody has asked for, for who wants all counters of the call.
cdef void read_all(Worker* w) noexcept nogil
