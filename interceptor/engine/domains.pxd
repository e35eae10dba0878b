# A domain and its parent domains -> bitmap of lists. Entries live in the list table under KEY_DOMAIN keys.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.keys cimport Secret
from interceptor.engine.lists cimport Lists
from interceptor.engine.types cimport Key, Text

cdef enum:
    MAX_LABELS = 127

# Case-insensitive; a trailing dot, a port and IPv6 brackets are dropped. 0 for what is no domain name.
cdef Key domain_key(const Secret* secret, Text name) noexcept nogil
# The keys domains_find looks up, into out (MAX_LABELS of them); returns how many.
cdef uint32_t domains_keys(const Secret* secret, Text name, Key* out) noexcept nogil
cdef uint64_t domains_find(const Lists* lists, const Secret* secret, Text name) noexcept nogil
