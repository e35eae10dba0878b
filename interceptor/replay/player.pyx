# Recorded calls through an engine, in the order in which things happened (contract: player.pxd).
import cython

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t, uintptr_t

from interceptor.engine.decide cimport Worker, decide_one, prepare_chunk, take_up
from interceptor.engine.engine cimport Enlisted
from interceptor.engine.intake cimport resolve
from interceptor.engine.keys cimport KeyKind, digits_key, mix
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.publication cimport publication_enter, publication_leave
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.types cimport CHUNK, Call, Decision, Field, Key, Millis, NumberStatus
from interceptor.replay.columns cimport FLAW_NONE, Columns, Rows, load_call, whole_at

from interceptor.replay.outcome import ANSWER

if ANSWER.itemsize != sizeof(Answer):
    raise ImportError("interceptor.replay: ANSWER differs from struct Answer")

cdef enum:
    EVERYBODY = 255
    NO_FIELD = 255

cdef struct Stretch:            # what one `play` goes through
    const Rows* rows
    Answer* answer              # by row
    const uint8_t* share        # whose each row is; NULL: all are ours
    uint8_t ours


cdef inline bint concerns(const Stretch* stretch, int64_t row) noexcept nogil:
    if stretch.rows.bad is not NULL and stretch.rows.bad[row]:
        return False
    return stretch.share is NULL or stretch.share[row] == stretch.ours or stretch.share[row] == EVERYBODY


cdef inline void keep(const Stretch* stretch, int64_t row, const Decision* out, const Call* call) noexcept nogil:
    cdef Answer* answer = &stretch.answer[row]
    if stretch.share is not NULL and stretch.share[row] == EVERYBODY and stretch.ours != 0:
        return
    answer.verdict, answer.block_class = out.verdict, out.block_class
    answer.repeated, answer.added = out.repeated, out.added
    answer.rule, answer.errors, answer.shadow = out.rule, out.errors, out.shadow
    answer.caller = call.key[<int> Field.F_CALLER]


# From stop.row to `last`: a chunk of setups is read and what it needs fetched ahead, then each is decided.
cdef void go_through(const Snapshot* s, Worker* w, const Stretch* stretch, Call* calls, int64_t last,
                     Stop* stop) noexcept nogil:
    cdef int64_t[64] row
    cdef Millis[64] time
    cdef Decision out
    cdef uint32_t n, i
    while stop.row < last and stop.flaw == FLAW_NONE:
        n = 0
        while n < CHUNK and stop.row < last:
            if concerns(stretch, stop.row):
                stop.flaw = load_call(stretch.rows, stop.row, &calls[n], &stop.field)
                if stop.flaw != FLAW_NONE:
                    break
                row[n], time[n] = stop.row, whole_at(&stretch.rows.time, stop.row, 0)
                n += 1
            stop.row += 1
        prepare_chunk(s, w, calls, n)
        for i in range(n):
            w.sampled = time[i]         # nobody drains samples here
            decide_one(s, w, &calls[i], i, time[i], &out)
            keep(stretch, row[i], &out, &calls[i])


cdef uint8_t share_of(const Call* call, uint64_t among, uint32_t digits) noexcept nogil:
    cdef Key key = call.key[<int> Field.F_CALLER]
    if call.emergency:
        return EVERYBODY
    if digits and call.number[<int> Field.F_CALLER].status == NumberStatus.NUMBER_E164:
        key = digits_key(KeyKind.KEY_PREFIX, call.number[<int> Field.F_CALLER].text + 1,
                         min(digits, <uint32_t> call.number[<int> Field.F_CALLER].length - 1))
    return <uint8_t> (mix(key, 0) % among)


@cython.no_gc_clear             # as the engine's place that it holds
cdef class Player:
    def __cinit__(self, engine not None):
        self.enlisted = Enlisted(engine)
        self.calls = <Call*> reserve(CHUNK * sizeof(Call))
        if self.calls is NULL:
            raise MemoryError("no memory for a chunk of calls")

    def __dealloc__(self):
        release(self.calls, CHUNK * sizeof(Call))

    cdef const Snapshot* enter(self) except NULL:
        cdef const Snapshot* s = publication_enter(self.enlisted.publication, self.enlisted.worker.index)
        if s is NULL:
            raise RuntimeError("the engine has no policy yet: publish one first")
        take_up(self.enlisted.worker, s)
        return s

    def play(self, Columns columns not None, int64_t first, int64_t last, answers, shares=None, uint8_t share=0):
        cdef Stretch stretch
        cdef Stop stop
        cdef const Snapshot* s
        cdef const uint8_t[::1] whose
        if answers.dtype != ANSWER or answers.shape != (columns.rows.n,) or not answers.flags.c_contiguous:
            raise ValueError(f"answers: give an array of ANSWER of {columns.rows.n} rows")
        if not 0 <= first <= last <= columns.rows.n:
            raise ValueError(f"rows {first} to {last} of {columns.rows.n}")
        stretch.rows, stretch.answer = &columns.rows, <Answer*> <uintptr_t> answers.ctypes.data
        stretch.share, stretch.ours = NULL, share
        if shares is not None and columns.rows.n:
            whose = shares
            if whose.shape[0] != columns.rows.n:
                raise ValueError(f"shares of {whose.shape[0]} rows beside {columns.rows.n}")
            stretch.share = &whose[0]
        stop.row, stop.flaw, stop.field = first, FLAW_NONE, NO_FIELD
        s = self.enter()
        with nogil:
            go_through(s, self.enlisted.worker, &stretch, self.calls, last, &stop)
            publication_leave(self.enlisted.publication, self.enlisted.worker.index)
        return stop.row, stop.flaw, stop.field

    def share_out(self, Columns columns not None, int64_t first, int64_t last, uint8_t[::1] shares not None,
                  uint64_t among, uint32_t digits):
        cdef const Snapshot* s
        cdef Call* call = self.calls
        cdef int64_t i
        cdef uint8_t field
        if not (0 <= first <= last <= columns.rows.n == shares.shape[0] and 1 <= among < EVERYBODY):
            raise ValueError(f"rows {first} to {last} of {columns.rows.n}, shares of {shares.shape[0]}, for {among}")
        s = self.enter()
        with nogil:
            for i in range(first, last):
                shares[i] = 0
                if load_call(&columns.rows, i, call, &field) == FLAW_NONE:
                    resolve(&s.intake, &self.enlisted.worker.trunks, call)
                    shares[i] = share_of(call, among, digits)
            publication_leave(self.enlisted.publication, self.enlisted.worker.index)
