# What data-plane threads count, summed while they go on counting.
from interceptor.dataplane.words cimport Traffic

cdef void traffic_add(Traffic* into, const Traffic* one) noexcept nogil
cdef dict traffic_dict(const Traffic* traffic)
