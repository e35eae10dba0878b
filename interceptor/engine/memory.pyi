"""Where the memory of the kernels' tables comes from."""

#: Of what tables keep in a Region: to be raised whenever a struct in one changes its meaning or its size.
LAYOUT: int

def take_at_once() -> None:
    """From now on this process takes the memory of a table when the table is made, not when a call first touches it.

    A fresh huge page costs a call some hundred microseconds, and the first calls of a service would each meet several.
    """

class Region:
    """The memory that one table lives in: the process's own, or a file's, which outlives it."""

    def __init__(self, nbytes: int, fd: int = -1, offset: int = 0, fresh: bool = True) -> None:
        """Reserves zeroed memory; or maps a file's, shared, from `offset` (of a page) on.

        All of the file's memory is taken at once, unless it has it: where there is too little the error says so now,
        and no call meets a SIGBUS later. `fd` may be closed afterwards. `fresh`: the file is all zero, nothing is in
        it yet.

        Raises
        ------
        MemoryError
            when the system has no address space left
        OSError
            ENOSPC when the file's memory cannot be had; what mmap says otherwise
        """

    def fetch(self, begin: int, nbytes: int) -> None:
        """Maps pages of a file that are in memory, so that nobody who touches them waits. Without the GIL."""
    @property
    def nbytes(self) -> int: ...
    @property
    def fresh(self) -> bool: ...
