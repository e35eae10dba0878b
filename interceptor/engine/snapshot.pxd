# A snapshot: everything one policy revision decides with, immutable but for what its tables count. Built with the
# GIL, read without it, replaced as a whole.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.clocks cimport Clock
from interceptor.engine.entities cimport Entities, Touch
from interceptor.engine.inflight cimport FlightPlan
from interceptor.engine.intake cimport Intake
from interceptor.engine.live cimport LiveLists
from interceptor.engine.pairing cimport Pairing
from interceptor.engine.plan cimport NumberingPlan
from interceptor.engine.program cimport Guard, Program
from interceptor.engine.recent cimport Recent
from interceptor.engine.samples cimport Meanings
from interceptor.engine.stats cimport Stats
from interceptor.engine.tables cimport Tables
from interceptor.engine.types cimport Millis, Text

cdef enum:
    NO_FIELD = 255
    NO_GROUP = 255
    NO_BIT = 255
    NO_PART = 255
    NO_PAIRING = 255
    ANY_CALL = 2
    MAX_WORKERS = 64
    MAX_GROUPS = 64
    MAX_PAIRINGS = 16

cdef struct Rule:
    uint32_t start              # its condition: code[start:end)
    uint32_t end
    Millis add_ms               # lifetime of the entry its add_to makes; 0: it has none
    uint64_t add_list           # identity of that list: part of the entry's key
    uint8_t add_field
    uint8_t add_verified        # only for a verified caller
    uint8_t verdict             # WARN while the rule is demoted; atomic
    uint8_t block_class
    uint8_t shadow_bit
    uint16_t index              # in the policy
    uint64_t added              # minute << 16 | entries made in it; atomic
    uint16_t alike              # how many rules from this one on begin by asking the like; 0: none but this does
    Guard common                # of these: its no is the no of each

cdef struct Part:               # one part of an entity's key
    uint8_t field               # NO_FIELD: there is none
    uint8_t prefix              # that many digits of a number; 0: the whole field
    uint8_t kept                # of what reports feed: its place among Snapshot.parts, or NO_PART

cdef struct Counter:            # what a visit does to one column
    uint32_t where_start        # its `where`; none when start == end
    uint32_t where_end
    Touch touch                 # of an entity where nothing is counted
    uint16_t index              # in the policy
    uint8_t element             # field whose distinct values count; NO_FIELD for a count of calls
    uint8_t feeds               # the call may count here; else it is only read
    uint8_t other               # fed in one group and read in another: the other one; else NO_GROUP

cdef struct Group:              # a visit of a decision: one entity table, under one key. Several may visit one table
    Entities* table
    uint64_t lines              # of a record that a visit touches: lines_of of entity_records.pxd
    Part a
    Part b
    uint32_t first              # counters [first, last)
    uint32_t last

# What other happenings feed. An entry of `feeds` is one entity table under one key, `a` and `b` of what is reported.
cdef struct Feed:
    Entities* table
    uint64_t lines              # as a group's
    Part a
    Part b
    uint8_t happening           # Happening, not H_CALL. `active` is counted at setup, by s.counters; here it ends
    uint32_t first              # s.fed [first, last)
    uint32_t last

cdef struct Fed:                # what a feed does to one column
    Millis under_ms             # it counts what was answered and lasted less; 0: whatever it lasted
    uint32_t where_start        # its `where`, for what is reported of a subscription; none when start == end
    uint32_t where_end
    uint16_t column
    uint8_t act                 # ACT_COUNT or ACT_END
    Part element                # whose distinct values count; its field may be NO_FIELD
    uint8_t answered            # it counts calls that were answered (1), that were not (0), or ANY_CALL
    uint8_t where_bit           # of a call: the condition of s.wheres that must have held at setup, or NO_BIT
    uint8_t pairing             # it counts what s.pairings says of an ended call, or NO_PAIRING
    uint8_t partner             # of a pairing: the most calls with one partner, and not the calls that were paired

cdef struct Where:              # a condition that is asked at setup for what is reported later
    uint32_t start
    uint32_t end                # start: it holds for every call that is counted at all

cdef struct Paired:             # which calls of a place are compared, and how often two went together
    Pairing* pairing
    Entities* pairs             # by the lower key and the higher: one column, a count
    Part place
    Part who

cdef struct Lookup:             # a field that some condition looks for on lists
    uint64_t dynamic            # lists that rules add to
    uint8_t field
    uint8_t root                # PrefixRoot, or N_ROOTS: no prefixes
    uint8_t domain              # parents count too
    uint8_t network             # the address counts, not the text
    uint8_t pairs               # the callee's own entries count

cdef struct Snapshot:
    Intake intake
    Program program
    const Tables** tables       # of its lists: replaced by others while calls are decided, and shared with snapshots
    Rule* enforced              # in order
    uint32_t n_enforced
    Rule* shadow
    uint32_t n_shadow
    Group* groups
    uint32_t n_groups
    Counter* counters           # group by group
    uint32_t n_counters
    uint8_t* read_in            # by counter's index in the policy: the group that reads it
    Feed* feeds                 # by happening
    uint32_t n_feeds
    uint32_t[8] feeds_of        # feeds of happening h: [feeds_of[h], feeds_of[h + 1])
    Fed* fed                    # feed by feed
    Where* wheres               # in the order of visits.kept(spec).wheres
    uint32_t n_wheres
    Part* parts                 # keys of a call that its reports need, in the order of visits.kept(spec).parts
    uint32_t n_parts
    Paired* pairings
    uint32_t n_pairings
    Lookup* lookups
    uint32_t n_lookups
    uint64_t* list_identity     # by list
    const Clock* clocks         # by trunk, as intake.trunks
    const Text* regions         # name tables for the program
    const Text* types
    const FlightPlan* flights   # how calls are followed to their reports; NULL: nothing reported feeds a counter
    Recent* repeats
    Recent* grace
    Recent* added
    uint64_t* grace_until       # no grace entry lives longer: lets a call skip the table
    uint64_t* added_until
    Millis grace_ms
    Meanings meanings           # of the counters, by index in the policy, and of the tags
    void* trial                 # decide.Trial: a policy that runs in shadow beside this one, or NULL; atomic
    Stats** stats               # by worker; those that are enlisted have theirs from the start
    const void* companion       # what travels with it; the engine looks at none of it
    uint32_t revision
    uint8_t default_verdict

cdef class Companion:           # owns what a snapshot takes along for the threads that decide with it
    cdef const void* address

cdef class SnapshotHolder:
    cdef Snapshot c
    cdef (Stats*)[64] stats     # by worker
    cdef readonly object spec
    cdef readonly int revision
    cdef readonly tuple residents       # residents.Resident: the entity tables
    cdef readonly object kept           # visits.Kept: of each call, for its reports
    cdef readonly LiveLists lists
    cdef object trial                   # owns `c.trial`; None
    cdef public int readers             # Python threads deciding with it now; changed under the GIL
    cdef list owned                     # (address, size) of the arrays above
    cdef object keep                    # Python objects the C pointers lead into

    cpdef int say(self, uint32_t rule, uint8_t verdict) except -1  # that rule's verdict from the next call on
    cdef int enrol(self, uint32_t worker) except -1     # that worker may decide with it from now on
    cdef void* array(self, size_t size) except NULL
    cdef int _fields(self, uint32_t fields) except -1
    cdef int _trunks(self, spec, NumberingPlan plan, str home) except -1
    cdef int _clock(self, Clock* clock, described) except -1
    cdef int _emergency(self, spec, NumberingPlan plan) except -1
    cdef int _lookups(self, spec, fed) except -1
    cdef int _rules(self, spec) except -1
    cdef int _join_rules(self) except -1
    cdef int _counters(self, spec, placed) except -1
    cdef int _feeds(self, spec, placed) except -1
    cdef int _kept(self, kept) except -1
    cdef int _meanings(self, spec) except -1
    cdef tuple _names(self, NumberingPlan plan)
