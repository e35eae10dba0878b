# The enums of words.pxd as Python enums, and the struct sizes the other modules rely on.
from interceptor.dataplane.words cimport Request

if sizeof(Request) != 48:
    raise ImportError("interceptor.dataplane: struct layout differs from what its modules were written for")
