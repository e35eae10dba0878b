# Listed networks (contract: networks.pxd): reading addresses, finding them, and building the stretches.
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.networks cimport AF_INET, AF_INET6, Address, Network, Networks, Stretch
from interceptor.engine.types cimport Limits, Text
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memset

cdef extern from "arpa/inet.h" nogil:
    int inet_pton(int family, const char* source, void* target) noexcept

cdef enum:
    MAX_ADDRESS = 45        # INET6_ADDRSTRLEN without its terminator
    BITS = 128
    DEEPEST = BITS + 2      # networks around one address, one of each length, and none

if sizeof(Stretch) != 24 or sizeof(Network) != 32:
    raise ImportError("interceptor.engine.networks: struct layout differs from what the kernel was written for")


# ---- addresses -----------------------------------------------------------------------------------------------

cdef bint address_bytes(const char* data, uint32_t n, int family, uint8_t* binary) noexcept nogil:
    cdef char[MAX_ADDRESS + 1] terminated
    if n > MAX_ADDRESS or memchr(data, 0, n) != NULL:
        return False
    memcpy(terminated, data, n)
    terminated[n] = 0
    if family == AF_INET6:
        return inet_pton(family, terminated, binary) == 1
    memset(binary, 0, 10)
    memset(binary + 10, 0xff, 2)
    return inet_pton(family, terminated, binary + 12) == 1


cdef inline uint64_t load_be(const uint8_t* p) noexcept nogil:
    # Compilers see one load and a byte swap in this.
    return (<uint64_t>p[0] << 56 | <uint64_t>p[1] << 48 | <uint64_t>p[2] << 40 | <uint64_t>p[3] << 32
            | <uint64_t>p[4] << 24 | <uint64_t>p[5] << 16 | <uint64_t>p[6] << 8 | <uint64_t>p[7])


cdef bint address_of(Text text, Address* address) noexcept nogil:
    cdef uint8_t[16] binary
    cdef int family
    if text.length == 0 or text.length > MAX_ADDRESS:
        return False
    family = AF_INET if memchr(text.data, 58, text.length) == NULL else AF_INET6
    if not address_bytes(text.data, text.length, family, binary):
        return False
    address.high, address.low = load_be(binary), load_be(binary + 8)
    return True


cdef inline bint before(const Address* a, const Address* b) noexcept nogil:
    return a.high < b.high or (a.high == b.high and a.low < b.low)


cdef inline bint same(const Address* a, const Address* b) noexcept nogil:
    return a.high == b.high and a.low == b.low


cdef inline Address first_of(const Address* address, uint32_t length) noexcept nogil:
    # The first address of the network of that length which the address is in.
    cdef Address start
    start.high = address.high if length >= 64 else address.high & ~(~<uint64_t>0 >> length)
    start.low = (0 if length <= 64 else address.low if length == BITS
                 else address.low & ~(~<uint64_t>0 >> (length - 64)))
    return start


cdef inline bint following(const Network* network, Address* next) noexcept nogil:
    # The first address behind a network; False when there is none.
    cdef uint32_t length = <uint32_t>network.length
    cdef uint64_t step
    if length > 64:
        step = <uint64_t>1 << (BITS - length)
        next.low = network.start.low + step
        next.high = network.start.high + (next.low < step)
    else:
        step = <uint64_t>1 << (64 - length) if length else 0
        next.low, next.high = 0, network.start.high + step
    return before(&network.start, next)


# ---- finding -------------------------------------------------------------------------------------------------

cdef uint64_t networks_of(const Networks* networks, const Address* address) noexcept nogil:
    cdef const Stretch* base = networks.stretches
    cdef uint64_t n = networks.n_stretches, half
    if n == 0 or before(address, &base.start):
        return 0
    while n > 1:                    # the one looked for is among the n from base on
        half = n // 2
        base += 0 if before(address, &base[half].start) else half
        n -= half
    return base.bitmap


# ---- building ------------------------------------------------------------------------------------------------

cdef inline void cut(Networks* networks, const Address* start, uint64_t bitmap) noexcept nogil:
    # From here on the addresses are on these lists.
    cdef uint64_t n = networks.n_stretches
    if n == 0 or not same(&networks.stretches[n - 1].start, start):
        n += 1
        networks.n_stretches = n
        networks.stretches[n - 1].start = start[0]
    networks.stretches[n - 1].bitmap = bitmap


cdef void build(Networks* networks) noexcept nogil:
    # The entries are in order, each once. open_ones: the networks around where we are, the widest at 1.
    cdef (Network*)[DEEPEST] open_ones
    cdef uint64_t[DEEPEST] union_of
    cdef uint32_t depth = 0
    cdef uint64_t i
    cdef Network* entry
    cdef Address behind
    union_of[0] = 0
    for i in range(networks.n_entries + 1):
        entry = networks.entries + i if i < networks.n_entries else NULL
        while depth:                # those that end before the entry begins
            if not following(open_ones[depth], &behind):
                break               # it reaches to the last address, as do all around it
            if entry != NULL and before(&entry.start, &behind):
                break
            depth -= 1
            cut(networks, &behind, union_of[depth])
        if entry != NULL:
            depth += 1
            open_ones[depth] = entry
            union_of[depth] = union_of[depth - 1] | entry.bitmap
            cut(networks, &entry.start, union_of[depth])


cdef Address address_from(bytes address) except *:
    cdef Address made
    cdef const uint8_t* p
    if len(address) != 16:
        raise ValueError(f"network {address!r}: an address has 16 bytes (IPv4 is mapped into IPv6), not {len(address)}")
    p = <const uint8_t*><const char*>address
    made.high, made.low = load_be(p), load_be(p + 8)
    return made


cdef class NetworkTable:
    def __cinit__(self, entries):
        cdef dict found = {}
        cdef Address address, start
        cdef Network* entry
        cdef uint64_t n = 0
        cdef uint32_t i
        self.networks = &self.own
        for network, length, index in entries:
            address = address_from(network)
            if not 0 <= length <= BITS:
                raise ValueError(f"network {network!r}: a prefix has 0 to {BITS} bits, not {length}")
            start = first_of(&address, length)
            if not same(&address, &start):
                raise ValueError(f"network {network!r}: it has bits set behind its prefix of {length}")
            if not 0 <= index < Limits.MAX_LISTS:
                raise ValueError(f"network {network!r}: list {index} is not in 0..{Limits.MAX_LISTS - 1}")
            found[network, length] = found.get((network, length), 0) | 1 << index
        if not found:
            return
        self.own.n_entries = len(found)
        self.own.entries = <Network*>reserve(len(found) * sizeof(Network))
        self.own.stretches = <Stretch*>reserve(2 * len(found) * sizeof(Stretch))
        if self.own.entries == NULL or self.own.stretches == NULL:
            raise MemoryError(f"no memory for a table of {len(found)} networks")
        for network, length in sorted(found):
            entry = self.own.entries + n
            entry.start, entry.bitmap, entry.length = address_from(network), found[network, length], length
            self.own.lengths[length >> 6] |= (<uint64_t>1) << (<uint32_t>length & 63)
            for i in range(Limits.MAX_LISTS):
                self.own.count[i] += entry.bitmap >> i & 1
            n += 1
        with nogil:
            build(&self.own)

    def __dealloc__(self):
        release(self.own.entries, self.own.n_entries * sizeof(Network))
        release(self.own.stretches, 2 * self.own.n_entries * sizeof(Stretch))

    def entries(self, list_index: int) -> list:
        cdef uint64_t i
        cdef uint64_t bit = (<uint64_t>1) << checked(list_index)
        return [packed(&self.own.entries[i]) for i in range(self.own.n_entries) if self.own.entries[i].bitmap & bit]

    def find(self, text: bytes) -> int:
        cdef Address address
        return networks_of(self.networks, &address) if address_of(text_from(text), &address) else 0

    def matches(self, text: bytes) -> list:
        cdef Address address, start
        cdef const Network* entry
        cdef uint32_t length
        cdef list found = []
        if not address_of(text_from(text), &address):
            return found
        for length in range(BITS + 1):
            if not self.own.lengths[length >> 6] >> (length & 63) & 1:
                continue
            start = first_of(&address, length)
            entry = entry_at(&self.own, &start, length)
            if entry != NULL:
                found.append((*packed(entry), entry.bitmap))
        return found

    def count(self, list_index: int) -> int:
        return self.own.count[checked(list_index)]

    @property
    def nbytes(self) -> int:
        return self.own.n_entries * (sizeof(Network) + 2 * sizeof(Stretch)) + sizeof(Networks)


cdef const Network* entry_at(const Networks* networks, const Address* start, uint64_t length) noexcept nogil:
    cdef uint64_t low = 0, high = networks.n_entries, middle
    cdef const Network* entry
    while low < high:
        middle = (low + high) // 2
        entry = networks.entries + middle
        if before(&entry.start, start) or (same(&entry.start, start) and entry.length < length):
            low = middle + 1
        else:
            high = middle
    entry = networks.entries + low
    return entry if low < networks.n_entries and same(&entry.start, start) and entry.length == length else NULL


cdef tuple packed(const Network* entry):
    return entry.start.high.to_bytes(8, "big") + entry.start.low.to_bytes(8, "big"), entry.length


cdef Text text_from(bytes data):
    cdef Text text
    text.data = data
    text.length = <uint32_t>min(len(data), MAX_ADDRESS + 1)     # longer: no address either way
    return text


cdef int checked(int list_index) except -1:
    if not 0 <= list_index < Limits.MAX_LISTS:
        raise ValueError(f"list {list_index}: lists are numbered 0 to {Limits.MAX_LISTS - 1}")
    return list_index
