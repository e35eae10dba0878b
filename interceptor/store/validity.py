"""valid_until: until when an entry holds, from ISO 8601 to milliseconds."""

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
    found = [_end(text) for text in encoded.dictionary.to_pylist()]
    if not found:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    which = encoded.indices.to_numpy()
    until = np.array([0 if end is None else end for end in found], dtype=np.int64)
    return until[which], np.array([end is None for end in found])[which]


def _end(text: str) -> int | None:
    """A date ends with its day; a time without a zone is in UTC."""
    if not text:
        return NEVER
    try:
        return (date.fromisoformat(text).toordinal() - EPOCH.toordinal() + 1) * DAY_MS
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        elapsed = (at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH
    except (ValueError, OverflowError):
        return None
    return elapsed.days * DAY_MS + elapsed.seconds * 1000 + elapsed.microseconds // 1000
