# The table of listed keys (contract: lists.pxd): the writer's side, and the class that owns the memory.
from interceptor.engine.atomics cimport ic_load64, ic_lowest_bit, ic_prefetch, ic_store64
from interceptor.engine.lists cimport Lists, Slot, Tally, lists_find, lists_group, lists_prefetch
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.types cimport Key, Limits
from libc.stdint cimport uint64_t
from libc.string cimport memset

cdef enum:
    LOOKAHEAD = 16          # keys whose slots are on their way while one is placed

if sizeof(Slot) != 16 or sizeof(Lists) != 32:
    raise ImportError("interceptor.engine.lists: struct layout differs from what the kernel was written for")


# ---- the writer: one thread at a time ------------------------------------------------------------------------

cdef inline uint64_t limit(const Lists* lists) noexcept nogil:
    return lists.groups * 3         # of 4: beyond, misses get long


cdef void tally(Lists* lists, uint64_t bits, uint64_t change) noexcept nogil:
    cdef int i
    while bits:
        i = ic_lowest_bit(bits)
        ic_store64(&lists.tally.count[i], lists.tally.count[i] + change)
        bits &= bits - 1


cdef Slot* slot_of(Lists* lists, Key key) noexcept nogil:
    # The key's slot, or the free one where it belongs.
    cdef Slot* slot = <Slot*>lists_group(lists, key)
    cdef Slot* end = lists.slots + 4 * lists.groups
    while slot.key != key and slot.key != 0:
        slot += 1
        if slot == end:
            slot = lists.slots
    return slot


cdef int lists_add(Lists* lists, Key key, uint64_t bits) noexcept nogil:
    cdef Slot* slot
    cdef uint64_t before
    if key == 0 or bits == 0:
        return 0
    slot = slot_of(lists, key)
    before = slot.bitmap
    if slot.key == 0:
        if lists.tally.used >= limit(lists):
            return -1
        ic_store64(&slot.bitmap, bits)      # before the key: who sees the key sees its lists
        ic_store64(&slot.key, key)
        ic_store64(&lists.tally.used, lists.tally.used + 1)
    else:
        bits &= ~before
        if bits == 0:
            return 0
        ic_store64(&slot.bitmap, before | bits)
    if before == 0:
        ic_store64(&lists.tally.live, lists.tally.live + 1)
    tally(lists, bits, 1)
    return 1


cdef int lists_remove(Lists* lists, Key key, uint64_t bits) noexcept nogil:
    cdef Slot* slot
    if key == 0:
        return 0
    slot = slot_of(lists, key)
    bits &= slot.bitmap             # a free slot has none
    if bits == 0:
        return 0
    ic_store64(&slot.bitmap, slot.bitmap & ~bits)
    if slot.bitmap == 0:
        ic_store64(&lists.tally.live, lists.tally.live - 1)
    tally(lists, bits, <uint64_t>-1)
    return 1


# Stops where the table is full; returns how many keys it has dealt with.
cdef uint64_t add_keys(Lists* lists, const Key* keys, uint64_t n, uint64_t bits, uint64_t* added) noexcept nogil:
    cdef uint64_t i
    cdef int outcome
    for i in range(n):
        if i + LOOKAHEAD < n:
            ic_prefetch(lists_group(lists, keys[i + LOOKAHEAD]))
        outcome = lists_add(lists, keys[i], bits)
        if outcome < 0:
            return i
        added[0] += <uint64_t>outcome
    return n


cdef uint64_t remove_keys(Lists* lists, const Key* keys, uint64_t n, uint64_t bits) noexcept nogil:
    cdef uint64_t i, removed = 0
    for i in range(n):
        if i + LOOKAHEAD < n:
            ic_prefetch(lists_group(lists, keys[i + LOOKAHEAD]))
        removed += <uint64_t>lists_remove(lists, keys[i], bits)
    return removed


cdef void clear_bits(Lists* lists, uint64_t bits) noexcept nogil:
    cdef Slot* slot
    cdef uint64_t i
    for i in range(4 * lists.groups):
        slot = lists.slots + i
        if slot.bitmap & bits:
            lists_remove(lists, slot.key, bits)


# ---- tables come and go --------------------------------------------------------------------------------------

cdef bint lists_new(Lists* lists, Tally* tally, uint64_t keys, uint64_t seed) noexcept nogil:
    # A table that holds `keys` in three fifths of its slots: 26.7 bytes each. No memory: False.
    lists.groups = keys // 12 * 5 + 5
    lists.seed, lists.tally = seed, tally
    lists.slots = <Slot*>reserve(lists.groups * 4 * sizeof(Slot))
    return lists.slots != NULL


cdef void lists_free(Lists* lists) noexcept nogil:
    release(lists.slots, lists.groups * 4 * sizeof(Slot))


cdef void copy_live(Lists* to, const Lists* table) noexcept nogil:
    cdef uint64_t i, n = 4 * table.groups
    for i in range(n):
        if i + LOOKAHEAD < n:
            ic_prefetch(lists_group(to, table.slots[i + LOOKAHEAD].key))
        lists_add(to, table.slots[i].key, table.slots[i].bitmap)


cdef uint64_t find_loop(const Lists* lists, const Key* keys, uint64_t n, uint64_t* out) noexcept nogil:
    cdef uint64_t i, found = 0
    cdef uint64_t bitmap
    for i in range(n):
        bitmap = lists_find(lists, keys[i])
        if out != NULL:
            out[i] = bitmap
        found += bitmap != 0
    return found


cdef uint64_t find_loop_prefetched(const Lists* lists, const Key* keys, uint64_t n, uint64_t* out) noexcept nogil:
    cdef uint64_t i, j, end, bitmap, found = 0
    i = 0
    while i < n:
        end = min(i + <uint64_t>Limits.CHUNK, n)
        for j in range(i, end):
            lists_prefetch(lists, keys[j])
        for j in range(i, end):
            bitmap = lists_find(lists, keys[j])
            if out != NULL:
                out[j] = bitmap
            found += bitmap != 0
        i = end
    return found


cdef uint64_t lines_touched(const Lists* lists, const Key* keys, uint64_t n) noexcept nogil:
    cdef uint64_t i, lines = 0
    cdef const Slot* group
    for i in range(n):
        group = lists_group(lists, keys[i])
        while True:
            lines += 1
            if (group[0].key == keys[i] or group[1].key == keys[i] or group[2].key == keys[i]
                    or group[3].key == keys[i] or group[3].key == 0):
                break
            group += 4
            if group == lists.slots + 4 * lists.groups:
                group = lists.slots
    return lines


cdef uint64_t bit_of(int list_index) except 0:
    if not 0 <= list_index < Limits.MAX_LISTS:
        raise ValueError(f"list {list_index}: lists are numbered 0 to {Limits.MAX_LISTS - 1}")
    return (<uint64_t>1) << list_index


cdef class ListTable:
    def __cinit__(self, capacity: int, seed: int):
        if not 0 <= capacity < 1 << 34:
            raise ValueError(f"capacity {capacity}: a table holds 0 to {(1 << 34) - 1} keys")
        cdef uint64_t keys = capacity, low = seed & 0xffffffffffffffff
        cdef bint made
        with nogil:
            made = lists_new(&self.lists, &self.tally, keys, low)
        if not made:
            raise MemoryError(f"no memory for a list table of {capacity} keys")

    def __dealloc__(self):
        with nogil:             # a large one takes tens of milliseconds
            lists_free(&self.lists)

    cdef int grow(self, uint64_t more) except -1:
        # To half full, so that the next growth is far, and with room for what is known to come.
        cdef Lists lists
        cdef Tally tally
        cdef uint64_t live = self.tally.live
        cdef bint made
        memset(&tally, 0, sizeof(Tally))
        with nogil:
            made = lists_new(&lists, &tally, max(live // 5 * 6 + 6, live + more), self.lists.seed)
            if made:
                copy_live(&lists, &self.lists)
                lists_free(&self.lists)
        if not made:
            raise MemoryError(f"no memory to grow a list table of {live} keys")
        self.lists, self.tally = lists, tally
        self.lists.tally = &self.tally
        return 0

    def add(self, key: int, list_index: int) -> bool:
        cdef Key k = key
        cdef uint64_t bits = bit_of(list_index)
        cdef int outcome = lists_add(&self.lists, k, bits)
        if outcome < 0:
            self.grow(1)
            outcome = lists_add(&self.lists, k, bits)
        return outcome == 1

    def remove(self, key: int, list_index: int) -> bool:
        return lists_remove(&self.lists, <Key>key, bit_of(list_index)) == 1

    def add_many(self, keys, list_index: int) -> int:
        cdef const Key[::1] view = keys
        cdef uint64_t bits = bit_of(list_index), n = view.shape[0], done = 0, added = 0
        cdef const Key* data = &view[0] if n else NULL
        while True:
            with nogil:
                done += add_keys(&self.lists, data + done, n - done, bits, &added)
            if done == n:
                return added
            self.grow(n - done)

    def remove_many(self, keys, list_index: int) -> int:
        cdef const Key[::1] view = keys
        cdef uint64_t bits = bit_of(list_index), n = view.shape[0], removed
        cdef const Key* data = &view[0] if n else NULL
        with nogil:
            removed = remove_keys(&self.lists, data, n, bits)
        return removed

    def clear_list(self, list_index: int) -> None:
        cdef uint64_t bits = bit_of(list_index)
        with nogil:
            clear_bits(&self.lists, bits)

    def find(self, key: int) -> int:
        return lists_find(&self.lists, <Key>key)

    def find_many(self, keys, out=None, *, prefetch: bool = True) -> int:
        cdef const Key[::1] view = keys
        cdef uint64_t[::1] target
        cdef uint64_t n = view.shape[0], found
        cdef const Key* data = &view[0] if n else NULL
        cdef uint64_t* bitmaps = NULL
        cdef bint ahead = prefetch
        if out is not None:
            target = out
            if <uint64_t>target.shape[0] != n:
                raise ValueError(f"out holds {target.shape[0]} bitmaps, {n} keys were given")
            if n:
                bitmaps = &target[0]
        with nogil:
            if ahead:
                found = find_loop_prefetched(&self.lists, data, n, bitmaps)
            else:
                found = find_loop(&self.lists, data, n, bitmaps)
        return found

    def lines(self, keys) -> int:
        cdef const Key[::1] view = keys
        return lines_touched(&self.lists, &view[0], view.shape[0]) if view.shape[0] else 0

    def count(self, list_index: int) -> int:
        bit_of(list_index)
        return ic_load64(&self.tally.count[list_index])

    def __len__(self) -> int:
        return ic_load64(&self.tally.live)

    @property
    def used(self) -> int:
        return self.tally.used

    @property
    def capacity(self) -> int:
        return limit(&self.lists)

    @property
    def nbytes(self) -> int:
        return self.lists.groups * 4 * sizeof(Slot) + sizeof(Lists) + sizeof(Tally)
