"""What the audit trail says of entries: digests over MACs, which nobody without the store's key can compute.

The MAC of an entry is SipHash-2-4-128 of its two keys, keyed by its list and source out of `installation.audit_key`. So
whatever moves an entry to another list or source shows, and the MAC of an erased entry is all that need be kept of it.
"""

import hashlib
import hmac
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.macs import macs_of
from interceptor.store.keysets import unsigned
from interceptor.store.words import Int64s, Keys

#: MACs kept in memory; more are laid down in files, by their first bits
IN_MEMORY = 1 << 20
PARTITIONS = 64
#: MACs computed at once
PIECE = 1 << 18

#: a MAC as two words, which compare as its 16 bytes do, and the change it belongs to
_LAID: np.dtype[np.void] = np.dtype([("first", "<u8"), ("second", "<u8"), ("change", "<i8")])
_Laid = npt.NDArray[np.void]


def entry_key(audit_key: bytes, list_id: int, source_id: int) -> bytes:
    """The 16 bytes that MACs of one source's entries on one list are keyed by."""
    return hmac.digest(audit_key, b"entries of %d by %d" % (list_id, source_id), "sha256")[:16]


def entry_macs(audit_key: bytes, list_id: int, source_ids: int | Int64s, keys: Keys) -> npt.NDArray[np.uint8]:
    """MACs of entries of one list: shape (n, 16). `source_ids` is one for all of them, or one each."""
    key, key2 = unsigned(keys.key), unsigned(keys.key2)
    if isinstance(source_ids, (int, np.integer)):
        return macs_of(entry_key(audit_key, list_id, int(source_ids)), key, key2)
    macs = np.empty((len(keys), 16), dtype=np.uint8)
    for source_id in np.unique(source_ids).tolist():
        its = source_ids == source_id
        macs[its] = macs_of(entry_key(audit_key, list_id, source_id), key[its], key2[its])
    return macs


def number_mac(audit_key: bytes, key: int) -> str:
    """How an audit record names a number, device or domain: the MAC of its key alone, in hexadecimal."""
    secret = hmac.digest(audit_key, b"numbers", "sha256")[:16]
    one = np.array([key & (1 << 64) - 1], dtype=np.uint64)
    return macs_of(secret, one, np.zeros(1, dtype=np.uint64)).tobytes().hex()


def text_mac(audit_key: bytes, text: str) -> str:
    """The same of any other text, which may tell of a person too."""
    return hmac.digest(audit_key, b"text " + text.encode(), "sha256")[:16].hex()


class ChangeDigest:
    """The digest of one change: takes its entries in any order, piece by piece, in bounded memory.

    Parameters
    ----------
    audit_key
        `installation.audit_key`.
    folder
        Where MACs are laid down when there are many; None: where the system keeps such files.
    """

    def __init__(self, audit_key: bytes, folder: Path | None = None) -> None:
        self._key = audit_key
        self._added = MacPile(folder)
        self._removed = MacPile(folder)

    def add(self, list_id: int, source_ids: int | Int64s, keys: Keys) -> None:
        """Entries the change brought."""
        self._take(self._added, list_id, source_ids, keys)

    def remove(self, list_id: int, source_ids: int | Int64s, keys: Keys) -> None:
        """Entries the change let go of."""
        self._take(self._removed, list_id, source_ids, keys)

    def hexdigest(self) -> str:
        """SHA-256 in hexadecimal; "" of a change without entries. Once: the piles are gone then."""
        with self._added, self._removed:
            return joined(self._added.digests().get(0), self._removed.digests().get(0))

    def _take(self, pile: "MacPile", list_id: int, source_ids: int | Int64s, keys: Keys) -> None:
        for start in range(0, len(keys), PIECE):
            here = slice(start, start + PIECE)
            piece = Keys(keys.key[here], keys.key2[here])
            by = source_ids if isinstance(source_ids, (int, np.integer)) else source_ids[here]
            pile.take(entry_macs(self._key, list_id, by, piece), np.zeros(len(piece), dtype=np.int64))


#: how many MACs, and SHA-256 over them in ascending order
Summed = tuple[int, bytes]


def joined(added: Summed | None, removed: Summed | None) -> str:
    """The digest of a change, out of those of what it added and what it removed."""
    if added is None and removed is None:
        return ""
    both = hashlib.sha256()
    for count, digest in (added or (0, b""), removed or (0, b"")):
        both.update(b"%d:%s," % (count, digest.hex().encode()))
    return both.hexdigest()


class MacPile:
    """MACs of entries of any number of changes, in any order, for digests over them in their own order."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._held: list[_Laid] = []
        self._holds = 0
        self._files: list[IO[bytes]] = []

    def __enter__(self) -> "MacPile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._held, self._holds = [], 0
        for file in self._files:
            file.close()
        self._files = []

    def take(self, macs: npt.NDArray[np.uint8], changes: Int64s) -> None:
        """MACs, shape (n, 16), and the change each belongs to."""
        words = np.ascontiguousarray(macs).view(">u8")
        laid = np.empty(len(macs), dtype=_LAID)
        laid["first"], laid["second"], laid["change"] = words[:, 0], words[:, 1], changes
        self._held.append(laid)
        self._holds += len(laid)
        if self._holds > IN_MEMORY:
            self._lay_down()

    def digests(self, low: int = 0, high: int = 1) -> dict[int, Summed]:
        """Digests over the MACs of the changes from `low` to before `high` that have any."""
        hashes: dict[int, Any] = {}
        counts: dict[int, int] = {}
        for part in self._parts():
            wanted = part[(part["change"] >= low) & (part["change"] < high)]
            if not len(wanted):
                continue
            ordered = wanted.take(_order(wanted))
            macs = np.empty((len(ordered), 2), dtype=">u8")
            macs[:, 0], macs[:, 1] = ordered["first"], ordered["second"]
            changes, starts = np.unique(ordered["change"], return_index=True)
            ends = [*starts[1:].tolist(), len(ordered)]
            for change, start, end in zip(changes.tolist(), starts.tolist(), ends, strict=True):
                hashes.setdefault(change, hashlib.sha256()).update(macs[start:end].data)
                counts[change] = counts.get(change, 0) + end - start
        return {change: (counts[change], sha.digest()) for change, sha in hashes.items()}

    def _lay_down(self) -> None:
        if not self._files:
            self._files = [tempfile.TemporaryFile(dir=self._folder) for _ in range(PARTITIONS)]  # noqa: SIM115
        held = np.concatenate(self._held)
        self._held, self._holds = [], 0
        part = (held["first"] >> np.uint64(58)).astype(np.uint8)
        held = held.take(np.argsort(part, kind="stable"))  # several times as fast as indexing
        ends = np.cumsum(np.bincount(part, minlength=PARTITIONS)).tolist()
        for file, start, end in zip(self._files, [0, *ends], ends, strict=False):
            file.seek(0, 2)
            file.write(held[start:end].tobytes())

    def _parts(self) -> Iterator[_Laid]:
        """All of it, in parts of which each is before the next."""
        if not self._files:
            if self._held:
                yield np.concatenate(self._held)
            return
        self._lay_down_rest()
        for file in self._files:
            file.seek(0)
            yield np.frombuffer(file.read(), dtype=_LAID)

    def _lay_down_rest(self) -> None:
        if self._held:
            self._lay_down()


def _order(laid: _Laid) -> npt.NDArray[np.intp]:
    """Ascending by change, then by MAC."""
    order = np.argsort(laid["first"])
    first = laid["first"][order]
    if (first[1:] == first[:-1]).any():
        order = np.lexsort((laid["second"], laid["first"]))
    changes = laid["change"][order]
    if len(changes) and (changes != changes[0]).any():
        order = order[np.argsort(changes, kind="stable")]
    return order
