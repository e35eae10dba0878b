# What was signalled becomes a Number: the trunk's dial plan makes its digits E.164 or a short number. No state.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from interceptor.engine.keys cimport KEY_IMEI, KEY_IMSI, KEY_NUMBER, digits_key, short_key
from interceptor.engine.plan cimport (
    TYPE_SHORT, TYPE_WITHHELD, NumberingPlan, Plan, PlanAnswer, classify, is_known_short, is_short, region_of_code,
    to_e164,
)
from interceptor.engine.signalled cimport DIGITS, SOS, WITHHELD, Reading, Signalled, begins, read_signalled
from interceptor.engine.types cimport (
    MAX_DIGITS, MAX_FIELD, NUMBER_ABSENT, NUMBER_E164, NUMBER_SHORT, NUMBER_UNPARSEABLE, NUMBER_WITHHELD,
    Number, Text,
)

from collections import namedtuple

import numpy as np

from interceptor.engine.plan import NumberType
from interceptor.engine.types import NumberStatus


cdef inline void set_short(const char* digits, uint32_t n, uint16_t region, Number* out) noexcept nogil:
    out.key = short_key(digits, n, region)
    if out.key == 0:
        return
    out.status = NUMBER_SHORT
    out.valid = 1
    out.type = TYPE_SHORT
    out.region = region
    memcpy(out.text, digits, n)
    out.length = <uint8_t>n


# "+8695588": networks put the country code before a bank's short number too. It stays that short number.
cdef void set_short_behind_code(const Plan* plan, uint16_t home, const char* digits, uint32_t n,
                                Number* out) noexcept nogil:
    cdef uint16_t region
    cdef uint32_t code
    for code in range(1, 4 if n > 3 else n):
        region = region_of_code(plan, home, digits, code)
        if region != 0:
            if is_known_short(plan, region, digits + code, n - code):
                set_short(digits + code, n - code, region, out)
            return


cdef void set_e164(const Plan* plan, uint16_t home, const char* digits, uint32_t n, Number* out) noexcept nogil:
    cdef PlanAnswer answer = classify(plan, digits, n)
    out.status = NUMBER_E164
    out.key = digits_key(KEY_NUMBER, digits, n)
    out.valid = answer.valid
    out.type = answer.type
    out.region = answer.region
    out.text[0] = b"+"
    memcpy(&out.text[1], digits, n)
    out.length = <uint8_t>(n + 1)
    if not answer.valid:
        set_short_behind_code(plan, home, digits, n, out)


cdef void parse_number(const Plan* plan, uint16_t region, Text raw, Number* out) noexcept nogil:
    cdef Signalled signalled
    cdef char[32] e164
    cdef uint16_t dialled_in = region
    cdef uint32_t n
    cdef Reading reading
    memset(out, 0, sizeof(Number))
    if raw.length == 0 or raw.data is NULL:
        out.status = NUMBER_ABSENT
        return
    reading = read_signalled(raw, &signalled)
    out.status = NUMBER_UNPARSEABLE
    if reading == WITHHELD:
        out.status = NUMBER_WITHHELD
        out.type = TYPE_WITHHELD
        out.valid = 1
        return
    if reading != DIGITS:
        return
    n = signalled.n
    if signalled.plus:
        if n <= MAX_DIGITS:
            set_e164(plan, region, signalled.digits, n, out)
        return
    if signalled.n_context:
        dialled_in = region_of_code(plan, region, signalled.context, signalled.n_context)
        if dialled_in == 0:         # more than a country code: what is missing before the local number
            if signalled.n_context + n <= MAX_DIGITS:
                memcpy(e164, signalled.context, signalled.n_context)
                memcpy(e164 + signalled.n_context, signalled.digits, n)
                set_e164(plan, region, e164, signalled.n_context + n, out)
            return
    if is_short(plan, dialled_in, signalled.digits, n):
        set_short(signalled.digits, n, dialled_in, out)
        return
    n = to_e164(plan, dialled_in, signalled.digits, n, e164)
    if n:
        set_e164(plan, region, e164, n, out)


cdef uint32_t dialled_digits(Text raw, char* out, bint* sos) noexcept nogil:
    cdef Signalled signalled
    cdef Reading reading
    sos[0] = False
    if raw.length == 0 or raw.data is NULL or raw.data[0] == b"+":
        return 0
    reading = read_signalled(raw, &signalled)
    sos[0] = reading == SOS
    if reading != DIGITS or signalled.plus:
        return 0
    memcpy(out, signalled.digits, signalled.n)
    return signalled.n


cdef uint64_t imei_key(Text raw) noexcept nogil:
    cdef char[16] digits
    cdef uint32_t i = 0, n = 0
    cdef char c
    if raw.data is NULL or raw.length > MAX_FIELD:
        return 0
    if begins(raw.data, raw.length, b"urn:gsma:imei:", 14):     # RFC 7254
        i = 14
    while i < raw.length:
        c = raw.data[i]
        i += 1
        if 48 <= c <= 57:
            if n == 16:
                return 0
            digits[n] = c
            n += 1
        elif c == b";":
            break
        elif c != b"-" and c != b" ":
            return 0
    return digits_key(KEY_IMEI, digits, 14) if n >= 14 else 0


cdef uint64_t imsi_key(Text raw) noexcept nogil:
    if raw.data is NULL or raw.length < 6:
        return 0
    return digits_key(KEY_IMSI, raw.data, raw.length)


ParsedNumber = namedtuple("ParsedNumber", ["status", "text", "valid", "region", "type", "key"])


cdef inline Text text_of(bytes raw):
    cdef Text text
    text.data = raw
    text.length = <uint32_t>min(len(raw), <Py_ssize_t>(MAX_FIELD + 1))     # longer is unreadable anyway
    return text


def parse(NumberingPlan plan not None, str region, bytes raw not None):
    cdef Number number
    parse_number(plan.plan, plan.region_index(region), text_of(raw), &number)
    return ParsedNumber(
        NumberStatus(number.status), number.text[:number.length].decode(), bool(number.valid),
        plan.regions[number.region], NumberType(number.type), number.key)


def dialled(bytes raw not None):
    cdef char[32] out
    cdef bint sos
    cdef uint32_t n = dialled_digits(text_of(raw), out, &sos)
    return out[:n], bool(sos)


def imei_key_of(bytes raw not None):
    return imei_key(text_of(raw))


def imsi_key_of(bytes raw not None):
    return imsi_key(text_of(raw))


def keys_of(NumberingPlan plan not None, str region, data, offsets):
    cdef const uint8_t[::1] text = memoryview(data).cast("B")
    cdef const int64_t[::1] bounds = np.ascontiguousarray(offsets, np.int64)
    cdef Py_ssize_t i, n = len(bounds) - 1
    cdef uint16_t home = plan.region_index(region)
    cdef Number number
    cdef Text raw
    if n < 0 or bounds[0] < 0 or bounds[n] > len(text) or bool((np.diff(offsets) < 0).any()):
        raise ValueError(f"offsets must rise from 0 to at most the {len(text)} bytes of data, n + 1 of them")
    keys, statuses = np.zeros(n, np.uint64), np.zeros(n, np.uint8)
    if n == 0 or len(text) == 0:
        return keys, statuses
    cdef uint64_t[::1] k = keys
    cdef uint8_t[::1] s = statuses
    with nogil:
        for i in range(n):
            raw.data = <const char*>&text[0] + bounds[i]
            raw.length = <uint32_t>min(bounds[i + 1] - bounds[i], <int64_t>(MAX_FIELD + 1))
            parse_number(plan.plan, home, raw, &number)
            k[i], s[i] = number.key, number.status
    return keys, statuses
