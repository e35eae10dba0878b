# What can be wrong with a message, and how it is said.
from libc.stdint cimport int64_t, uint8_t, uint32_t

from interceptor.dataplane.phrasebook cimport Phrases
from interceptor.engine.types cimport Text

cpdef enum Flaw:
    FLAW_NONE = 0
    # bytes that are no message at all: nothing of it counts
    FLAW_VARINT = 1             # a number without an end
    FLAW_NUMBER = 2             # a field number there cannot be
    FLAW_WIRE = 3               # a wire type there is not, or the end of no group
    FLAW_CUT = 4                # a field that ends behind the end
    FLAW_GROUP = 5              # a group without its end, or with any of the above in it
    FLAW_PART = 6               # the call within a message is no message
    # one field is malformed, the others are there
    FLAW_TYPE = 7               # another wire type than the contract's
    FLAW_LONG = 8
    FLAW_CONTROL = 9            # a text with a control character
    FLAW_UTF8 = 10
    FLAW_RANGE = 11
    FLAW_EVENT = 12             # nothing that happens to a call, or to a card
    FLAW_NAMELESS = 13          # a report without a call_id and without a call

cdef enum:
    WHOLE_FIELD = 255
    MAX_DESCRIPTION = 255

cdef enum:                      # numbers of a DecideRequest's fields that are no single text
    REDIRECTING = 6
    INTERNATIONAL_INGRESS = 16  # the scalars, in the order of Scalar
    ROAMING = 17
    SIM_AGE_DAYS = 18
    EVENT_TIME_MS = 19
    TAGS = 20

cpdef enum Of:                  # which message is meant
    OF_CALL = 0                 # a DecideRequest: the whole request, or the call of a streamed one
    OF_STREAMED = 1
    OF_REPORT = 2
    OF_REPORTED = 3             # the call of a report
    OF_HEALTH = 4
    OF_SUBSCRIPTION = 5

cdef struct Fault:              # the first thing wrong with a message, fields in the order of their numbers
    uint8_t flaw
    uint8_t of
    uint8_t index               # which one of `redirecting`, which tag of the policy; else WHOLE_FIELD
    uint32_t field              # number of the malformed one
    uint32_t at                 # byte of the message where a field begins that makes no sense
    int64_t value               # what is out of range; the length that is too long; bytes behind the end; the wire type

cdef inline bint broken(const Fault* fault) noexcept nogil:
    return Flaw.FLAW_NONE < fault.flaw <= Flaw.FLAW_PART

# In words, as the portable front has them, at most MAX_DESCRIPTION bytes; `field` gets the name of a malformed field.
# `phrases` are those the message was read with.
cdef uint32_t describe(const Fault* fault, const Phrases* phrases, char* out, Text* field) noexcept nogil
