"""What `Engine.add` and `Engine.remove` did while other tables were being built, to be done there too."""

from array import array
from collections.abc import Iterable, Mapping

import numpy as np

from interceptor.engine.spec import ListContent

#: Whoever changes a list waits for the builder beyond so many changes or keys: 40 MB
MOST_RUNS = 1 << 16
MOST_KEYS = 1 << 21
FEW_RUNS, FEW_KEYS = 64, 4096

#: list, on or off, keys, prefixes
Run = tuple[str, bool, "array[int]", list[tuple[int, bytes]]]


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
        if not self._runs or self._runs[-1][:2] != (name, on):
            self._runs.append((name, on, array("Q"), []))
        _, _, keys, prefixes = self._runs[-1]
        keys.frombytes(np.ascontiguousarray(content.keys, dtype=np.uint64).tobytes())
        prefixes.extend(content.prefixes)
        self._keys += len(content.keys) + len(content.prefixes)

    def take(self) -> list[Run]:
        """What was noted since the last time."""
        runs, self._runs, self._keys = self._runs, [], 0
        return runs


def changes(runs: Iterable[Run], index: Mapping[str, int]) -> list[tuple[int, ListContent, bool]]:
    """As `ListTables.changed` takes them; those of lists that have no index are left out."""
    return [
        (index[name], ListContent(np.array(keys, dtype=np.uint64), prefixes), on)
        for name, on, keys, prefixes in runs
        if name in index
    ]
