# From raw fields to a resolved Call: trunk settings, dial plan, who the caller is, keys, emergency.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.keys cimport Secret
from interceptor.engine.plan cimport Plan
from interceptor.engine.types cimport Call, Key, Text

cdef struct Trunk:
    Key name                    # text key of the trunk's name; 0 for the default
    uint16_t region
    uint8_t trusted             # believe P-Asserted-Identity
    uint8_t own                 # carries our own subscribers: their identity is verified

cdef struct Dialled:            # an emergency number the operator added
    uint16_t region
    uint8_t length
    char[13] digits

cdef struct Intake:             # part of a snapshot
    const Plan* plan
    Secret secret
    Trunk* trunks               # [0] is the default, the others sorted by name
    uint32_t n_trunks
    uint32_t fields             # bit f: the policy reads field f as a number or by its key
    uint8_t[32] numbers         # of those, the numbers but caller and callee; and the texts with a plain text key
    uint8_t[32] texts
    uint32_t n_numbers
    uint32_t n_texts
    Dialled* emergency
    uint32_t n_emergency

cdef enum:
    MET = 16                    # a power of two

cdef struct Met:
    char[32] text
    uint32_t length             # 0: none yet
    uint64_t hash

cdef struct Memo:               # trunks that a worker met lately, or switches: most calls come from few of them
    Met[16] met                 # each in its place, by its length and last byte

# SipHash of a text under the installation's secret, out of the memo when it is a text met lately
cdef uint64_t remembered_hash(const Intake* intake, Memo* memo, Text text) noexcept nogil

# The 128-bit name of (switch, call_id); 0, 0 without a call_id. No other name has b = 0.
cdef void name_call(const Intake* intake, Memo* switches, Text on_switch, Text call_id, uint64_t* a,
                    uint64_t* b) noexcept nogil

# Who calls whom, of a call that is resolved: with the call's name it tells one call from another. By the canonical
# keys, so that a retransmission says the same however it writes the numbers; of what has no key by its text.
cdef uint64_t name_parties(const Intake* intake, const Call* call) noexcept nogil

# Fills numbers, keys, trunk settings and `emergency` of a call whose texts and scalars are set.
# From and P-Asserted-Identity come in as F_FROM and F_ASSERTED; F_CALLER is chosen here.
cdef void resolve(const Intake* intake, Memo* trunks, Call* call) noexcept nogil
