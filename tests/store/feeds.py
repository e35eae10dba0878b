"""Files sent to lists as a client sends them, and what lists hold after."""

import hashlib
from typing import Any

from sqlalchemy import select

from interceptor.engine.spec import ListKind
from interceptor.store.canonical import text_of
from interceptor.store.changes import live
from interceptor.store.imports import Found, Import, Order, Progress
from interceptor.store.schema import entries, lists, lots, names, sources
from interceptor.store.store import Store
from interceptor.store.words import Applied, Mode
from store.conftest import NOW

#: text, source, reason, note, valid_from_ms, valid_until_ms
Held = tuple[str, str, str, str, int | None, int | None]


def order(content: str | bytes, to: str = "number", **said: Any) -> Order:
    """An addition by "police", unless it is said otherwise."""
    data = content.encode() if isinstance(content, str) else content
    given = {"source": "police", "mode": Mode.ADDITION, "file_name": "feed.csv", **said}
    return Order(to, size=len(data), sha256=hashlib.sha256(data).hexdigest(), **given)


def sent(store: Store, content: str | bytes, to: str = "number", **said: Any) -> Import:
    """An import whose file is here."""
    data = content.encode() if isinstance(content, str) else content
    made = store.imports.open(order(data, to, **said))
    try:
        while made.send_from < len(data):
            made.receive(made.send_from, data[made.send_from : made.send_from + 1000])
    except BaseException:
        made.close()
        raise
    return made


def found(store: Store, content: str | bytes, to: str = "number", *, now_ms: int = NOW, **said: Any) -> Found:
    """What an import would do."""
    made = sent(store, content, to, **said)
    try:
        return made.difference(now_ms)
    finally:
        made.close()


def feed(
    store: Store,
    content: str | bytes,
    to: str = "number",
    *,
    now_ms: int = NOW,
    expected: int | None = None,
    progress: Progress | None = None,
    **said: Any,
) -> Applied:
    """A whole import."""
    made = sent(store, content, to, **said)
    try:
        made.difference(now_ms, progress)
        return made.apply(actor="local", comment="daily", now_ms=now_ms, expected=expected, progress=progress)
    finally:
        made.close()


def held(store: Store, name: str = "number") -> list[Held]:
    """Every live entry of a list."""
    said = (sources.c.name, lots.c.reason, lots.c.note, lots.c.valid_from_ms, lots.c.valid_until_ms)
    query = (
        select(entries.c.key, entries.c.key2, names.c.text, lists.c.kind, *said)
        .join(lists, lists.c.id == entries.c.list_id)
        .join(sources, sources.c.id == entries.c.source_id)
        .join(lots, lots.c.id == entries.c.lot_id)
        .outerjoin(names, (names.c.list_id == lists.c.id) & (names.c.key == entries.c.key))
        .where(lists.c.name == name, live())
    )
    with store.database.read() as conn:
        rows = conn.execute(query).all()
    return sorted(
        (text_of(ListKind(kind), key, key2, name or ""), *words) for key, key2, name, kind, *words in rows
    )


def texts(store: Store, name: str = "number") -> list[str]:
    """Texts of the live entries of a list, as often as sources have them."""
    return [each[0] for each in held(store, name)]
