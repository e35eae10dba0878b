"""Lists of a store as an obvious model: who says what of which entry; each change remembered as before and after."""

from dataclasses import dataclass, field

Cell = tuple[str, str]  #: source, entry
Said = tuple[str, int]  #: the words, and the change they came with


@dataclass
class HeldModel:
    """`said` is what is on the list. Revisions begin at 1."""

    said: dict[Cell, Said] = field(default_factory=dict)
    changes: list[dict[Cell, tuple[Said | None, Said | None]]] = field(default_factory=list)
    undone_by: dict[int, list[int]] = field(default_factory=dict)

    def change(self, wanted: dict[Cell, str | None]) -> int:
        """Each cell gets these words, or goes; returns the revision, 0 when that is how it was."""
        number = len(self.changes) + 1
        done = {}
        for cell, words in wanted.items():
            before = self.said.get(cell)
            if (before[0] if before else None) != words:
                done[cell] = (before, (words, number) if words is not None else None)
        return self._keep(done)

    def undo(self, revision: int) -> tuple[int, int] | None:
        """(revision, conflicts); None when it is undone already."""
        if self.is_undone(revision):
            return None
        done, conflicts = {}, 0
        for cell, (before, after) in self.changes[revision - 1].items():
            if self.said.get(cell) == after:
                done[cell] = (after, before)
            else:
                conflicts += 1
        made = self._keep(done)
        if made:
            self.undone_by.setdefault(revision, []).append(made)
        return made, conflicts

    def is_undone(self, revision: int) -> bool:
        return any(not self.is_undone(by) for by in self.undone_by.get(revision, []))

    def _keep(self, done: dict[Cell, tuple[Said | None, Said | None]]) -> int:
        if not done:
            return 0
        for cell, (_, after) in done.items():
            if after is None:
                del self.said[cell]
            else:
                self.said[cell] = after
        self.changes.append(done)
        return len(self.changes)
