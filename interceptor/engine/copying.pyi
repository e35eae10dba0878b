"""Copies of tables that threads go on changing, without holding any of their locks."""

from interceptor.engine.copies import Part
from interceptor.engine.memory import Region

Bytes = bytes | bytearray | memoryview

def copy_sets(
    region: Region, part: Part, first: int, n: int, heads: bytearray, besides: bytearray
) -> tuple[int, int]:
    """Copies sets [first, first + n) and what lies beside them, each as it was at one moment.

    Returns how many are in use, and how many were so busy that they were left out (zero in the copy).
    """

def put(region: Region, offset: int, data: Bytes) -> None:
    """Writes into a region that nobody uses yet. Raises ValueError for what does not fit."""
