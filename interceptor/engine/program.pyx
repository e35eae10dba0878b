# Runs the conditions of a policy: the VM over verified bytecode (verifier.py), and the class that owns the bytecode.
from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memset

from dataclasses import replace

import numpy as np

from interceptor.engine.clocks cimport Clock, hour_of, local_ms, minute_of, weekday_of
from interceptor.engine.opcodes cimport *
from interceptor.engine.registers cimport *
from interceptor.engine.types cimport (
    MAX_COUNTERS, N_FIELDS, N_NUMBERS, N_SCALARS, NUMBER_WITHHELD, Call, Number, Text,
)

from interceptor.engine.guards import GUARD, guards_of
from interceptor.engine.spec import UTC
from interceptor.engine.verifier import verify

cdef enum:                      # name tables of the probe
    MAX_REGIONS = 512
    MAX_TYPES = 32

if sizeof(Register) != 16:
    raise ImportError("interceptor.engine: a register must be 16 bytes")
if GUARD.itemsize != sizeof(Guard):
    raise ImportError("interceptor.engine: GUARD differs from struct Guard")


cdef inline int64_t part_of(uint16_t part, int64_t local) noexcept nogil:
    if part == NOW_HOUR:
        return hour_of(local)
    return minute_of(local) if part == NOW_MINUTE else weekday_of(local)


cdef uint8_t ask_further(const Program* program, uint32_t start, uint8_t outcome, const Frame* frame) noexcept nogil:
    cdef const Guard* guard = &program.guards[start]
    while True:
        if outcome != UNDECIDED and not guard.alternative:
            return outcome
        if outcome != UNDECIDED:
            guard += 1
        elif guard.further:
            guard += guard.further
        else:
            return run(program, start, frame)
        outcome = glance(guard, frame)


cdef uint8_t run(const Program* program, uint32_t start, const Frame* frame) noexcept nogil:
    # The verifier has proved every index, every type, and that OP_RETURN is reached. Jumps are forward, so this ends.
    cdef Register[MAX_REGISTERS] held
    cdef Register* registers = held
    cdef const Instruction* at = program.code + start
    cdef const Call* call = frame.call
    cdef Register* r
    cdef Register* a
    cdef Register* b
    cdef const Number* number
    cdef Order order
    cdef uint16_t op
    cdef int64_t result = 0

    while True:
        op = at.op
        # an operand that is no register makes an address that is never used
        r = registers + at.dst
        a = registers + at.a
        b = registers + at.b
        if op == OP_RETURN:
            if a.state:
                return OUTCOME_ABSENT if a.state == STATE_ABSENT else OUTCOME_ERROR
            return MATCH if a.v.i else NO_MATCH
        elif op == OP_INT:
            put_int(r, program.ints[at.a])
        elif op == OP_DOUBLE:
            put_double(r, program.doubles[at.a])
        elif op == OP_TEXT:
            put_text(r, program.texts[at.a].data, program.texts[at.a].length)
        elif op == OP_BOOL:
            put_int(r, at.a != 0)

        elif op == OP_FIELD:
            if at.a < N_NUMBERS:
                number = &call.number[at.a]
                if readable(number):
                    put_text(r, number.text, number.length)
                else:
                    put_failure(r, STATE_ABSENT)
            elif call.text[at.a].length:
                put_text(r, call.text[at.a].data, call.text[at.a].length)
            else:
                put_failure(r, STATE_ABSENT)
        elif op == OP_RAW:
            if call.text[at.a].length:
                put_text(r, call.text[at.a].data, call.text[at.a].length)
            else:
                put_failure(r, STATE_ABSENT)
        elif op == OP_SCALAR:
            if call.present >> at.a & 1:
                put_int(r, call.scalar[at.a])
            else:
                put_failure(r, STATE_ABSENT)
        elif op == OP_FLAG:
            if call.present >> at.a & 1:
                put_int(r, call.scalar[at.a] != 0)
            else:
                put_failure(r, STATE_ABSENT)
        elif op == OP_COUNTER:
            if has_counter(frame, at.a):
                put_int(r, frame.counter[at.a])
            else:
                put_failure(r, STATE_ABSENT)
        elif op == OP_HAS_FIELD:
            put_int(r, call.text[at.a].length != 0)
        elif op == OP_HAS_SCALAR:
            put_int(r, call.present >> at.a & 1)
        elif op == OP_IN_LIST:
            if call.key[at.a]:
                put_int(r, <int64_t>(frame.bitmap[at.a] >> at.b & 1))
            else:
                put_failure(r, STATE_ABSENT)
        elif op == OP_VALID:
            if readable(&call.number[at.a]):
                put_int(r, call.number[at.a].valid != 0)
            else:
                put_failure(r, STATE_ABSENT)
        elif op == OP_REGION:
            number = &call.number[at.a]
            if readable(number):
                put_text(r, frame.regions[number.region].data, frame.regions[number.region].length)
            else:
                put_failure(r, STATE_ABSENT)
        elif op == OP_TYPE:
            number = &call.number[at.a]
            if readable(number) or number.status == NUMBER_WITHHELD:
                put_text(r, frame.types[number.type].data, frame.types[number.type].length)
            else:
                put_failure(r, STATE_ABSENT)
        elif op == OP_PREFIX:
            put_number_prefix(r, &call.number[at.a], at.b)
        elif op == OP_REDIRECTIONS:
            put_int(r, redirections(call))
        elif op == OP_NOW:
            put_int(r, part_of(at.a, local_ms(frame.clock, frame.now)))

        elif op == OP_NOT:
            if not fails(r, a, a):
                put_int(r, a.v.i ^ 1)
        elif op == OP_NEG_INT:
            if not fails(r, a, a):
                if a.v.i == INT64_MIN:
                    put_failure(r, STATE_ERROR)
                else:
                    put_int(r, -a.v.i)
        elif op == OP_NEG_DOUBLE:
            if not fails(r, a, a):
                put_double(r, -a.v.d)
        elif op == OP_ADD_INT:
            if not fails(r, a, b):
                if ic_add_overflows(a.v.i, b.v.i, &result):
                    put_failure(r, STATE_ERROR)
                else:
                    put_int(r, result)
        elif op == OP_SUB_INT:
            if not fails(r, a, b):
                if ic_sub_overflows(a.v.i, b.v.i, &result):
                    put_failure(r, STATE_ERROR)
                else:
                    put_int(r, result)
        elif op == OP_MUL_INT:
            if not fails(r, a, b):
                if ic_mul_overflows(a.v.i, b.v.i, &result):
                    put_failure(r, STATE_ERROR)
                else:
                    put_int(r, result)
        elif op == OP_DIV_INT or op == OP_MOD_INT:
            if not fails(r, a, b):
                if b.v.i == 0 or (b.v.i == -1 and a.v.i == INT64_MIN):
                    put_failure(r, STATE_ERROR)
                else:
                    put_int(r, a.v.i // b.v.i if op == OP_DIV_INT else a.v.i % b.v.i)
        elif op == OP_ADD_DOUBLE:
            if not fails(r, a, b):
                put_double(r, a.v.d + b.v.d)
        elif op == OP_SUB_DOUBLE:
            if not fails(r, a, b):
                put_double(r, a.v.d - b.v.d)
        elif op == OP_MUL_DOUBLE:
            if not fails(r, a, b):
                put_double(r, a.v.d * b.v.d)
        elif op == OP_DIV_DOUBLE:
            if not fails(r, a, b):
                put_double(r, a.v.d / b.v.d)
        elif op == OP_RATIO:
            if not fails(r, a, b):
                if b.v.i == 0:
                    put_failure(r, STATE_ERROR)
                else:
                    put_double(r, <double>a.v.i / <double>b.v.i)
        elif op == OP_TO_DOUBLE:
            if not fails(r, a, a):
                put_double(r, <double>a.v.i)
        elif op == OP_TO_INT:
            if not fails(r, a, a):
                if a.v.d > -9223372036854775808.0 and a.v.d < 9223372036854775808.0:
                    put_int(r, <int64_t>a.v.d)
                else:
                    put_failure(r, STATE_ERROR)

        elif op == OP_EQ_INT:
            if not fails(r, a, b):
                put_int(r, a.v.i == b.v.i)
        elif op == OP_LT_INT:
            if not fails(r, a, b):
                put_int(r, a.v.i < b.v.i)
        elif op == OP_LE_INT:
            if not fails(r, a, b):
                put_int(r, a.v.i <= b.v.i)
        elif op == OP_EQ_DOUBLE:
            if not fails(r, a, b):
                put_int(r, a.v.d == b.v.d)
        elif op == OP_LT_DOUBLE:
            if not fails(r, a, b):
                put_int(r, a.v.d < b.v.d)
        elif op == OP_LE_DOUBLE:
            if not fails(r, a, b):
                put_int(r, a.v.d <= b.v.d)
        elif op == OP_EQ_MIXED:
            if not fails(r, a, b):
                put_int(r, compare_mixed(a.v.i, b.v.d) == SAME)
        elif op == OP_LT_MIXED:
            if not fails(r, a, b):
                put_int(r, compare_mixed(a.v.i, b.v.d) == BEFORE)
        elif op == OP_LE_MIXED:
            if not fails(r, a, b):
                order = compare_mixed(a.v.i, b.v.d)
                put_int(r, order == BEFORE or order == SAME)
        elif op == OP_GT_MIXED:
            if not fails(r, a, b):
                put_int(r, compare_mixed(a.v.i, b.v.d) == BEHIND)
        elif op == OP_GE_MIXED:
            if not fails(r, a, b):
                order = compare_mixed(a.v.i, b.v.d)
                put_int(r, order == BEHIND or order == SAME)
        elif op == OP_EQ_TEXT:
            if not fails(r, a, b):
                put_int(r, a.length == b.length and compare_text(a, b) == 0)
        elif op == OP_LT_TEXT:
            if not fails(r, a, b):
                put_int(r, compare_text(a, b) < 0)
        elif op == OP_LE_TEXT:
            if not fails(r, a, b):
                put_int(r, compare_text(a, b) <= 0)
        elif op == OP_STARTS:
            if not fails(r, a, b):
                put_int(r, b.length <= a.length and (b.length == 0 or memcmp(a.v.p, b.v.p, b.length) == 0))
        elif op == OP_ENDS:
            if not fails(r, a, b):
                put_int(r, b.length <= a.length and (
                    b.length == 0 or memcmp(a.v.p + (a.length - b.length), b.v.p, b.length) == 0))
        elif op == OP_SIZE:
            if not fails(r, a, a):
                put_int(r, code_points(a))

        elif op == OP_MOVE:
            r[0] = a[0]
        elif op == OP_AND:
            if (a.state == STATE_OK and a.v.i == 0) or (b.state == STATE_OK and b.v.i == 0):
                put_int(r, 0)
            elif not fails(r, a, b):
                put_int(r, 1)
        elif op == OP_OR:
            if (a.state == STATE_OK and a.v.i != 0) or (b.state == STATE_OK and b.v.i != 0):
                put_int(r, 1)
            elif not fails(r, a, b):
                put_int(r, 0)
        elif op == OP_JUMP:
            at += at.b
        elif op == OP_JUMP_FALSE:
            if a.state == STATE_OK and a.v.i == 0:
                at += at.b
        elif op == OP_JUMP_TRUE:
            if a.state == STATE_OK and a.v.i != 0:
                at += at.b
        elif op == OP_JUMP_ERROR:
            if a.state != STATE_OK:
                at += at.b
        else:
            return OUTCOME_ERROR
        at += 1


cdef class CompiledProgram:

    def __init__(self, code, spans, n_counters, n_lists):
        code = replace(code, instructions=np.array(code.instructions))      # the caller may go on to change his
        verify(code, spans, n_counters, n_lists)
        instructions = code.instructions
        guards = guards_of(code, spans)
        ints = np.array(code.ints, dtype=np.int64)
        doubles = np.array(code.doubles, dtype=np.float64)
        texts = name_table(code.texts, len(code.texts))
        cdef size_t address
        self.arrays = (instructions, guards, ints, doubles, texts)
        address = instructions.ctypes.data
        self.program.code = <const Instruction*>address
        address = guards.ctypes.data
        self.program.guards = <const Guard*>address
        address = ints.ctypes.data
        self.program.ints = <const int64_t*>address
        address = doubles.ctypes.data
        self.program.doubles = <const double*>address
        address = texts[1].ctypes.data
        self.program.texts = <const Text*>address
        self.program.length = <uint32_t>len(instructions)
        self.counters = n_counters
        self.spans = frozenset((span.start, span.end) for span in spans)

    def __len__(self):
        return self.program.length

    def evaluate_with(self, span, *, texts=None, numbers=None, scalars=None, counters=None, bitmaps=None, keys=None,
                      regions=(), types=(), long long now=0, clock=UTC):
        cdef Call call
        cdef Clock local
        cdef Frame frame
        cdef int64_t[MAX_COUNTERS] values
        cdef uint8_t[MAX_COUNTERS] present
        cdef Number* number
        cdef uint8_t outcome
        if (span.start, span.end) not in self.spans:
            raise ValueError(f"span [{span.start}, {span.end}) is none of the program's conditions")
        memset(&call, 0, sizeof(Call))
        memset(&frame, 0, sizeof(Frame))
        memset(values, 0, sizeof(values))
        memset(present, 0, sizeof(present))
        kept = [dict(texts or {})]
        for field, text in kept[0].items():
            index = index_in("text", field, N_FIELDS)
            call.text[index].data = <const char*>text
            call.text[index].length = <uint32_t>len(text)
        cdef tuple region_table = name_table([name.encode() for name in regions], MAX_REGIONS)
        cdef tuple type_table = name_table([name.encode() for name in types], MAX_TYPES)
        cdef size_t address = region_table[1].ctypes.data
        frame.regions = <const Text*>address
        address = type_table[1].ctypes.data
        frame.types = <const Text*>address
        for field, (status, text, valid, number_type, region) in (numbers or {}).items():
            number = &call.number[index_in("number", field, N_NUMBERS)]
            if len(text) > <Py_ssize_t>sizeof(number.text):
                raise ValueError(f"number {field}: {len(text)} bytes, at most {sizeof(number.text)} fit")
            number.status = status
            memcpy(number.text, <const char*>text, len(text))
            number.length = <uint8_t>len(text)
            number.valid = valid
            number.type = index_in("number type", number_type, MAX_TYPES)
            number.region = index_in("region", region, MAX_REGIONS)
        for scalar, value in (scalars or {}).items():
            index = index_in("scalar", scalar, N_SCALARS)
            call.scalar[index] = value
            call.present |= <uint32_t>1 << <uint32_t>index
        for counter, value in (counters or {}).items():
            index = index_in("counter", counter, self.counters)
            if value is not None:
                values[index] = value
                present[index] = 1
        for field, bitmap in (bitmaps or {}).items():
            frame.bitmap[index_in("bitmap", field, N_FIELDS)] = bitmap
        for field, key in (keys or {}).items():
            call.key[index_in("key", field, N_FIELDS)] = key
        cdef object changes = np.array([clock.starts, clock.offsets], dtype=np.int64)
        address = changes.ctypes.data
        local.starts = <const int64_t*>address
        local.n = <uint32_t>len(clock.starts)
        local.offsets = local.starts + local.n
        frame.now, frame.clock = now, &local
        frame.call = &call
        frame.counter = values
        frame.readable = present
        cdef uint32_t start = span.start
        cdef uint32_t end = span.end
        with nogil:
            outcome = evaluate(&self.program, start, end, &frame)
        return Outcome(outcome)


cdef Py_ssize_t index_in(str what, object index, Py_ssize_t count) except -1:
    if not 0 <= index < count:
        raise ValueError(f"{what} {index} is outside 0..{count - 1}")
    return index


cdef tuple name_table(object texts, size_t entries):
    # The texts, and an array of Text that points into them; entries without a text are empty ones.
    cdef tuple kept = tuple(texts)
    if len(kept) > <Py_ssize_t>entries:
        raise ValueError(f"{len(kept)} names, at most {entries} fit")
    cdef object table = np.zeros((entries if entries else 1, sizeof(Text)), dtype=np.uint8)
    cdef size_t address = table.ctypes.data
    cdef Text* row = <Text*>address
    cdef bytes text
    for text in kept:
        row.data = <const char*>text
        row.length = <uint32_t>len(text)
        row += 1
    return kept, table
