"""The opcode table; what each op does stands in opcodes.pxd."""

from enum import IntEnum

class Op(IntEnum):
    OP_RETURN = 0
    OP_INT = 1
    OP_DOUBLE = 2
    OP_TEXT = 3
    OP_BOOL = 4
    OP_FIELD = 5
    OP_RAW = 6
    OP_SCALAR = 7
    OP_FLAG = 8
    OP_COUNTER = 9
    OP_HAS_FIELD = 10
    OP_HAS_SCALAR = 11
    OP_IN_LIST = 12
    OP_VALID = 13
    OP_REGION = 14
    OP_TYPE = 15
    OP_PREFIX = 16
    OP_REDIRECTIONS = 17
    OP_NOW = 18
    OP_NOT = 20
    OP_NEG_INT = 21
    OP_NEG_DOUBLE = 22
    OP_ADD_INT = 23
    OP_SUB_INT = 24
    OP_MUL_INT = 25
    OP_DIV_INT = 26
    OP_MOD_INT = 27
    OP_ADD_DOUBLE = 28
    OP_SUB_DOUBLE = 29
    OP_MUL_DOUBLE = 30
    OP_DIV_DOUBLE = 31
    OP_RATIO = 32
    OP_TO_DOUBLE = 33
    OP_TO_INT = 34
    OP_EQ_INT = 40
    OP_LT_INT = 41
    OP_LE_INT = 42
    OP_EQ_DOUBLE = 43
    OP_LT_DOUBLE = 44
    OP_LE_DOUBLE = 45
    OP_EQ_MIXED = 46
    OP_LT_MIXED = 47
    OP_LE_MIXED = 48
    OP_GT_MIXED = 49
    OP_GE_MIXED = 50
    OP_EQ_TEXT = 51
    OP_LT_TEXT = 52
    OP_LE_TEXT = 53
    OP_STARTS = 54
    OP_ENDS = 55
    OP_SIZE = 56
    OP_MOVE = 60
    OP_AND = 61
    OP_OR = 62
    OP_JUMP = 63
    OP_JUMP_FALSE = 64
    OP_JUMP_TRUE = 65
    OP_JUMP_ERROR = 66
    N_OPS = 67

class NowPart(IntEnum):
    NOW_HOUR = 0
    NOW_MINUTE = 1
    NOW_WEEKDAY = 2
    N_NOW_PARTS = 3

class State(IntEnum):
    STATE_OK = 0
    STATE_ABSENT = 1
    STATE_ERROR = 2

class GuardKind(IntEnum):
    GUARD_NONE = 0
    GUARD_LISTS = 1
    GUARD_FLAG = 2
    GUARD_SCALAR = 3
    GUARD_COUNTER = 4
    GUARD_INVALID = 5
    GUARD_FIELD = 6
