"""How a replaced snapshot waits for the threads that still look at it: quiescent-state based reclamation."""

class PublicationProbe:
    """A publication of its own, of snapshots that hold nothing but a revision; for tests.

    A discarded snapshot is no memory any more: who looks at it ends the process.
    """

    def publish(self) -> int:
        """Puts a new snapshot in force and returns its revision: 1, 2, ... Raises MemoryError."""

    def wait(self) -> None:
        """Waits, without the GIL, until every reader that is inside has left or come in anew."""

    def discard(self) -> None:
        """Frees all replaced snapshots."""

    def enter(self, worker: int) -> int | None:
        """Comes in as `worker` (0 to 63); the revision in force, None before the first. Raises ValueError."""

    def leave(self, worker: int) -> None:
        """Goes out as `worker`. Raises ValueError."""

    def read(self, worker: int, rounds: int, looks: int = 64) -> int:
        """Comes in `rounds` times without the GIL, looking `looks` times at what is in force each time.

        Returns how often it saw a revision go back, or change while it was inside.
        """
