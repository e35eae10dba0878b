"""Arrow, loaded when rows are first read or written: a tenth of a start, and most starts read none."""

import sys
from typing import Any


def __getattr__(name: str) -> Any:
    """What pyarrow calls so; its `compute` and `csv` are there, too (PEP 562)."""
    if name.startswith("__"):  # Python asks whether it is a package
        raise AttributeError(name)
    import pyarrow.compute  # noqa: PLC0415
    import pyarrow.csv  # noqa: PLC0415

    return getattr(pyarrow, name)


def give_back() -> None:
    """Memory that it keeps for a next time goes back to the system."""
    if "pyarrow.csv" in sys.modules:  # of which pyarrow itself is loaded whole
        sys.modules["pyarrow"].default_memory_pool().release_unused()
