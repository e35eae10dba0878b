"""The bounded pool that large distinct counts borrow sketches from."""

from typing import Any

class Sketches:
    """A bounded pool of sketches, for the distinct counts that outgrow 16 elements."""

    def __init__(self, capacity: int, seed: int = 0) -> None:
        """Reserves `capacity` sketches of 1,088 bytes, mapped when first used. Raises MemoryError."""

    @property
    def stats(self) -> dict[str, Any]:
        """capacity, used (handed out), reclaimed (from silent owners), saturated (wanted in vain), nbytes,
        waited (for a lock: waits, ns, longest_ns).
        """
