"""What can be wrong with a message; what each means stands in faults.pxd."""

from enum import IntEnum

class Flaw(IntEnum):
    FLAW_NONE = 0
    FLAW_VARINT = 1
    FLAW_NUMBER = 2
    FLAW_WIRE = 3
    FLAW_CUT = 4
    FLAW_GROUP = 5
    FLAW_PART = 6
    FLAW_TYPE = 7
    FLAW_LONG = 8
    FLAW_CONTROL = 9
    FLAW_UTF8 = 10
    FLAW_RANGE = 11
    FLAW_EVENT = 12
    FLAW_NAMELESS = 13

class Of(IntEnum):
    OF_CALL = 0
    OF_STREAMED = 1
    OF_REPORT = 2
    OF_REPORTED = 3
    OF_HEALTH = 4
    OF_SUBSCRIPTION = 5
