"""What is done to stores in tests, in few words; and what they then hold."""

from collections.abc import Sequence

from interceptor.store.store import Store
from interceptor.store.words import Applied, NewEntry

NOW = 1_795_000_000_000
NUMBER = "+8613800138000"


def put(
    store: Store, *entries: NewEntry | str, source: str = "desk", to: str = "number", at: int = NOW
) -> Applied:
    """Adds entries."""
    new = [NewEntry(entry) if isinstance(entry, str) else entry for entry in entries]
    return store.lists.add(to, source, new, actor="local", now_ms=at)


def take(store: Store, *texts: str, source: str = "", off: str = "number") -> Applied:
    """Removes entries."""
    return store.lists.remove(off, texts, source=source, actor="local", now_ms=NOW)


def undo(store: Store, revision: int) -> Applied:
    """Undoes a change."""
    return store.undo.undo(revision, actor="local", now_ms=NOW)


def listed(store: Store, text: str, to: str = "number", at: int = NOW) -> bool:
    """Whether an entry counts."""
    return bool(store.lists.effective(to, store.lists.keys_of(to, [text]), at).all())


def exported(store: Store, name: str = "number", source: str = "", at: int = NOW) -> str:
    """The list as a file."""
    return b"".join(store.lists.export(name, source=source, now_ms=at)).decode()


def numbers(count: int, first: int = 0) -> Sequence[str]:
    """So many numbers."""
    return [f"+86139{i:08}" for i in range(first, first + count)]
