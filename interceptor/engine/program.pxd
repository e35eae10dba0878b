# Immutable bytecode: verified when it is made, so that evaluation checks nothing but what CEL itself calls an error.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.clocks cimport Clock
from interceptor.engine.opcodes cimport (
    GUARD_COUNTER, GUARD_FIELD, GUARD_FLAG, GUARD_INVALID, GUARD_LISTS, GUARD_SCALAR, Instruction,
)
from interceptor.engine.registers cimport readable
from interceptor.engine.types cimport Call, Millis, Number, Text

cdef enum:
    MAX_REGISTERS = 64

cpdef enum Outcome:
    NO_MATCH = 0
    MATCH = 1
    OUTCOME_ABSENT = 2
    OUTCOME_ERROR = 3

cdef enum:
    UNDECIDED = 255             # of a glance: run the bytecode
    UNREAD = 2                  # of a counter: its key is there, and it is read when somebody asks for it

# One thing that a condition asks (guards.py): "no" makes it NO_MATCH before any instruction is run.
cdef struct Guard:
    uint8_t kind                # GuardKind
    uint8_t index
    uint8_t whole               # it asks nothing else: MATCH on "yes", OUTCOME_ABSENT when that is not there
    uint8_t alternative         # "no" is not enough: the next one must say so too
    uint32_t further            # how many guards on the next thing lies that the condition asks as well; 0: nowhere
    int64_t low
    int64_t high
    uint64_t lists

cdef struct Program:
    const Instruction* code
    const Guard* guards         # by address; where no condition starts: GUARD_NONE
    const int64_t* ints
    const double* doubles
    const Text* texts
    uint32_t length

# What a condition may look at, for one call.
cdef struct Frame:
    const Call* call
    const Text* regions         # names of the plan's regions, by Number.region
    const Text* types           # names of the number types, by Number.type
    uint64_t[28] bitmap         # by Field: the lists the field is on
    const int64_t* counter      # by counter index
    const uint8_t* readable     # by counter index: 0 when its key is absent, or UNREAD
    void (*read)(void* reader, uint32_t counter) noexcept nogil    # reads one that is UNREAD
    void* reader
    Millis now
    const Clock* clock          # of the call's trunk

# Runs the condition that starts there, instruction by instruction.
cdef uint8_t run(const Program* program, uint32_t start, const Frame* frame) noexcept nogil
# The same behind the rest of its guards; `outcome`: what the first has said.
cdef uint8_t ask_further(const Program* program, uint32_t start, uint8_t outcome, const Frame* frame) noexcept nogil

cdef inline bint has_counter(const Frame* frame, uint32_t index) noexcept nogil:
    if frame.readable[index] == UNREAD:
        frame.read(frame.reader, index)
    return frame.readable[index] != 0

cdef inline uint8_t glance(const Guard* guard, const Frame* frame) noexcept nogil:
    cdef uint8_t absent = OUTCOME_ABSENT if guard.whole else UNDECIDED
    cdef uint8_t holds = MATCH if guard.whole else UNDECIDED
    cdef const Number* number
    cdef int64_t value
    if guard.kind == GUARD_LISTS:
        if frame.call.key[guard.index] == 0:
            return absent
        return holds if frame.bitmap[guard.index] & guard.lists else <uint8_t>NO_MATCH
    elif guard.kind == GUARD_COUNTER:
        if not has_counter(frame, guard.index):
            return absent
        value = frame.counter[guard.index]
        return holds if guard.low <= value and value <= guard.high else <uint8_t>NO_MATCH
    elif guard.kind == GUARD_SCALAR:
        if not (frame.call.present >> guard.index) & 1:
            return absent
        value = frame.call.scalar[guard.index]
        return holds if guard.low <= value and value <= guard.high else <uint8_t>NO_MATCH
    elif guard.kind == GUARD_FLAG:
        if not (frame.call.present >> guard.index) & 1:
            return absent
        return holds if frame.call.scalar[guard.index] else <uint8_t>NO_MATCH
    elif guard.kind == GUARD_INVALID:
        number = &frame.call.number[guard.index]
        if not readable(number):
            return absent
        return <uint8_t>NO_MATCH if number.valid else holds
    elif guard.kind == GUARD_FIELD and frame.call.text[guard.index].length == 0:
        return OUTCOME_ABSENT
    return UNDECIDED

# Evaluates the condition code[start:end): verified code only, and only from where a condition starts. -> Outcome
cdef inline uint8_t evaluate(const Program* program, uint32_t start, uint32_t end, const Frame* frame) noexcept nogil:
    cdef const Guard* guard = &program.guards[start]
    cdef uint8_t outcome = glance(guard, frame)
    return outcome if outcome != UNDECIDED and not guard.alternative else ask_further(program, start, outcome, frame)

# __init__(code: spec.Code, spans: Sequence[spec.Span], n_counters, n_lists): every span is a condition that may be
# evaluated. Raises ValueError naming the instruction's index, its op and the reason.
cdef class CompiledProgram:
    cdef Program program
    cdef uint32_t counters      # how many counters the conditions may read
    cdef readonly object spans  # the verified conditions, frozenset[(start, end)]
    cdef object arrays          # what `program` points into: kept alive here
