# What a switch is told, as bytes. Each encoder returns how many it wrote.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.dataplane.phrasebook cimport Phrases
from interceptor.engine.types cimport Decision, Text

cdef enum:
    MAX_CALL_ERROR = 320        # bytes, with a message of MAX_DESCRIPTION

# At most phrases.longest bytes.
cdef uint32_t encode_decision(const Phrases* phrases, const Decision* decision, uint8_t* out) noexcept nogil
cdef uint32_t encode_streamed(const Phrases* phrases, uint64_t identity, const Decision* decision,
                              uint8_t* out) noexcept nogil
cdef uint32_t encode_call_error(uint64_t identity, uint32_t code, const char* message, uint32_t length, Text field,
                                uint8_t* out) noexcept nogil
cdef uint32_t encode_health(uint32_t serving, uint8_t* out) noexcept nogil
