# IPv4 and IPv6 networks -> bitmap of lists: the union of all that an address is in. Immutable once built.
#
# IPv4 is held as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2), so ::ffff:192.0.2.7 is 192.0.2.7. Networks are nested or
# apart, so they cut the addresses into stretches, each of them on the same lists throughout: a lookup is one search for
# the last stretch that begins no later than the address.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.engine.types cimport Text

cdef extern from "arpa/inet.h" nogil:
    enum: AF_INET
    enum: AF_INET6

cdef struct Address:        # 128 bits, most significant first
    uint64_t high
    uint64_t low

cdef struct Stretch:        # from `start` up to the next stretch's
    Address start
    uint64_t bitmap

cdef struct Network:
    Address start
    uint64_t bitmap         # lists that hold exactly this network
    uint64_t length         # of its prefix, 0..128

cdef struct Networks:
    Stretch* stretches      # in order
    uint64_t n_stretches
    Network* entries        # in order of start and length
    uint64_t n_entries
    uint64_t[3] lengths     # bit l: some entry has a prefix of l bits
    uint64_t[64] count      # networks by list

# The address that a text is: "192.0.2.7" (four decimal numbers without leading zeros) or IPv6 (RFC 4291 section 2.2, so
# RFC 5952 too); with a zone, brackets or a port it is none. `family` AF_INET or AF_INET6.
cdef bint address_bytes(const char* data, uint32_t n, int family, uint8_t* binary) noexcept nogil
cdef bint address_of(Text text, Address* address) noexcept nogil

cdef uint64_t networks_of(const Networks* networks, const Address* address) noexcept nogil
cdef inline uint64_t networks_find(const Networks* networks, Text text) noexcept nogil:
    cdef Address address
    return networks_of(networks, &address) if networks.n_entries and address_of(text, &address) else 0

cdef class NetworkTable:
    cdef Networks* networks
    cdef Networks own
    cdef uint64_t room          # entries that there is memory for
    cdef int make_room(self, uint64_t room) except -1
