# The lists in force: the pointer through which calls find their tables. Snapshots of policies that have the same lists
# share one.
from interceptor.engine.tables cimport ListTables, Tables

cdef class LiveLists:
    cdef const Tables* current          # replaced as a whole; what a call has loaded stays until no call looks at it
    cdef readonly ListTables tables     # who owns that
    cdef readonly tuple lists           # ListSpec, by index
    cdef readonly dict index            # by name
    cdef object journal                 # a Journal while other tables are being built

    cdef ListTables swap(self, ListTables tables)   # puts them in force; returns those that are not any more
    cpdef int place(self, str name) except -1

cdef class Beside:                      # a context: tables that are built beside those of `running`
    cdef LiveLists running
    cdef LiveLists next                 # who gets them
    cdef dict index                     # there, of the lists that both have and of which the kind is the same
    cdef ListTables tables
    cdef object lock                    # held by whoever changes the running ones

    cdef int _catch_up(self) except -1
