# What threads that hold no GIL need of an engine: a worker of their own, and the snapshot in force.
from libc.stdint cimport uint32_t

from interceptor.engine.decide cimport Worker
from interceptor.engine.publication cimport Publication

cdef class Enlisted:            # `Engine.enlist()`; one thread's, for as long as it lives
    cdef Worker* worker
    cdef Publication* publication
    cdef readonly int index     # of the worker, and of its Reader
    cdef object engine          # kept alive
