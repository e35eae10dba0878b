# The table of subscribers' own entries (contract: pairs.pxd): the writer's side, and the class that owns the memory.
import numpy as np

from interceptor.engine.atomics cimport ic_load64, ic_lowest_bit, ic_prefetch, ic_prefetch_read, ic_store64
from interceptor.engine.keys cimport KeyKind
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.pairs cimport (
    LISTS_PER_WORD, MAX_PAIR_LISTS, Pairs, PairSlot, PairTally, half_of, is_pair, pairs_find, pairs_group,
)
from interceptor.engine.types cimport Key, Limits
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

cdef enum:
    LOOKAHEAD = 16          # pairs whose slots are on their way while one is placed
    SPARE = 16              # of that many places the last is for who comes while another table is made
    FEW = 1 << 16           # pairs that move to another table in a millisecond or two
    LIST_SHIFT = 59

EVERY = {i: i for i in range(Limits.MAX_LISTS)}

cdef uint64_t MORE = <uint64_t>1 << 63
cdef uint64_t WORD_LISTS = (<uint64_t>1 << LISTS_PER_WORD) - 1

if sizeof(PairSlot) != 16 or sizeof(Pairs) != 64:
    raise ImportError("interceptor.engine.pairs: struct layout differs from what the kernel was written for")


# ---- the writer: one thread at a time ------------------------------------------------------------------------

cdef inline uint64_t limit(const Pairs* pairs) noexcept nogil:
    return pairs.groups * 3         # of 4: beyond, misses get long


cdef void tally(Pairs* pairs, uint64_t bits, uint64_t change) noexcept nogil:
    cdef int i
    while bits:
        i = ic_lowest_bit(bits)
        ic_store64(&pairs.tally.count[i], pairs.tally.count[i] + change)
        bits &= bits - 1


cdef PairSlot* slot_of(Pairs* pairs, Key callee, Key caller) noexcept nogil:
    # The pair's slot, or the free one where it belongs.
    cdef PairSlot* slot = <PairSlot*>pairs_group(pairs, callee, caller)
    cdef PairSlot* end = pairs.slots + 4 * pairs.groups
    cdef uint64_t a = half_of(callee), b = half_of(caller)
    while slot.callee != 0 and not is_pair(slot.callee, slot.caller, a, b):
        slot += 1
        if slot == end:
            slot = pairs.slots
    return slot


cdef inline uint64_t bits_on(const PairSlot* slot) noexcept nogil:
    return (ic_load64(&slot.callee) >> LIST_SHIFT & WORD_LISTS
            | ic_load64(&slot.caller) >> LIST_SHIFT << LISTS_PER_WORD)


cdef inline uint64_t in_callee(uint64_t bits) noexcept nogil:
    return (bits & WORD_LISTS) << LIST_SHIFT


cdef inline uint64_t in_caller(uint64_t bits) noexcept nogil:
    return bits >> LISTS_PER_WORD << LIST_SHIFT


# Marks the full groups between a pair's own and the one with the slot that it will have.
cdef void pass_by(Pairs* pairs, const PairSlot* slot, Key callee, Key caller) noexcept nogil:
    cdef PairSlot* group = <PairSlot*>pairs_group(pairs, callee, caller)
    while not group <= slot < group + 4:
        ic_store64(&group[3].callee, group[3].callee | MORE)
        group += 4
        if group == pairs.slots + 4 * pairs.groups:
            group = pairs.slots


cdef int pairs_add(Pairs* pairs, Key callee, Key caller, uint64_t bits) noexcept nogil:
    cdef PairSlot* slot
    cdef uint64_t before
    if callee == 0 or caller == 0 or bits == 0:
        return 0
    slot = slot_of(pairs, callee, caller)
    before = bits_on(slot)
    if slot.callee == 0:
        if pairs.tally.used >= limit(pairs):
            return -1
        pass_by(pairs, slot, callee, caller)
        ic_store64(&slot.caller, half_of(caller) | in_caller(bits))     # first: who sees the callee sees it too
        ic_store64(&slot.callee, half_of(callee) | in_callee(bits))
        ic_store64(&pairs.tally.used, pairs.tally.used + 1)
    else:
        bits &= ~before
        if bits == 0:
            return 0
        ic_store64(&slot.caller, slot.caller | in_caller(bits))
        ic_store64(&slot.callee, slot.callee | in_callee(bits))
    if before == 0:
        ic_store64(&pairs.tally.live, pairs.tally.live + 1)
    tally(pairs, bits, 1)
    return 1


cdef int pairs_remove(Pairs* pairs, Key callee, Key caller, uint64_t bits) noexcept nogil:
    cdef PairSlot* slot
    if callee == 0 or caller == 0:
        return 0
    slot = slot_of(pairs, callee, caller)
    bits &= bits_on(slot)           # a free slot has none
    if bits == 0:
        return 0
    ic_store64(&slot.caller, slot.caller & ~in_caller(bits))
    ic_store64(&slot.callee, slot.callee & ~in_callee(bits))
    if bits_on(slot) == 0:
        ic_store64(&pairs.tally.live, pairs.tally.live - 1)
    tally(pairs, bits, <uint64_t>-1)
    return 1


# Stops where the table is full; returns how many pairs it has dealt with.
cdef uint64_t add_pairs(Pairs* pairs, const Key* keys, uint64_t n, uint64_t bits, uint64_t* added) noexcept nogil:
    cdef uint64_t i, ahead
    cdef int outcome
    for i in range(n):
        if i + LOOKAHEAD < n:
            ahead = 2 * (i + LOOKAHEAD)
            ic_prefetch(pairs_group(pairs, keys[ahead], keys[ahead + 1]))
        outcome = pairs_add(pairs, keys[2 * i], keys[2 * i + 1], bits)
        if outcome < 0:
            return i
        added[0] += <uint64_t>outcome
    return n


cdef uint64_t remove_pairs(Pairs* pairs, const Key* keys, uint64_t n, uint64_t bits) noexcept nogil:
    cdef uint64_t i, ahead, removed = 0
    for i in range(n):
        if i + LOOKAHEAD < n:
            ahead = 2 * (i + LOOKAHEAD)
            ic_prefetch(pairs_group(pairs, keys[ahead], keys[ahead + 1]))
        removed += <uint64_t>pairs_remove(pairs, keys[2 * i], keys[2 * i + 1], bits)
    return removed


# ---- tables come and go --------------------------------------------------------------------------------------

cdef bint pairs_new(Pairs* pairs, PairTally* tally, uint64_t n, uint64_t seed) noexcept nogil:
    # A table that holds `n` pairs in three fifths of its slots: 26.7 bytes each. No memory: False.
    pairs.groups = n // 12 * 5 + 5
    pairs.seed, pairs.tally = seed, tally
    pairs.slots = <PairSlot*>reserve(pairs.groups * 4 * sizeof(PairSlot))
    return pairs.slots != NULL


cdef void pairs_free(Pairs* pairs) noexcept nogil:
    release(pairs.slots, pairs.groups * 4 * sizeof(PairSlot))


cdef inline Key key_of(uint64_t word) noexcept nogil:
    # What `half_of` was given: kind 1 or 2, then the 58 bits.
    return ((word >> 58 & 1) + 1) << 58 | word & ((<uint64_t>1 << 58) - 1)


# becomes: by bit there, the bit here, or 0 for a list that stays behind. Stops where this table is full; returns how
# many slots it has dealt with. That one's writer may go on meanwhile.
cdef uint64_t copy_slots(Pairs* to, const Pairs* table, const uint64_t* becomes, uint64_t first) noexcept nogil:
    cdef uint64_t i, on, bits, callee, n = 4 * table.groups
    cdef const PairSlot* slot
    for i in range(first, n):
        if i + LOOKAHEAD < n:
            slot = table.slots + i + LOOKAHEAD
            ic_prefetch(pairs_group(to, key_of(slot.callee), key_of(slot.caller)))
        slot = table.slots + i
        callee = ic_load64(&slot.callee)
        if callee == 0:
            continue
        on, bits = bits_on(slot), 0
        while on:
            bits |= becomes[ic_lowest_bit(on)]
            on &= on - 1
        if pairs_add(to, key_of(callee), key_of(slot.caller), bits) < 0:
            return i
    return n


cdef uint64_t find_loop(const Pairs* pairs, const Key* keys, uint64_t n, uint64_t* out) noexcept nogil:
    cdef uint64_t i, j, end, bitmap, found = 0
    i = 0
    while i < n:
        end = min(i + <uint64_t>Limits.CHUNK, n)
        for j in range(i, end):
            ic_prefetch_read(pairs_group(pairs, keys[2 * j], keys[2 * j + 1]))
        for j in range(i, end):
            bitmap = pairs_find(pairs, keys[2 * j], keys[2 * j + 1])
            if out != NULL:
                out[j] = bitmap
            found += bitmap != 0
        i = end
    return found


cdef uint64_t lines_touched(const Pairs* pairs, const Key* keys, uint64_t n) noexcept nogil:
    cdef uint64_t i, k, a, b, lines = 0
    cdef const PairSlot* group
    cdef bint there
    for i in range(n):
        a, b = half_of(keys[2 * i]), half_of(keys[2 * i + 1])
        group = pairs_group(pairs, keys[2 * i], keys[2 * i + 1])
        while True:
            lines += 1
            there = False
            for k in range(4):
                there |= is_pair(group[k].callee, group[k].caller, a, b)
            if there or not group[3].callee & MORE:
                break
            group += 4
            if group == pairs.slots + 4 * pairs.groups:
                group = pairs.slots
    return lines


cdef uint64_t first_wrong(const Key* keys, uint64_t n) noexcept nogil:
    # The first pair with a key that is no number's; n when there is none.
    cdef uint64_t i
    for i in range(n):
        if not (is_number(keys[2 * i]) and is_number(keys[2 * i + 1])):
            return i
    return n


cdef inline bint is_number(Key key) noexcept nogil:
    return (key >> 58 == KeyKind.KEY_NUMBER or key >> 58 == KeyKind.KEY_SHORT) and key >> 54 & 15 != 0


cdef const Key* keys_in(const Key[:, ::1] pairs) except? NULL:
    if pairs.shape[1] != 2:
        raise ValueError(f"pairs have 2 keys, of callee and caller; these have {pairs.shape[1]}")
    return &pairs[0, 0] if pairs.shape[0] else NULL


def checked_pairs(pairs):
    cdef const Key[:, ::1] view = np.ascontiguousarray(pairs, dtype=np.uint64)
    check(keys_in(view), view.shape[0])
    return view.base


cdef object others(pairs, but, uint64_t seed):
    """The pairs that are not among others; those may be None."""
    if but is None:
        return pairs
    cdef PairTable among = PairTable(len(but), seed)
    among.add_many(but, 0)
    found = np.empty(len(pairs), np.uint64)
    among.find_many(pairs, found)
    return np.ascontiguousarray(pairs[found == 0])


cdef int check(const Key* keys, uint64_t n) except -1:
    cdef uint64_t i
    with nogil:
        i = first_wrong(keys, n)
    if i < n:
        raise ValueError(f"pair {i}, ({keys[2 * i]:#x}, {keys[2 * i + 1]:#x}): both must be keys of numbers")
    return 0


cdef class PairTable:
    def __cinit__(self, capacity: int, seed: int):
        if not 0 <= capacity < 1 << 34:
            raise ValueError(f"capacity {capacity}: a table holds 0 to {(1 << 34) - 1} pairs")
        if not pairs_new(&self.pairs, &self.tally, capacity, seed & 0xffffffffffffffff):
            raise MemoryError(f"no memory for a table of {capacity} pairs")

    def __dealloc__(self):
        with nogil:             # a large one takes tens of milliseconds
            pairs_free(&self.pairs)

    cdef uint64_t bit_of(self, int list_index, bint assigned) except? 0:
        """The bit that stands for a list; one that has none gets one if `assigned`, else it is 0."""
        cdef uint32_t i
        if not 0 <= list_index < Limits.MAX_LISTS:
            raise ValueError(f"list {list_index}: lists are numbered 0 to {Limits.MAX_LISTS - 1}")
        for i in range(self.tally.n_lists):
            if self.pairs.list[i] == list_index:
                return (<uint64_t>1) << i
        if not assigned:
            return 0
        if self.tally.n_lists == MAX_PAIR_LISTS:
            raise ValueError(f"list {list_index}: pairs are on at most {MAX_PAIR_LISTS} lists")
        i = self.tally.n_lists
        self.pairs.list[i] = <uint8_t>list_index
        self.tally.n_lists += 1
        return (<uint64_t>1) << i

    cdef int grow(self, uint64_t more) except -1:
        # To half full, so that the next growth is far, and with room for what is known to come.
        cdef PairTable made = self.remapped(EVERY, max(more, self.tally.live // 5))
        self.pairs, made.pairs = made.pairs, self.pairs
        self.tally, made.tally = made.tally, self.tally
        self.pairs.tally, made.pairs.tally = &self.tally, &made.tally
        return 0

    def remapped(self, kept, room: int = 0) -> PairTable:
        cdef PairTable made = PairTable(ic_load64(&self.tally.live) + room, self.pairs.seed)
        cdef uint64_t[8] becomes
        cdef uint64_t done = 0, slots = 4 * self.pairs.groups
        cdef uint32_t i
        memset(becomes, 0, sizeof(becomes))
        for i in range(self.tally.n_lists):
            if self.pairs.list[i] in kept:
                becomes[i] = made.bit_of(kept[self.pairs.list[i]], True)
        while True:
            with nogil:
                done = copy_slots(&made.pairs, &self.pairs, becomes, done)
            if done == slots:
                return made
            made.grow(slots - done)     # so much was added meanwhile

    def add(self, callee: int, caller: int, list_index: int) -> bool:
        cdef Key[2] keys
        keys[0], keys[1] = callee, caller
        return self._add(keys, 1, list_index) == 1

    def remove(self, callee: int, caller: int, list_index: int) -> bool:
        cdef Key[2] keys
        keys[0], keys[1] = callee, caller
        check(keys, 1)
        return pairs_remove(&self.pairs, keys[0], keys[1], self.bit_of(list_index, False)) == 1

    def add_many(self, pairs, list_index: int) -> int:
        cdef const Key[:, ::1] view = pairs
        return self._add(keys_in(view), view.shape[0], list_index)

    cdef uint64_t _add(self, const Key* keys, uint64_t n, int list_index) except? 0:
        cdef uint64_t done = 0, added = 0, bit
        check(keys, n)
        bit = self.bit_of(list_index, True)
        while True:
            with nogil:
                done += add_pairs(&self.pairs, keys + 2 * done, n - done, bit, &added)
            if done == n:
                return added
            self.grow(n - done)

    def remove_many(self, pairs, list_index: int) -> int:
        cdef const Key[:, ::1] view = pairs
        cdef const Key* keys = keys_in(view)
        cdef uint64_t bit = self.bit_of(list_index, False), n = view.shape[0], removed
        check(keys, n)
        with nogil:
            removed = remove_pairs(&self.pairs, keys, n, bit)
        return removed

    def with_room(self, more: int) -> PairTable:
        cdef uint64_t n = more, spare = FEW
        if n <= limit(&self.pairs) - self.tally.used:
            return self
        return self.remapped(EVERY, max(spare, max(n, self.tally.live // 5)))

    def rebuilt(self, kept, added, off) -> tuple:
        cdef PairTable made
        rows = {here: checked_pairs(content.pairs) for here, content in added.items() if len(content.pairs)}
        made = self.remapped(kept, sum(map(len, rows.values())) + self.tally.live // 5)
        lost = 0
        if off is not None and len(off[1].pairs):
            here = kept[off[0]]
            lost = made.remove_many(others(checked_pairs(off[1].pairs), rows.get(here), self.pairs.seed), here)
        return made, sum([made.add_many(some, here) for here, some in rows.items()]), lost

    @property
    def crowded(self) -> bool:
        cdef uint64_t most = limit(&self.pairs)
        return most > FEW and (most - self.tally.used) * SPARE < most

    def find(self, callee: int, caller: int) -> int:
        cdef Key a = callee, b = caller
        return pairs_find(&self.pairs, a, b) if is_number(a) and is_number(b) else 0

    def find_many(self, pairs, out=None) -> int:
        cdef const Key[:, ::1] view = pairs
        cdef uint64_t[::1] target
        cdef uint64_t n = view.shape[0], found
        cdef uint64_t* bitmaps = NULL
        cdef const Key* data = keys_in(view)
        if out is not None:
            target = out
            if <uint64_t>target.shape[0] != n:
                raise ValueError(f"out holds {target.shape[0]} bitmaps, {n} pairs were given")
            if n:
                bitmaps = &target[0]
        with nogil:
            found = find_loop(&self.pairs, data, n, bitmaps)
        return found

    def lines(self, pairs) -> int:
        cdef const Key[:, ::1] view = pairs
        return lines_touched(&self.pairs, keys_in(view), view.shape[0])

    def count(self, list_index: int) -> int:
        cdef uint64_t bit = self.bit_of(list_index, False)
        return ic_load64(&self.tally.count[ic_lowest_bit(bit)]) if bit else 0

    def __len__(self) -> int:
        return ic_load64(&self.tally.live)

    @property
    def used(self) -> int:
        return self.tally.used

    @property
    def capacity(self) -> int:
        return limit(&self.pairs)

    @property
    def nbytes(self) -> int:
        return self.pairs.groups * 4 * sizeof(PairSlot) + sizeof(Pairs) + sizeof(PairTally)
