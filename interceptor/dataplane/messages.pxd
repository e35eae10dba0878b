# What switches ask: the protobuf wire format, straight into the engine's structs. What they report: reports.pxd.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from interceptor.dataplane.faults cimport Fault
from interceptor.dataplane.phrasebook cimport Phrasebook, Phrases
from interceptor.dataplane.wire cimport Piece
from interceptor.engine.types cimport Call, Text

# All decoders: unknown fields are skipped, the last one wins, fields may come in any order; of a field that is
# malformed nothing is kept and the rest is read on, so that an emergency call goes through whatever else is wrong with
# it. Texts point into `data`. No tags are known when `phrases` is NULL. Returns fault.flaw; of a `broken` message
# nothing counts but `identity`.
cdef int decode_call(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, Fault* fault) noexcept nogil
cdef int decode_streamed(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, uint64_t* identity,
                         uint32_t* deadline_ms, Fault* fault) noexcept nogil
cdef int decode_health(const uint8_t* data, uint32_t n, Text* service, Fault* fault) noexcept nogil

# --- what the decoders of reports share

cdef struct Reading:            # a call that is being read
    Call* call
    const Phrases* phrases
    uint32_t seen               # by field number
    uint32_t mistyped           # came with another wire type than the contract's, and with none since that is right
    uint32_t redirecting        # how many
    uint32_t tags_mistyped      # by tag
    bint timed                  # event_time_ms counts: else the service goes by its own clock

cdef Fault no_fault(uint8_t of) noexcept nogil
cdef Reading begin(Call* call, const Phrases* phrases, Fault* fault, uint8_t of) noexcept nogil
cdef void read_part(Reading* r, const Piece* part, Fault* fault) noexcept nogil
cdef bint read_tag(Reading* r, const Piece* entry, uint32_t depth, Fault* fault) noexcept nogil
cdef void check_call(Reading* r, Fault* fault) noexcept nogil
cdef void check_text(Text* text, uint32_t number, uint32_t index, bint mistyped, Fault* fault) noexcept nogil
cdef void check_texts(Text* texts, uint32_t n, uint32_t number, bint mistyped, uint32_t mistyped_too,
                      Fault* fault) noexcept nogil
cdef bint check_integer(int64_t value, uint32_t number, bint mistyped, Fault* fault) noexcept nogil
cdef void malformed(Fault* fault, uint8_t flaw, uint32_t number, uint32_t index, int64_t value) noexcept nogil
cdef const Phrases* phrases_of(Phrasebook book)
cdef bytes held(Text text)
cdef object told(const Fault* fault, const Phrases* phrases)
cdef dict fields_of(const Call* call, const Phrases* phrases)
