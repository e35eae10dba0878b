# Reads a number as signalled: bare digits, tel: (RFC 3966), sip:/sips: (RFC 3261), with or without display name
# and <>; then the trunk's dial plan makes it E.164 or a short number. Never reads past raw.length.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from interceptor.engine.keys cimport KEY_IMEI, KEY_IMSI, KEY_NUMBER, digits_key, short_key
from interceptor.engine.plan cimport (
    TYPE_SHORT, TYPE_WITHHELD, NumberingPlan, Plan, PlanAnswer, classify, is_known_short, is_short, region_of_code,
    to_e164,
)
from interceptor.engine.types cimport (
    MAX_DIGITS, MAX_FIELD, NUMBER_ABSENT, NUMBER_E164, NUMBER_SHORT, NUMBER_UNPARSEABLE, NUMBER_WITHHELD,
    Number, Text,
)

from collections import namedtuple

import numpy as np

from interceptor.engine.plan import NumberType
from interceptor.engine.types import NumberStatus

cdef enum:
    MAX_DIALLED = 32        # digits kept of a number before its prefixes are read

cdef enum Reading:
    UNREADABLE = 0
    DIGITS = 1
    WITHHELD = 2
    SOS = 3

cdef struct Signalled:
    char[32] digits
    uint32_t n
    bint plus
    char[16] context        # digits of a global phone-context
    uint32_t n_context


cdef inline char lower(char c) noexcept nogil:
    return <char>(c | 32) if 65 <= c <= 90 else c


# Does `text` begin with `word` (in lower case), whatever its own case?
cdef inline bint begins(const char* text, uint32_t n, const char* word, uint32_t length) noexcept nogil:
    cdef uint32_t i
    if n < length:
        return False
    for i in range(length):
        if lower(text[i]) != word[i]:
            return False
    return True


cdef inline bint equals(const char* text, uint32_t n, const char* word, uint32_t length) noexcept nogil:
    return n == length and begins(text, n, word, length)


cdef inline uint32_t find(const char* text, uint32_t begin, uint32_t end, char c) noexcept nogil:
    while begin < end and text[begin] != c:
        begin += 1
    return begin


cdef inline int hexadecimal(char c) noexcept nogil:
    c = lower(c)
    if 48 <= c <= 57:
        return c - 48
    return c - 87 if 97 <= c <= 102 else -1


cdef inline bint is_separator(char c) noexcept nogil:      # "visual-separator" of RFC 3966, and the space
    return c in (b"-", b".", b"(", b")", b" ")


# Digits between separators, percent-encoding undone; one "+" may stand first. Returns their number or -1.
cdef int read_digits(const char* text, uint32_t n, char* out, uint32_t room, bint* plus) noexcept nogil:
    cdef uint32_t i = 0, count = 0
    cdef int high, low
    cdef char c
    plus[0] = False
    while i < n:
        c = text[i]
        i += 1
        if c == b"%":
            if i + 2 > n:
                return -1
            high, low = hexadecimal(text[i]), hexadecimal(text[i + 1])
            if high < 0 or low < 0 or high > 7:
                return -1
            c = <char>(high * 16 + low)
            i += 2
        if 48 <= c <= 57:
            if count == room:
                return -1
            out[count] = c
            count += 1
        elif c == b"+":
            if count or plus[0]:
                return -1
            plus[0] = True
        elif not is_separator(c):
            return -1
    return <int>count if count else -1


# ";phone-context=" of a tel URI or of a SIP user part (RFC 3966, 5.1.5). False when it is malformed.
cdef bint read_context(const char* text, uint32_t begin, uint32_t end, Signalled* out) noexcept nogil:
    cdef uint32_t stop
    cdef int n
    cdef bint plus
    while begin < end:
        stop = find(text, begin, end, b";")
        if begins(text + begin, stop - begin, b"phone-context=", 14):
            begin += 14
            if begin == stop:
                return False
            if text[begin] != b"+" and text[begin] != b"%":
                return True         # a domain: says whose dial plan, and that is the trunk's
            n = read_digits(text + begin, stop - begin, out.context, MAX_DIGITS, &plus)
            if n < 0 or not plus:
                return False
            out.n_context = <uint32_t>n
            return True
        begin = stop + 1
    return True


cdef inline bint is_withheld(const char* text, uint32_t n) noexcept nogil:
    return (equals(text, n, b"anonymous", 9) or equals(text, n, b"restricted", 10)
            or equals(text, n, b"unavailable", 11) or equals(text, n, b"private", 7))


# "Display name" <URI>;parameters: narrows [begin, end) to the URI. False when a quote or bracket stays open.
cdef bint find_address(const char* text, uint32_t* begin, uint32_t* end) noexcept nogil:
    cdef uint32_t first = begin[0], last = end[0], i = first
    if i < last and text[i] == b'"':
        i += 1
        while i < last and text[i] != b'"':
            i += 2 if text[i] == b"\\" else 1
        if i >= last:
            return False
    i = find(text, i, last, b"<")
    if i == last:
        return True
    first = i + 1
    i = find(text, first, last, b">")
    if i == last:
        return False
    while first < i and text[first] == b" ":
        first += 1
    while i > first and text[i - 1] == b" ":
        i -= 1
    begin[0], end[0] = first, i
    return True


# A "+" or none, then digits, into `out`: returns where they end.
cdef inline uint32_t take_digits(const char* text, uint32_t begin, uint32_t end, Signalled* out) noexcept nogil:
    out.n = 0
    out.plus = begin < end and text[begin] == b"+"
    begin += out.plus
    while begin < end and out.n < MAX_DIALLED and 48 <= text[begin] <= 57:
        out.digits[out.n] = text[begin]
        out.n += 1
        begin += 1
    return begin


cdef Reading read_signalled(Text raw, Signalled* out) noexcept nogil:
    cdef const char* text = raw.data
    cdef uint32_t begin = 0, end = raw.length, i, user, stop, host
    cdef bint sip = False, tel = False, private_host = False
    cdef uint8_t control = 0, address = 0, high = 0
    cdef int n
    out.n_context = 0
    if take_digits(text, 0, end, out) == end and out.n:
        return DIGITS
    for i in range(end if end <= MAX_FIELD else 0):        # no way out of the loop: compilers make vectors of it
        control |= (<uint8_t>text[i] < 32) | (text[i] == 127)
        address |= (text[i] == b"<") | (text[i] == b'"')
        high |= <uint8_t>text[i]
    if control or end > MAX_FIELD:
        return UNREADABLE
    while begin < end and text[begin] == b" ":
        begin += 1
    while end > begin and text[end - 1] == b" ":
        end -= 1

    if address and not find_address(text, &begin, &end):
        return UNREADABLE
    if high > 127:              # allowed in a display name alone
        for i in range(begin, end):
            if <uint8_t>text[i] > 127:
                return UNREADABLE

    if begins(text + begin, end - begin, b"sip:", 4):
        sip = True
        begin += 4
    elif begins(text + begin, end - begin, b"sips:", 5):
        sip = True
        begin += 5
    elif begins(text + begin, end - begin, b"tel:", 4):
        tel = True
        begin += 4
    elif begins(text + begin, end - begin, b"urn:", 4):
        i = begin + 15
        if not begins(text + begin, end - begin, b"urn:service:sos", 15):
            return UNREADABLE
        return SOS if i == end or text[i] == b"." or text[i] == b";" else UNREADABLE

    i = take_digits(text, begin, end, out)
    if out.n and (i == end or (text[i] == b"@" and not tel)):
        return DIGITS
    out.n, out.plus = 0, False

    # [begin, user) is the telephone-subscriber with its parameters
    user = end if tel else find(text, begin, end, b"@")
    if user < end:
        host = user + 1
        stop = host
        while stop < end and text[stop] != b";" and text[stop] != b"?" and text[stop] != b":":
            stop += 1
        private_host = equals(text + host, stop - host, b"anonymous.invalid", 17)
    elif sip:
        # No user part. "sip:+8613800138000" is sent all the same; what has a dot is a host or an address.
        stop = begin
        while stop < end and text[stop] != b";" and text[stop] != b"?" and text[stop] != b":":
            stop += 1
        if equals(text + begin, stop - begin, b"anonymous.invalid", 17):
            return WITHHELD
        if find(text, begin, stop, b".") < stop:
            return UNREADABLE
        user = stop
    stop = begin
    while stop < user and text[stop] != b";" and (tel or text[stop] != b":"):
        stop += 1
    if is_withheld(text + begin, stop - begin):
        return WITHHELD
    n = read_digits(text + begin, stop - begin, out.digits, MAX_DIALLED, &out.plus)
    if n < 0:
        return WITHHELD if private_host else UNREADABLE
    if not out.plus and stop < user and text[stop] == b";" and not read_context(text, stop + 1, user, out):
        return UNREADABLE
    out.n = <uint32_t>n
    return DIGITS


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
