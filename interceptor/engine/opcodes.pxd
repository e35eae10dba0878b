# The only opcode table: the compiler, the verifier and the VM read it. An instruction is 8 bytes: op, dst, a, b.
# r[x]: register x of the rule; k[x]: constant x. A register carries a value and a state; an operation whose operand is
# not STATE_OK yields that operand's state (of two such operands the left's), except where noted.
#
# What a register may hold is known at every instruction: int (also a duration), double, bool or text, and the verifier
# follows it through every jump. After a taken OP_JUMP_ERROR r[a] is an error and nothing else, which fits every type:
# `OP_MOVE dst, a` there makes dst an int, double, bool or text that is an error. The same holds where OP_JUMP_TRUE and
# OP_JUMP_FALSE of one register both fell through.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cpdef enum Op:
    OP_RETURN = 0           # the rule's answer is r[a] (bool)
    OP_INT = 1              # r[dst] = ints[a]
    OP_DOUBLE = 2           # r[dst] = doubles[a]
    OP_TEXT = 3             # r[dst] = texts[a]
    OP_BOOL = 4             # r[dst] = (a != 0)
    OP_FIELD = 5            # r[dst] = text of field a: normalised for numbers, as signalled for the others
    OP_RAW = 6              # r[dst] = text of number field a as signalled
    OP_SCALAR = 7           # r[dst] = scalar a (int)
    OP_FLAG = 8             # r[dst] = scalar a (bool)
    OP_COUNTER = 9          # r[dst] = counter a (int)
    OP_HAS_FIELD = 10       # r[dst] = field a was signalled (also withheld or unparseable); never an error
    OP_HAS_SCALAR = 11
    OP_IN_LIST = 12         # r[dst] = field a is on list b; ABSENT when the field has no key
    OP_VALID = 13           # r[dst] = valid(number field a); ABSENT unless E164 or SHORT
    OP_REGION = 14          # r[dst] = region(number field a), text; ABSENT unless E164 or SHORT
    OP_TYPE = 15            # r[dst] = type(number field a), text; "withheld" is no error, unparseable is ABSENT
    OP_PREFIX = 16          # r[dst] = first b (1..15) digits of number field a (no "+"); ABSENT when it has fewer
    OP_REDIRECTIONS = 17    # r[dst] = number of redirecting numbers
    OP_NOW = 18             # r[dst] = part a (NowPart) of the time where the call is (int)
    OP_NOT = 20
    OP_NEG_INT = 21         # error on overflow
    OP_NEG_DOUBLE = 22
    OP_ADD_INT = 23         # r[dst] = r[a] + r[b]; error on overflow, as all integer arithmetic
    OP_SUB_INT = 24
    OP_MUL_INT = 25
    OP_DIV_INT = 26         # error on division by zero
    OP_MOD_INT = 27
    OP_ADD_DOUBLE = 28
    OP_SUB_DOUBLE = 29
    OP_MUL_DOUBLE = 30
    OP_DIV_DOUBLE = 31
    OP_RATIO = 32           # r[dst] = double(r[a]) / double(r[b]) of two ints; error when r[b] is 0
    OP_TO_DOUBLE = 33       # double(int)
    OP_TO_INT = 34          # int(double), towards zero; error when NaN or outside (-2^63, 2^63)
    OP_EQ_INT = 40          # also bool and duration
    OP_LT_INT = 41
    OP_LE_INT = 42
    OP_EQ_DOUBLE = 43
    OP_LT_DOUBLE = 44
    OP_LE_DOUBLE = 45
    OP_EQ_MIXED = 46        # double(int r[a]) against double r[b], as CEL's conformance tests have it
    OP_LT_MIXED = 47
    OP_LE_MIXED = 48
    OP_GT_MIXED = 49
    OP_GE_MIXED = 50
    OP_EQ_TEXT = 51
    OP_LT_TEXT = 52
    OP_LE_TEXT = 53
    OP_STARTS = 54          # r[a].startsWith(r[b])
    OP_ENDS = 55
    OP_SIZE = 56            # code points of text r[a]
    OP_MOVE = 60            # r[dst] = r[a], state included
    OP_AND = 61             # CEL's commutative &&: false wins over an error, an error over true
    OP_OR = 62              # true wins over an error, an error over false
    OP_JUMP = 63            # forward by b instructions
    OP_JUMP_FALSE = 64      # forward by b when r[a] is false (and no error)
    OP_JUMP_TRUE = 65
    OP_JUMP_ERROR = 66      # forward by b when r[a] is an error
    N_OPS = 67

cpdef enum NowPart:
    NOW_HOUR = 0            # 0..23
    NOW_MINUTE = 1          # 0..59
    NOW_WEEKDAY = 2         # 1 Monday .. 7 Sunday (ISO 8601)
    N_NOW_PARTS = 3

cpdef enum State:
    STATE_OK = 0
    STATE_ABSENT = 1        # a field, key or counter is not there
    STATE_ERROR = 2         # overflow, division by zero, out of range

# What the first thing a condition asks is about.
cpdef enum GuardKind:
    GUARD_NONE = 0
    GUARD_LISTS = 1             # field `index` is on one of the lists `lists`
    GUARD_FLAG = 2              # scalar `index` is true
    GUARD_SCALAR = 3            # low <= scalar `index` <= high
    GUARD_COUNTER = 4           # low <= counter `index` <= high
    GUARD_INVALID = 5           # number field `index` is readable and not valid
    GUARD_FIELD = 6             # text field `index`, whatever is asked about it

cdef struct Instruction:
    uint16_t op
    uint16_t dst
    uint16_t a
    uint16_t b
