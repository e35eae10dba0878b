# What a switch is told, as bytes: the engine's decisions in a policy's words. No state.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memmove

from interceptor.dataplane.phrasebook cimport Answers, Phrase
from interceptor.dataplane.wire cimport LENGTH, VARINT, put_bytes, put_varint, varint_size
from interceptor.engine.atomics cimport ic_lowest_bit
from interceptor.engine.types cimport RuleIndex, Verdict

cdef const char* DIGITS = b"0123456789abcdef"


cdef inline const Answers* answers_of(const Phrases* phrases, uint32_t revision) noexcept nogil:
    cdef uint32_t i
    for i in range(phrases.n_answers - 1):
        if phrases.answers[i].revision == revision:
            return &phrases.answers[i]
    return &phrases.answers[phrases.n_answers - 1]      # the oldest also speaks for those before it


cdef inline const Phrase* phrase_of(const Phrases* phrases, const Answers* answers, uint16_t rule) noexcept nogil:
    if rule < answers.n_rules:
        return &answers.rule[rule]
    return &phrases.emergency if rule == RuleIndex.RULE_EMERGENCY else &answers.otherwise


cdef uint32_t encode_decision(const Phrases* phrases, const Decision* decision, uint8_t* out) noexcept nogil:
    cdef const Answers* answers = answers_of(phrases, decision.revision)
    cdef const Phrase* phrase = phrase_of(phrases, answers, decision.rule)
    cdef uint64_t shadow = decision.shadow
    cdef uint8_t* at = out
    cdef uint32_t bit
    at[0], at[1] = 1 << 3 | VARINT, decision.verdict
    at = put_text(at + 2, phrase.grounds)
    if decision.block_class:
        at[0], at[1] = 4 << 3 | VARINT, decision.block_class
        at += 2
    if decision.verdict == Verdict.BLOCK:
        at = put_text(at, phrase.refusal)
    at[0], at[1] = 7 << 3 | LENGTH, 16
    put_hexadecimal(at + 2, decision.id)
    at += 18
    if decision.revision:
        at[0] = 8 << 3 | VARINT
        at = put_varint(at + 1, decision.revision)
    while shadow:
        bit = ic_lowest_bit(shadow)
        shadow &= shadow - 1
        if bit < answers.n_shadow:
            at = put_text(at, answers.shadow[bit])
    return <uint32_t> (at - out)


# The decision is written where it lies when its length takes one byte, and moved when it takes more.
cdef uint32_t encode_streamed(const Phrases* phrases, uint64_t identity, const Decision* decision,
                              uint8_t* out) noexcept nogil:
    cdef uint8_t* at = put_identity(out, identity)
    cdef uint32_t n = encode_decision(phrases, decision, at + 2), size = varint_size(n)
    if size > 1:
        memmove(at + 1 + size, at + 2, n)
    at[0] = 2 << 3 | LENGTH
    return <uint32_t> (put_varint(at + 1, n) + n - out)


cdef uint32_t encode_call_error(uint64_t identity, uint32_t code, const char* message, uint32_t length, Text field,
                                uint8_t* out) noexcept nogil:
    cdef uint8_t* at = put_identity(out, identity)
    cdef uint32_t n = 1 + varint_size(code) + 1 + varint_size(length) + length
    if field.length:
        n += 1 + varint_size(field.length) + field.length
    at[0] = 3 << 3 | LENGTH
    at = put_varint(at + 1, n)
    at[0] = 1 << 3 | VARINT
    at = put_varint(at + 1, code)
    at[0] = 2 << 3 | LENGTH
    at = put_bytes(put_varint(at + 1, length), message, length)
    if field.length:
        at[0] = 3 << 3 | LENGTH
        at = put_text(put_varint(at + 1, field.length), field)
    return <uint32_t> (at - out)


cdef uint32_t encode_health(uint32_t serving, uint8_t* out) noexcept nogil:
    out[0] = 1 << 3 | VARINT
    return <uint32_t> (put_varint(out + 1, serving) - out)


cdef inline uint8_t* put_identity(uint8_t* out, uint64_t identity) noexcept nogil:
    if identity == 0:
        return out
    out[0] = 1 << 3 | VARINT
    return put_varint(out + 1, identity)


cdef inline uint8_t* put_text(uint8_t* out, Text text) noexcept nogil:
    return put_bytes(out, text.data, text.length)


cdef inline void put_hexadecimal(uint8_t* out, uint64_t value) noexcept nogil:
    cdef int i
    for i in range(16):
        out[i] = DIGITS[(value >> (60 - 4 * i)) & 15]
