"""What `Engine.add` and `Engine.remove` did while other tables were being built, to be done there too."""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from interceptor.engine.spec import ListContent

#: Whoever changes a list waits for the builder beyond so many changes or keys: 40 MB
MOST_RUNS = 1 << 16
MOST_KEYS = 1 << 21
FEW_RUNS, FEW_KEYS = 64, 4096


@dataclass(frozen=True, eq=False)
class Run:
    """Entries of one list, all put on it or all taken off it."""

    name: str
    on: bool
    keys: "array[int]" = field(default_factory=lambda: array("Q"))
    pairs: "array[int]" = field(default_factory=lambda: array("Q"))
    prefixes: list[tuple[int, bytes]] = field(default_factory=list)
    networks: list[tuple[bytes, int]] = field(default_factory=list)

    def content(self) -> ListContent:
        keys, pairs = (np.array(column, dtype=np.uint64) for column in (self.keys, self.pairs))
        return ListContent(keys, self.prefixes, pairs.reshape(-1, 2), self.networks)


class Journal:
    """Changes in their order; those of one list in one direction that follow each other are one run."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._keys = 0

    @property
    def full(self) -> bool:
        return len(self._runs) >= MOST_RUNS or self._keys >= MOST_KEYS

    @property
    def short(self) -> bool:
        """So few that all of it is done again in well under a millisecond."""
        return len(self._runs) <= FEW_RUNS and self._keys <= FEW_KEYS

    def note(self, name: str, content: ListContent, on: bool) -> None:
        if not self._runs or (self._runs[-1].name, self._runs[-1].on) != (name, on):
            self._runs.append(Run(name, on))
        run = self._runs[-1]
        run.keys.frombytes(np.ascontiguousarray(content.keys, dtype=np.uint64).tobytes())
        run.pairs.frombytes(np.ascontiguousarray(content.pairs, dtype=np.uint64).tobytes())
        run.prefixes.extend(content.prefixes)
        run.networks.extend(content.networks)
        self._keys += len(content)

    def take(self) -> list[Run]:
        """What was noted since the last time."""
        runs, self._runs, self._keys = self._runs, [], 0
        return runs


def changes(runs: Iterable[Run], index: Mapping[str, int]) -> list[tuple[int, ListContent, bool]]:
    """As `ListTables.changed` takes them; those of lists that have no index are left out."""
    return [(index[run.name], run.content(), run.on) for run in runs if run.name in index]
