# The words every kernel shares: keys, calls, verdicts. Structs and constants only; no code, no state.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

ctypedef uint64_t Key      # exact for digits, keyed hash for text; 0 means "no key". Layout: keys.pxd
ctypedef int64_t Millis    # milliseconds since the Unix epoch (or the recorded clock of a replay)

cpdef enum Limits:
    MAX_LISTS = 64          # a bitmap of lists is one word
    MAX_SHADOW = 64         # shadow rules of a policy: one word in a Decision
    MAX_COUNTERS = 256
    MAX_TAGS = 8            # tags a policy may declare
    MAX_REDIRECTING = 4     # diverting numbers kept of a call, the most recent first
    MAX_DIGITS = 15         # E.164
    MAX_FIELD = 1024        # bytes of one text field
    CHUNK = 64              # calls decided in one pass
    REPEAT_MS = 32000       # how long the answer to a call is kept
    ADDED_PER_MINUTE = 600  # entries one rule's add_to may make in a minute of the clock

cpdef enum Verdict:
    PASS = 1
    WARN = 2
    BLOCK = 3

cpdef enum BlockClass:
    CLASS_NONE = 0
    CLASS_LIST = 1
    CLASS_ANALYTICS = 2
    CLASS_INVALID = 3
    CLASS_SUBSCRIBER = 4

# What feeds counters: a setup that is decided, a report of a call, a report of a subscription.
cpdef enum Happening:
    H_CALL = 0
    H_ANSWERED = 1
    H_ENDED = 2             # answered or not
    H_ACTIVATED = 3         # a card, for the first time
    H_REACTIVATED = 4
    H_ATTACHED = 5          # an IMSI, with the handset's IMEI
    H_SMS = 6               # received by the card
    N_HAPPENINGS = 7

cpdef enum RuleIndex:       # Decision.rule where no rule of the policy decided
    RULE_DEFAULT = 65535
    RULE_EMERGENCY = 65534

# A field is read by its number. Numbers first, then texts, then the policy's tags.
cpdef enum Field:
    F_CALLER = 0            # who calls: the asserted identity of a trusted trunk, else From
    F_CALLEE = 1
    F_FROM = 2
    F_ASSERTED = 3
    F_REDIRECTING = 4       # 4..7
    F_CALL_ID = 8
    F_PRIVACY = 9
    F_TRUNK = 10
    F_DOMAIN = 11
    F_USER_AGENT = 12
    F_SOURCE_IP = 13
    F_IMSI = 14
    F_IMEI = 15
    F_CELL = 16
    F_VERSTAT = 17
    F_ATTESTATION = 18
    F_SWITCH = 19
    F_TAG = 20              # 20..27
    N_NUMBERS = 8
    N_FIELDS = 28

# Scalars with a meaningful zero: present or absent by a bit of Call.present.
cpdef enum Scalar:
    S_INTERNATIONAL_INGRESS = 0
    S_ROAMING = 1
    S_SIM_AGE_DAYS = 2
    S_EVENT_TIME_MS = 3
    N_SCALARS = 4

cpdef enum NumberStatus:
    NUMBER_ABSENT = 0
    NUMBER_E164 = 1         # text is "+" and 1..15 digits
    NUMBER_SHORT = 2        # a short or service number of the trunk's region (10086, 95588, 110)
    NUMBER_WITHHELD = 3     # anonymous, restricted, unavailable
    NUMBER_UNPARSEABLE = 4  # only the raw text can be read

cdef struct Text:           # borrowed bytes, valid while the request that carries them is
    const char* data
    uint32_t length

cdef struct Number:
    Key key                 # 0 unless E164 or SHORT
    uint8_t status          # NumberStatus
    uint8_t valid           # by the numbering plan; 1 for every SHORT
    uint8_t type            # NumberType of plan.pxd
    uint8_t length          # of text, in bytes
    uint16_t region         # index into the plan's regions; 0 is "unknown"
    char[24] text           # normalised, e.g. "+8613800138000" or "10086"; not terminated

cdef struct Call:
    Text[28] text           # by Field, as signalled; length 0 means absent
    Key[28] key             # by Field; 0 where absent, withheld or unparseable
    Number[8] number        # by Field, for the first N_NUMBERS
    int64_t[4] scalar       # by Scalar
    uint32_t present        # bit s: scalar s is there
    uint16_t trunk          # index of the policy's trunk settings; 0 is its default
    uint16_t home           # region of the trunk's dial plan (index into the plan's regions)
    uint8_t trusted         # the trunk's asserted identities are believed
    uint8_t verified        # attestation A, or our own subscriber: may feed a list that blocks
    uint8_t emergency       # the callee, as dialled, is an emergency number

cdef struct Decision:
    uint64_t id             # unique across workers and restarts
    uint64_t shadow         # bit i: the policy's i-th shadow rule matched
    uint32_t revision       # of the policy that decided
    uint16_t rule           # index of the deciding rule, or RuleIndex
    uint8_t verdict         # Verdict
    uint8_t block_class     # BlockClass
    uint8_t repeated        # the same (switch, call_id) was answered before: that answer again
    uint8_t added           # the deciding rule put a key on a list
    uint16_t errors         # rules that ended in an error on this call
