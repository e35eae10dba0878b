# The table of subscribers' own entries (contract: pairs.pxd): the writer's side, and the class that owns the memory.
from interceptor.engine.atomics cimport ic_load64, ic_lowest_bit, ic_prefetch, ic_prefetch_read, ic_store64
from interceptor.engine.keys cimport KeyKind
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.pairs cimport (
    LISTS_PER_WORD, MAX_PAIR_LISTS, Pairs, PairSlot, half_of, is_pair, pairs_find, pairs_group,
)
from interceptor.engine.types cimport MAX_LISTS, Key, Limits
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from * nogil:
    """
    #define ic_publish_pairs(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define ic_current_pairs(p)    __atomic_load_n((p), __ATOMIC_ACQUIRE)
    """
    void ic_publish_pairs(Pairs** p, Pairs* table) noexcept
    Pairs* ic_current_pairs(Pairs** p) noexcept

cdef enum:
    LOOKAHEAD = 16          # pairs whose slots are on their way while one is placed
    LIST_SHIFT = 59

cdef uint64_t WORD_LISTS = (<uint64_t>1 << LISTS_PER_WORD) - 1

if sizeof(PairSlot) != 16 or sizeof(Pairs) != 144:
    raise ImportError("interceptor.engine.pairs: struct layout differs from what the kernel was written for")


# ---- the writer: one thread at a time ------------------------------------------------------------------------

cdef inline uint64_t limit(const Pairs* pairs) noexcept nogil:
    return pairs.groups * 3         # of 4: beyond, misses get long


cdef void tally(Pairs* pairs, uint64_t bits, uint64_t change) noexcept nogil:
    cdef int i
    while bits:
        i = ic_lowest_bit(bits)
        ic_store64(&pairs.count[i], pairs.count[i] + change)
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
    return slot.callee >> LIST_SHIFT | slot.caller >> LIST_SHIFT << LISTS_PER_WORD


cdef inline uint64_t in_callee(uint64_t bits) noexcept nogil:
    return (bits & WORD_LISTS) << LIST_SHIFT


cdef inline uint64_t in_caller(uint64_t bits) noexcept nogil:
    return bits >> LISTS_PER_WORD << LIST_SHIFT


cdef int pairs_add(Pairs* pairs, Key callee, Key caller, uint64_t bits) noexcept nogil:
    cdef PairSlot* slot
    cdef uint64_t before
    if callee == 0 or caller == 0 or bits == 0:
        return 0
    slot = slot_of(pairs, callee, caller)
    before = bits_on(slot)
    if slot.callee == 0:
        if pairs.used >= limit(pairs):
            return -1
        ic_store64(&slot.caller, half_of(caller) | in_caller(bits))     # first: who sees the callee sees it too
        ic_store64(&slot.callee, half_of(callee) | in_callee(bits))
        ic_store64(&pairs.used, pairs.used + 1)
    else:
        bits &= ~before
        if bits == 0:
            return 0
        ic_store64(&slot.caller, slot.caller | in_caller(bits))
        ic_store64(&slot.callee, slot.callee | in_callee(bits))
    if before == 0:
        ic_store64(&pairs.live, pairs.live + 1)
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
        ic_store64(&pairs.live, pairs.live - 1)
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

cdef Pairs* pairs_new(uint64_t n, uint64_t seed, const uint8_t* lists) noexcept nogil:
    # A table that holds `n` pairs in three fifths of its slots: 26.7 bytes each.
    cdef Pairs* pairs = <Pairs*>reserve(sizeof(Pairs))
    cdef uint32_t i
    if pairs == NULL:
        return NULL
    pairs.groups = n // 12 * 5 + 5
    pairs.seed = seed
    for i in range(MAX_PAIR_LISTS):
        pairs.list[i] = lists[i]
    pairs.slots = <PairSlot*>reserve(pairs.groups * 4 * sizeof(PairSlot))
    if pairs.slots == NULL:
        release(pairs, sizeof(Pairs))
        return NULL
    return pairs


cdef void pairs_free(Pairs* pairs) noexcept nogil:
    cdef Pairs* older
    while pairs != NULL:
        older = pairs.older
        release(pairs.slots, pairs.groups * 4 * sizeof(PairSlot))
        release(pairs, sizeof(Pairs))
        pairs = older


cdef inline Key key_of(uint64_t word) noexcept nogil:
    # What `half_of` was given: kind 1 or 2, then the 58 bits.
    return ((word >> 58 & 1) + 1) << 58 | word & ((<uint64_t>1 << 58) - 1)


# becomes: by bit of the old table, the bit of the new one, or 0 where the list is left out
cdef void copy_live(Pairs* to, const Pairs* table, const uint64_t* becomes) noexcept nogil:
    cdef uint64_t i, on, bits, n = 4 * table.groups
    cdef const PairSlot* slot
    for i in range(n):
        if i + LOOKAHEAD < n:
            slot = table.slots + i + LOOKAHEAD
            ic_prefetch(pairs_group(to, key_of(slot.callee), key_of(slot.caller)))
        slot = table.slots + i
        on, bits = bits_on(slot), 0
        while on:
            bits |= becomes[ic_lowest_bit(on)]
            on &= on - 1
        pairs_add(to, key_of(slot.callee), key_of(slot.caller), bits)


cdef uint64_t find_loop(Pairs** current, const Key* keys, uint64_t n, uint64_t* out) noexcept nogil:
    cdef uint64_t i, j, end, bitmap, found = 0
    cdef const Pairs* pairs
    i = 0
    while i < n:
        end = min(i + <uint64_t>Limits.CHUNK, n)
        pairs = ic_current_pairs(current)
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
            if there or group[3].callee == 0:
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


cdef int check(const Key* keys, uint64_t n) except -1:
    cdef uint64_t i
    with nogil:
        i = first_wrong(keys, n)
    if i < n:
        raise ValueError(f"pair {i}, ({keys[2 * i]:#x}, {keys[2 * i + 1]:#x}): both must be keys of numbers")
    return 0


cdef class PairTable:
    def __cinit__(self, lists, capacity: int, seed: int):
        cdef uint8_t[8] indexes = [0, 0, 0, 0, 0, 0, 0, 0]
        cdef uint32_t i
        if not 0 <= capacity < 1 << 34:
            raise ValueError(f"capacity {capacity}: a table holds 0 to {(1 << 34) - 1} pairs")
        self.lists = tuple(lists)
        if len(self.lists) > MAX_PAIR_LISTS:
            raise ValueError(f"{len(self.lists)} lists of kind pair: a policy has at most {MAX_PAIR_LISTS}")
        for i, index in enumerate(self.lists):
            if not 0 <= index < MAX_LISTS:
                raise ValueError(f"list {index}: lists are numbered 0 to {MAX_LISTS - 1}")
            indexes[i] = index
        self.pairs = pairs_new(capacity, seed & 0xffffffffffffffff, indexes)
        if self.pairs == NULL:
            raise MemoryError(f"no memory for a table of {capacity} pairs")

    def __dealloc__(self):
        pairs_free(self.pairs)

    cdef uint64_t bits_of(self, int list_index) except 0:
        if list_index not in self.lists:
            raise ValueError(f"list {list_index} is none of the lists of kind pair, {self.lists}")
        return (<uint64_t>1) << self.lists.index(list_index)

    cdef int grow(self, uint64_t more) except -1:
        # To half full, so that the next growth is far, and with room for what is known to come.
        cdef Pairs* old = self.pairs
        cdef Pairs* table = pairs_new(max(old.live // 5 * 6 + 6, old.live + more), old.seed, old.list)
        cdef uint64_t[8] same
        cdef uint32_t i
        if table == NULL:
            raise MemoryError(f"no memory to grow a table of {old.live} pairs")
        for i in range(MAX_PAIR_LISTS):
            same[i] = (<uint64_t>1) << i
        with nogil:
            copy_live(table, old, same)
            table.older = old
            ic_publish_pairs(&self.pairs, table)
        return 0

    def retire(self) -> int:
        cdef uint64_t before = self.nbytes
        pairs_free(self.pairs.older)
        self.pairs.older = NULL
        return before - self.nbytes

    def remapped(self, kept, lists, room: int = 0) -> PairTable:
        cdef PairTable made = PairTable(lists, ic_load64(&self.pairs.live) + room, self.pairs.seed)
        cdef const Pairs* table = self.pairs
        cdef uint64_t[8] becomes
        cdef uint32_t i
        for i in range(MAX_PAIR_LISTS):
            known = i < len(self.lists) and self.lists[i] in kept
            becomes[i] = made.bits_of(kept[self.lists[i]]) if known else 0
        with nogil:
            copy_live(made.pairs, table, becomes)
        return made

    def add(self, callee: int, caller: int, list_index: int) -> bool:
        cdef Key[2] keys
        keys[0], keys[1] = callee, caller
        return self._add(keys, 1, self.bits_of(list_index)) == 1

    def remove(self, callee: int, caller: int, list_index: int) -> bool:
        cdef Key[2] keys
        keys[0], keys[1] = callee, caller
        check(keys, 1)
        return pairs_remove(self.pairs, keys[0], keys[1], self.bits_of(list_index)) == 1

    def add_many(self, pairs, list_index: int) -> int:
        cdef const Key[:, ::1] view = pairs
        return self._add(keys_in(view), view.shape[0], self.bits_of(list_index))

    cdef uint64_t _add(self, const Key* keys, uint64_t n, uint64_t bits) except? 0:
        cdef uint64_t done = 0, added = 0
        check(keys, n)
        while True:
            with nogil:
                done += add_pairs(self.pairs, keys + 2 * done, n - done, bits, &added)
            if done == n:
                return added
            self.grow(n - done)

    def remove_many(self, pairs, list_index: int) -> int:
        cdef const Key[:, ::1] view = pairs
        cdef const Key* keys = keys_in(view)
        cdef uint64_t bits = self.bits_of(list_index), n = view.shape[0], removed
        check(keys, n)
        with nogil:
            removed = remove_pairs(self.pairs, keys, n, bits)
        return removed

    def find(self, callee: int, caller: int) -> int:
        cdef Key a = callee, b = caller
        return pairs_find(self.pairs, a, b) if is_number(a) and is_number(b) else 0

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
        return lines_touched(self.pairs, keys_in(view), view.shape[0])

    def count(self, list_index: int) -> int:
        return ic_load64(&self.pairs.count[ic_lowest_bit(self.bits_of(list_index))])

    def __len__(self) -> int:
        return ic_load64(&self.pairs.live)

    @property
    def used(self) -> int:
        return self.pairs.used

    @property
    def capacity(self) -> int:
        return limit(self.pairs)

    @property
    def nbytes(self) -> int:
        cdef uint64_t total = 0
        cdef const Pairs* table = self.pairs
        while table != NULL:
            total += table.groups * 4 * sizeof(PairSlot) + sizeof(Pairs)
            table = table.older
        return total
