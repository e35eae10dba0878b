"""The words every kernel shares: limits, verdicts, fields of a call; what each means stands in types.pxd."""

from enum import IntEnum

class Limits(IntEnum):
    MAX_LISTS = 64
    MAX_SHADOW = 64
    MAX_COUNTERS = 256
    MAX_TAGS = 8
    MAX_REDIRECTING = 4
    MAX_DIGITS = 15
    MAX_FIELD = 1024
    CHUNK = 64
    REPEAT_MS = 32000
    ADDED_PER_MINUTE = 600

class Verdict(IntEnum):
    PASS = 1
    WARN = 2
    BLOCK = 3

class BlockClass(IntEnum):
    CLASS_NONE = 0
    CLASS_LIST = 1
    CLASS_ANALYTICS = 2
    CLASS_INVALID = 3
    CLASS_SUBSCRIBER = 4

class Happening(IntEnum):
    H_CALL = 0
    H_ANSWERED = 1
    H_ENDED = 2
    H_ACTIVATED = 3
    H_REACTIVATED = 4
    H_ATTACHED = 5
    H_SMS = 6
    N_HAPPENINGS = 7

class RuleIndex(IntEnum):
    RULE_DEFAULT = 65535
    RULE_EMERGENCY = 65534

class Field(IntEnum):
    F_CALLER = 0
    F_CALLEE = 1
    F_FROM = 2
    F_ASSERTED = 3
    F_REDIRECTING = 4
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
    F_TAG = 20
    N_NUMBERS = 8
    N_FIELDS = 28

class Scalar(IntEnum):
    S_INTERNATIONAL_INGRESS = 0
    S_ROAMING = 1
    S_SIM_AGE_DAYS = 2
    S_EVENT_TIME_MS = 3
    N_SCALARS = 4

class NumberStatus(IntEnum):
    NUMBER_ABSENT = 0
    NUMBER_E164 = 1
    NUMBER_SHORT = 2
    NUMBER_WITHHELD = 3
    NUMBER_UNPARSEABLE = 4
