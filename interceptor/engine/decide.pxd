# The way of a call, callable by any thread that holds no GIL. `now` is an argument; nothing here allocates or waits.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from interceptor.engine.atomics cimport ic_cas64, ic_load64_relaxed
from interceptor.engine.ahead cimport Ahead
from interceptor.engine.entities cimport Touch
from interceptor.engine.events cimport Ring
from interceptor.engine.intake cimport Memo
from interceptor.engine.program cimport Frame
from interceptor.engine.samples cimport Samples
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.stats cimport Stats
from interceptor.engine.types cimport Call, Decision, Key, Millis

cdef struct Entity:             # what a group of counters is looked up by
    Key a                       # 0: a part of the key is absent, withheld or unparseable; there is no entity
    Key b                       # of a pair; else 0
    uint64_t hashed             # of both, in its table

cdef struct Worker:             # what one deciding thread owns
    Stats* stats                # of this worker in the snapshot it decides with
    Ring* ring
    uint64_t next_id
    uint32_t index
    uint32_t pass_sample        # every n-th pass goes to the ring; 0: none
    uint32_t passes
    Samples* samples
    Millis sampled              # when a worker last sampled a call, as far as this one knows
    uint8_t added_field         # what the last entry of an add_to was made of
    uint64_t[64] repeat_a       # by call of the chunk: the 128-bit hash of (switch, call_id); 0, 0: none
    uint64_t[64] repeat_b
    uint64_t[64] parties        # who calls whom: repeat_a ^ parties, repeat_b is the same call again
    Entity[64][64] entity       # by call of the chunk and group
    Memo trunks
    Memo switches
    Ahead ahead
    Frame frame
    int64_t[257] counter        # by the policy's counter; the last is SPARE
    uint8_t[256] readable       # or UNREAD: where this call counts nothing is read when a rule asks for it
    const Snapshot* counted_by
    uint32_t row                # of the chunk: the call that was counted last
    uint64_t unread             # bit g: group g of it was not visited yet
    uint8_t[256] counted        # for explain
    Touch[64] touches

# Makes `w` decide with `s` from now on; `w` is enrolled there. After every publication_enter, for another snapshot may
# lie at the address of one that went.
cdef void take_up(Worker* w, const Snapshot* s) noexcept nogil

# Decides `n` (at most CHUNK) calls in their order, each at its own time. Their texts and scalars are set.
cdef void decide_chunk(const Snapshot* s, Worker* w, Call* calls, uint32_t n, const Millis* now,
                       Decision* out) noexcept nogil
# The same in two steps, for who tells reports between two of them: the chunk is resolved and what it needs is on its
# way, then call i of the chunk is decided, in their order.
cdef void prepare_chunk(const Snapshot* s, Worker* w, Call* calls, uint32_t n) noexcept nogil
cdef void decide_one(const Snapshot* s, Worker* w, Call* call, uint32_t i, Millis now, Decision* out) noexcept nogil

# Finds, into w.frame, the lists each field of a resolved call is on; returns those it is on by whichever field.
# `whose`: whose entries count, s or what it runs beside.
cdef uint64_t on_lists(const Snapshot* whose, const Snapshot* s, Worker* w, const Call* call,
                       Millis now) noexcept nogil

# The same for one call, touching nothing. outcome[rule index]: Outcome, or NOT_REACHED.
cdef enum:
    NOT_REACHED = 255
    GRACED = 254

# The same by a policy beside the one in force, with the lists of `tables`: nothing is added, and nothing is counted
# but, if `counting`, in its own entity tables. All other counters are set in w.counter and w.readable.
cdef void decide_beside(const Snapshot* tables, const Snapshot* s, Worker* w, Call* call, Millis now,
                        bint graced, bint counting, Decision* out, uint8_t* outcome) noexcept nogil

cdef enum:
    MOST_ASKED = 28 + 127       # keys of one call: of every field, and of a domain's parents

# The keys that the lists are asked for about a resolved call, into out; returns how many.
cdef uint32_t keys_asked(const Snapshot* s, const Call* call, Key* out) noexcept nogil

# What runs beside a snapshot on every call that is decided (Snapshot.trial); behind it lies what trial.pyx knows.
cdef struct Trial:
    void (*decide)(Trial* trial, const Snapshot* s, Worker* w, const Call* call, Millis now, bint graced,
                   const Decision* out) noexcept nogil

cdef void explain_call(const Snapshot* s, Worker* w, Call* call, Millis now, Decision* out,
                       uint8_t* outcome, bint* graced) noexcept nogil


# A time that only goes up, whoever raises it.
cdef inline void raise_to(uint64_t* until, Millis end) noexcept nogil:
    cdef uint64_t was = ic_load64_relaxed(until)
    while <Millis> was < end and not ic_cas64(until, &was, <uint64_t> end):
        pass
