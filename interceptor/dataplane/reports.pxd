# What switches report: the protobuf wire format, straight into the engine's structs. Rules of reading: messages.pxd.
from libc.stdint cimport uint8_t, uint32_t

from interceptor.dataplane.faults cimport Fault
from interceptor.dataplane.phrasebook cimport Phrases
from interceptor.engine.following cimport Report
from interceptor.engine.types cimport Call

# report.call is `call` when the report carries one. Its event is 0 while it is none.
cdef int decode_report(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, Report* report,
                       Fault* fault) noexcept nogil
# Into the fields of a call, as report_subscription wants it; `event` is a Happening, 0 while it is none.
cdef int decode_subscription(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, uint8_t* event,
                             Fault* fault) noexcept nogil
