# What switches say: the protobuf wire format, straight into the engine's structs.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from interceptor.dataplane.faults cimport Fault
from interceptor.dataplane.phrasebook cimport Phrases
from interceptor.engine.types cimport Call, Text

cdef struct Report:             # ReportCallRequest but for its call
    Text call_id
    uint32_t event
    int64_t time_ms
    int64_t duration_ms         # -1: absent
    uint32_t cause

# All decoders: unknown fields are skipped, the last one wins, fields may come in any order; of a field that is
# malformed nothing is kept and the rest is read on, so that an emergency call goes through whatever else is wrong with
# it. Texts point into `data`. No tags are known when `phrases` is NULL. Returns fault.flaw; of a `broken` message
# nothing counts but `identity`.
cdef int decode_call(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, Fault* fault) noexcept nogil
cdef int decode_streamed(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, uint64_t* identity,
                         uint32_t* deadline_ms, Fault* fault) noexcept nogil
cdef int decode_report(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, Report* report,
                       Fault* fault) noexcept nogil
cdef int decode_health(const uint8_t* data, uint32_t n, Text* service, Fault* fault) noexcept nogil
