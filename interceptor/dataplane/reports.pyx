# What switches report (contract: reports.pxd). No state.
from libc.string cimport memset

from interceptor.dataplane.faults cimport WHOLE_FIELD, Flaw, Of, broken
from interceptor.dataplane.messages cimport (
    Reading, begin, check_call, check_integer, check_text, check_texts, fields_of, held, malformed, no_fault,
    phrases_of, read_part, read_tag, told,
)
from interceptor.dataplane.phrasebook cimport Phrasebook
from interceptor.dataplane.wire cimport LENGTH, MAX_DEPTH, VARINT, Cursor, Piece, cursor, next_field
from interceptor.engine.types cimport MAX_TAGS, N_FIELDS, Field, Happening, Text
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

cdef enum:                      # numbers of fields
    NAME = 1                    # of both messages: call_id, report_id
    EVENT = 2
    TIME = 3
    DURATION = 4                # of a ReportCallRequest
    CAUSE = 5
    CALL = 6
    CARD_TAGS = 9               # of a ReportSubscriptionRequest

cdef enum:
    LAST_CAUSE = 127            # ITU-T Q.850

cdef uint8_t[9] CARD = [        # field number -> Field; N_FIELDS: no text
    N_FIELDS, Field.F_CALL_ID, N_FIELDS, N_FIELDS, Field.F_FROM, Field.F_IMSI, Field.F_IMEI, Field.F_CELL,
    Field.F_TRUNK]


cdef inline void take(const Piece* piece, Text* text, int64_t* number, uint32_t* mistyped) noexcept nogil:
    # A text where there is one for it, else a number; the last one wins.
    cdef uint32_t bit = <uint32_t> 1 << piece.number
    mistyped[0] &= ~bit
    if piece.wire != <uint32_t> (VARINT if text is NULL else LENGTH):
        mistyped[0] |= bit
    elif text is NULL:
        number[piece.number] = <int64_t> piece.value
    else:
        text.data, text.length = <const char*> piece.data, piece.length


# 32 bits, as the contract has them. What happened, if it is one of `most` events; else 0.
cdef uint8_t event_of(int64_t value, bint mistyped, uint8_t first, uint32_t most, Fault* fault) noexcept nogil:
    cdef uint32_t event = <uint32_t> value
    if mistyped:
        malformed(fault, Flaw.FLAW_TYPE, EVENT, WHOLE_FIELD, 0)
    elif 1 <= event <= most:
        return <uint8_t> (first + event - 1)
    else:
        malformed(fault, Flaw.FLAW_EVENT, EVENT, WHOLE_FIELD, <int32_t> event)
    return 0


# --- of a call

cdef int decode_report(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, Report* report,
                       Fault* fault) noexcept nogil:
    cdef Reading reading = begin(call, phrases, fault, Of.OF_REPORTED)
    cdef Cursor fields = cursor(data, n, MAX_DEPTH)
    cdef Piece piece
    cdef Fault own = no_fault(Of.OF_REPORT)
    cdef int64_t[6] number          # by field number
    cdef uint32_t mistyped = 0, i
    cdef bint timed = False         # a duration is there
    memset(report, 0, sizeof(Report))
    memset(number, 0, sizeof(number))
    reading.timed = True
    while fields.at < fields.end:
        if not next_field(&fields, &piece, &own):
            fault[0] = own
            return fault.flaw
        if piece.number == CALL:
            report.call = call
            read_part(&reading, &piece, fault)
        elif piece.number < CALL:
            timed |= piece.number == DURATION
            take(&piece, &report.call_id if piece.number == NAME else NULL, number, &mistyped)
    if broken(fault):
        return fault.flaw
    check_text(&report.call_id, NAME, WHOLE_FIELD, (mistyped >> NAME) & 1, &own)
    report.event = event_of(number[<int> EVENT], (mistyped >> EVENT) & 1, Happening.H_ANSWERED, 2, &own)
    number[<int> CAUSE] = <uint32_t> number[<int> CAUSE]
    for i in range(TIME, <uint32_t> CALL):
        if not check_integer(number[i], i, (mistyped >> i) & 1, &own):
            number[i] = 0
            timed &= i != DURATION
    if number[<int> CAUSE] > LAST_CAUSE:
        malformed(&own, Flaw.FLAW_RANGE, CAUSE, WHOLE_FIELD, number[<int> CAUSE])
    if report.call_id.length == 0 and report.call is NULL:
        malformed(&own, Flaw.FLAW_NAMELESS, NAME, WHOLE_FIELD, 0)
    report.time_ms = number[<int> TIME]
    report.duration_ms = number[<int> DURATION] if timed else -1
    check_call(&reading, fault)
    if own.flaw:
        fault[0] = own
    return fault.flaw


# --- of a card

cdef int decode_subscription(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, uint8_t* event,
                             Fault* fault) noexcept nogil:
    cdef Reading reading = begin(call, phrases, fault, Of.OF_SUBSCRIPTION)
    cdef Cursor fields = cursor(data, n, MAX_DEPTH)
    cdef Piece piece
    cdef int64_t[4] number
    cdef uint32_t mistyped = 0, i
    cdef uint8_t field
    event[0] = 0
    memset(number, 0, sizeof(number))
    while fields.at < fields.end:
        if not next_field(&fields, &piece, fault):
            return fault.flaw
        if piece.number < CARD_TAGS:
            field = CARD[piece.number]
            take(&piece, NULL if field == N_FIELDS else &call.text[field], number, &mistyped)
        elif piece.number == CARD_TAGS and piece.wire != LENGTH:
            mistyped |= <uint32_t> 1 << CARD_TAGS
        elif piece.number == CARD_TAGS and not read_tag(&reading, &piece, fields.depth - 1, fault):
            return fault.flaw
    for i in range(NAME, <uint32_t> CARD_TAGS):
        if i == EVENT:
            event[0] = event_of(number[i], (mistyped >> i) & 1, Happening.H_ACTIVATED, 4, fault)
        elif i == TIME:
            check_integer(number[i], i, (mistyped >> i) & 1, fault)
        else:
            check_text(&call.text[CARD[i]], i, WHOLE_FIELD, (mistyped >> i) & 1, fault)
    check_texts(&call.text[<uint32_t> Field.F_TAG], MAX_TAGS, CARD_TAGS, (mistyped >> CARD_TAGS) & 1,
                reading.tags_mistyped, fault)
    return fault.flaw


# --- the same as Python sees it: for tests, and for feeding it anything

def read_report(bytes data not None, Phrasebook phrasebook=None):
    cdef Call call
    cdef Fault fault
    cdef Report report
    decode_report(data, <uint32_t> len(data), phrases_of(phrasebook), &call, &report, &fault)
    own = {"call_id": held(report.call_id), "event": report.event, "time_ms": report.time_ms,
           "duration_ms": None if report.duration_ms < 0 else report.duration_ms,
           "carries": report.call is not NULL}
    return own, fields_of(&call, phrases_of(phrasebook)), told(&fault, phrases_of(phrasebook))


def read_subscription(bytes data not None, Phrasebook phrasebook=None):
    cdef Call call
    cdef Fault fault
    cdef uint8_t event
    decode_subscription(data, <uint32_t> len(data), phrases_of(phrasebook), &call, &event, &fault)
    return event, fields_of(&call, phrases_of(phrasebook)), told(&fault, phrases_of(phrasebook))
