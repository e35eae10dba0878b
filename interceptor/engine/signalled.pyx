# Reads a number as signalled: bare digits, tel: (RFC 3966), sip:/sips: (RFC 3261), with or without display name
# and <>. No state; never reads past raw.length.
from libc.stdint cimport uint8_t, uint32_t

from interceptor.engine.types cimport MAX_DIGITS, MAX_FIELD, Text


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
