# A generation of list tables (contract: tables.pxd): changing one in place, and making one of another.
import cython
import numpy as np

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

from interceptor.engine.atomics cimport ic_load64, ic_load64_relaxed, ic_lowest_bit, ic_prefetch, ic_prefetch_read
from interceptor.engine.lists cimport Lists, ListTable, Slot, lists_add, lists_find, lists_group
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.networks cimport NetworkTable
from interceptor.engine.pairs cimport PairTable
from interceptor.engine.prefixes cimport PrefixTrie
from interceptor.engine.types cimport Key

from interceptor.engine.pairs import checked_pairs
from interceptor.engine.prefixes import entry_words, moved_words

cdef enum:
    LOOKAHEAD = 16              # keys whose slots are on their way while one is looked at
    SPARE = 16                  # of that many places the last is for who comes while other tables are built
    LEAST_KEYS = 1 << 16        # a table is made for: 1.7 MB, so that no small list is for ever outgrowing its own

cdef struct Move:               # from one generation to another
    uint64_t[64] bits           # by list there: its bit here, 0 for one that stays behind
    uint64_t off                # bit there of the list that slots are marked to be off, or 0
    uint8_t* marks              # by slot there, a bit each


# ---- all of it beside a writer of the old table: what that does meanwhile is done again afterwards -------------------

# Where the key is; NULL: nowhere.
cdef const Slot* slot_with(const Lists* lists, Key key) noexcept nogil:
    cdef const Slot* slot = lists_group(lists, key)
    cdef const Slot* end = lists.slots + 4 * lists.groups
    cdef Key there
    if key == 0:
        return NULL
    while True:
        there = ic_load64(&slot.key)
        if there == key:
            return slot
        if there == 0:
            return NULL
        slot += 1
        if slot == end:
            slot = lists.slots


cdef void mark(const Lists* lists, const Key* keys, uint64_t n, Move* move, bint off) noexcept nogil:
    cdef uint64_t i, at
    cdef const Slot* slot
    for i in range(n):
        if i + LOOKAHEAD < n:
            ic_prefetch_read(lists_group(lists, keys[i + LOOKAHEAD]))
        slot = slot_with(lists, keys[i])
        if slot == NULL or not ic_load64(&slot.bitmap) & move.off:
            continue
        at = <uint64_t>(slot - lists.slots)
        if off:
            move.marks[at >> 3] |= <uint8_t>(1 << (at & 7))
        else:
            move.marks[at >> 3] &= <uint8_t>~(1 << (at & 7))


cdef inline uint64_t moved(const Move* move, uint64_t bitmap) noexcept nogil:
    cdef uint64_t bits = 0
    while bitmap:
        bits |= move.bits[ic_lowest_bit(bitmap)]
        bitmap &= bitmap - 1
    return bits


cdef inline uint64_t marked(const Move* move, uint64_t at) noexcept nogil:
    return move.marks[at >> 3] >> (at & 7) & 1 if move.off else 0


cdef inline uint64_t moved_at(const Move* move, const Lists* lists, uint64_t at) noexcept nogil:
    cdef uint64_t bitmap = ic_load64(&lists.slots[at].bitmap)
    if marked(move, at):
        bitmap &= ~move.off
    return moved(move, bitmap)


# How many keys will be moved, and how many entries the marks take off.
cdef uint64_t survey(const Lists* lists, const Move* move, uint64_t* off) noexcept nogil:
    cdef uint64_t i, n = 4 * lists.groups, keys = 0
    for i in range(n):
        keys += moved_at(move, lists, i) != 0
        off[0] += marked(move, i)
    return keys


# How many of the keys no list that is moved has.
cdef uint64_t newcomers(const Lists* lists, const Move* move, const Key* keys, uint64_t n) noexcept nogil:
    cdef uint64_t i, new = 0
    for i in range(n):
        if i + LOOKAHEAD < n:
            ic_prefetch_read(lists_group(lists, keys[i + LOOKAHEAD]))
        new += moved(move, lists_find(lists, keys[i])) == 0
    return new


# Stops where the new table is full; returns how many slots it has dealt with.
cdef uint64_t copy_slots(Lists* to, const Lists* table, const Move* move, uint64_t first) noexcept nogil:
    cdef uint64_t i, n = 4 * table.groups
    for i in range(first, n):
        if i + LOOKAHEAD < n:
            ic_prefetch(lists_group(to, ic_load64_relaxed(&table.slots[i + LOOKAHEAD].key)))
        if lists_add(to, ic_load64(&table.slots[i].key), moved_at(move, table, i)) < 0:
            return i
    return n


cdef const Key[::1] keys_of(content):
    return np.ascontiguousarray(content.keys, dtype=np.uint64)


cdef words_of(content, list_index):
    return entry_words((root, digits, list_index) for root, digits in content.prefixes)


@cython.no_gc_clear             # as LiveLists
cdef class ListTables:
    def __cinit__(self, ListTable table not None, PrefixTrie trie not None, PairTable pairs not None,
                  NetworkTable networks not None):
        self.tables = <Tables*>reserve(sizeof(Tables))
        if self.tables == NULL:
            raise MemoryError("no memory for list tables")
        self.table, self.trie, self.pairs, self.networks = table, trie, pairs, networks
        self.tables.lists = table.lists
        self.tables.prefixes = trie.trie
        self.tables.pairs, self.tables.networks = &pairs.pairs, networks.networks

    def __dealloc__(self):
        release(self.tables, sizeof(Tables))

    @property
    def nbytes(self):
        return (self.table.nbytes + self.trie.nbytes + self.trie.words.nbytes + self.pairs.nbytes
                + self.networks.nbytes)

    def count(self, list_index):
        return (self.table.count(list_index) + self.trie.count(list_index) + self.pairs.count(list_index)
                + self.networks.count(list_index))

    def bitmap(self, entry):
        if not isinstance(entry, tuple):
            return self.table.find(entry)
        return self.networks.bitmap(*entry) if isinstance(entry[0], bytes) else self.pairs.find(*entry)

    def fits(self, content):
        return len(content.keys) <= self.table.capacity - self.table.used

    @property
    def crowded(self):
        return (self.table.capacity - self.table.used) * SPARE < self.table.capacity or self.pairs.crowded

    def changed(self, changes):
        cdef const Key[::1] keys
        cdef ListTable table = self.table
        cdef ListTables tables
        # what may be refused comes first
        before = words = self.trie.words
        networks = self.networks
        made = []
        altered = 0
        for index, content, on in changes:
            made.append((index, keys_of(content), checked_pairs(content.pairs), on))
            if len(content.prefixes):
                was = len(words)
                some = words_of(content, index)
                words = with_words(words, some) if on else without(words, some)
                altered += abs(len(words) - was)
            if len(content.networks):
                networks, some = networks.changed(index, content.networks, on)
                altered += some
        trie = self.trie if words is before else PrefixTrie(words=words)
        pairs = self.pairs.with_room(sum([len(rows) for _, _, rows, on in made if on]))
        if trie is self.trie and pairs is self.pairs and networks is self.networks:
            tables = self
        else:
            tables = ListTables(table, trie, pairs, networks)
        for index, keys, rows, on in made:
            if len(rows):
                altered += pairs.add_many(rows, index) if on else pairs.remove_many(rows, index)
            altered += table.add_many(keys, index) if on else table.remove_many(keys, index)
        if tables.tables.lists.slots != table.lists.slots:      # it has grown, so that nobody looks at it yet
            tables.tables.lists = table.lists
        return tables, altered


def with_words(words, more):
    """Both are in order, and so is the result."""
    at = np.searchsorted(words, more)
    new = (at == len(words)) | (words[np.minimum(at, len(words) - 1)] != more) if len(words) else at == 0
    return np.insert(words, at[new], more[new]) if new.any() else words


def without(words, some):
    """Both are in order, and so is the result."""
    gone = some[np.isin(some, words, assume_unique=True)]
    return np.delete(words, np.searchsorted(words, gone)) if len(gone) else words


def rebuilt(ListTables old not None, kept, added, off=None):
    cdef const Lists* lists = &old.tables.lists
    cdef const Key[::1] keys
    cdef ListTable table
    cdef Move move
    cdef size_t size = 0
    cdef uint64_t n, wanted, done = 0, lost = 0, slots = 4 * lists.groups
    memset(&move, 0, sizeof(move))
    for there, here in kept.items():
        move.bits[<int>there] = <uint64_t>1 << <int>here
    # what may be refused comes first
    on = {here: (keys_of(content), words_of(content, here)) for here, content in added.items()}
    words = moved_words(old.trie.words, kept)
    if off is not None:
        there, content = off
        here = kept[there]
        leaving, staying = words_of(content, here), on.get(here, (None, words[:0]))[1]
        was = len(words)
        words = without(words, without(leaving, staying))
        lost = was - len(words)
        keys = keys_of(content)
        if keys.shape[0]:
            size = (slots >> 3) + 1
            move.marks, move.off = <uint8_t*>reserve(size), <uint64_t>1 << <int>there
            if move.marks == NULL:
                raise MemoryError("no memory to take entries off a list")
    try:
        if move.off:
            n = keys.shape[0]
            with nogil:
                mark(lists, &keys[0], n, &move, True)
            if here in on and len(on[here][0]):
                keys = on[here][0]
                n = keys.shape[0]
                with nogil:
                    mark(lists, &keys[0], n, &move, False)
        with nogil:
            wanted = survey(lists, &move, &lost)
        for keys, _ in on.values():
            n = keys.shape[0]
            if n:
                with nogil:
                    wanted += newcomers(lists, &move, &keys[0], n)
        table = ListTable(max(wanted, <uint64_t>LEAST_KEYS), lists.seed)
        while True:
            with nogil:
                done = copy_slots(&table.lists, lists, &move, done)
            if done == slots:
                break
            table.grow(slots - done)        # so much was added meanwhile
    finally:
        release(move.marks, size)
    gained = 0
    for here, (keys, more) in on.items():
        was = len(words)
        words = with_words(words, more)
        gained += len(words) - was + table.add_many(keys, here)
    pairs, more_pairs, fewer_pairs = old.pairs.rebuilt(kept, added, off)
    networks, more_networks, fewer_networks = old.networks.rebuilt(kept, added, off)
    return (ListTables(table, PrefixTrie(words=words), pairs, networks), gained + more_pairs + more_networks,
            lost + fewer_pairs + fewer_networks)
