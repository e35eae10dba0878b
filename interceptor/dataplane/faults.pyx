# What can be wrong with a message, and how it is said. Nothing here runs for a call that is in order.
from libc.stdio cimport snprintf
from libc.string cimport strlen

from interceptor.engine.types cimport MAX_FIELD

# By number, as in interception.proto.
cdef (const char*)[21] CALL_FIELDS = [
    b"", b"call_id", b"caller", b"callee", b"asserted_identity", b"privacy", b"redirecting", b"trunk", b"domain",
    b"user_agent", b"source_ip", b"imsi", b"imei", b"cell", b"verstat", b"attestation", b"international_ingress",
    b"roaming", b"sim_age_days", b"event_time_ms", b"tags"]
cdef (const char*)[7] REPORT_FIELDS = [b"", b"call_id", b"event", b"time_ms", b"duration_ms", b"cause", b"call"]
cdef (const char*)[10] CARD_FIELDS = [
    b"", b"report_id", b"event", b"time_ms", b"number", b"imsi", b"imei", b"cell", b"trunk", b"tags"]
cdef (const char*)[2] HEALTH_FIELDS = [b"", b"service"]
cdef (const char*)[6] NO_MESSAGE = [       # by Of
    b"the request is no interceptor.v1.DecideRequest", b"the message is no interceptor.v1.DecideStreamRequest",
    b"the request is no interceptor.v1.ReportCallRequest", b"the request is no interceptor.v1.DecideRequest",
    b"the request is no grpc.health.v1.HealthCheckRequest",
    b"the request is no interceptor.v1.ReportSubscriptionRequest"]
cdef const char* CALL_EVENTS = b"answered or ended"
cdef const char* CARD_EVENTS = b"activated, reactivated, attached or sms"


cdef uint32_t describe(const Fault* fault, const Phrases* phrases, char* out, Text* field) noexcept nogil:
    cdef int n
    field.data, field.length = NULL, 0
    if broken(fault):
        n = describe_broken(fault, out)
    else:
        field.data = field_name(fault)
        field.length = <uint32_t> strlen(field.data)
        n = snprintf(out, MAX_DESCRIPTION + 1, b"%s%s: ", b"call." if fault.of == Of.OF_REPORTED else b"", field.data)
        n += describe_place(fault, phrases, out + n, MAX_DESCRIPTION + 1 - n)
        n += describe_flaw(fault, out + n, MAX_DESCRIPTION + 1 - n)
    return <uint32_t> min(n, <int> MAX_DESCRIPTION)


cdef const char* field_name(const Fault* fault) noexcept nogil:
    if fault.of == Of.OF_HEALTH:
        return HEALTH_FIELDS[fault.field]
    if fault.of == Of.OF_SUBSCRIPTION:
        return CARD_FIELDS[fault.field]
    return REPORT_FIELDS[fault.field] if fault.of == Of.OF_REPORT else CALL_FIELDS[fault.field]


cdef int describe_broken(const Fault* fault, char* out) noexcept nogil:
    cdef int n
    if fault.flaw == Flaw.FLAW_PART:
        return snprintf(out, MAX_DESCRIPTION + 1, b"call must be a message, not a number")
    n = snprintf(out, MAX_DESCRIPTION + 1, b"%s: byte %u: ", NO_MESSAGE[fault.of], fault.at)
    if fault.flaw == Flaw.FLAW_CUT:
        return n + snprintf(out + n, MAX_DESCRIPTION + 1 - n, b"a field that ends %lld bytes behind the end",
                            <long long> fault.value)
    if fault.flaw == Flaw.FLAW_WIRE:
        return n + snprintf(out + n, MAX_DESCRIPTION + 1 - n, b"wire type %lld", <long long> fault.value)
    return n + snprintf(out + n, MAX_DESCRIPTION + 1 - n, b"%s",
                        b"a number without an end" if fault.flaw == Flaw.FLAW_VARINT
                        else b"no field number" if fault.flaw == Flaw.FLAW_NUMBER else b"a malformed group")


cdef int describe_place(const Fault* fault, const Phrases* phrases, char* out, size_t room) noexcept nogil:
    if fault.index == WHOLE_FIELD:
        return 0
    if fault.field == REDIRECTING:
        return snprintf(out, room, b"[%u] ", <unsigned int> fault.index)
    return snprintf(out, room, b"[%.*s] ", <int> min(phrases.tags[fault.index].length, <uint32_t> 100),
                    phrases.tags[fault.index].data)


cdef int describe_flaw(const Fault* fault, char* out, size_t room) noexcept nogil:
    if fault.flaw == Flaw.FLAW_TYPE:
        return snprintf(out, room, b"must be %s", wanted(fault))
    if fault.flaw == Flaw.FLAW_EVENT:
        return snprintf(out, room, b"must be %s, not %lld", CALL_EVENTS if fault.of == Of.OF_REPORT else CARD_EVENTS,
                        <long long> fault.value)
    if fault.flaw == Flaw.FLAW_NAMELESS:
        return snprintf(out, room, b"a report names its call, or carries it: give call_id or call")
    if fault.flaw == Flaw.FLAW_LONG:
        return snprintf(out, room, b"%lld bytes; at most %d are taken", <long long> fault.value, <int> MAX_FIELD)
    if fault.flaw == Flaw.FLAW_RANGE:
        return snprintf(out, room, b"%lld is out of range", <long long> fault.value)
    return snprintf(out, room, b"%s", b"holds a control character" if fault.flaw == Flaw.FLAW_CONTROL
                    else b"not valid UTF-8")


cdef const char* wanted(const Fault* fault) noexcept nogil:
    if ((fault.of == Of.OF_REPORT and fault.field > 1)
            or (fault.of == Of.OF_SUBSCRIPTION and 1 < fault.field < 4)):
        return b"a whole number, not bytes"
    if fault.of == Of.OF_SUBSCRIPTION and fault.field == 9 and fault.index == WHOLE_FIELD:
        return b"a mapping of texts"
    if fault.of != Of.OF_CALL and fault.of != Of.OF_REPORTED or fault.index != WHOLE_FIELD:
        return b"text, not int"
    if fault.field == REDIRECTING:
        return b"a sequence of texts"
    if fault.field == TAGS:
        return b"a mapping of texts"
    if fault.field == INTERNATIONAL_INGRESS or fault.field == ROAMING:
        return b"true or false, not bytes"
    return b"a whole number, not bytes" if fault.field in (SIM_AGE_DAYS, EVENT_TIME_MS) else b"text, not int"
