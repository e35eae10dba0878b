"""Recorded calls as Arrow's buffers hold them, readable without the GIL."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

class Flaw(IntEnum):
    """What is wrong with a row."""

    FLAW_NONE = 0
    FLAW_CONTROL = 1  #: a text holds a control character
    FLAW_UTF8 = 2
    FLAW_LONG = 3  #: a text of more than 1,024 bytes
    FLAW_BROKEN = 4  #: the column's offsets or codes lead outside of it

class Columns:
    """A stretch of rows.

    Parameters
    ----------
    rows
        How many there are.
    texts
        Field -> an Arrow array of texts: string, or dictionary of int32 and string.
    wholes
        Arrays of int64: time_ms, which never goes back where rows are good, answered_ms, ended_ms, sim_age_days,
        event_time_ms.
    flags
        Arrays of bool: international_ingress, roaming.
    redirecting
        A list array of string.
    events, bad
        One byte a row: its Happening; 1 where the row is to be passed over. None: all are calls; all are good.

    Raises
    ------
    ValueError
        For an array of another type or length.
    """

    def __init__(
        self,
        rows: int,
        texts: Mapping[int, Any],
        wholes: Mapping[str, Any],
        flags: Mapping[str, Any],
        *,
        redirecting: Any = None,
        events: npt.NDArray[np.uint8] | None = None,
        bad: npt.NDArray[np.uint8] | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...
