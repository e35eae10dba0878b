# Walks the numbering plan: one automaton for E.164 numbers, one for how each region dials. Both are tables built
# by interceptor.numbering and checked here once, so that no walk can leave them.
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

import numpy as np

cdef enum:
    WORK = 48               # bytes of a number while prefixes come and go: MAX_DIALLED and the longest insertion
    MAX_DIALLED = 32
    MAX_TAIL = 15           # digits that may follow in a uniform state

cdef struct RegionRow:      # REGION of interceptor.numbering.dialling
    char[4] name
    char[4] code
    uint16_t main
    uint16_t general
    uint16_t idd
    uint16_t short_start
    uint16_t emergency
    uint16_t first_rule
    uint8_t rules
    uint8_t shortest
    uint16_t pad
    uint32_t possible
    uint32_t local

cdef struct PrefixRule:     # RULE of interceptor.numbering.dialling
    uint16_t start
    uint8_t whole
    uint8_t keep
    uint8_t before
    uint8_t after
    char[10] insert

cdef struct Plan:
    const uint16_t* transitions
    const uint16_t* accept
    const uint16_t* tails
    const uint16_t* jump
    const uint32_t* answers
    uint32_t branching      # states from here on are uniform: places in `tails`
    const uint16_t* dial_transitions
    const uint8_t* dial_accept
    const RegionRow* regions
    const PrefixRule* rules
    const uint16_t* main_of_code
    uint32_t n_regions

cdef extern from * nogil:
    """
    static const char* const ic_type_names[14] = {
        "unknown", "fixed-line", "mobile", "fixed-line-or-mobile", "toll-free", "premium-rate", "shared-cost",
        "voip", "personal", "pager", "uan", "voicemail", "short", "withheld"};
    """
    const char** ic_type_names

TYPE_NAMES = tuple(ic_type_names[t].decode() for t in range(14))


cdef inline uint32_t digit(char c) noexcept nogil:
    return <uint32_t><uint8_t>c - 48


cdef inline uint32_t text_length(const char* text, uint32_t limit) noexcept nogil:
    cdef uint32_t n = 0
    while n < limit and text[n] != 0:
        n += 1
    return n


cdef inline bint all_digits(const char* digits, uint32_t n) noexcept nogil:
    cdef uint32_t i, wrong = 0
    for i in range(n):
        wrong |= digit(digits[i]) > 9
    return wrong == 0


cdef inline PlanAnswer unpacked(uint32_t packed) noexcept nogil:
    cdef PlanAnswer answer
    answer.valid = packed & 0xff
    answer.type = packed >> 8 & 0xff
    answer.region = packed >> 16
    return answer


cdef PlanAnswer classify(const Plan* plan, const char* digits, uint32_t n) noexcept nogil:
    cdef uint32_t state = 0, i = 0, d, a, b
    if n == 0 or n > MAX_TAIL:
        return unpacked(0)
    if n >= 3:
        d, a, b = digit(digits[0]), digit(digits[1]), digit(digits[2])
        if d > 9 or a > 9 or b > 9:
            return unpacked(0)
        state = plan.jump[d * 100 + a * 10 + b]
        i = 3
    while i < n and state < plan.branching:
        d = digit(digits[i])
        if d > 9:
            return unpacked(0)
        state = plan.transitions[state * 10 + d]
        i += 1
    if state < plan.branching:
        return unpacked(plan.answers[plan.accept[state]])
    if not all_digits(digits + i, n - i):
        return unpacked(0)
    return unpacked(plan.answers[plan.tails[state - plan.branching + n - i]])


# Does the language that begins at `state` hold exactly these digits?
cdef inline bint matches(const Plan* plan, uint32_t state, const char* digits, uint32_t n) noexcept nogil:
    cdef uint32_t i, d
    for i in range(n):
        d = digit(digits[i])
        if d > 9 or state == 0:
            return False
        state = plan.dial_transitions[state * 10 + d]
    return plan.dial_accept[state]


# Length of the longest prefix of the digits the language holds; -1 if it holds none.
cdef inline int longest(const Plan* plan, uint32_t state, const char* digits, uint32_t n) noexcept nogil:
    cdef uint32_t i = 0
    cdef int found = -1
    while True:
        if plan.dial_accept[state]:
            found = <int>i
        if i == n or state == 0:
            return found
        state = plan.dial_transitions[state * 10 + digit(digits[i])]
        i += 1


cdef bint is_emergency(const Plan* plan, uint16_t region, const char* digits, uint32_t n) noexcept nogil:
    if n == 0 or n > MAX_DIALLED or region >= plan.n_regions:
        return False
    return matches(plan, plan.regions[region].emergency, digits, n)


cdef bint is_known_short(const Plan* plan, uint16_t region, const char* digits, uint32_t n) noexcept nogil:
    cdef const RegionRow* row
    if n == 0 or n > MAX_DIALLED or region >= plan.n_regions or not all_digits(digits, n):
        return False
    row = &plan.regions[region]
    return matches(plan, row.short_start, digits, n) or matches(plan, row.emergency, digits, n)


cdef bint is_short(const Plan* plan, uint16_t region, const char* digits, uint32_t n) noexcept nogil:
    cdef char[16] e164
    cdef uint32_t length
    if is_known_short(plan, region, digits, n):
        return True
    if n == 0 or n >= 7 or region >= plan.n_regions or not all_digits(digits, n):
        return False
    if n < plan.regions[region].shortest:
        return True
    # Where whole numbers are this short (FO, AD, SH, ...) one of them is no short number.
    length = to_e164(plan, region, digits, n, e164)
    return length == 0 or not classify(plan, e164, length).valid


# Takes a national prefix off (or applies the region's transformation); writes at most n + 10 digits, returns
# how many. The number stays as it is when that alone leaves it fit for the region.
cdef uint32_t strip_prefix(
    const Plan* plan, const RegionRow* row, const char* digits, uint32_t n, char* out
) noexcept nogil:
    cdef const PrefixRule* rule
    cdef uint32_t i, end, length
    cdef int found
    for i in range(row.rules):
        rule = &plan.rules[row.first_rule + i]
        if rule.whole:
            found = <int>n if matches(plan, rule.start, digits, n) else -1
        else:
            found = longest(plan, rule.start, digits, n)
        if found < 0:
            continue
        end = <uint32_t>found
        length = 0
        if rule.keep:
            length = text_length(rule.insert, 10)
            memcpy(out, rule.insert, length)
            if end >= <uint32_t>rule.before + rule.after:
                memcpy(out + length, digits + rule.before, end - rule.before - rule.after)
                length += end - rule.before - rule.after
        memcpy(out + length, digits + end, n - end)
        length += n - end
        if not matches(plan, row.general, out, length) and matches(plan, row.general, digits, n):
            break
        return length
    memcpy(out, digits, n)
    return n


cdef inline bint too_long(const RegionRow* row, uint32_t n) noexcept nogil:
    return n > 31 or (row.possible >> n == 0 and not row.local >> n & 1)


cdef uint32_t to_e164(const Plan* plan, uint16_t region, const char* digits, uint32_t n, char* out) noexcept nogil:
    cdef const RegionRow* row
    cdef char[WORK] national
    cdef char[WORK] stripped
    cdef uint32_t code, length, kept
    cdef int idd
    if n == 0 or n > MAX_DIALLED or region >= plan.n_regions or not all_digits(digits, n):
        return 0
    row = &plan.regions[region]
    code = text_length(row.code, 4)
    if code == 0 or code > 3:       # no dial plan: the unknown region, the non-geographic one
        return 0
    idd = longest(plan, row.idd, digits, n)
    if idd > 0 and not (<uint32_t>idd < n and digits[idd] == 48):     # no country code begins with 0
        length = n - <uint32_t>idd
        if length < 3 or length > 15:
            return 0
        memcpy(out, digits + idd, length)
        return length

    memcpy(national, digits, n)
    length = n
    # The country code without "+": believed when the number is not fit without it.
    if n >= code and row.code[0] == digits[0] and (code < 2 or row.code[1] == digits[1]) \
            and (code < 3 or row.code[2] == digits[2]):
        kept = strip_prefix(plan, row, digits + code, n - code, stripped)
        if too_long(row, n) or (matches(plan, row.general, stripped, kept)
                                and not matches(plan, row.general, digits, n)):
            memcpy(national, stripped, kept)
            length = kept
            row = &plan.regions[row.main]
    if length < 2 or length > MAX_DIALLED:
        return 0
    kept = strip_prefix(plan, row, national, length, stripped)
    if too_long(row, kept) or (row.possible >> kept & 1 and not row.local >> kept & 1):
        memcpy(national, stripped, kept)
        length = kept
    if length < 2 or code + length > 15:
        return 0
    memcpy(out, row.code, code)
    memcpy(out + code, national, length)
    return code + length


cdef uint16_t region_of_code(const Plan* plan, uint16_t home, const char* code, uint32_t n) noexcept nogil:
    cdef uint32_t i, value = 0
    cdef uint16_t region
    if n == 0 or n > 3 or not all_digits(code, n) or code[0] == 48:
        return 0
    for i in range(n):
        value = value * 10 + digit(code[i])
    region = plan.main_of_code[value]
    if plan.regions[region].code[0] == 0:
        return 0
    if home < plan.n_regions and plan.regions[home].main == region and plan.regions[home].code[0] != 0:
        return home
    return region


cdef const void* address(object array) except NULL:
    cdef const uint8_t[::1] view = array.view(np.uint8).reshape(-1)
    return &view[0]


cdef class NumberingPlan:
    def __cinit__(self, tables):
        cdef Plan* plan
        self.tables = {name: np.ascontiguousarray(array) for name, array in tables.items()}
        _check(self.tables)
        plan = self.plan = <Plan*>PyMem_Calloc(1, sizeof(Plan))
        if plan is NULL:
            raise MemoryError
        t = self.tables
        plan.transitions = <const uint16_t*>address(t["transitions"])
        plan.accept = <const uint16_t*>address(t["accept"])
        plan.tails = <const uint16_t*>address(t["tails"])
        plan.jump = <const uint16_t*>address(t["jump"])
        plan.answers = <const uint32_t*>address(t["answers"])
        plan.branching = len(t["accept"])
        plan.dial_transitions = <const uint16_t*>address(t["dial_transitions"])
        plan.dial_accept = <const uint8_t*>address(t["dial_accept"])
        plan.regions = <const RegionRow*>address(t["regions"])
        plan.rules = <const PrefixRule*>address(t["rules"])
        plan.main_of_code = <const uint16_t*>address(t["main_of_code"])
        plan.n_regions = len(t["regions"])
        self._regions = tuple(name.decode() for name in t["regions"]["name"])
        self._index = {name: i for i, name in enumerate(self._regions)}

    def __dealloc__(self):
        PyMem_Free(self.plan)

    @property
    def regions(self):
        return self._regions

    @property
    def type_names(self):
        return TYPE_NAMES

    @property
    def nbytes(self):
        return sum(array.nbytes for array in self.tables.values())

    def region_index(self, str name):
        try:
            return self._index[name]
        except KeyError:
            raise ValueError(f"{name!r} is no region: give an ISO 3166 code such as CN, or 001") from None

    def classify(self, bytes digits):
        cdef PlanAnswer answer = classify(self.plan, digits, <uint32_t>min(len(digits), 255))
        return bool(answer.valid), self._regions[answer.region], NumberType(answer.type)

    def classify_many(self, numbers):
        numbers = np.ascontiguousarray(numbers, "S16")
        cdef Py_ssize_t i, n = len(numbers)
        valid, regions, types = np.zeros(n, np.bool_), np.zeros(n, np.uint16), np.zeros(n, np.uint8)
        if n == 0:
            return valid, regions, types
        cdef const uint8_t[::1] text = numbers.view(np.uint8)
        cdef uint8_t[::1] v = valid.view(np.uint8)
        cdef uint16_t[::1] r = regions
        cdef uint8_t[::1] t = types
        cdef const char* number
        cdef PlanAnswer answer
        with nogil:
            for i in range(n):
                number = <const char*>&text[i * 16]
                answer = classify(self.plan, number, text_length(number, 16))
                v[i], r[i], t[i] = answer.valid, answer.region, answer.type
        return valid, regions, types

    def classify_in_turn(self, numbers):
        numbers = np.ascontiguousarray(numbers, "S16")
        cdef Py_ssize_t i = 0, n = len(numbers)
        cdef uint64_t valid = 0
        cdef const char* number
        cdef PlanAnswer answer
        if n == 0:
            return 0
        cdef const uint8_t[::1] text = numbers.view(np.uint8)
        with nogil:
            while i < n:
                number = <const char*>&text[i * 16]
                answer = classify(self.plan, number, text_length(number, 16))
                valid += answer.valid
                i += 1 + (answer.valid >> 1)    # valid is 0 or 1; the next address has to wait for it
        return valid

    def is_emergency(self, str region, bytes digits):
        return bool(is_emergency(self.plan, self.region_index(region), digits, <uint32_t>min(len(digits), 255)))

    def is_short(self, str region, bytes digits):
        return bool(is_short(self.plan, self.region_index(region), digits, <uint32_t>min(len(digits), 255)))

    def is_known_short(self, str region, bytes digits):
        return bool(is_known_short(self.plan, self.region_index(region), digits, <uint32_t>min(len(digits), 255)))

    def to_e164(self, str region, bytes digits):
        cdef char[16] out
        cdef uint32_t n = to_e164(
            self.plan, self.region_index(region), digits, <uint32_t>min(len(digits), 255), out)
        return out[:n]


def _check(tables):
    """Every index a walk can follow stays inside the tables: a walk itself checks none."""
    special = {"answers": np.uint32, "dial_accept": np.uint8}
    for name in ("transitions", "accept", "tails", "jump", "dial_transitions", "main_of_code", *special):
        if tables[name].dtype != special.get(name, np.uint16) or tables[name].size == 0:
            raise ValueError(f"numbering plan: the table {name} is not what this version reads")
    regions, rules = tables["regions"], tables["rules"]
    if regions.dtype.itemsize != sizeof(RegionRow) or rules.dtype.itemsize != sizeof(PrefixRule):
        raise ValueError("numbering plan: the tables of regions are not what this version reads")
    states, dial = len(tables["accept"]), len(tables["dial_accept"])
    starts = [regions[s] for s in ("general", "idd", "short", "emergency")]
    last_state = max(int(tables["transitions"].max()), int(tables["jump"].max()))
    fits = (
        tables["transitions"].size == states * 10
        and tables["dial_transitions"].size == dial * 10
        and tables["jump"].size == tables["main_of_code"].size == 1000
        and last_state < states + len(tables["tails"]) - MAX_TAIL
        and max(int(tables["accept"].max()), int(tables["tails"].max())) < len(tables["answers"])
        and int((tables["answers"] >> 16).max()) < len(regions)
        and int(tables["dial_transitions"].max()) < dial
        and all(int(s.max()) < dial for s in [*starts, rules["start"]])
        and not tables["dial_transitions"][:1].any()
        and int(regions["main"].max()) < len(regions)
        and int(tables["main_of_code"].max()) < len(regions)
        and bool((regions["first_rule"].astype(int) + regions["rules"] <= len(rules)).all())
    )
    if not fits:
        raise ValueError("numbering plan: a table points outside another")
