# The digit trie of listed prefixes (contract: prefixes.pxd): walking it, and building it from sorted entries.
#
# An entry in one word, so that numpy sorts and compares entries: its root and 15 digits of base 11 (1 to 10; 0: the
# prefix has ended), then six bits for the list. In the order of their words entries lie as a walk of the trie meets
# them.
import numpy as np

from interceptor.engine.memory cimport release, reserve
from interceptor.engine.prefixes cimport N_ROOTS, Node, Prefixes
from interceptor.engine.types cimport Limits
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from * nogil:
    """
    #define ic_ones(x) ((uint32_t)__builtin_popcount(x))
    """
    uint32_t ic_ones(uint32_t x) noexcept

cdef enum:
    LEVELS = 16             # an entry's code: its root, then up to 15 digits, four bits each, from the top
    LIST_BITS = 6
    AT_ONCE = 4096          # entries that are read without a pause

if sizeof(Node) != 16:
    raise ImportError("interceptor.engine.prefixes: struct layout differs from what the kernel was written for")


cdef inline const Node* child_of(const Prefixes* trie, const Node* node, char digit) noexcept nogil:
    cdef uint32_t d = <uint32_t><uint8_t>digit - 48
    if d > 9 or not node.children >> d & 1:
        return NULL
    return trie.nodes + node.first + ic_ones(node.children & ((<uint32_t>1 << d) - 1))


cdef uint64_t prefixes_find(const Prefixes* trie, uint32_t root, const char* digits, uint32_t n) noexcept nogil:
    cdef const Node* node
    cdef uint64_t bitmap = 0
    cdef uint32_t i
    if root >= N_ROOTS or trie.n == 0:
        return 0
    node = trie.nodes + root
    for i in range(n):
        node = child_of(trie, node, digits[i])
        if node == NULL:
            break
        bitmap |= node.bitmap
    return bitmap


# ---- building ------------------------------------------------------------------------------------------------

cdef inline uint32_t nibble(uint64_t code, uint32_t level) noexcept nogil:
    # Level 0 is the root, level i the i-th digit plus one; 0 where the code has ended.
    return <uint32_t>(code >> (60 - 4 * level)) & 15


cdef uint32_t nodes_needed(const uint64_t* codes, uint64_t n) noexcept nogil:
    # Sorted, so that an entry adds the nodes below what it shares with the one before.
    cdef uint64_t i, needed = N_ROOTS
    cdef uint32_t level, shared
    for i in range(n):
        shared = 1
        if i and nibble(codes[i], 0) == nibble(codes[i - 1], 0):
            while shared < LEVELS and nibble(codes[i], shared) == nibble(codes[i - 1], shared):
                shared += 1
        level = shared
        while level < LEVELS and nibble(codes[i], level):
            level += 1
        needed += level - shared
    if needed > 0xffffffffu:
        return 0
    return <uint32_t>needed


cdef void build(Prefixes* trie, const uint64_t* codes, const uint64_t* lists, uint64_t n,
                uint64_t* start, uint64_t* end) noexcept nogil:
    # Breadth first, so that siblings lie side by side. start, end: each node's entries, a scratch of trie.n.
    cdef uint64_t i, e
    cdef uint32_t at, level = 1, level_end = N_ROOTS, made = N_ROOTS, digit, last
    cdef uint64_t bit
    cdef Node* node
    e = 0
    for at in range(N_ROOTS):
        start[at] = e
        while e < n and nibble(codes[e], 0) == at:
            e += 1
        end[at] = e
    at = 0
    while at < made:
        if at == level_end:
            level += 1
            level_end = made
        node = trie.nodes + at
        node.first = made
        last = 0
        for i in range(start[at], end[at]):
            digit = nibble(codes[i], level) if level < LEVELS else 0
            if digit == 0:                      # the entry ends here
                bit = (<uint64_t>1) << lists[i]
                node.bitmap |= bit
                trie.count[lists[i]] += 1
                continue
            if digit != last:
                last = digit
                node.children |= <uint16_t>(1 << (digit - 1))
                start[made] = i
                made += 1
            end[made - 1] = i + 1
        at += 1


cdef void spell_out(const uint64_t* words, uint64_t n, uint64_t* codes, uint64_t* lists) noexcept nogil:
    cdef uint64_t i, word
    cdef uint32_t digit
    for i in range(n):
        lists[i] = words[i] & ((<uint64_t>1 << LIST_BITS) - 1)
        word = words[i] >> LIST_BITS
        codes[i] = 0
        for digit in range(<uint32_t>Limits.MAX_DIGITS):
            codes[i] |= (word % 11) << (4 * digit)
            word //= 11
        codes[i] |= word << 60


cdef bint make(Prefixes* trie, const uint64_t* words, uint64_t n) noexcept nogil:
    # words: in order, none twice.
    cdef uint64_t* codes = <uint64_t*>reserve(n * 2 * sizeof(uint64_t))     # then the list of each
    cdef uint64_t* ranges = NULL
    cdef size_t size = 0
    if codes != NULL:
        spell_out(words, n, codes, codes + n)
        trie.n = nodes_needed(codes, n)
        size = <size_t>trie.n * 2 * sizeof(uint64_t)
        ranges = <uint64_t*>reserve(size) if trie.n else NULL
    trie.nodes = <Node*>reserve(<size_t>trie.n * sizeof(Node)) if ranges != NULL else NULL
    if trie.nodes != NULL:
        build(trie, codes, codes + n, n, ranges, ranges + trie.n)
    else:
        trie.n = 0
    release(ranges, size)
    release(codes, n * 2 * sizeof(uint64_t))
    return trie.n != 0


cdef uint64_t word_of(int root, bytes digits, int list_index) except? 0:
    cdef uint64_t word
    cdef Py_ssize_t i
    cdef uint32_t d
    if not 0 <= root < N_ROOTS:
        raise ValueError(f"prefix {digits!r}: root {root} is not in 0..{N_ROOTS - 1}")
    if not 0 <= list_index < Limits.MAX_LISTS:
        raise ValueError(f"prefix {digits!r}: list {list_index} is not in 0..{Limits.MAX_LISTS - 1}")
    if not 1 <= len(digits) <= Limits.MAX_DIGITS:
        raise ValueError(f"prefix {digits!r}: a prefix has 1 to {Limits.MAX_DIGITS} digits")
    word = <uint64_t>root
    for i in range(Limits.MAX_DIGITS):
        d = 0
        if i < len(digits):
            d = <uint32_t><uint8_t>digits[i] - 47
            if not 1 <= d <= 10:
                raise ValueError(f"prefix {digits!r}: byte {i} is no digit")
        word = word * 11 + d
    return (word << LIST_BITS) | <uint64_t>list_index


def entry_words(entries):
    cdef list some = []
    cdef list parts = []
    for root, digits, index in entries:
        some.append(word_of(root, digits, index))
        if len(some) == AT_ONCE:
            parts.append(np.array(some, np.uint64))
            some = []
            with nogil:         # whoever waits for the GIL has it for a while
                pass
    words = np.sort(np.concatenate([*parts, np.array(some, np.uint64)]))
    return words[np.diff(words, prepend=words[:1] ^ np.uint64(1)) != 0]     # np.unique would load masked arrays


def moved_words(const uint64_t[::1] some, kept):
    cdef uint64_t i, n = some.shape[0], at = 0, mask = (<uint64_t>1 << LIST_BITS) - 1
    cdef int[64] to
    for i in range(<uint64_t>Limits.MAX_LISTS):
        to[i] = kept.get(i, -1)
    into = np.empty(n, np.uint64)
    cdef uint64_t[::1] out = into
    with nogil:
        for i in range(n):
            if to[some[i] & mask] >= 0:
                out[at] = (some[i] & ~mask) | <uint64_t>to[some[i] & mask]
                at += 1
    return np.sort(into[:at])


cdef class PrefixTrie:
    def __cinit__(self, entries=(), *, words=None):
        cdef const uint64_t[::1] view
        cdef uint64_t n
        cdef bint done
        self.words = entry_words(entries) if words is None else words
        self.trie = &self.own
        view = self.words
        n = view.shape[0]
        if n == 0:
            return
        with nogil:
            done = make(&self.own, &view[0], n)
        if not done:
            raise MemoryError(f"no memory for a trie of {n} prefixes")

    def __dealloc__(self):
        with nogil:
            release(self.own.nodes, <size_t>self.own.n * sizeof(Node))

    def find(self, root: int, digits: bytes) -> int:
        return prefixes_find(self.trie, checked_root(root), digits, <uint32_t>len(digits))

    def matches(self, root: int, digits: bytes) -> list:
        cdef const Node* node
        cdef Py_ssize_t i
        cdef list found = []
        if self.own.n == 0:
            checked_root(root)
            return found
        node = self.own.nodes + checked_root(root)
        for i in range(len(digits)):
            node = child_of(self.trie, node, <char>digits[i])
            if node == NULL:
                break
            if node.bitmap:
                found.append((i + 1, node.bitmap))
        return found

    def count(self, list_index: int) -> int:
        if not 0 <= list_index < Limits.MAX_LISTS:
            raise ValueError(f"list {list_index}: lists are numbered 0 to {Limits.MAX_LISTS - 1}")
        return self.own.count[list_index]

    @property
    def nbytes(self) -> int:
        return self.own.n * sizeof(Node) + sizeof(Prefixes)


cdef int checked_root(int root) except -1:
    if not 0 <= root < N_ROOTS:
        raise ValueError(f"root {root} is not in 0..{N_ROOTS - 1}")
    return root
