# Traffic as a sum, and by name. All of it is 64-bit words, each written by one thread.
from libc.stddef cimport size_t
from libc.stdint cimport uint64_t

from interceptor.dataplane.words cimport BATCH_CELLS, LATENCY_CELLS, N_CODES, N_ENDINGS, N_METHODS, Traffic
from interceptor.engine.atomics cimport ic_load64_relaxed

from interceptor.dataplane.words import Code, Ending, Method

METHODS = [method.name.removeprefix("METHOD_").lower() for method in Method if method.name != "N_METHODS"]
CODES = {code: code.name.removeprefix("CODE_") for code in Code if code.name != "N_CODES"}
ENDINGS = [ending.name.removeprefix("ENDED_").lower() for ending in Ending if ending.name != "N_ENDINGS"]
#: upper bounds of the latency histogram's buckets, in ns, and of the batch sizes'; each has one more, without a bound
LATENCY_BOUNDS_NS = tuple(10_000 << i for i in range(LATENCY_CELLS))
BATCH_BOUNDS = tuple(1 << i for i in range(BATCH_CELLS - 1))

if sizeof(Traffic) % sizeof(uint64_t):
    raise ImportError("interceptor.dataplane: struct Traffic is no row of words")


cdef void traffic_add(Traffic* into, const Traffic* one) noexcept nogil:
    cdef uint64_t* to = <uint64_t*> into
    cdef const uint64_t* of = <const uint64_t*> one
    cdef uint64_t longest = max(into.latency_max_ns, ic_load64_relaxed(&one.latency_max_ns))
    cdef size_t i
    for i in range(sizeof(Traffic) // sizeof(uint64_t)):
        to[i] += ic_load64_relaxed(&of[i])
    into.latency_max_ns = longest


cdef dict traffic_dict(const Traffic* traffic):
    cdef int i, k
    requests = {}
    for i in range(<int> N_METHODS):
        requests[METHODS[i]] = {CODES.get(k, str(k)): traffic.requests[i][k] for k in range(<int> N_CODES)
                                if traffic.requests[i][k]}
    errors = {CODES.get(k, str(k)): traffic.call_errors[k] for k in range(<int> N_CODES) if traffic.call_errors[k]}
    return {
        "requests": requests,
        "messages_in": traffic.messages_in,
        "call_errors": errors,
        "bytes_in": traffic.bytes_in,
        "bytes_out": traffic.bytes_out,
        "opened": traffic.opened,
        "ended": {ENDINGS[i]: traffic.ended[i] for i in range(<int> N_ENDINGS)},
        "streams_refused": traffic.streams_refused,
        "oversize": traffic.oversize,
        "shed": traffic.shed,
        "expired": traffic.expired,
        "tls_failed": traffic.tls_failed,
        "batches": [traffic.batches[i] for i in range(BATCH_CELLS)],
        "latency": [traffic.latency[i] for i in range(LATENCY_CELLS + 1)],
        "latency_sum_ns": traffic.latency_sum_ns,
        "latency_max_ns": traffic.latency_max_ns,
        "wakes": traffic.wakes,
    }
