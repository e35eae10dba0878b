"""The words of the data plane: methods, statuses, why a connection ends; what each means stands in words.pxd."""

from enum import IntEnum

class Method(IntEnum):
    METHOD_DECIDE = 0
    METHOD_DECIDE_STREAM = 1
    METHOD_REPORT_CALL = 2
    METHOD_REPORT_SUBSCRIPTION = 3
    METHOD_HEALTH_CHECK = 4
    METHOD_HEALTH_WATCH = 5
    METHOD_UNKNOWN = 6
    N_METHODS = 7

class Code(IntEnum):
    CODE_OK = 0
    CODE_CANCELLED = 1
    CODE_INVALID_ARGUMENT = 3
    CODE_DEADLINE_EXCEEDED = 4
    CODE_NOT_FOUND = 5
    CODE_PERMISSION_DENIED = 7
    CODE_RESOURCE_EXHAUSTED = 8
    CODE_UNIMPLEMENTED = 12
    CODE_INTERNAL = 13
    CODE_UNAVAILABLE = 14
    N_CODES = 17

class Serving(IntEnum):
    HEALTH_SERVING = 1
    HEALTH_NOT_SERVING = 2
    HEALTH_SERVICE_UNKNOWN = 3

class Ending(IntEnum):
    ENDED_BY_CLIENT = 0
    ENDED_DRAINED = 1
    ENDED_IDLE = 2
    ENDED_AGE = 3
    ENDED_STALLED = 4
    ENDED_PROTOCOL = 5
    ENDED_ABUSE = 6
    ENDED_TLS = 7
    ENDED_EXCESS = 8
    N_ENDINGS = 9
