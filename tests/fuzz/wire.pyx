# Fuzz target: the bytes of one message, as whichever of our messages they claim to be; and answers, written.
#
# Input: which message, then its bytes, an allocation of their own: a byte read behind them is found.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport abort, free, malloc
from libc.string cimport memcmp, memcpy, memset

from interceptor.dataplane.faults cimport MAX_DESCRIPTION, Fault, Flaw, broken, describe
from interceptor.dataplane.messages cimport decode_call, decode_health, decode_streamed
from interceptor.dataplane.phrasebook cimport Phrasebook, Phrases
from interceptor.dataplane.responses cimport (
    MAX_CALL_ERROR, encode_call_error, encode_decision, encode_health, encode_streamed,
)
from interceptor.dataplane.reports cimport decode_report, decode_subscription
from interceptor.engine.border cimport TEXT_OK, text_problem
from interceptor.engine.following cimport Report
from interceptor.engine.types cimport MAX_FIELD, N_FIELDS, N_HAPPENINGS, N_SCALARS, Call, Decision, RuleIndex, Text

cdef enum:
    CALL = 0
    STREAMED = 1
    REPORT = 2
    HEALTH = 3
    ANSWER = 4
    CARD = 5

cdef struct Read:               # all that one message says
    Call call
    Report report
    uint8_t event               # of a card
    Text service
    uint64_t identity
    uint32_t deadline_ms
    Fault fault
    int flaw

cdef const Phrases* phrases
cdef object keep
cdef Read once
cdef Read again
cdef uint8_t* out


def prepare():
    global phrases, keep, out
    rules = [("listed", "listed-fraud", 603, 'SIP;cause=603;text="Decline"'), ("warned", "", 0, "")]
    told = ("default", "", 0, ""), ("emergency", "", 0, "")
    first = Phrasebook(1, ["dealer", "region"], rules, *told, ["shadow-1", "shadow-2"])
    book = Phrasebook(2, ["region", "dealer"], rules * 3, *told, ["new"], first)
    phrases, keep = &(<Phrasebook> book).c, book
    out = <uint8_t*> malloc(max(phrases.longest, <uint32_t> MAX_CALL_ERROR))    # a byte more would be found
    if out == NULL:
        raise MemoryError


cdef inline void holds(bint statement) noexcept nogil:
    if not statement:
        abort()


cdef inline bint legible(const void* data, uint32_t n) noexcept nogil:
    return text_problem(<const uint8_t*> data, n) == TEXT_OK


cdef void decode(uint32_t kind, const uint8_t* data, uint32_t n, Read* into) noexcept nogil:
    memset(into, 0, sizeof(Read))
    if kind == CALL:
        into.flaw = decode_call(data, n, phrases, &into.call, &into.fault)
    elif kind == STREAMED:
        into.flaw = decode_streamed(data, n, phrases, &into.call, &into.identity, &into.deadline_ms, &into.fault)
    elif kind == REPORT:
        into.flaw = decode_report(data, n, phrases, &into.call, &into.report, &into.fault)
    elif kind == CARD:
        into.flaw = decode_subscription(data, n, phrases, &into.call, &into.event, &into.fault)
    else:
        into.flaw = decode_health(data, n, &into.service, &into.fault)


# A text lies within the message, is no longer than a field may be, and fit to be read.
cdef void text_holds(Text text, const uint8_t* data, uint32_t n) noexcept nogil:
    if text.length == 0:
        return
    holds(<const uint8_t*> text.data >= data and text.length <= n)
    holds(<const uint8_t*> text.data + text.length <= data + n)
    holds(text.length <= MAX_FIELD and legible(text.data, text.length))


# What is wrong can be said, in words and as the answer to one message of a stream.
cdef void fault_holds(const Fault* fault, uint32_t n) noexcept nogil:
    cdef char[MAX_DESCRIPTION] words
    cdef Text field
    cdef uint32_t length
    memset(&field, 0, sizeof(field))
    holds(fault.flaw <= Flaw.FLAW_NAMELESS and fault.at <= n)
    length = describe(fault, phrases, words, &field)
    holds(0 < length <= sizeof(words) and legible(words, length))
    holds(legible(field.data, field.length))
    holds(encode_call_error(once.identity, 3, words, length, field, out) <= MAX_CALL_ERROR)


cdef inline bint same(Text one, Text other) noexcept nogil:
    return one.length == other.length and (one.length == 0 or memcmp(one.data, other.data, one.length) == 0)


# A field nobody knows changes nothing.
cdef void unknown_field_changes_nothing(uint32_t kind, const uint8_t* data, uint32_t n) noexcept nogil:
    cdef uint8_t* longer = <uint8_t*> malloc(n + 8)
    cdef uint32_t field
    holds(longer != NULL)
    memcpy(longer, b"\xba\x3e\x05never", 8)     # field 999, five bytes
    memcpy(longer + 8, data, n)
    decode(kind, longer, n + 8, &again)
    holds(again.flaw == once.flaw and again.identity == once.identity)
    if not broken(&once.fault):
        for field in range(N_FIELDS):
            holds(same(once.call.text[field], again.call.text[field]))
        holds(once.call.present == again.call.present)
        holds(memcmp(once.call.scalar, again.call.scalar, sizeof(once.call.scalar)) == 0)
        holds(once.deadline_ms == again.deadline_ms)
        holds(same(once.report.call_id, again.report.call_id) and once.report.event == again.report.event)
        holds(once.report.duration_ms == again.report.duration_ms)
        holds((once.report.call is NULL) == (again.report.call is NULL) and once.event == again.event)
        holds(same(once.service, again.service))
        holds(once.fault.field == again.fault.field and once.fault.index == again.fault.index)
        holds(once.fault.value == again.fault.value)
    free(longer)


cdef void message_holds(uint32_t kind, const uint8_t* data, uint32_t n) noexcept nogil:
    cdef uint32_t field
    decode(kind, data, n, &once)
    holds(once.flaw == once.fault.flaw)
    if once.flaw != Flaw.FLAW_NONE:
        fault_holds(&once.fault, n)
    if not broken(&once.fault):
        for field in range(N_FIELDS):
            text_holds(once.call.text[field], data, n)
        text_holds(once.report.call_id, data, n)
        text_holds(once.service, data, n)
        holds(once.call.present >> <int> N_SCALARS == 0)
        holds(once.report.duration_ms >= -1 and once.report.event < N_HAPPENINGS and once.event < N_HAPPENINGS)
    unknown_field_changes_nothing(kind, data, n)


# Any decision of a known policy, or of one that is forgotten, fits into what is kept for the longest.
cdef void answer_holds(const uint8_t* data, uint32_t n) noexcept nogil:
    cdef Decision decision
    if n < sizeof(Decision):
        return
    memcpy(&decision, data, sizeof(Decision))
    decision.revision &= 3
    decision.verdict = 1 + decision.verdict % 3
    decision.block_class %= 5
    if decision.rule < RuleIndex.RULE_EMERGENCY:
        decision.rule %= 2 if decision.revision == 1 else 6
    decision.shadow &= 3 if decision.revision == 1 else 1
    holds(encode_decision(phrases, &decision, out) <= phrases.longest)
    holds(encode_streamed(phrases, decision.id, &decision, out) <= phrases.longest)
    encode_health(decision.rule, out)


cdef public int fuzz_one(const uint8_t* data, size_t n) noexcept nogil:
    if n < 1:
        return 0
    if data[0] == ANSWER:
        answer_holds(data + 1, <uint32_t> n - 1)
    else:
        message_holds(CARD if data[0] == CARD else data[0] & 3, data + 1, <uint32_t> n - 1)
    return 0
