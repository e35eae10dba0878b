# What of a connection's bytes nghttp2 gets to see. While so many calls wait that it takes too long for their deadlines,
# those that are too old are refused before anybody reads them: what is saved answers the others in time.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

from interceptor.dataplane.exchanges cimport Session

# Takes all of `data`, which came between `since` and batch.now. Returns what nghttp2 did: negative, an error of its.
cdef ssize_t sift(Session* session, const uint8_t* data, size_t n, uint64_t since) noexcept nogil

# Frames to be written before any other of nghttp2's; whole ones. Returns how many bytes.
cdef size_t sieve_gather(Session* session, uint8_t* out, size_t room) noexcept nogil
