"""What millions of rows took on their way, given back to the system: allocators keep it for a next time otherwise."""

import ctypes

import pyarrow as pa


def give_back() -> None:
    """After an import, a large change or a start: what is free goes back, as far as pages are wholly free."""
    pa.default_memory_pool().release_unused()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.malloc_trim(0)
