# Where calls come in as Python objects or array rows: every text is checked here, once. Nothing is decided.
from collections.abc import Mapping, Sequence

import numpy as np

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from interceptor.engine.atomics cimport ic_lowest_bit
from interceptor.engine.types cimport (
    MAX_FIELD, MAX_REDIRECTING, MAX_TAGS, N_FIELDS, N_SCALARS, Call, Field, Scalar,
)

from interceptor.engine.answers import CallError

# The name a call's maker uses -> Field. `caller` is the From; who the caller is, is decided from it and the trunk.
TEXTS = {
    "caller": Field.F_FROM, "callee": Field.F_CALLEE, "asserted_identity": Field.F_ASSERTED,
    "call_id": Field.F_CALL_ID, "privacy": Field.F_PRIVACY, "trunk": Field.F_TRUNK, "domain": Field.F_DOMAIN,
    "user_agent": Field.F_USER_AGENT, "source_ip": Field.F_SOURCE_IP, "imsi": Field.F_IMSI, "imei": Field.F_IMEI,
    "cell": Field.F_CELL, "verstat": Field.F_VERSTAT, "attestation": Field.F_ATTESTATION, "switch": Field.F_SWITCH,
}
FLAGS = {"international_ingress": Scalar.S_INTERNATIONAL_INGRESS, "roaming": Scalar.S_ROAMING}
INTEGERS = {"sim_age_days": Scalar.S_SIM_AGE_DAYS, "event_time_ms": Scalar.S_EVENT_TIME_MS}
WIDE = {"call_id": 64, "user_agent": 64, "domain": 64, "source_ip": 48, "imsi": 16, "attestation": 4}

CALL_DTYPE = np.dtype(
    [(name, f"S{WIDE.get(name, 32)}") for name in TEXTS]
    + [("redirecting", "S32", (MAX_REDIRECTING,)), ("tags", "S32", (MAX_TAGS,)),
       ("scalar", "<i8", (N_SCALARS,)), ("present", "<u4")],
    align=True,
)


cdef uint64_t EACH = 0x0101010101010101     # times a byte: that byte in each of eight


cdef void describe_row() except *:
    memset(&ROW, 0, sizeof(ROW))
    for name, field in TEXTS.items():
        dtype, offset = CALL_DTYPE.fields[name][:2]
        ROW.offset[<int> field], ROW.width[<int> field] = offset, dtype.itemsize
    for name, first, count in (("redirecting", Field.F_REDIRECTING, MAX_REDIRECTING), ("tags", Field.F_TAG, MAX_TAGS)):
        dtype, offset = CALL_DTYPE.fields[name][:2]
        for i in range(count):
            ROW.offset[<int> first + i] = offset + i * dtype.base.itemsize
            ROW.width[<int> first + i] = dtype.base.itemsize
    ROW.scalar, ROW.present = CALL_DTYPE.fields["scalar"][1], CALL_DTYPE.fields["present"][1]


describe_row()


cdef int text_problem(const uint8_t* data, uint32_t n) noexcept nogil:
    cdef uint32_t i = 0, more
    cdef uint64_t eight
    cdef uint8_t c
    while i + 8 <= n:           # printable ASCII, eight bytes at a time
        memcpy(&eight, data + i, 8)
        if ((eight | (eight - EACH * 0x20) | ((eight ^ (EACH * 0x7f)) - EACH)) & (EACH << 7)) != 0:
            break
        i += 8
        if n - 8 < i < n:       # the last eight again, with what is left among them
            i = n - 8
    while i < n:
        c = data[i]
        i += 1
        if c < 0x20 or c == 0x7f:
            return TEXT_CONTROL
        if c < 0x80:
            continue
        more = 1 if 0xc2 <= c < 0xe0 else 2 if 0xe0 <= c < 0xf0 else 3 if 0xf0 <= c < 0xf5 else 0
        if more == 0 or i + more > n:
            return TEXT_UTF8
        # overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte
        if ((c == 0xe0 and data[i] < 0xa0) or (c == 0xed and data[i] > 0x9f)
                or (c == 0xf0 and data[i] < 0x90) or (c == 0xf4 and data[i] > 0x8f)):
            return TEXT_UTF8
        if c == 0xc2 and data[i] < 0xa0:        # C1 control characters
            return TEXT_CONTROL
        while more:
            if data[i] & 0xc0 != 0x80:
                return TEXT_UTF8
            i += 1
            more -= 1
    return TEXT_OK


# Up to `width` (a multiple of 8, or 4), or to the first NUL: eight bytes at a time.
cdef inline uint32_t text_length(const char* text, uint32_t width) noexcept nogil:
    cdef uint64_t eight, zeros
    cdef uint32_t i = 0
    while i + 8 <= width:
        memcpy(&eight, text + i, 8)
        zeros = (eight - EACH) & ~eight & (EACH << 7)       # the lowest set bit marks the first NUL
        if zeros:
            return i + <uint32_t> (ic_lowest_bit(zeros) >> 3)
        i += 8
    while i < width and text[i]:
        i += 1
    return i


cdef void load_row(const char* row, Call* call) noexcept nogil:
    cdef uint32_t field
    memset(call, 0, sizeof(Call))
    for field in range(N_FIELDS):
        if ROW.width[field] and row[ROW.offset[field]]:
            call.text[field].data = row + ROW.offset[field]
            call.text[field].length = text_length(row + ROW.offset[field], ROW.width[field])
    memcpy(call.scalar, row + ROW.scalar, sizeof(call.scalar))
    memcpy(&call.present, row + ROW.present, sizeof(uint32_t))


cdef int row_problem(const char* row) noexcept nogil:
    cdef uint32_t field
    for field in range(N_FIELDS):
        if ROW.width[field] and row[ROW.offset[field]]:
            if text_problem(<const uint8_t*> row + ROW.offset[field],
                            text_length(row + ROW.offset[field], ROW.width[field])) != TEXT_OK:
                return <int> field
    return -1


cdef str load_text(object value, int field, Call* call, list keep):
    """Points the call at a checked text; returns what is wrong with it, or None."""
    cdef bytes data
    cdef int problem
    if isinstance(value, str):
        try:
            data = value.encode()
        except UnicodeEncodeError:
            return "not valid UTF-8"
    elif isinstance(value, bytes):
        data = value
    else:
        return f"must be text, not {type(value).__name__}"
    if len(data) > MAX_FIELD:
        return f"{len(data)} bytes; at most {MAX_FIELD} are taken"
    problem = text_problem(<const uint8_t*> <const char*> data, <uint32_t> len(data))
    if problem != TEXT_OK:
        return "holds a control character" if problem == TEXT_CONTROL else "not valid UTF-8"
    if data:
        keep.append(data)
        call.text[field].data = data
        call.text[field].length = <uint32_t> len(data)
    return None


cdef str load_scalar(str name, object value, Call* call):
    if name in FLAGS:
        if not isinstance(value, bool):
            return f"must be true or false, not {type(value).__name__}"
        call.scalar[<int> FLAGS[name]] = value
        call.present |= 1 << <int> FLAGS[name]
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        return f"must be a whole number, not {type(value).__name__}"
    if not 0 <= value < 1 << 62:
        return f"{value} is out of range"
    call.scalar[<int> INTEGERS[name]] = value
    call.present |= 1 << <int> INTEGERS[name]
    return None


cdef str load_redirecting(object value, Call* call, list keep):
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        return "must be a sequence of texts"
    problems = [load_text(one, Field.F_REDIRECTING + i, call, keep) for i, one in enumerate(value[:MAX_REDIRECTING])]
    return next((f"[{i}] {problem}" for i, problem in enumerate(problems) if problem), None)


cdef str load_tags(object value, tuple tags, Call* call, list keep):
    if not isinstance(value, Mapping):
        return "must be a mapping of texts"
    problems = [(tag, load_text(value[tag], Field.F_TAG + i, call, keep)) for i, tag in enumerate(tags) if tag in value]
    return next((f"[{tag}] {problem}" for tag, problem in problems if problem), None)


cdef object load_mapping(object mapping, tuple tags, Call* call, list keep):
    cdef object first = None
    memset(call, 0, sizeof(Call))
    for name, value in mapping.items():
        if value is None:
            continue
        if name in TEXTS:
            problem = load_text(value, TEXTS[name], call, keep)
        elif name in FLAGS or name in INTEGERS:
            problem = load_scalar(name, value, call)
        elif name == "redirecting":
            problem = load_redirecting(value, call, keep)
        elif name == "tags":
            problem = load_tags(value, tags, call, keep)
        else:
            problem = f"no such field; a call has {', '.join([*TEXTS, *FLAGS, *INTEGERS, 'redirecting', 'tags'])}"
        if problem is not None and first is None:
            first = CallError(str(name), problem)
    return first
