"""A small simulated day, made once for all tests that look at it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from interceptor.simulation import scenario
from interceptor.simulation.simulate import simulate


class Day:
    """A recorded file as columns of numpy arrays; a null is "" in text, -1 in a number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = pq.read_table(path)
        self._read: dict[str, Any] = {}

    def __len__(self) -> int:
        return self.table.num_rows

    def __getitem__(self, name: str) -> Any:
        if name not in self._read:
            column = self.table[name]
            text = str(column.type)
            if "string" in text:
                column = column.cast("string").fill_null("")
                self._read[name] = np.asarray(column.to_pylist(), dtype="U32")
            else:
                column = column.cast("int64").fill_null(-1)
                self._read[name] = column.to_numpy()
        return self._read[name]

    def calls(self, *labels: str) -> Any:
        """Which rows are calls, of these labels where some are given."""
        found = self["event"] == "call"
        return found & np.isin(self["label"], labels) if labels else found


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory, scale: Callable[[int, int], int]) -> Day:
    """A day of a small network with every kind of traffic."""
    path = tmp_path_factory.mktemp("simulation") / "calls.parquet"
    simulate(scenario.load("small"), path, subscribers=scale(8_000, 100_000), seed=7)
    return Day(path)
