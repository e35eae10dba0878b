# The protobuf wire format of what switches say and hear, straight into and out of the engine's structs.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from interceptor.dataplane.phrasebook cimport Phrases
from interceptor.engine.types cimport Call, Decision, Text

cpdef enum Flaw:
    FLAW_NONE = 0
    FLAW_BROKEN = 1             # bytes that are no message at all: nothing of it counts
    FLAW_CONTROL = 2            # a text with a control character. From here on: one field is malformed, the others are there
    FLAW_UTF8 = 3
    FLAW_LONG = 4
    FLAW_TYPE = 5               # a known field with another wire type than the contract's
    FLAW_RANGE = 6

cdef struct Fault:              # the first thing wrong with a message
    uint8_t flaw
    uint8_t index               # which of a repeated field; which tag
    uint32_t field              # its number in the message of the contract; 0: none
    uint32_t at                 # byte of the message
    int64_t value               # that is out of range; the length that is too long; the wire type

cdef struct Report:             # ReportCallRequest but for its call
    Text call_id
    uint32_t event
    int64_t time_ms
    int64_t duration_ms         # -1: absent
    uint32_t cause

# All decoders: unknown fields are skipped, the last one wins, fields may come in any order; of a field that is malformed
# nothing is kept and the rest is read on, so that an emergency call goes through whatever else is wrong with it. Texts
# point into `data`. Returns fault.flaw.
cdef int decode_call(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, Fault* fault) noexcept nogil
cdef int decode_streamed(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, uint64_t* identity,
                         uint32_t* deadline_ms, Fault* fault) noexcept nogil
cdef int decode_report(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, Report* report,
                       Fault* fault) noexcept nogil
cdef int decode_health(const uint8_t* data, uint32_t n, Text* service, Fault* fault) noexcept nogil

# What is wrong, in words, as the portable front says it; at most 255 bytes. `field` gets the field's name.
cdef uint32_t describe(const Fault* fault, char* out, Text* field) noexcept nogil

# Encoders write at most phrases.longest bytes (of a CallError: 320) and return how many.
cdef uint32_t encode_decision(const Phrases* phrases, const Decision* decision, uint8_t* out) noexcept nogil
cdef uint32_t encode_streamed(const Phrases* phrases, uint64_t identity, const Decision* decision,
                              uint8_t* out) noexcept nogil
cdef uint32_t encode_call_error(uint64_t identity, uint32_t code, const char* message, uint32_t length, Text field,
                                uint8_t* out) noexcept nogil
cdef uint32_t encode_health(uint32_t serving, uint8_t* out) noexcept nogil
