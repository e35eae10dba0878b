"""Entries of lists that are read from files, told as those of the store are."""

from collections.abc import Iterator

from interceptor.engine.spec import ListKind
from interceptor.runtime.loader import Loaded
from interceptor.store.canonical import text_of
from interceptor.store.covering import covering
from interceptor.store.lists import Lists
from interceptor.store.words import Held


def filed(loaded: Loaded | None, lists: Lists, text: str) -> Iterator[Held]:
    """The entries of list files that a number, a domain, a device ... is on. Their revision is 0.

    They were added by their file, when it was read; networks and trunks are found by what the file has itself.
    """
    if loaded is None:
        return
    for spec in loaded.spec.lists:
        listed = loaded.lists.get(spec.name)
        if listed is None:
            continue
        for form in forms(lists, spec.kind, text):
            try:
                note = listed.annotation(form)
            except ValueError:
                continue
            if note is not None:
                yield Held(
                    list_name=spec.name,
                    text=form,
                    source=note.source,
                    reason=note.reason,
                    note="",
                    valid_from_ms=None,
                    valid_until_ms=note.valid_until_ms,
                    added_by=f"file {spec.file}",
                    added_ms=loaded.read_ms,
                    revision=0,
                    live=True,
                )


def forms(lists: Lists, kind: ListKind, text: str) -> list[str]:
    """How the entries are written that a text may be on."""
    if kind is ListKind.DOMAIN:
        labels = text.strip().lower().removesuffix(".").split(".")
        return [".".join(labels[at:]) for at in range(len(labels) - 1)]
    if kind in (ListKind.TRUNK, ListKind.NETWORK):
        return [text.strip()]
    found = covering(lists.reader(kind), text)
    return [text_of(kind, key, key2) for key, key2 in found if key2 is not None]
