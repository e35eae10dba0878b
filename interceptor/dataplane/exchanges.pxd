# A connection's HTTP/2 state and its exchanges (a request and its replies on one stream), and the memory they have.
# Opaque but to the modules that make up http2.
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from interceptor.dataplane.nghttp2 cimport nghttp2_session
from interceptor.dataplane.spares cimport Spares
from interceptor.dataplane.words cimport Batch, Bounds, Peer, Traffic

cdef enum:
    INLINE = 256                # bytes of replies a stream holds without asking for memory

cdef inline uint64_t no_length() noexcept nogil:     # of Stream.announced
    return <uint64_t>-1

cdef struct Stream:             # what words.Exchange stands for
    Session* session
    Stream* after               # in the session's list of open ones
    Stream* before
    int32_t id
    uint8_t method              # Method
    uint8_t refused_media       # a content type that is not ours, or none
    uint8_t pseudo              # which pseudo fields there were
    uint8_t malformed           # as HTTP
    uint8_t posted              # :method was POST
    uint8_t bad_timeout
    uint8_t encoded             # grpc-encoding says that messages are compressed
    uint8_t too_long            # its header list is over the bound
    uint8_t begun               # its header list is complete
    uint8_t trailing            # the header block being read is its trailer
    uint8_t ended               # the client has said everything
    uint8_t holding             # messages are held back in `kept`: the client does not take its replies
    uint8_t responded           # response headers are submitted
    uint8_t waiting             # nghttp2 is to be told when there are replies again
    uint8_t concluding          # nothing more is taken of the client: `code` follows the last reply
    uint8_t settled             # its status is counted, and behind the last reply
    uint8_t abandoned           # reset by us: replies go nowhere
    uint8_t serving             # Watch: what was said last
    uint8_t code                # Code
    uint32_t fields             # bytes of the header list so far
    uint32_t queued             # its messages in the batch; ...
    uint32_t first              # ... none lies before this index
    uint32_t length             # of a unary call's message, which lies at ...
    const uint8_t* message      # ... in `kept`, or in the bytes being received; NULL: not complete
    uint64_t announced          # bytes its DATA should have, by content-length
    uint64_t body               # bytes of DATA so far
    uint64_t arrived_ns         # first byte of the message that is incomplete
    uint64_t deadline_ns
    uint64_t unsent_ns          # since when replies wait
    uint8_t* kept               # received and not taken yet
    uint32_t kept_n
    uint32_t kept_room
    uint32_t owed               # bytes held back that the stream's window is short of
    char* text                  # status message, percent-encoded; owned
    uint32_t text_n
    uint32_t out_at
    uint32_t out_n              # replies not sent yet: out[out_at:out_n]
    uint32_t out_room
    uint8_t* out                # `inline` or owned
    uint8_t[256] inline         # until there is a reply: the path of an unknown method

cdef struct Session:
    nghttp2_session* http
    const Bounds* bounds
    const Peer* peer
    Traffic* traffic
    Batch* batch                # where its requests were put last
    uint64_t now                # when what is being taken reached the socket, as far as one can tell
    uint32_t left               # bytes to come of the frame (or preface) that is being taken
    uint32_t passed             # the last stream nghttp2 has heard of
    uint32_t skipped            # the last one whose call was refused unread
    uint32_t credit             # bytes of DATA of such calls that the connection's window is short of
    uint8_t dropping            # the frame is about such a call
    uint8_t head_n              # bytes of `head`: of a frame's head that came in pieces
    uint8_t[9] head
    uint8_t* refusals           # frames that tell of them, not written yet; owned
    uint32_t refusals_n
    uint32_t refusals_room
    uint64_t usual_ns           # what the last call had for its answer; 0: as long as it takes
    Stream* current             # whose frames are being read
    Stream* borrowing           # its message lies in the bytes being received
    Stream* open
    uint32_t n_open
    uint32_t n_holding
    uint32_t taken              # bytes of DATA that the connection's window is short of
    uint32_t block              # bytes of the header block being read
    uint32_t idle_frames        # empty DATA frames since the last message
    int32_t last                # streams behind this one are not served: we leave
    uint32_t interval_ns        # at which a client may reset streams in the long run
    uint64_t resets_until       # if it reset one at each interval, when the last would have been
    uint64_t expired_until      # the same of calls whose time may have been up while we did not run
    uint32_t ending             # Ending
    uint8_t leaving             # one of the two said GOAWAY
    const uint8_t* frame        # of nghttp2's, not gathered yet
    uint32_t frame_n

cdef inline Spares* spares_of(const Session* session) noexcept nogil:
    return session.batch.spares if session.batch != NULL else NULL

cdef Stream* stream_open(Session* session, int32_t identity) noexcept nogil     # NULL: no memory
cdef void stream_close(Stream* stream) noexcept nogil       # its requests in the session's batch lose it
cdef bint keep(Stream* stream, const uint8_t* data, uint32_t n) noexcept nogil  # behind what is kept. False: no memory
cdef uint8_t* room_for(Stream* stream, uint32_t n) noexcept nogil   # n bytes behind `out`, counted in. NULL: no memory

cdef inline uint32_t unsent(const Stream* stream) noexcept nogil:
    return stream.out_n - stream.out_at
