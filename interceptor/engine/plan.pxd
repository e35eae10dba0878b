# The world's numbering plan as one digit automaton: E.164 digits -> valid?, region, type; and the emergency
# numbers and dial plan (IDD prefixes, national prefix, country code, short numbers) of every region.
from libc.stdint cimport uint8_t, uint16_t, uint32_t

cpdef enum NumberType:      # libphonenumber's types; the last two are ours
    TYPE_UNKNOWN = 0
    TYPE_FIXED_LINE = 1
    TYPE_MOBILE = 2
    TYPE_FIXED_LINE_OR_MOBILE = 3
    TYPE_TOLL_FREE = 4
    TYPE_PREMIUM_RATE = 5
    TYPE_SHARED_COST = 6
    TYPE_VOIP = 7
    TYPE_PERSONAL = 8
    TYPE_PAGER = 9
    TYPE_UAN = 10
    TYPE_VOICEMAIL = 11
    TYPE_SHORT = 12
    TYPE_WITHHELD = 13

cdef struct Plan            # opaque; owned by NumberingPlan, immutable

cdef struct PlanAnswer:
    uint8_t valid
    uint8_t type
    uint16_t region

# digits: E.164 without "+"; n <= 15
cdef PlanAnswer classify(const Plan* plan, const char* digits, uint32_t n) noexcept nogil
# digits exactly as dialled (no "+"); region: index of the trunk's region
cdef bint is_emergency(const Plan* plan, uint16_t region, const char* digits, uint32_t n) noexcept nogil
cdef bint is_known_short(const Plan* plan, uint16_t region, const char* digits, uint32_t n) noexcept nogil
# the same, or too short for an ordinary number of the region
cdef bint is_short(const Plan* plan, uint16_t region, const char* digits, uint32_t n) noexcept nogil
# The region a country code's national numbers are dialled in: `home` if the code is its own, else the code's main
# region; 0 when `code` is no country code of a geographic region
cdef uint16_t region_of_code(const Plan* plan, uint16_t home, const char* code, uint32_t n) noexcept nogil
# National or IDD-prefixed digits of `region` -> E.164 digits into out (>= 16 bytes); returns their number, or 0
cdef uint32_t to_e164(const Plan* plan, uint16_t region, const char* digits, uint32_t n, char* out) noexcept nogil

cdef class NumberingPlan:
    cdef Plan* plan
    cdef object tables      # numpy arrays the Plan points into: kept alive here
    cdef tuple _regions
    cdef dict _index
