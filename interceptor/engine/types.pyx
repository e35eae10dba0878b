# The enums of types.pxd as Python enums, and the struct sizes the other modules rely on.
from interceptor.engine.types cimport Decision, Key, Number, Text

if sizeof(Key) != 8 or sizeof(Text) != 16 or sizeof(Number) != 40 or sizeof(Decision) != 32:
    raise ImportError("interceptor.engine: struct layout differs from what the kernels were written for")
