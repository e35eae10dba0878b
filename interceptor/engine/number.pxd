# A number as signalled ("+86...", "0086...", "tel:", "sip:...;user=phone", national) -> E.164 -> Number.
from libc.stdint cimport uint16_t, uint32_t, uint64_t

from interceptor.engine.plan cimport Plan
from interceptor.engine.types cimport Number, Text

# Never fails: what cannot be read is NUMBER_UNPARSEABLE (or WITHHELD, ABSENT) with key 0.
cdef void parse_number(const Plan* plan, uint16_t region, Text raw, Number* out) noexcept nogil

# The digits as dialled (visual separators and URI parts removed, no "+"): for the emergency layer.
# Returns their number, at most 32; 0 for "+..." forms and what is no number. `urn:service:sos[.*]` (RFC 5031)
# sets *sos.
cdef uint32_t dialled_digits(Text raw, char* out, bint* sos) noexcept nogil

# IMEI: 14..16 digits, the first 14 are the device; IMSI: 6..15 digits. 0 when malformed.
cdef uint64_t imei_key(Text raw) noexcept nogil
cdef uint64_t imsi_key(Text raw) noexcept nogil
