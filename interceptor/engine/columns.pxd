# What one counter is inside an entity's record: a column of its measure. The one place that knows which kernel keeps
# which measure, and how many bytes it takes.

cpdef enum Measure:
    MEASURE_COUNT = 0       # how many, up to 2^32 - 1: 64 bytes
    MEASURE_DISTINCT = 1    # how many different elements; beyond some 5,000 "at least"
    MEASURE_NARROW = 2      # how many, up to 65,535 in a sub-bucket and "at least" beyond: 32 bytes
    MEASURE_SUM = 3         # of the amounts
    MEASURE_MAX = 4         # of the amounts, up to 65,535
    MEASURE_ACTIVE = 5      # counted and not ended since
    MEASURE_FIRST_SEEN = 6  # seconds since the first count; 0 when there was none
    MEASURE_LAST_SEEN = 7   # seconds since the count before this one; the window's when there was none
    MEASURE_LARGE = 8       # how many different elements, of sets of any size
    N_MEASURES = 9

# What a touch does to a column. Where nothing ends, an end is a read.
cpdef enum Act:
    ACT_READ = 0
    ACT_COUNT = 1
    ACT_END = 2             # takes one off MEASURE_ACTIVE; makes no entity
