# What each frame of a client does: nghttp2's callbacks, of which there is one table for all sessions.
from interceptor.dataplane.exchanges cimport Session
from interceptor.dataplane.words cimport ENDED_ABUSE, ENDED_PROTOCOL

cdef bint begin(Session* session) noexcept nogil        # nghttp2's session of a session. False: no memory
cdef int abused(Session* session) noexcept nogil        # the client has to go. Returns what a callback returns then

cdef inline bint beyond_help(const Session* session) noexcept nogil:
    return session.ending == ENDED_ABUSE or session.ending == ENDED_PROTOCOL
