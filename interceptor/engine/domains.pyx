# Domains (contract: domains.pxd): names made canonical, and a walk from the top-level domain down to the whole name.
#
# The key of a name is the hash of its first label followed by the key of its parent, so that all parents of a
# name cost one pass over its bytes. An address has no parents; its key is the hash of its binary form.
from ipaddress import ip_address

from interceptor.engine.keys cimport KEY_DOMAIN, Secret, secret_from, text_key
from interceptor.engine.lists cimport Lists, ListTable, lists_find, lists_prefetch
from interceptor.engine.networks cimport AF_INET, AF_INET6, address_bytes
from interceptor.engine.types cimport Key, Text
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy

cdef enum:
    MAX_NAME = 253          # RFC 1035 section 2.3.4, without the root's dot
    MAX_LABEL = 63

# A name in canonical form: the labels of a domain, or an address as one label.
cdef struct Name:
    char[256] text
    uint32_t n_labels
    uint8_t[127] start      # of each label
    uint8_t[127] length
    Key[127] key            # of each label and all that follow it


cdef inline char lower(char c) noexcept nogil:
    return <char>(c + 32) if 65 <= c <= 90 else c


cdef bint address_into(Name* name, const char* data, uint32_t n, int family) noexcept nogil:
    # ":" starts no label, so that no domain has the key of an address.
    cdef uint8_t[16] binary
    cdef uint32_t i = 0
    if not address_bytes(data, n, family, binary):
        return False
    # ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2) is the IPv4 address it maps
    while i < 10 and binary[i] == 0:
        i += 1
    i = 12 if i == 10 and binary[10] == 0xff and binary[11] == 0xff else 0
    name.text[0] = 58
    memcpy(&name.text[1], &binary[i], 16 - i)
    name.n_labels = 1
    name.start[0] = 0
    name.length[0] = <uint8_t>(17 - i)
    return True


cdef bint labels_into(Name* name, const char* data, uint32_t n) noexcept nogil:
    cdef uint32_t i, start = 0
    cdef char c
    cdef bint digits = True     # of the last label
    if n == 0 or n > MAX_NAME:
        return False
    name.n_labels = 0
    for i in range(n + 1):
        c = lower(data[i]) if i < n else 46
        if c == 46:
            if i == start or i - start > MAX_LABEL:
                return False
            name.start[name.n_labels] = <uint8_t>start
            name.length[name.n_labels] = <uint8_t>(i - start)
            name.n_labels += 1
            start = i + 1
            digits = digits if i == n else True
        elif 97 <= c <= 122 or c == 45 or c == 95:
            digits = False
        elif not 48 <= c <= 57:
            return False
        if i < n:
            name.text[i] = c
    return not digits           # no top-level domain is a number (RFC 3696 section 2)


cdef bint canonical(Name* name, Text raw) noexcept nogil:
    # host [ ":" port ] (RFC 3261 section 25.1, hostport), or a bare IPv6 address
    cdef const char* data = raw.data
    cdef uint32_t n = raw.length, i
    cdef const char* closing
    cdef const char* colon
    if n == 0:
        return False
    if data[0] == 91:
        closing = <const char*>memchr(data, 93, n)
        if closing == NULL:
            return False
        i = <uint32_t>(closing - data) + 1
        return port_follows(data + i, n - i) and address_into(name, data + 1, i - 2, AF_INET6)
    colon = <const char*>memchr(data, 58, n)
    if colon != NULL:
        i = <uint32_t>(colon - data)
        if memchr(colon + 1, 58, n - i - 1) != NULL:
            return address_into(name, data, n, AF_INET6)
        if not port_follows(colon, n - i):
            return False
        n = i
    if n and data[n - 1] == 46:
        n -= 1
    return labels_into(name, data, n) or address_into(name, data, n, AF_INET)


cdef bint port_follows(const char* data, uint32_t n) noexcept nogil:
    cdef uint32_t i
    if n == 0:
        return True
    if data[0] != 58 or n == 1 or n > 6:
        return False
    for i in range(1, n):
        if not 48 <= data[i] <= 57:
            return False
    return True


cdef void make_keys(Name* name, const Secret* secret) noexcept nogil:
    cdef char[MAX_LABEL + 8] hashed
    cdef uint64_t parent = 0
    cdef uint32_t i = name.n_labels, n
    while i:
        i -= 1
        n = name.length[i]
        memcpy(hashed, &name.text[name.start[i]], n)
        memcpy(&hashed[n], &parent, 8)
        parent = text_key(secret, KEY_DOMAIN, hashed, n + 8)
        name.key[i] = parent


cdef Key domain_key(const Secret* secret, Text name) noexcept nogil:
    cdef Name made
    if not canonical(&made, name):
        return 0
    make_keys(&made, secret)
    return made.key[0]


cdef uint32_t domains_keys(const Secret* secret, Text name, Key* out) noexcept nogil:
    cdef Name made
    if not canonical(&made, name):
        return 0
    make_keys(&made, secret)
    memcpy(out, made.key, made.n_labels * sizeof(Key))
    return made.n_labels


cdef uint64_t domains_find(const Lists* lists, const Secret* secret, Text name) noexcept nogil:
    cdef Name made
    cdef uint32_t i
    cdef uint64_t bitmap = 0
    if not canonical(&made, name):
        return 0
    make_keys(&made, secret)
    for i in range(made.n_labels):
        lists_prefetch(lists, made.key[i])
    for i in range(made.n_labels):
        bitmap |= lists_find(lists, made.key[i])
    return bitmap


cdef Text text_of(bytes name):
    cdef Text text
    text.data = name
    text.length = <uint32_t>min(len(name), MAX_NAME + 16)      # longer: no domain either way
    return text


def domain_key_of(secret: bytes, name: bytes) -> int:
    cdef Secret s = secret_from(secret)
    return domain_key(&s, text_of(name))


def domain_text_of(name: bytes) -> str:
    cdef Name made
    if not canonical(&made, text_of(name)):
        return ""
    return shown(&made, 0)


cdef str shown(const Name* name, uint32_t label):
    """The name from a label on; an address as RFC 5952 writes it."""
    cdef uint32_t end = <uint32_t>name.start[name.n_labels - 1] + name.length[name.n_labels - 1]
    if name.text[0] == 58:
        return str(ip_address(name.text[1:end]))
    return name.text[name.start[label]:end].decode()


def find(lists: ListTable, secret: bytes, name: bytes) -> int:
    cdef Secret s = secret_from(secret)
    return domains_find(&(<ListTable>lists).lists, &s, text_of(name))


def matches(lists: ListTable, secret: bytes, name: bytes) -> list:
    cdef Secret s = secret_from(secret)
    cdef Text text = text_of(name)
    cdef Name made
    cdef uint32_t i
    cdef uint64_t bitmap
    cdef list found = []
    if not canonical(&made, text):
        return found
    make_keys(&made, &s)
    for i in range(made.n_labels):
        bitmap = lists_find(&(<ListTable>lists).lists, made.key[i])
        if bitmap:
            found.append((shown(&made, i).encode(), bitmap))
    return found
