# Recorded calls through an engine, in the order in which things happened (contract: player.pxd).
import cython

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdio cimport snprintf

from interceptor.engine.decide cimport Worker, decide_one, prepare_chunk, take_up
from interceptor.engine.engine cimport Enlisted
from interceptor.engine.following cimport SOON, Report, prepare_reports, report_call, report_subscription
from interceptor.engine.intake cimport resolve
from interceptor.engine.keys cimport KeyKind, digits_key, mix
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.publication cimport publication_enter, publication_leave
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.types cimport Call, Decision, Field, Happening, Key, Millis, NumberStatus
from interceptor.replay.columns cimport FLAW_NONE, Columns, Rows, load_call, whole_at
from interceptor.replay.pending cimport (
    MOST_PENDING, Pending, pending_add, pending_due, pending_free, pending_soon, pending_take,
)

from interceptor.replay.outcome import ANSWER

if ANSWER.itemsize != sizeof(Answer):
    raise ImportError("interceptor.replay: ANSWER differs from struct Answer")

cdef enum:
    EVERYBODY = 255
    NO_FIELD = 255
    ROW_NAME = 32
    TOGETHER = 24           # calls of a chunk: of more, what is fetched ahead is gone from the caches by its turn

cdef struct Stretch:            # what one `play` goes through
    const Rows* rows
    Answer* answer              # by row
    const uint8_t* share        # whose each row is; NULL: all are ours
    uint8_t ours
    int64_t before              # rows of the recording before these


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


# What of earlier calls is due by now: ends, then answers.
cdef void tell_due(const Snapshot* s, Worker* w, Pending* pending, Millis now) noexcept nogil:
    cdef Report report
    while pending_due(pending, now):
        pending_take(pending, &report)
        report.fetched = True
        report_call(s, w, &report, report.time_ms)


# A call that has no name is joined with what becomes of it by its row.
cdef inline void name_row(Call* call, int64_t row, char* name) noexcept nogil:
    if call.text[<int> Field.F_CALL_ID].length == 0:
        call.text[<int> Field.F_CALL_ID].length = <uint32_t> snprintf(name, ROW_NAME, b"row %lld", <long long> row)
        call.text[<int> Field.F_CALL_ID].data = name


# What happens at a row: a card's event that feeds no counter is nothing to this policy.
cdef inline bint matters(const Snapshot* s, uint8_t event) noexcept nogil:
    return event == Happening.H_CALL or s.feeds_of[event] != s.feeds_of[event + 1]


# From stop.row to `last`: a chunk is read, and what it and the reports between its calls need is fetched ahead; then
# each call is decided, when what became of earlier ones by then was told, and each card's event is told.
cdef void go_through(const Snapshot* s, Worker* w, const Stretch* stretch, Call* calls, Pending* pending,
                     int64_t last, Stop* stop) noexcept nogil:
    cdef int64_t[TOGETHER] row
    cdef Millis[TOGETHER] time
    cdef uint8_t[TOGETHER] event
    cdef char[TOGETHER][ROW_NAME] name
    cdef Report[SOON] soon
    cdef const Rows* rows = stretch.rows
    cdef Decision out
    cdef uint32_t n, i
    cdef bint followed = s.flights is not NULL and (rows.answered.value is not NULL or rows.ended.value is not NULL)
    while stop.row < last and stop.flaw == FLAW_NONE:
        n = 0
        while n < TOGETHER and stop.row < last:
            event[n] = Happening.H_CALL if rows.event is NULL else rows.event[stop.row]
            if concerns(stretch, stop.row) and matters(s, event[n]):
                stop.flaw = load_call(rows, stop.row, &calls[n], &stop.field)
                if stop.flaw != FLAW_NONE:
                    break
                row[n], time[n] = stop.row, whole_at(&rows.time, stop.row, 0)
                if followed and event[n] == Happening.H_CALL:
                    name_row(&calls[n], stretch.before + stop.row, name[n])
                n += 1
            stop.row += 1
        if n == 0:
            break
        prepare_chunk(s, w, calls, n)
        if followed:
            prepare_reports(s, w, soon, pending_soon(pending, time[n - 1], soon, SOON))
        for i in range(n):
            if followed:
                tell_due(s, w, pending, time[i])
            if event[i] != Happening.H_CALL:
                report_subscription(s, w, event[i], &calls[i], time[i])
                continue
            w.sampled = time[i]         # nobody drains samples here
            decide_one(s, w, &calls[i], i, time[i], &out)
            keep(stretch, row[i], &out, &calls[i])
            if followed:
                pending_add(pending, w.repeat_a[i], w.repeat_b[i],
                            whole_at(&rows.answered, row[i], -1), whole_at(&rows.ended, row[i], -1))


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
    def __cinit__(self, engine not None, *, uint32_t in_progress=MOST_PENDING):
        self.pending.most = min(in_progress, <uint32_t> MOST_PENDING)
        self.enlisted = Enlisted(engine)
        self.calls = <Call*> reserve(TOGETHER * sizeof(Call))
        if self.calls is NULL:
            raise MemoryError("no memory for a chunk of calls")

    def __dealloc__(self):
        release(self.calls, TOGETHER * sizeof(Call))
        pending_free(&self.pending)

    @property
    def lost(self):
        return self.pending.lost

    cdef const Snapshot* enter(self) except NULL:
        cdef const Snapshot* s = publication_enter(self.enlisted.publication, self.enlisted.worker.index)
        if s is NULL:
            raise RuntimeError("the engine has no policy yet: publish one first")
        take_up(self.enlisted.worker, s)
        return s

    def play(self, Columns columns not None, int64_t first, int64_t last, answers, shares=None, uint8_t share=0, *,
             int64_t before=0):
        cdef Stretch stretch
        cdef Stop stop
        cdef const Snapshot* s
        cdef const uint8_t[::1] whose
        if answers.dtype != ANSWER or answers.shape != (columns.rows.n,) or not answers.flags.c_contiguous:
            raise ValueError(f"answers: give an array of ANSWER of {columns.rows.n} rows")
        if not 0 <= first <= last <= columns.rows.n:
            raise ValueError(f"rows {first} to {last} of {columns.rows.n}")
        stretch.rows, stretch.answer = &columns.rows, <Answer*> <uintptr_t> answers.ctypes.data
        stretch.share, stretch.ours, stretch.before = NULL, share, before
        if shares is not None and columns.rows.n:
            whose = shares
            if whose.shape[0] != columns.rows.n:
                raise ValueError(f"shares of {whose.shape[0]} rows beside {columns.rows.n}")
            stretch.share = &whose[0]
        stop.row, stop.flaw, stop.field = first, FLAW_NONE, NO_FIELD
        s = self.enter()
        with nogil:
            go_through(s, self.enlisted.worker, &stretch, self.calls, &self.pending, last, &stop)
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
