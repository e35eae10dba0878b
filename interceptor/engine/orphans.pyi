"""Locks that a process held when it died while another used the same tables."""

from interceptor.engine.entities import EntityTable
from interceptor.engine.inflight import FlightTable
from interceptor.engine.recent import RecentTable

def release(table: EntityTable | RecentTable | FlightTable) -> int:
    """Lets go of them, beside threads that use the table; returns how many entries were torn, and are dropped.

    Each takes more than a second, in which it must not have changed. Not while the other process may be alive.
    """

def hold(table: EntityTable | RecentTable, way: int = -1) -> None:
    """For tests: leaves the first set's lock as who died does; `way`: what was being changed."""
