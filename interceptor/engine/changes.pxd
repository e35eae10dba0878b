# Changes of the lists in force, single ones in place, large ones beside; and what becomes of the tables they replace.
from libc.stdint cimport uint64_t

from interceptor.engine.live cimport LiveLists
from interceptor.engine.publication cimport Publication
from interceptor.engine.seats cimport Seats

cdef class ListChanges:
    cdef LiveLists lists            # in force
    cdef object building            # held while a snapshot or tables are built, for seconds
    cdef object lock                # then this, for milliseconds: what is in force, and who decides with it
    cdef Publication* publication   # of the engine, which outlives this
    cdef Seats seats
    cdef uint64_t replaced          # tables, so far
    cdef list gone                  # those that a Python thread may still look at: (the count after them, tables)

    cdef object change(self, str name, entries, bint on)
    cdef tuple apply(self, str name, add, remove)
    cdef int replace(self, str name, content) except -1
    cdef tuple _rebuild(self, str name, add, remove)
    cdef int _let_go(self, tables) except -1
    cdef int wait(self) except -1   # until no thread without the GIL looks at anything that was replaced before
    cdef int sweep(self) except -1  # lets go of what nobody looks at any more
