# HyperLogLog over a ring of sub-buckets (contract: large.pxd). An element costs one register of its sub-bucket and one
# of the merged ones, whose sum goes along; only when the sub-bucket turns are they merged anew. No clock.
from libc.math cimport INFINITY, M_LN2
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from interceptor.engine.large cimport KNOWN, REGISTERS, Large
from interceptor.engine.stamps cimport CYCLE, SUB_BUCKETS

cdef extern from *:
    """
    #define ic_leading_zeros(x) ((uint32_t)__builtin_clzll(x))
    /* The compiler moves no write across. */
    #define ic_before_that() __atomic_signal_fence(__ATOMIC_SEQ_CST)
    """
    uint32_t ic_leading_zeros(uint64_t x) noexcept nogil      # x != 0
    void ic_before_that() noexcept nogil

cdef enum:
    INDEX_BITS = 10
    RANK_MAX = 53           # 2^-53 is the last the sum has a place for
    ONE = 53                # the sum's units: 2^-53
    NEVER = 0xFFFFFFFF      # no number of a sub-bucket

# sigma(k / 1024) of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), section 2: with it
# the estimate is right from the first element on, where the original needed another formula and had a bump between.
cdef double[1025] SIGMA

if sizeof(Large) != 64 + 15 * REGISTERS:
    raise ImportError("interceptor.engine.large: struct layout differs from what the kernels were written for")


cdef void sigmas() noexcept nogil:
    cdef uint32_t k
    cdef double x, y, z, was
    for k in range(<uint32_t>REGISTERS):
        x = <double>k / REGISTERS
        y = 1.0
        z = x
        was = -1.0
        while z != was:
            x = x * x
            was = z
            z = z + x * y
            y = y + y
        SIGMA[k] = z
    SIGMA[REGISTERS] = INFINITY


sigmas()


cdef inline int64_t estimate(uint32_t zeros, uint64_t sum) noexcept nogil:
    cdef double places = <double>sum / <double>(<uint64_t>1 << ONE) + REGISTERS * SIGMA[zeros]
    return <int64_t>(<double>(REGISTERS * REGISTERS) / (2.0 * M_LN2 * places) + 0.5)


cdef inline uint32_t register_of(uint64_t hashed) noexcept nogil:
    return <uint32_t>(hashed >> (64 - INDEX_BITS))


# 1 + the zeros behind the register's bits; where all that are known are zeros, as if a one came next
cdef inline uint8_t rank_of(uint64_t hashed, uint32_t bits) noexcept nogil:
    cdef uint64_t rest = hashed << INDEX_BITS
    cdef uint32_t most = bits - INDEX_BITS + 1, rank = ic_leading_zeros(rest) + 1 if rest else most
    rank = min(rank, most)
    return <uint8_t>(rank if rank < RANK_MAX else RANK_MAX)


cdef inline uint64_t weight(uint8_t rank) noexcept nogil:
    return <uint64_t>1 << (ONE - rank)


cdef inline uint32_t later(uint32_t epoch, uint32_t d) noexcept nogil:
    return <uint32_t>((<uint64_t>epoch + d) % CYCLE)


cdef void large_begin(Large* sketch, uint32_t epoch) noexcept nogil:
    memset(sketch, 0, sizeof(Large))
    sketch.merged_at = epoch
    sketch.zeros = REGISTERS


# Merges what is live at epoch + d
cdef void merge(Large* sketch, uint32_t epoch, uint32_t d) noexcept nogil:
    cdef uint32_t _, i, slot = epoch % SUB_BUCKETS
    cdef uint8_t* merged = sketch.merged
    cdef const uint8_t* one
    sketch.merged_at = NEVER    # a reader that dies in here tears nothing else
    ic_before_that()
    memset(merged, 0, REGISTERS)
    for _ in range(SUB_BUCKETS - d if d < SUB_BUCKETS else 0):
        one = sketch.ring[slot]
        for i in range(<uint32_t>REGISTERS):
            merged[i] = max(merged[i], one[i])
        slot = slot - 1 if slot else SUB_BUCKETS - 1
    sketch.zeros = 0
    sketch.sum = 0
    for i in range(<uint32_t>REGISTERS):
        sketch.zeros += merged[i] == 0
        sketch.sum += weight(merged[i]) if merged[i] else 0
    ic_before_that()
    sketch.merged_at = later(epoch, d)


cdef inline void merge_at(Large* sketch, uint32_t epoch, uint32_t d) noexcept nogil:
    if sketch.merged_at != later(epoch, d):
        merge(sketch, epoch, d)


cdef void large_see(Large* sketch, uint64_t hashed, uint32_t bits, uint32_t epoch, uint32_t number) noexcept nogil:
    cdef uint32_t i = register_of(hashed)
    cdef uint8_t rank = rank_of(hashed, bits)
    cdef uint8_t* cell = &sketch.ring[number % SUB_BUCKETS][i]
    merge_at(sketch, epoch, 0)
    if rank > cell[0]:
        cell[0] = rank
    if rank > sketch.merged[i]:
        if sketch.merged[i]:
            sketch.sum -= weight(sketch.merged[i])
        else:
            sketch.zeros -= 1
        sketch.sum += weight(rank)
        sketch.merged[i] = rank


cdef bint large_turn(Large* sketch, uint32_t epoch, uint32_t d) noexcept nogil:
    cdef uint32_t _, slot = epoch % SUB_BUCKETS
    for _ in range(d if d < SUB_BUCKETS else SUB_BUCKETS):
        slot = slot + 1 if slot < SUB_BUCKETS - 1 else 0
        memset(sketch.ring[slot], 0, REGISTERS)
    merge_at(sketch, epoch, d)
    return sketch.zeros < REGISTERS


cdef int64_t large_read(Large* sketch, uint32_t epoch, uint32_t d) noexcept nogil:
    merge_at(sketch, epoch, d)
    return estimate(sketch.zeros, sketch.sum)


cdef int64_t large_peek(Large* sketch, uint64_t hashed, uint32_t epoch, uint32_t d) noexcept nogil:
    cdef uint32_t i = register_of(hashed), zeros
    cdef uint64_t sum
    cdef uint8_t rank = rank_of(hashed, 64)
    merge_at(sketch, epoch, d)
    zeros = sketch.zeros
    sum = sketch.sum
    if rank > sketch.merged[i]:
        if sketch.merged[i]:
            sum -= weight(sketch.merged[i])
        else:
            zeros -= 1
        sum += weight(rank)
    return estimate(zeros, sum)


cdef int64_t large_of(const uint32_t* kept, uint64_t hashed) noexcept nogil:
    cdef uint32_t[17] place
    cdef uint8_t[17] rank
    cdef uint32_t i, j, zeros = REGISTERS
    cdef uint64_t sum = 0
    for i in range(16):
        place[i] = register_of(<uint64_t>kept[i] << KNOWN)
        rank[i] = rank_of(<uint64_t>kept[i] << KNOWN, KNOWN)
    place[16] = register_of(hashed)
    rank[16] = rank_of(hashed, 64)
    for i in range(17):
        for j in range(17):
            if place[j] == place[i] and (rank[j] > rank[i] or (rank[j] == rank[i] and j < i)):
                break
        else:
            zeros -= 1
            sum += weight(rank[i])
    return estimate(zeros, sum)
