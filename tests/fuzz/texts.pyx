# Fuzz target: the texts of a call as a switch signals them. Numbers, devices, subscribers, domains; and UTF-8.
#
# Input: a region, then the text. It is an allocation of its own: a byte read behind it is found.
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport abort
from libc.string cimport memcpy

from interceptor.engine.border cimport text_problem
from interceptor.engine.domains cimport domain_key
from interceptor.engine.keys cimport KEY_NUMBER, Secret, digits_key, secret_from
from interceptor.engine.number cimport dialled_digits, imei_key, imsi_key, parse_number
from interceptor.engine.plan cimport NumberingPlan, Plan
from interceptor.engine.types cimport (
    MAX_DIGITS, NUMBER_ABSENT, NUMBER_E164, NUMBER_SHORT, NUMBER_UNPARSEABLE, Number, Text,
)

from interceptor.numbering import load_plan

cdef const Plan* plan
cdef uint32_t n_regions
cdef Secret secret
cdef object keep


def prepare():
    global plan, n_regions, secret, keep
    cdef NumberingPlan made = load_plan()
    plan, n_regions, secret, keep = made.plan, len(made.regions), secret_from(bytes(16)), made


cdef inline void holds(bint statement) noexcept nogil:
    if not statement:
        abort()


cdef void number_holds(Text text, uint16_t region) noexcept nogil:
    cdef Number number, again
    cdef Text normalised
    cdef uint32_t i
    parse_number(plan, region, text, &number)
    holds(number.status <= NUMBER_UNPARSEABLE and number.region < n_regions)
    holds((number.status == NUMBER_ABSENT) == (text.length == 0))
    if number.status != NUMBER_E164 and number.status != NUMBER_SHORT:
        holds(number.key == 0 and number.length == 0)
        return
    holds(number.key != 0 and number.length > 0)
    if number.status == NUMBER_SHORT:
        for i in range(number.length):
            holds(48 <= number.text[i] <= 57)
        return
    holds(number.text[0] == b"+" and number.length <= MAX_DIGITS + 1)
    holds(number.key == digits_key(KEY_NUMBER, number.text + 1, number.length - 1))
    # Normal form is a fixed point, whichever trunk it comes back on.
    normalised.data, normalised.length = number.text, number.length
    parse_number(plan, region, normalised, &again)
    holds(again.key == number.key and again.region == number.region and again.type == number.type)


cdef void domain_holds(Text text) noexcept nogil:
    cdef char[256] louder
    cdef Text shouted
    cdef uint32_t i
    if text.length > sizeof(louder):
        holds(domain_key(&secret, text) == 0)
        return
    memcpy(louder, text.data, text.length)
    for i in range(text.length):
        if 97 <= louder[i] <= 122:
            louder[i] -= 32
    shouted.data, shouted.length = louder, text.length
    holds(domain_key(&secret, text) == domain_key(&secret, shouted))


cdef public int fuzz_one(const uint8_t* data, size_t n) noexcept nogil:
    cdef Text text
    cdef char[32] digits
    cdef bint sos
    cdef uint32_t dialled, i
    if n < 1:
        return 0
    text.data, text.length = <const char*> data + 1, <uint32_t> n - 1
    number_holds(text, <uint16_t> (data[0] % n_regions))
    dialled = dialled_digits(text, digits, &sos)
    holds(dialled <= sizeof(digits) and not (sos and dialled))
    for i in range(dialled):
        holds(48 <= digits[i] <= 57)
    domain_holds(text)
    imei_key(text)
    imsi_key(text)
    text_problem(data + 1, <uint32_t> n - 1)
    return 0
