# The opcode table of opcodes.pxd as Python enums, for the compiler and the tests.
from interceptor.engine.opcodes cimport Instruction

if sizeof(Instruction) != 8:
    raise ImportError("interceptor.engine: an instruction must be 8 bytes")
