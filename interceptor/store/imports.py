"""Bulk imports: a file is spooled, read, compared with what its source has, staged, and made live by one revision."""

from collections.abc import Callable
from dataclasses import dataclass

from interceptor.store.words import Applied, Difference, Mode

#: phase ("read", "stage", "apply"), bytes or rows done, of how many (0: not known)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Order:
    """What a file is, and how to take it."""

    list_name: str
    source: str  #: whose entries these are, where the file does not say it row by row
    mode: Mode
    file_name: str  #: for messages; its end says Parquet or CSV
    size: int  #: bytes
    sha256: str  #: of the file, hexadecimal
    reason: str = ""  #: of rows that have none
    allow_bad: bool = False  #: take the good rows of a file of which more than 1 % are bad


@dataclass(frozen=True)
class Found:
    """What was read of a file, and what it would change."""

    difference: Difference
    rows: int  #: rows of the file: good, bad and ended
    bad_rows: int
    first_bad: tuple[str, ...]  #: "line 7: is no telephone number"
    ended: int  #: rows whose end has passed; they count as absent


class Import:
    """A file on its way to a list. For one thread.

    `receive` until `send_from` is the order's size, then `difference`, then `apply`; `close` at any moment. What was
    received is kept until it is applied, for the next attempt.
    """

    order: Order

    @property
    def send_from(self) -> int:
        """The first byte of the file that is still needed."""
        raise NotImplementedError

    def receive(self, offset: int, data: bytes) -> None:
        """Takes bytes of the file, in order.

        Raises
        ------
        StoreRefusedError
            These are not the next bytes, or more than the file has, or the whole has another SHA-256.
        StoreUnavailableError
            The disk is full.
        """
        raise NotImplementedError

    def difference(self, now_ms: int, progress: Progress | None = None) -> Found:
        """Reads the file and compares it with what its source has. Changes nothing.

        Raises
        ------
        StoreRefusedError
            The file is not whole yet, cannot be read, or too many rows are bad.
        """
        raise NotImplementedError

    def apply(
        self,
        *,
        actor: str,
        comment: str,
        now_ms: int,
        expected: int | None = None,
        progress: Progress | None = None,
    ) -> Applied:
        """Stages what differs in short transactions, then makes it live at once. Revision 0: nothing differed.

        Parameters
        ----------
        expected
            The revision that the difference was confirmed for.

        Raises
        ------
        StaleRevisionError
            Something else became live since `expected`.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Lets go of it, and takes away what was staged and not made live."""
        raise NotImplementedError


class Imports:
    """The imports of one store: `Store.imports`. One file is compared and staged at a time; others wait."""

    def open(self, order: Order) -> Import:
        """Begins to take a file, or goes on with one that was interrupted.

        Raises
        ------
        StoreRefusedError
            There is no such list, or the order makes no sense.
        """
        raise NotImplementedError

    def clean(self) -> None:
        """Takes away, in short transactions, what imports staged that came to nothing. When the store is opened."""
        raise NotImplementedError
