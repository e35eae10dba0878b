# Recorded calls through an engine, in the order in which things happened, without the GIL.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

from interceptor.engine.engine cimport Enlisted
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.types cimport Call, Key
from interceptor.replay.pending cimport Pending

cdef struct Answer:         # a row of outcome.ANSWER
    uint8_t verdict         # 0: nothing was asked
    uint8_t block_class
    uint8_t repeated
    uint8_t added
    uint16_t rule
    uint16_t errors
    uint64_t shadow
    Key caller

cdef struct Stop:           # where it went no further
    int64_t row
    int flaw                # FLAW_NONE: behind the last
    uint8_t field           # whose text it is; 255: of no text

cdef class Player:
    cdef Enlisted enlisted
    cdef Call* calls        # room for a chunk
    cdef Pending pending    # what is still to happen to calls
    cdef const Snapshot* enter(self) except NULL
