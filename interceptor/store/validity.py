"""valid_from and valid_until: when an entry holds, from ISO 8601 to milliseconds."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

NEVER = int(np.iinfo(np.int64).max)
DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ends(texts: Any) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """Ends in ms since the epoch of a large_string array (NEVER for empty ones), and which could not be read."""
    encoded = texts.dictionary_encode()
    found = [end_of(text) for text in encoded.dictionary.to_pylist()]
    if not found:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    which = encoded.indices.to_numpy()
    until = np.array([0 if end is None else end for end in found], dtype=np.int64)
    return until[which], np.array([end is None for end in found])[which]


def end_of(text: str) -> int | None:
    """End in ms since the epoch; NEVER of an empty text, None when it is unclear. A date ends with its day."""
    return _moment(text, DAY_MS) if text else NEVER


def start_of(text: str) -> int | None:
    """Start in ms since the epoch; None when it is unclear. A date begins with its day."""
    return _moment(text, 0)


def _moment(text: str, into_the_day: int) -> int | None:
    """A time without a zone is in UTC."""
    try:
        return (date.fromisoformat(text).toordinal() - EPOCH.toordinal()) * DAY_MS + into_the_day
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        elapsed = (at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH
    except (ValueError, OverflowError):
        return None
    return elapsed.days * DAY_MS + elapsed.seconds * 1000 + elapsed.microseconds // 1000
