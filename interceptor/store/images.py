"""The image: what is on the lists now, as arrays in one checked file beside the database, so that a start is fast."""

from collections.abc import Mapping
from dataclasses import dataclass

from interceptor.store.words import Keys


@dataclass(frozen=True, eq=False)
class Image:
    """What was on each list at a revision and a moment."""

    revision: int
    at_ms: int  #: entries that begin or end later are in it or not as they were then
    lists: Mapping[str, Keys]


class Images:
    """`DATA/lists.image`: `Store.images`. Any number of threads."""

    def save(self, now_ms: int) -> int:
        """Writes an image of what is live now, at low priority; returns its revision.

        The file is replaced as a whole: whatever happens meanwhile, there is the old one or the new one.

        Raises
        ------
        StoreUnavailableError
            The disk is full or cannot be written. The old image stays.
        """
        raise NotImplementedError

    def load(self) -> Image | None:
        """The image; None when there is none, or it is broken or of another store: the database tells it all.

        What changed since is to be replayed: changes by `Lists.since(revision)`, and what began or ended by
        `Lists.due(at_ms, now_ms)`.
        """
        raise NotImplementedError
