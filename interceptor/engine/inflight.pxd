# The calls in flight: what a report of a call needs to know of its decision, by the 128-bit name of (switch, call_id).
# A bounded table, set-associative as recent.pyx. Who is done (ended, blocked) makes room first, then the oldest call,
# counted. What is done stays until then: a report that comes again finds it.
#
# Everything that must outlive the process lies in one region without pointers, of a fixed layout: FlightHead, the sets,
# the entries. Every write to a set and its entries is under the set's lock, so that a set whose lock is held when the
# process has died is the only one that may be torn.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.atomics cimport LockWaits
from interceptor.engine.types cimport Key, Millis

cdef enum:
    FLIGHT_WAYS = 15
    FLIGHT_PARTS = 10       # keys kept of a call
    FLIGHT_WHERES = 64      # conditions whose outcome at setup is kept
    FLIGHT_LAYOUTS = 8      # policies whose calls are still understood, the present one among them
    NO_SLOT = 255

cpdef enum FlightState:     # bits
    FLIGHT_SETUP = 1        # decided: the keys are the call's own
    FLIGHT_BLOCKED = 2
    FLIGHT_ANSWERED = 4
    FLIGHT_ENDED = 8
    FLIGHT_COUNTED = 16     # its reports were counted by the keys they carried, its Decide unseen
    FLIGHT_TALKED = 32      # of an early ENDED: it had a duration

cdef struct Flight:         # an entry, two lines
    uint64_t a              # name
    uint64_t b
    Key[10] key             # by slot of its layout. Of an early report: see inflight.pyx
    Millis setup
    int64_t answered_switch # the answer by the switch's clock; 0: it did not say
    uint64_t where          # bit i of its layout: that condition held at setup
    uint32_t answered       # ms from setup to the answer, by our clock
    uint16_t layout         # generation of the layout it was made under
    uint8_t state           # FlightState
    uint8_t unused

cdef struct FlightSet:      # two lines
    uint32_t lock
    uint32_t unused
    uint64_t[15] rank       # 0: never used. in flight? << 62 | ms << 16 | 16 bits of the name: the least makes room first

cdef struct FlightLayout:   # what the slots and bits of entries of one generation mean: identities, 0 where there is none
    uint64_t[10] part
    uint64_t[64] where
    uint64_t generation

cdef struct FlightHead:
    uint64_t n_sets
    uint64_t seed
    uint64_t generation     # of the newest layout
    FlightLayout[8] layouts # by generation modulo FLIGHT_LAYOUTS
    uint64_t[7] apart       # what follows is written by everyone
    uint64_t used           # ways that hold an entry
    uint64_t open           # calls in flight
    uint64_t evicted        # calls that were in flight, and less than a day old, and made room
    uint64_t refused        # early reports that found no room beside calls in flight

cdef struct InFlight:
    FlightHead* head
    FlightSet* sets
    Flight* entries         # FLIGHT_WAYS of each set, side by side
    LockWaits waited

cdef struct FlightPart:     # as snapshot.Part
    uint8_t field
    uint8_t prefix

cdef struct FlightWhere:    # a condition, as in snapshot.Counter
    uint32_t start
    uint32_t end

cdef struct FlightMap:      # slots and bits of a policy -> those of entries of an earlier layout
    uint64_t generation
    uint8_t[10] part        # NO_SLOT: entries of that layout do not have it
    uint8_t[64] where

# What a policy keeps of each call, and how it reads entries that others made. Part of a snapshot; NULL there where
# nothing that is reported feeds a counter.
cdef struct FlightPlan:
    InFlight* flights
    uint16_t layout         # generation of its own layout
    uint8_t n_parts
    uint8_t n_wheres
    FlightPart[10] part
    FlightWhere[64] where
    FlightMap[8] map        # by generation modulo FLIGHT_LAYOUTS

cdef size_t flights_bytes(uint64_t entries) noexcept nogil
# Lays the table out in zeroed memory of so many bytes, or takes up what an earlier process left there: sets whose lock
# was held are emptied. Returns how many calls that cost; -1: the region was made for other numbers.
cdef int64_t flights_attach(InFlight* flights, void* region, uint64_t entries, uint64_t seed) noexcept nogil

# To be fetched ahead: a set, two lines; then the entry a put would take, two lines, a hint.
cdef const void* flights_set(const InFlight* flights, uint64_t a, uint64_t b) noexcept nogil
cdef const void* flights_entry(const InFlight* flights, uint64_t a, uint64_t b) noexcept nogil

# What a change of an entry found and did: a copy of the entry, as it was before.
cdef enum FlightFound:
    FOUND_NOTHING = 0
    FOUND_ENTRY = 1
    FOUND_NO_ROOM = 2

# A call is decided: makes its entry. `before` gets what was there under that name: an early report, or an earlier call.
cdef FlightFound flights_begin(InFlight* flights, const Flight* call, Millis now, Flight* before) noexcept nogil
# A report: sets `state` bits of the entry (answered times with FLIGHT_ANSWERED). Without an entry: makes `otherwise`
# one, if it is not NULL. `before` gets the entry as it was.
cdef FlightFound flights_report(InFlight* flights, uint64_t a, uint64_t b, uint8_t state, int64_t time_switch,
                                Millis now, const Flight* otherwise, Flight* before) noexcept nogil

cdef class FlightTable:     # __cinit__(entries: int, seed: int)
    cdef InFlight* flights
    cdef InFlight own
    cdef void* region
    cdef size_t size

    # The layout of these identities: an earlier one's when it is the same, else a new generation, which the oldest makes
    # room for. Fills plan.layout and plan.map; the caller has filled parts and wheres.
    cdef int lay_out(self, FlightPlan* plan, parts, wheres) except -1
