# The calls in flight: what a report of a call needs to know of its decision, by the 128-bit name of (switch, call_id).
# Who calls chooses the call_id: calls of one name but between other parties have an entry each, and a report, which
# knows the name alone, is about the newest of them in flight, or when none is, about the one that was done last.
#
# A bounded table, set-associative as recent.pyx, the entries of one name in one set. Who is done (ended, blocked) makes
# room first, then the oldest call, counted. What is done stays until then: a report that comes again finds it.
#
# What must outlive the process lies in one Region: the layouts, the sets, the entries. Every write to an entry is under
# its set's lock, which says which way it is.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.atomics cimport LockWaits
from interceptor.engine.memory cimport Region
from interceptor.engine.types cimport Key, Millis

cdef enum:
    FLIGHT_WAYS = 15
    FLIGHT_PARTS = 10       # keys kept of a call
    FLIGHT_WHERES = 64      # conditions whose outcome at setup is kept
    FLIGHT_LAYOUTS = 8      # policies whose calls are still understood, the present one among them
    NO_SLOT = 255

cpdef enum FlightState:     # bits
    FLIGHT_SETUP = 1        # decided
    FLIGHT_BLOCKED = 2
    FLIGHT_ANSWERED = 4
    FLIGHT_ENDED = 8
    FLIGHT_COUNTED = 16     # by the keys a report carried, its Decide unseen
    FLIGHT_KNOWN = 32       # such a report told when the call was set up
    # neither SETUP nor COUNTED: early reports, which wait for their Decide

cdef struct Flight:         # an entry, two lines
    uint64_t a              # name
    uint64_t b              # of a call that was decided: ^ parties
    Key[10] key             # by slot of its layout
    Millis setup            # of an early report: when the first came
    int64_t answered_switch     # the answer by the switch's clock; 0: it did not say
    uint64_t where          # bit i of its layout: that condition held at setup
    uint32_t answered       # ms from setup to the answer, by our clock
    uint16_t layout         # generation of the layout it was made under
    uint8_t state           # FlightState
    uint8_t unused

cdef enum:                  # of an early ENDED, in `key`
    EARLY_DURATION = 0      # ms + 1; 0: absent
    EARLY_ENDED = 1         # by the switch's clock; 0: it did not say

cdef struct FlightSet:      # two lines
    uint32_t lock
    uint32_t unused
    uint64_t[15] rank       # 0: never used; in flight? << 62 | ms << 16 | 16 bits of the name. The least makes room

cdef struct FlightLayout:   # what the slots and bits of entries of one generation mean: identities; 0: nothing
    uint64_t[10] part
    uint64_t[64] where
    uint64_t generation

cdef struct FlightHead:
    uint64_t generation     # of the newest layout; 0: there is none
    FlightLayout[8] layouts     # by generation modulo FLIGHT_LAYOUTS

cdef struct InFlight:
    FlightHead* head
    FlightSet* sets
    Flight* entries         # FLIGHT_WAYS of each set, side by side
    uint64_t n_sets
    uint64_t seed
    uint64_t[3] apart       # what follows is written by everyone: kept off the line above
    uint64_t used           # ways that hold an entry
    uint64_t open           # calls in flight
    uint64_t evicted        # calls that were in flight, and less than a day old, and made room
    uint64_t refused        # early reports that found no room beside calls in flight
    LockWaits waited

cdef struct FlightMap:      # slots and bits of a policy -> those of entries of an earlier layout
    uint64_t generation
    uint8_t[10] part        # NO_SLOT: entries of that layout do not have it
    uint8_t[64] where

# How a policy writes entries, and reads those that others made. Part of a snapshot; NULL there where nothing that is
# reported feeds a counter. Slots and bits are its places among Snapshot.parts and .wheres.
cdef struct FlightPlan:
    InFlight* flights
    uint16_t layout         # generation of its own layout
    uint64_t sighted        # bit f: the setup has counted in the table of feed f, under its key, before
    FlightMap[8] map        # by generation modulo FLIGHT_LAYOUTS

# To be fetched ahead: a set, two lines; then the entry a put would take, two lines, a hint.
cdef const void* flights_set(const InFlight* flights, uint64_t a, uint64_t b) noexcept nogil
cdef const void* flights_entry(const InFlight* flights, uint64_t a, uint64_t b) noexcept nogil

# One of the entries of that name, without the lock and perhaps torn: a hint. False, and out.state is 0: none is seen.
cdef bint flights_glance(const InFlight* flights, uint64_t a, uint64_t b, Flight* out) noexcept nogil

cpdef enum FlightFound:
    FOUND_NOTHING = 0
    FOUND_ENTRY = 1
    FOUND_NO_ROOM = 2       # nothing, and none was made

# A call is decided: `call` becomes the entry of its name and parties. `before` gets what was there: an earlier call of
# both, or reports of that name alone, whose answer and end the entry keeps (unless it is blocked). Those older than
# REPEAT_MS are nothing.
cdef FlightFound flights_begin(InFlight* flights, const Flight* call, uint64_t parties, Millis now,
                               Flight* before) noexcept nogil
# A report sets ANSWERED, ENDED (or both) in the entry of its name (which of them: above); `before` gets the entry as it
# was. Where there is none, `otherwise` becomes it, unless only by evicting a call in flight could room be made. Where
# `otherwise` is COUNTED it also takes the place of early reports, whose bits it keeps; else its EARLY_... join theirs.
# With `only_join` neither is done: nothing is found but an entry with keys.
cdef FlightFound flights_report(InFlight* flights, const Flight* otherwise, uint8_t bits, bint only_join, Millis now,
                                Flight* before) noexcept nogil

cdef class FlightTable:     # __cinit__(entries: int, seed: int, region: Region = None, alive: bool = False)
    cdef InFlight* flights
    cdef InFlight own
    cdef readonly Region region
    cdef readonly uint64_t torn     # entries that were being changed when an earlier process died

    # The plan of a policy whose parts and wheres have these identities (numbers but 0): the newest layout when that has
    # the same, else a new one, which the oldest makes room for.
    cdef int lay_out(self, FlightPlan* plan, parts, wheres) except -1
