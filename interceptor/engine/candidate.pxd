# A policy beside the one in force: it looks on the same lists, and has no counters but those it is given.
from libc.stdint cimport int16_t

from interceptor.engine.snapshot cimport SnapshotHolder

# Its C part lacks what only live decisions need: tables of lists, what was added and repeated is the live one's.
cdef class Candidate(SnapshotHolder):
    cdef readonly dict places   # list name -> its number: of the live policy's lists, then of its own further ones
    cdef int16_t[256] source    # by counter: the live policy's counter of equal definition, or -1
