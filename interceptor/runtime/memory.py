"""What millions of rows took on their way, given back to the system: allocators keep it for a next time otherwise."""

import ctypes

from interceptor.store import arrow


def give_back() -> None:
    """After an import, a large change or a start: what is free goes back, as far as pages are wholly free."""
    arrow.give_back()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.malloc_trim(0)
