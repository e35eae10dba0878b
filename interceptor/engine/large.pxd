# How many different elements, of sets of any size: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007) in 1,024
# registers over a ring of 14 sub-buckets, with the registers of all of them merged; standard error 3.25 %. Plain bytes
# inside a borrowed sketch, whose lock the caller holds.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    REGISTERS = 1024
    KNOWN = 32              # upper bits of an element's hash that its record keeps while it counts exactly

cdef struct Large:          # 15,424 bytes
    uint32_t merged_at      # the sub-bucket, not before the last change, for which `merged` holds what is live
    uint32_t zeros          # registers that are 0 in `merged`
    uint64_t sum            # of 2^-r over the others, in units of 2^-53
    uint64_t[6] unused
    uint8_t[1024] merged
    uint8_t[14][1024] ring

# `epoch`: the sub-bucket of the last change. An element is given by its hash, of which `bits` are known.
cdef void large_begin(Large* sketch, uint32_t epoch) noexcept nogil
# Sees an element in a sub-bucket that is live at `epoch`
cdef void large_see(Large* sketch, uint64_t hashed, uint32_t bits, uint32_t epoch, uint32_t number) noexcept nogil
# Moves on to `epoch` + d; whether anything is left
cdef bint large_turn(Large* sketch, uint32_t epoch, uint32_t d) noexcept nogil
# The reading at `epoch` + d, which is nothing's change
cdef int64_t large_read(Large* sketch, uint32_t epoch, uint32_t d) noexcept nogil
# The reading at `epoch` + d, had an element been seen then
cdef int64_t large_peek(Large* sketch, uint64_t hashed, uint32_t epoch, uint32_t d) noexcept nogil
# The reading of 16 elements of which the record keeps the upper half, and of one more
cdef int64_t large_of(const uint32_t* kept, uint64_t hashed) noexcept nogil
