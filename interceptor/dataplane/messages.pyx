# What switches say: the protobuf wire format, straight into the engine's structs. No state.
from libc.string cimport memcmp, memcpy, memset

from interceptor.dataplane.faults cimport (
    EVENT_TIME_MS, INTERNATIONAL_INGRESS, MAX_DESCRIPTION, REDIRECTING, SIM_AGE_DAYS, TAGS, WHOLE_FIELD, Flaw, Of,
    broken, describe,
)
from interceptor.dataplane.phrasebook cimport MAX_REPLY, Phrasebook
from interceptor.dataplane.responses cimport (
    MAX_CALL_ERROR, encode_call_error, encode_decision, encode_health, encode_streamed,
)
from interceptor.dataplane.wire cimport LENGTH, MAX_DEPTH, VARINT, Cursor, Piece, cursor, next_field
from interceptor.engine.atomics cimport ic_lowest_bit
from interceptor.engine.border cimport TextProblem, text_problem
from interceptor.engine.types cimport MAX_FIELD, MAX_REDIRECTING, MAX_TAGS, N_FIELDS, Decision, Field

from interceptor.engine.border import TEXTS

cdef uint8_t[16] TEXT = [       # field number -> Field
    N_FIELDS, Field.F_CALL_ID, Field.F_FROM, Field.F_CALLEE, Field.F_ASSERTED, Field.F_PRIVACY, Field.F_REDIRECTING,
    Field.F_TRUNK, Field.F_DOMAIN, Field.F_USER_AGENT, Field.F_SOURCE_IP, Field.F_IMSI, Field.F_IMEI, Field.F_CELL,
    Field.F_VERSTAT, Field.F_ATTESTATION]

cdef int64_t LARGEST = (<int64_t> 1 << 62) - 1


# --- a call

cdef int decode_call(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, Fault* fault) noexcept nogil:
    cdef Reading reading = begin(call, phrases, fault, Of.OF_CALL)
    cdef Cursor fields = cursor(data, n, MAX_DEPTH)
    if read_fields(&reading, &fields, fault):
        check_call(&reading, fault)
    return fault.flaw


cdef Reading begin(Call* call, const Phrases* phrases, Fault* fault, uint8_t of) noexcept nogil:
    cdef Reading reading
    memset(&reading, 0, sizeof(Reading))
    memset(call, 0, sizeof(Call))
    fault[0] = no_fault(of)
    reading.call, reading.phrases = call, phrases
    return reading


cdef Fault no_fault(uint8_t of) noexcept nogil:
    cdef Fault fault
    memset(&fault, 0, sizeof(Fault))
    fault.of, fault.index = of, WHOLE_FIELD
    return fault


# Takes what stands in the bytes as it is; `check_call` looks at what was the last of each field.
cdef bint read_fields(Reading* r, Cursor* fields, Fault* fault) noexcept nogil:
    cdef Piece piece
    cdef uint32_t bit, contract
    while fields.at < fields.end:
        if not next_field(fields, &piece, fault):
            return False
        if piece.number > TAGS or (piece.number == EVENT_TIME_MS and not r.timed):
            continue
        bit = <uint32_t> 1 << piece.number
        r.seen |= bit
        contract = VARINT if INTERNATIONAL_INGRESS <= piece.number <= EVENT_TIME_MS else LENGTH
        if piece.wire != contract:
            r.mistyped |= bit
        elif piece.number == REDIRECTING:
            if r.redirecting < MAX_REDIRECTING:
                take_text(r.call, Field.F_REDIRECTING + r.redirecting, &piece)
                r.redirecting += 1
        elif piece.number == TAGS:
            if not read_tag(r, &piece, fields.depth - 1, fault):
                return False
        else:
            r.mistyped &= ~bit
            if contract == LENGTH:
                take_text(r.call, TEXT[piece.number], &piece)
            else:
                r.call.scalar[piece.number - INTERNATIONAL_INGRESS] = <int64_t> (
                    piece.value if piece.number >= SIM_AGE_DAYS else piece.value != 0)
    return True


cdef inline void take_text(Call* call, uint32_t field, const Piece* piece) noexcept nogil:
    call.text[field].data, call.text[field].length = <const char*> piece.data, piece.length


# An entry of the map is a message of its own: the name is field 1, the text field 2.
cdef bint read_tag(Reading* r, const Piece* entry, uint32_t depth, Fault* fault) noexcept nogil:
    cdef Cursor fields = cursor(entry.data, entry.length, depth)
    cdef Piece piece
    cdef Text name, text
    cdef bint mistyped = False
    cdef uint32_t i
    memset(&name, 0, sizeof(Text))
    memset(&text, 0, sizeof(Text))
    while fields.at < fields.end:
        if not next_field(&fields, &piece, fault):
            return False
        if piece.number == 1:
            name.data, name.length = <const char*> piece.data, piece.length
        elif piece.number == 2:
            mistyped = piece.wire != LENGTH
            text.data, text.length = <const char*> piece.data, piece.length
    if r.phrases is NULL:
        return True
    for i in range(r.phrases.n_tags):
        if r.phrases.tags[i].length == name.length and memcmp(r.phrases.tags[i].data, name.data, name.length) == 0:
            r.call.text[<uint32_t> Field.F_TAG + i] = text
            r.tags_mistyped = r.tags_mistyped & ~(<uint32_t> 1 << i) | <uint32_t> mistyped << i
    return True


cdef void check_call(Reading* r, Fault* fault) noexcept nogil:
    cdef uint32_t number
    cdef bint mistyped
    while r.seen:
        number = ic_lowest_bit(r.seen)
        r.seen &= r.seen - 1
        mistyped = (r.mistyped >> number) & 1
        if number == REDIRECTING:
            check_texts(&r.call.text[<uint32_t> Field.F_REDIRECTING], MAX_REDIRECTING, number, mistyped, 0, fault)
        elif number == TAGS:
            check_texts(&r.call.text[<uint32_t> Field.F_TAG], MAX_TAGS, number, mistyped, r.tags_mistyped, fault)
        elif number < INTERNATIONAL_INGRESS:
            check_text(&r.call.text[TEXT[number]], number, WHOLE_FIELD, mistyped, fault)
        elif check_integer(r.call.scalar[number - INTERNATIONAL_INGRESS], number, mistyped, fault):
            r.call.present |= <uint32_t> 1 << (number - INTERNATIONAL_INGRESS)
        else:
            r.call.scalar[number - INTERNATIONAL_INGRESS] = 0


cdef void check_texts(Text* texts, uint32_t n, uint32_t number, bint mistyped, uint32_t mistyped_too,
                      Fault* fault) noexcept nogil:
    cdef uint32_t i
    if mistyped:
        malformed(fault, Flaw.FLAW_TYPE, number, WHOLE_FIELD, 0)
        memset(texts, 0, n * sizeof(Text))
        return
    for i in range(n):
        check_text(&texts[i], number, i, (mistyped_too >> i) & 1, fault)


cdef void check_text(Text* text, uint32_t number, uint32_t index, bint mistyped, Fault* fault) noexcept nogil:
    cdef int problem
    if mistyped:
        malformed(fault, Flaw.FLAW_TYPE, number, index, 0)
    elif text.length > MAX_FIELD:
        malformed(fault, Flaw.FLAW_LONG, number, index, text.length)
    else:
        problem = text_problem(<const uint8_t*> text.data, text.length)
        if problem == TextProblem.TEXT_OK and text.length:
            return
        if problem != TextProblem.TEXT_OK:
            malformed(fault, Flaw.FLAW_CONTROL if problem == TextProblem.TEXT_CONTROL else Flaw.FLAW_UTF8, number,
                      index, 0)
    text.data, text.length = NULL, 0


cdef bint check_integer(int64_t value, uint32_t number, bint mistyped, Fault* fault) noexcept nogil:
    if not mistyped and 0 <= value <= LARGEST:
        return True
    malformed(fault, Flaw.FLAW_TYPE if mistyped else Flaw.FLAW_RANGE, number, WHOLE_FIELD, value)
    return False


cdef void malformed(Fault* fault, uint8_t flaw, uint32_t number, uint32_t index, int64_t value) noexcept nogil:
    if fault.flaw == Flaw.FLAW_NONE:
        fault.flaw, fault.field, fault.index, fault.value = flaw, number, <uint8_t> index, value


# --- what a call travels in

cdef int decode_streamed(const uint8_t* data, uint32_t n, const Phrases* phrases, Call* call, uint64_t* identity,
                         uint32_t* deadline_ms, Fault* fault) noexcept nogil:
    cdef Reading reading = begin(call, phrases, fault, Of.OF_CALL)
    cdef Cursor fields = cursor(data, n, MAX_DEPTH)
    cdef Piece piece
    identity[0] = deadline_ms[0] = 0
    while fields.at < fields.end:
        if not next_field(&fields, &piece, fault):
            fault.of = Of.OF_STREAMED
            return fault.flaw
        if piece.number == 1 and piece.wire == VARINT:
            identity[0] = piece.value
        elif piece.number == 2 and piece.wire == VARINT:
            deadline_ms[0] = <uint32_t> piece.value
        elif piece.number == 3:
            read_part(&reading, &piece, fault)
    if not broken(fault):
        check_call(&reading, fault)
    return fault.flaw


# Parts of one message merge (protobuf encoding, "Last One Wins").
cdef void read_part(Reading* r, const Piece* part, Fault* fault) noexcept nogil:
    cdef Cursor fields
    if part.wire != LENGTH:
        fault.flaw = Flaw.FLAW_PART
    elif not broken(fault):
        fields = cursor(part.data, part.length, MAX_DEPTH - 1)
        read_fields(r, &fields, fault)


cdef int decode_health(const uint8_t* data, uint32_t n, Text* service, Fault* fault) noexcept nogil:
    cdef Cursor fields = cursor(data, n, MAX_DEPTH)
    cdef Piece piece
    cdef bint mistyped = False
    memset(service, 0, sizeof(Text))
    fault[0] = no_fault(Of.OF_HEALTH)
    while fields.at < fields.end:
        if not next_field(&fields, &piece, fault):
            return fault.flaw
        if piece.number == 1:
            mistyped = piece.wire != LENGTH
            service.data, service.length = <const char*> piece.data, piece.length
    check_text(service, 1, WHOLE_FIELD, mistyped, fault)
    return fault.flaw


# --- the same as Python sees it: for tests, and for feeding it anything

cdef const Phrases* phrases_of(Phrasebook book):
    return NULL if book is None else &book.c


cdef bytes held(Text text):
    return text.data[:text.length] if text.length else b""


cdef object told(const Fault* fault, const Phrases* phrases):
    cdef char[MAX_DESCRIPTION + 1] text
    cdef Text field
    if fault.flaw == Flaw.FLAW_NONE:
        return None
    return text[:describe(fault, phrases, text, &field)].decode(), held(field).decode(), bool(broken(fault))


cdef dict fields_of(const Call* call, const Phrases* phrases):
    cdef uint32_t i
    fields = {name: held(call.text[<int> field]) for name, field in TEXTS.items()}
    for i in range(MAX_REDIRECTING):
        fields[f"redirecting[{i}]"] = held(call.text[<uint32_t> Field.F_REDIRECTING + i])
    for i in range(0 if phrases is NULL else phrases.n_tags):
        fields[f"tags[{held(phrases.tags[i]).decode()}]"] = held(call.text[<uint32_t> Field.F_TAG + i])
    for i, name in enumerate(("international_ingress", "roaming", "sim_age_days", "event_time_ms")):
        fields[name] = call.scalar[i] if (call.present >> i) & 1 else b""
    return {name: value for name, value in fields.items() if value != b""}


def read_call(bytes data not None, Phrasebook phrasebook=None):
    cdef Call call
    cdef Fault fault
    decode_call(data, <uint32_t> len(data), phrases_of(phrasebook), &call, &fault)
    return fields_of(&call, phrases_of(phrasebook)), told(&fault, phrases_of(phrasebook))


def read_streamed(bytes data not None, Phrasebook phrasebook=None):
    cdef Call call
    cdef Fault fault
    cdef uint64_t identity
    cdef uint32_t deadline_ms
    decode_streamed(data, <uint32_t> len(data), phrases_of(phrasebook), &call, &identity, &deadline_ms, &fault)
    return identity, deadline_ms, fields_of(&call, phrases_of(phrasebook)), told(&fault, phrases_of(phrasebook))


def read_health(bytes data not None):
    cdef Text service
    cdef Fault fault
    decode_health(data, <uint32_t> len(data), &service, &fault)
    return held(service), told(&fault, NULL)


cdef Decision decision_of(const uint8_t[:] row) except *:
    cdef Decision decision
    if row.shape[0] != sizeof(Decision):
        raise ValueError(f"decision: give the {sizeof(Decision)} bytes of a DECISION_DTYPE row, not {row.shape[0]}")
    memcpy(&decision, &row[0], sizeof(Decision))
    return decision


def write_decision(Phrasebook phrasebook not None, const uint8_t[:] decision not None):
    cdef uint8_t[MAX_REPLY] out
    cdef Decision d = decision_of(decision)
    return out[:encode_decision(&phrasebook.c, &d, out)]


def write_streamed(Phrasebook phrasebook not None, uint64_t identity, const uint8_t[:] decision not None):
    cdef uint8_t[MAX_REPLY] out
    cdef Decision d = decision_of(decision)
    return out[:encode_streamed(&phrasebook.c, identity, &d, out)]


def write_call_error(uint64_t identity, uint32_t code, bytes message not None, bytes field=b""):
    cdef uint8_t[MAX_CALL_ERROR] out
    cdef Text name
    if len(message) > MAX_DESCRIPTION or len(field) > 32:
        raise ValueError(f"message: at most {MAX_DESCRIPTION} bytes, field: at most 32")
    name.data, name.length = field, <uint32_t> len(field)
    return out[:encode_call_error(identity, code, message, <uint32_t> len(message), name, out)]


def write_health(uint32_t serving):
    cdef uint8_t[8] out
    return out[:encode_health(serving, out)]
