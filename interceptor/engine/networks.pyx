# Listed networks (contract: networks.pxd): reading addresses, finding them, and building the stretches.
from interceptor.engine.atomics cimport ic_lowest_bit
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


cdef inline bint earlier(const Network* a, const Network* b) noexcept nogil:
    return before(&a.start, &b.start) or (same(&a.start, &b.start) and a.length < b.length)


# Puts `more`, in order, on the list of the bit, or takes them off it; returns how many that changed. `into` has room.
cdef uint64_t merge(Networks* into, const Networks* old, const Network* more, uint64_t n, uint64_t bit,
                    bint on) noexcept nogil:
    cdef uint64_t i = 0, j = 0, altered = 0
    cdef Network* made
    while i < old.n_entries or j < n:
        made = into.entries + into.n_entries
        if j == n or (i < old.n_entries and earlier(&old.entries[i], &more[j])):
            made[0] = old.entries[i]
            i += 1
        elif i == old.n_entries or earlier(&more[j], &old.entries[i]):
            made[0] = more[j]
            made.bitmap = bit if on else 0
            altered += on
            j += 1
        else:
            made[0] = old.entries[i]
            made.bitmap = made.bitmap | bit if on else made.bitmap & ~bit
            altered += made.bitmap != old.entries[i].bitmap
            i += 1
            j += 1
        into.n_entries += made.bitmap != 0
    return altered


# becomes: by list there, its bit here, or 0 for one that stays behind
cdef void move(Networks* into, const Networks* old, const uint64_t* becomes) noexcept nogil:
    cdef uint64_t i, bitmap
    cdef Network* made
    for i in range(old.n_entries):
        made = into.entries + into.n_entries
        made[0] = old.entries[i]
        bitmap, made.bitmap = made.bitmap, 0
        while bitmap:
            made.bitmap |= becomes[ic_lowest_bit(bitmap)]
            bitmap &= bitmap - 1
        into.n_entries += made.bitmap != 0


cdef void count_lists(Networks* networks) noexcept nogil:
    cdef uint64_t i, bitmap
    for i in range(networks.n_entries):
        networks.lengths[networks.entries[i].length >> 6] |= <uint64_t>1 << (networks.entries[i].length & 63)
        bitmap = networks.entries[i].bitmap
        while bitmap:
            networks.count[ic_lowest_bit(bitmap)] += 1
            bitmap &= bitmap - 1


cdef int network_from(Network* into, bytes address, int length) except -1:
    cdef const uint8_t* p = <const uint8_t*><const char*>address
    cdef Address start
    if len(address) != 16:
        raise ValueError(f"network {address!r}: an address has 16 bytes (IPv4 is mapped into IPv6), not {len(address)}")
    if not 0 <= length <= BITS:
        raise ValueError(f"network {address!r}: a prefix has 0 to {BITS} bits, not {length}")
    into.start.high, into.start.low, into.length = load_be(p), load_be(p + 8), length
    start = first_of(&into.start, length)
    if not same(&into.start, &start):
        raise ValueError(f"network {address!r}: it has bits set behind its prefix of {length}")
    return 0


cdef class NetworkTable:
    def __cinit__(self):
        self.networks = &self.own

    def __dealloc__(self):
        release(self.own.entries, self.room * sizeof(Network))
        release(self.own.stretches, 2 * self.room * sizeof(Stretch))

    cdef int make_room(self, uint64_t room) except -1:
        self.room = room
        self.own.entries = <Network*>reserve(room * sizeof(Network))
        self.own.stretches = <Stretch*>reserve(2 * room * sizeof(Stretch))
        if self.own.entries == NULL or self.own.stretches == NULL:
            raise MemoryError(f"no memory for a table of {room} networks")
        return 0

    def changed(self, list_index: int, networks, on: bool) -> tuple:
        cdef NetworkTable made = NetworkTable()
        cdef uint64_t bit = (<uint64_t>1) << checked(list_index), n, i, altered
        cdef list some = sorted(set(networks))
        cdef Network* more
        cdef bint adding = on
        n = len(some)
        if n == 0:
            return self, 0
        more = <Network*>reserve(n * sizeof(Network))
        try:
            if more == NULL:
                raise MemoryError(f"no memory to change {n} networks")
            for i in range(n):
                network_from(&more[i], some[i][0], some[i][1])
            made.make_room(self.own.n_entries + n)
            with nogil:
                altered = merge(&made.own, &self.own, more, n, bit, adding)
                count_lists(&made.own)
                build(&made.own)
        finally:
            release(more, n * sizeof(Network))
        return (made, altered) if altered else (self, 0)

    def remapped(self, kept) -> NetworkTable:
        cdef NetworkTable made = NetworkTable()
        cdef uint64_t[64] becomes
        cdef int i
        if self.own.n_entries == 0:
            return made
        for i in range(64):
            becomes[i] = (<uint64_t>1) << checked(kept[i]) if i in kept else 0
        made.make_room(self.own.n_entries)
        with nogil:
            move(&made.own, &self.own, becomes)
            count_lists(&made.own)
            build(&made.own)
        return made

    def rebuilt(self, kept, added, off) -> tuple:
        cdef NetworkTable made = self.remapped(kept)
        gained = lost = 0
        if off is not None:
            here, staying = kept[off[0]], ()
            if here in added:
                staying = added[here].networks
            made, lost = made.changed(here, set(off[1].networks).difference(staying), False)
        for here, content in added.items():
            made, some = made.changed(here, content.networks, True)
            gained += some
        return made, gained, lost

    def bitmap(self, address: bytes, length: int) -> int:
        cdef Network wanted
        cdef const Network* entry
        network_from(&wanted, address, length)
        entry = entry_at(&self.own, &wanted)
        return 0 if entry == NULL else entry.bitmap

    def entries(self, list_index: int) -> list:
        cdef uint64_t i
        cdef uint64_t bit = (<uint64_t>1) << checked(list_index)
        return [packed(&self.own.entries[i]) for i in range(self.own.n_entries) if self.own.entries[i].bitmap & bit]

    def find(self, text: bytes) -> int:
        cdef Address address
        return networks_of(self.networks, &address) if address_of(text_from(text), &address) else 0

    def matches(self, text: bytes) -> list:
        cdef Address address
        cdef Network wanted
        cdef const Network* entry
        cdef uint32_t length
        cdef list found = []
        if not address_of(text_from(text), &address):
            return found
        for length in range(BITS + 1):
            if not self.own.lengths[length >> 6] >> (length & 63) & 1:
                continue
            wanted.start, wanted.length = first_of(&address, length), length
            entry = entry_at(&self.own, &wanted)
            if entry != NULL:
                found.append((*packed(entry), entry.bitmap))
        return found

    def count(self, list_index: int) -> int:
        return self.own.count[checked(list_index)]

    @property
    def nbytes(self) -> int:
        return self.room * (sizeof(Network) + 2 * sizeof(Stretch)) + sizeof(Networks)


cdef const Network* entry_at(const Networks* networks, const Network* wanted) noexcept nogil:
    cdef uint64_t low = 0, high = networks.n_entries, middle
    while low < high:
        middle = (low + high) // 2
        if earlier(&networks.entries[middle], wanted):
            low = middle + 1
        else:
            high = middle
    if low == networks.n_entries or earlier(wanted, &networks.entries[low]):
        return NULL
    return networks.entries + low


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
