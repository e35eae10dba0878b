"""What became of the calls of a run: counts that add up, altogether and by interval."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts of the measured calls (those whose intended start lies behind the warm-up).

    At the end of a run ``due == sent + unsent`` and ``sent == answered + reset + lost + missing``.
    """

    due: int  #: whose intended start has come
    unsent: int  #: given up: the deadline passed while they waited for room, or the run and its grace ended
    sent: int
    answered: int  #: with a gRPC status; the sum of `statuses`
    reset: int  #: the server reset the stream before it told a status
    lost: int  #: the connection went with the call unanswered
    missing: int  #: no reply by the end of the run and its grace
    statuses: tuple[int, ...]  #: answered, by gRPC status code, 17 counts; without a status: 2, UNKNOWN
    verdicts: tuple[int, int, int, int]  #: of the answers with status 0 (OK), by Verdict
    mismatched: int  #: verdicts that are none of the expected ones
    late: int  #: answers with status OK that came after their deadline
    unexpected: int  #: messages of a stream that answer no call of ours
    # The rest is of the whole run, warm-up and all.
    opened: int  #: connections that came about
    failed: int  #: connections that did not come about, or broke
    bytes_in: int
    bytes_out: int

    @property
    def ok(self) -> int:
        """Answers with status OK that came in time."""
        return self.statuses[0] - self.late


class Series(TypedDict):
    """What happened in every interval of a run, by the time it happened; all arrays have one length."""

    seconds: NDArray[np.float64]  #: where it begins, from the end of the warm-up (negative before)
    sent: NDArray[np.uint64]
    ok: NDArray[np.uint64]  #: answers with status OK, in time
    late: NDArray[np.uint64]  #: answers with status OK, after their deadline
    failed: NDArray[np.uint64]  #: other statuses, streams reset, calls lost with their connection
    unsent: NDArray[np.uint64]
    max_ns: NDArray[np.uint64]  #: the longest latency of an answer that came in it, whatever its status
