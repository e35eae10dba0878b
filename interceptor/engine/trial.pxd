# A policy in shadow beside a snapshot, on every call that is decided: what it would have answered, counted by worker.
from libc.stdint cimport int8_t, int16_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.candidate cimport Candidate
from interceptor.engine.decide cimport Trial, Worker
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.types cimport Call, Millis

cdef enum:
    KINDS = 1024                # of difference, told apart by one worker
    TOLD = 64                   # events a worker may put in SAMPLE_MS: the ring is the live decisions'

cdef struct Kind:
    uint64_t key                # of both answers, written before its count; 0: free
    uint64_t count

cdef struct Shade:              # what one deciding thread needs for the other policy; it alone writes
    Worker w
    Call call
    uint8_t* outcome
    uint64_t calls
    uint64_t differing
    uint64_t untold             # found no room among the kinds
    Millis tick                 # in which `told` events were put
    uint32_t told
    Kind[1024] kind

cdef struct Beside:             # begins as decide.pxd's Trial
    Trial trial
    const Snapshot* s           # the policy on trial
    uint8_t number              # of the trial, in its events
    int8_t[8] tag               # by its tags: place of the same among the live policy's, or -1
    const int16_t* source         # by its counters: the live policy's of equal definition, or -1
    (Shade*)[64] shade          # by worker; NULL: it takes no part yet. Atomic

cdef class ShadowRun:           # owns it; beside one live snapshot
    cdef Beside c
    cdef readonly Candidate candidate
    cdef readonly object live   # its Spec
    cdef size_t room            # bytes of a shade
