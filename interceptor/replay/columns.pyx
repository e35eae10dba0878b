# Rows of recorded calls as Arrow's buffers hold them (contract: columns.pxd). Knows Arrow's layout, and no pyarrow.
import cython

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uintptr_t
from libc.string cimport memset

from interceptor.engine.atomics cimport ic_prefetch_read
from interceptor.engine.border cimport TextProblem, text_problem
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.types cimport MAX_FIELD, MAX_REDIRECTING, N_FIELDS, N_SCALARS, Call, Field, Scalar, Text

SCALARS = {"sim_age_days": Scalar.S_SIM_AGE_DAYS, "event_time_ms": Scalar.S_EVENT_TIME_MS}
FLAGS = {"international_ingress": Scalar.S_INTERNATIONAL_INGRESS, "roaming": Scalar.S_ROAMING}

cdef enum:
    NO_FIELD = 255
    NEAR = 8                # rows ahead
    FAR = 16
    FEW_WORDS = 128         # of a column: they stay in the cache


cdef inline Flaw flaw_of(const char* data, int64_t length) noexcept nogil:
    cdef int problem
    if length > MAX_FIELD:
        return FLAW_LONG
    problem = text_problem(<const uint8_t*> data, <uint32_t> length)
    if problem == TextProblem.TEXT_OK:
        return FLAW_NONE
    return FLAW_CONTROL if problem == TextProblem.TEXT_CONTROL else FLAW_UTF8


# The text at place i of the buffers; out.length 0 where there is none.
cdef inline Flaw text_at(const Texts* column, int64_t i, Text* out) noexcept nogil:
    cdef int64_t begin, end
    cdef Flaw flaw
    out.data, out.length = NULL, 0
    if not is_set(column.valid, i):
        return FLAW_NONE
    if column.code is not NULL:
        if not 0 <= column.code[i] < column.words:
            return FLAW_BROKEN
        out[0] = column.word[column.code[i]]
        if out.data is NULL and out.length:
            flaw = <Flaw> out.length
            out.length = 0
            return flaw
        return FLAW_NONE
    begin, end = column.at[i], column.at[i + 1]
    if not 0 <= begin <= end <= column.size:
        return FLAW_BROKEN
    if begin == end:
        return FLAW_NONE
    flaw = flaw_of(column.data + begin, end - begin)
    if flaw == FLAW_NONE:
        out.data, out.length = column.data + begin, <uint32_t> (end - begin)
    return flaw


# A row's words lie anywhere: they are on their way when their row is read, then the texts of those that came.
cdef inline void look_ahead(const Rows* rows, int64_t i) noexcept nogil:
    cdef uint32_t k
    cdef const Texts* column
    cdef int32_t code
    for k in range(rows.scattereds if i + FAR < rows.n else 0):
        column = &rows.text[rows.scattered[k]]
        ic_prefetch_read(&column.word[column.code[column.first + i + FAR]])
        code = column.code[column.first + i + NEAR]
        if 0 <= code < column.words:
            ic_prefetch_read(column.word[code].data)


cdef Flaw load_call(const Rows* rows, int64_t i, Call* call, uint8_t* field) noexcept nogil:
    cdef uint32_t k
    cdef int64_t at, begin, end, value
    cdef Flaw flaw
    memset(call, 0, sizeof(Call))
    field[0] = NO_FIELD
    look_ahead(rows, i)
    for k in range(rows.fields):
        field[0] = rows.field[k]
        flaw = text_at(&rows.text[field[0]], rows.text[field[0]].first + i, &call.text[field[0]])
        if flaw != FLAW_NONE:
            return flaw
    if rows.redirecting_at is not NULL and is_set(rows.redirecting_valid, rows.redirecting_first + i):
        field[0] = Field.F_REDIRECTING
        at = rows.redirecting_first + i
        begin, end = rows.redirecting_at[at], rows.redirecting_at[at + 1]
        if not 0 <= begin <= end <= rows.redirecting.words:
            return FLAW_BROKEN
        for k in range(<uint32_t> min(end - begin, <int64_t> MAX_REDIRECTING)):
            flaw = text_at(&rows.redirecting, rows.redirecting.first + begin + k,
                           &call.text[<int> Field.F_REDIRECTING + k])
            if flaw != FLAW_NONE:
                return flaw
    field[0] = NO_FIELD
    for k in range(N_SCALARS):      # each is a whole number or a flag
        value = whole_at(&rows.whole[k], i, -1)
        if rows.flag[k].bit is not NULL and is_set(rows.flag[k].valid, rows.flag[k].first + i):
            value = is_set(rows.flag[k].bit, rows.flag[k].first + i)
        if value >= 0:
            call.scalar[k] = value
            call.present |= <uint32_t> 1 << k
    return FLAW_NONE


cdef inline uintptr_t address(object buffer):
    return 0 if buffer is None or buffer.size == 0 else buffer.address


cdef int longer(array, Py_ssize_t n) except -1:
    if len(array) != n:
        raise ValueError(f"a column of {len(array)} rows beside {n} others")
    return 0


cdef int wholes(Wholes* column, array, Py_ssize_t n) except -1:
    if str(array.type) != "int64":
        raise ValueError(f"a column of {array.type}, and not of int64")
    longer(array, n)
    valid, values = array.buffers()
    column.valid, column.first = <const uint8_t*> address(valid), array.offset
    column.value = <const int64_t*> address(values)
    return 0


cdef const uint8_t* bytes_of(array, Py_ssize_t n) except? NULL:
    cdef const uint8_t[::1] view
    if array is None or n == 0:
        return NULL
    longer(array, n)
    view = array
    return &view[0]


@cython.no_gc_clear         # what the rows point into goes with them
cdef class Columns:
    def __init__(self, Py_ssize_t rows, texts, wholes_, flags, *, redirecting=None, events=None, bad=None):
        cdef Wholes* column
        cdef Flags* flag
        self.owned = []
        self.keep = texts, wholes_, flags, redirecting, events, bad
        memset(&self.rows, 0, sizeof(Rows))
        self.rows.n = rows
        for field, array in texts.items():
            if not 0 <= field < N_FIELDS:
                raise ValueError(f"{field} is no field")
            longer(array, rows)
            self.texts(&self.rows.text[<int> field], array)
            self.rows.field[self.rows.fields] = field
            self.rows.fields += 1
            if self.rows.text[<int> field].words > FEW_WORDS:
                self.rows.scattered[self.rows.scattereds] = field
                self.rows.scattereds += 1
        for name, array in wholes_.items():
            if name == "time_ms":
                column = &self.rows.time
            elif name == "answered_ms":
                column = &self.rows.answered
            elif name == "ended_ms":
                column = &self.rows.ended
            else:
                column = &self.rows.whole[<int> SCALARS[name]]
            wholes(column, array, rows)
        for name, array in flags.items():
            flag = &self.rows.flag[<int> FLAGS[name]]
            if str(array.type) != "bool":
                raise ValueError(f"a column of {array.type}, and not of bool")
            longer(array, rows)
            valid, bits = array.buffers()
            flag.valid, flag.first, flag.bit = (<const uint8_t*> address(valid), array.offset,
                                                <const uint8_t*> address(bits))
        if redirecting is not None:
            if str(redirecting.type) not in ("list<item: string>", "list<element: string>"):
                raise ValueError(f"a column of {redirecting.type}, and not of lists of string")
            longer(redirecting, rows)
            self.texts(&self.rows.redirecting, redirecting.values)
            self.rows.redirecting.words = len(redirecting.values)
            self.rows.redirecting_valid = <const uint8_t*> address(redirecting.buffers()[0])
            self.rows.redirecting_at = <const int32_t*> address(redirecting.buffers()[1])
            self.rows.redirecting_first = redirecting.offset
        self.rows.event, self.rows.bad = bytes_of(events, rows), bytes_of(bad, rows)

    def __dealloc__(self):
        for where, size in self.owned or ():
            release(<void*> <uintptr_t> where, size)

    def __len__(self):
        return self.rows.n

    cdef int texts(self, Texts* column, array) except -1:
        cdef int64_t i
        cdef size_t size
        cdef Flaw flaw
        cdef Texts plain
        coded = str(array.type).startswith("dictionary<values=string, indices=int32")
        if not coded and str(array.type) != "string":
            raise ValueError(f"a column of {array.type}, and not of string")
        buffers = array.buffers()
        column.valid, column.first = <const uint8_t*> address(buffers[0]), array.offset
        if not coded:
            column.at = <const int32_t*> address(buffers[1])
            column.data, column.size = <const char*> address(buffers[2]), buffers[2].size if buffers[2] else 0
            if column.at is NULL and len(array):
                raise ValueError("a column without offsets")
            return 0
        column.code = <const int32_t*> address(buffers[1])
        words = array.dictionary
        memset(&plain, 0, sizeof(plain))
        self.texts(&plain, words)
        size = sizeof(Text) * (len(words) + 1)      # never nothing
        column.word = <Text*> reserve(size)
        if column.word is NULL:
            raise MemoryError(f"no memory for the {len(words)} words of a column")
        self.owned.append((<uintptr_t> column.word, size))
        column.words = len(words)
        for i in range(column.words):
            flaw = text_at(&plain, plain.first + i, &column.word[i])
            if flaw != FLAW_NONE:
                column.word[i].data, column.word[i].length = NULL, <uint32_t> flaw
        return 0
