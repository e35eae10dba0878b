# Immutable bytecode: verified when it is made, so that evaluation checks nothing but what CEL itself calls an error.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.opcodes cimport Instruction
from interceptor.engine.plan cimport Plan
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
    const Plan* plan
    uint64_t[28] bitmap         # by Field: the lists the field is on
    int64_t* counter            # by counter index
    uint8_t* readable           # by counter index: 0 when its key is absent

# Runs code[start:end); verified code only. -> Outcome
cdef uint8_t evaluate(const Program* program, uint32_t start, uint32_t end, const Frame* frame) noexcept nogil

cdef class CompiledProgram:     # __init__(spec.Code, n_counters, n_lists): raises ValueError naming the instruction
    cdef Program program
    cdef object arrays          # what `program` points into: kept alive here
