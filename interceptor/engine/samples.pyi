"""The ring of recent calls, sampled on their way."""

class SampleRing:
    """Any number of deciding threads put, one thread at a time drains. Raises MemoryError."""

    def __init__(self) -> None: ...
    def drain(self, limit: int) -> list[bytes]:
        """Takes up to `limit` records off the ring, the oldest first; each of at most 8,192 bytes."""

    @property
    def dropped(self) -> int:
        """Calls that were to be sampled and found the ring full, or have more than 8,192 bytes to tell."""
