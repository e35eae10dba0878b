"""What data-plane threads count, by name."""

#: Upper bounds of the latency histogram's buckets, in nanoseconds; one more bucket has none.
LATENCY_BOUNDS_NS: tuple[int, ...]
#: Upper bounds of the batch sizes' buckets; one more has none.
BATCH_BOUNDS: tuple[int, ...]
