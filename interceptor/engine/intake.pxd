# From raw fields to a resolved Call: trunk settings, dial plan, who the caller is, keys, emergency.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.keys cimport Secret
from interceptor.engine.plan cimport Plan
from interceptor.engine.types cimport Call, Key

cdef struct Trunk:
    Key name                    # text key of the trunk's name; 0 for the default
    uint16_t region
    uint8_t trusted             # believe P-Asserted-Identity
    uint8_t own                 # carries our own subscribers: their identity is verified

cdef struct Intake:             # part of a snapshot
    const Plan* plan
    Secret secret
    Trunk* trunks               # [0] is the default
    uint32_t n_trunks
    uint16_t home               # region of the service
    uint32_t key_fields         # bit f: field f keys a list or a counter, so make its key
    char* emergency             # operator's additions: 16 bytes each, first byte the length
    uint32_t n_emergency

# Fills numbers, keys, trunk settings and `emergency` of a call whose texts and scalars are set.
cdef void resolve(const Intake* intake, Call* call) noexcept nogil
