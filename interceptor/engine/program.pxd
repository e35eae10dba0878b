# Immutable bytecode: verified when it is made, so that evaluation checks nothing but what CEL itself calls an error.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.opcodes cimport Instruction
from interceptor.engine.types cimport Call, Text

cdef enum:
    MAX_REGISTERS = 64

cpdef enum Outcome:
    NO_MATCH = 0
    MATCH = 1
    OUTCOME_ABSENT = 2
    OUTCOME_ERROR = 3

cdef struct Program:
    const Instruction* code
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
    const uint8_t* readable     # by counter index: 0 when its key is absent

# Runs code[start:end); verified code only. -> Outcome
cdef uint8_t evaluate(const Program* program, uint32_t start, uint32_t end, const Frame* frame) noexcept nogil

# __init__(code: spec.Code, spans: Sequence[spec.Span], n_counters, n_lists): every span is a condition that may be
# evaluated. Raises ValueError naming the instruction's index, its op and the reason.
cdef class CompiledProgram:
    cdef Program program
    cdef uint32_t counters      # how many counters the conditions may read
    cdef readonly object spans  # the verified conditions, frozenset[(start, end)]
    cdef object arrays          # what `program` points into: kept alive here
