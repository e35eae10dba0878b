# From raw fields to a resolved Call: trunk settings, dial plan, who the caller is, keys, emergency. No state.
from libc.string cimport memcmp, memcpy, memset

from interceptor.engine.domains cimport domain_key
from interceptor.engine.keys cimport KeyKind, Secret, hash_key, mix, siphash, siphash_128, text_key
from interceptor.engine.number cimport dialled_digits, imei_key, imsi_key, parse_number
from interceptor.engine.plan cimport is_emergency
from interceptor.engine.types cimport Field, Key, Text


cdef inline bint used(const Intake* intake, uint32_t field) noexcept nogil:
    return (intake.fields >> field) & 1


cdef const Trunk* trunk_of(const Intake* intake, Key name) noexcept nogil:
    cdef uint32_t low = 1, high = intake.n_trunks, middle
    while low < high:
        middle = (low + high) >> 1
        if intake.trunks[middle].name == name:
            return &intake.trunks[middle]
        if intake.trunks[middle].name < name:
            low = middle + 1
        else:
            high = middle
    return &intake.trunks[0]


cdef bint emergency(const Intake* intake, uint16_t region, Text callee) noexcept nogil:
    cdef char[32] digits
    cdef bint sos = False
    cdef uint32_t i, n = dialled_digits(callee, digits, &sos)
    if sos:
        return True
    if n == 0:
        return False
    if is_emergency(intake.plan, region, digits, n):
        return True
    for i in range(intake.n_emergency):
        if (intake.emergency[i].region == region and intake.emergency[i].length == n
                and memcmp(intake.emergency[i].digits, digits, n) == 0):
            return True
    return False


cdef inline void number(const Intake* intake, Call* call, uint32_t field) noexcept nogil:
    parse_number(intake.plan, call.home, call.text[field], &call.number[field])
    call.key[field] = call.number[field].key


cdef uint64_t remembered_hash(const Intake* intake, Memo* memo, Text text) noexcept nogil:
    cdef Met* met
    if text.length == 0 or text.length > sizeof(met.text):
        return siphash(&intake.secret, text.data, text.length)
    met = &memo.met[(<uint8_t> text.data[text.length - 1] ^ text.length) % MET]
    if text.length == met.length and memcmp(text.data, met.text, text.length) == 0:
        return met.hash
    met.hash = siphash(&intake.secret, text.data, text.length)
    memcpy(met.text, text.data, text.length)
    met.length = text.length
    return met.hash


cdef void name_call(const Intake* intake, Memo* switches, Text on_switch, Text call_id, uint64_t* a,
                    uint64_t* b) noexcept nogil:
    cdef Secret secret = intake.secret
    a[0] = b[0] = 0
    if call_id.length == 0:
        return
    if on_switch.length:
        secret.k0 ^= remembered_hash(intake, switches, on_switch)
    siphash_128(&secret, call_id.data, call_id.length, a, b)
    b[0] |= 1


cdef inline uint64_t party(const Intake* intake, const Call* call, uint32_t field) noexcept nogil:
    if call.key[field] or call.text[field].length == 0:
        return call.key[field]
    return siphash(&intake.secret, call.text[field].data, call.text[field].length)


cdef uint64_t name_parties(const Intake* intake, const Call* call) noexcept nogil:
    return mix(party(intake, call, Field.F_CALLER), intake.secret.k0) ^ party(intake, call, Field.F_CALLEE)


cdef void resolve(const Intake* intake, Memo* trunks, Call* call) noexcept nogil:
    cdef const Trunk* trunk = &intake.trunks[0]
    cdef uint32_t i, field
    cdef Key name
    memset(call.key, 0, sizeof(call.key))

    if call.text[<int> Field.F_TRUNK].length:
        name = hash_key(KeyKind.KEY_TEXT + Field.F_TRUNK,
                        remembered_hash(intake, trunks, call.text[<int> Field.F_TRUNK]))
        call.key[<int> Field.F_TRUNK] = name
        trunk = trunk_of(intake, name)
    call.trunk = <uint16_t> (trunk - intake.trunks)
    call.home = trunk.region
    call.trusted = trunk.trusted
    call.verified = trunk.own or (call.text[<int> Field.F_ATTESTATION].length == 1
                                  and call.text[<int> Field.F_ATTESTATION].data[0] == c"A")
    call.emergency = emergency(intake, call.home, call.text[<int> Field.F_CALLEE])

    field = Field.F_FROM
    if trunk.trusted and call.text[<int> Field.F_ASSERTED].length:
        field = Field.F_ASSERTED
    call.text[<int> Field.F_CALLER] = call.text[field]
    number(intake, call, Field.F_CALLER)
    number(intake, call, Field.F_CALLEE)
    for i in range(intake.n_numbers):
        field = intake.numbers[i]
        if call.text[field].data == call.text[<int> Field.F_CALLER].data:
            call.number[field] = call.number[<int> Field.F_CALLER]
            call.key[field] = call.number[field].key
        else:
            number(intake, call, field)

    if used(intake, Field.F_IMEI):
        call.key[<int> Field.F_IMEI] = imei_key(call.text[<int> Field.F_IMEI])
    if used(intake, Field.F_IMSI):
        call.key[<int> Field.F_IMSI] = imsi_key(call.text[<int> Field.F_IMSI])
    if used(intake, Field.F_DOMAIN):
        call.key[<int> Field.F_DOMAIN] = domain_key(&intake.secret, call.text[<int> Field.F_DOMAIN])
    for i in range(intake.n_texts):
        field = intake.texts[i]
        call.key[field] = text_key(&intake.secret, KeyKind.KEY_TEXT + field,
                                   call.text[field].data, call.text[field].length)
