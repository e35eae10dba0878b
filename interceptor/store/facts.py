"""What is told of lists beside their entries: which one a change was of, when a source last spoke, texts of keys."""

from collections.abc import Mapping

from sqlalchemy import func, select

from interceptor.store.canonical import text_of
from interceptor.store.database import Database
from interceptor.store.lists import Lists
from interceptor.store.schema import changes, lists, sources
from interceptor.store.words import Keys


def list_of(database: Database, revision: int) -> str:
    """The list that a revision changed; "" when it changed none."""
    query = select(lists.c.name).join(changes, changes.c.list_id == lists.c.id)
    with database.read() as conn:
        return conn.execute(query.where(changes.c.revision == revision)).scalar() or ""


def last_changes(database: Database) -> Mapping[tuple[str, str], int]:
    """(list, source) -> when that source last changed something on it, in milliseconds since the Unix epoch."""
    query = (
        select(lists.c.name, sources.c.name, func.max(changes.c.live_ms))
        .join(lists, lists.c.id == changes.c.list_id)
        .join(sources, sources.c.id == changes.c.source_id)
        .where(changes.c.revision.is_not(None))
        .group_by(lists.c.name, sources.c.name)
    )
    with database.read() as conn:
        return {(name, source): at_ms for name, source, at_ms in conn.execute(query)}


def changed_since(database: Database, revision: int) -> int:
    """How many entries came or went with the changes after a revision."""
    query = select(func.coalesce(func.sum(changes.c.added + changes.c.removed), 0))
    with database.read() as conn:
        return int(conn.execute(query.where(changes.c.revision > revision)).scalar_one())


def texts(its: Lists, list_name: str, keys: Keys) -> tuple[str, ...]:
    """Entries as they are written; without those whose text the store does not know."""
    with its.database.read() as conn:
        roll = its.roll(conn, list_name)
        named = its.names(conn, roll, keys)
    both = zip(keys.key.tolist(), keys.key2.tolist(), strict=True)
    written = (text_of(roll.kind, key, key2, named.get(key, "")) for key, key2 in both)
    return tuple(text for text in written if text)
