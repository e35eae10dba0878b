# What the lists of a policy hold: one table of each shape, behind one pointer that a call loads once. A generation's
# keys and pairs change in place, one by one; whatever must be seen whole, and every change of prefixes and networks,
# makes a new generation.
from interceptor.engine.lists cimport Lists, ListTable
from interceptor.engine.networks cimport Networks, NetworkTable
from interceptor.engine.pairs cimport Pairs, PairTable
from interceptor.engine.prefixes cimport Prefixes, PrefixTrie

cdef struct Tables:             # a cache line of its own
    Lists lists                 # numbers, domains, devices, subscribers, trunks: by key
    const Prefixes* prefixes
    const Pairs* pairs          # subscribers' own entries
    const Networks* networks

cdef class ListTables:          # owns one generation
    cdef Tables* tables         # reserved by memory.pyx
    cdef readonly ListTable table
    cdef readonly PrefixTrie trie
    cdef readonly PairTable pairs
    cdef readonly NetworkTable networks
