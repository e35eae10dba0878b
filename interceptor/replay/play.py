"""Recorded calls decided again: one pass over the file, under one policy or several."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.spec import ListContent, Spec
from interceptor.replay.outcome import Outcome


@dataclass(frozen=True)
class Side:
    """A policy and what is on its lists."""

    spec: Spec
    lists: Mapping[str, ListContent] = field(default_factory=dict)  #: by name; one that is missing is empty


@dataclass(frozen=True, eq=False)
class Played:
    """A stretch of the recording, decided."""

    first: int  #: rows before it
    columns: Any  #: the columns asked for, a pyarrow.RecordBatch of as many rows as each of `answers`
    answers: tuple[npt.NDArray[np.void], ...]  #: by side: dtype outcome.ANSWER


def replay(
    path: Path | str,
    spec: Spec,
    *,
    lists: Mapping[str, ListContent] | None = None,
    columns: Mapping[str, str] | None = None,
    home: str = "CN",
    secret: bytes | None = None,
    skip_bad: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """What a policy says to every call of a file (Parquet or CSV, sorted by time), answers and ends counted between.

    Parameters
    ----------
    lists
        What is on the policy's lists; one that is missing is empty.
    columns
        Field -> what the file calls it, where that is another name.
    home, secret
        As the engine's.
    skip_bad
        Pass over rows that are no call; otherwise the first ends the replay.
    progress
        Called with the rows done so far.

    Raises
    ------
    RecordingError
        Names file, row and column.
    """
    raise NotImplementedError


def play(
    path: Path | str,
    sides: Sequence[Side],
    *,
    wanted: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    home: str = "CN",
    secret: bytes | None = None,
    skip_bad: bool = False,
) -> Iterator[Played]:
    """The same under several policies in one pass over the file, each with counters of its own, a stretch at a time.

    wanted: columns to hand on with the answers, such as label and instance; one that the file does not have is left out.
    """
    raise NotImplementedError
