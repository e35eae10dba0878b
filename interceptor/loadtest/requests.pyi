"""What is asked: encoded calls, and the verdicts that are right for each."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

class Requests:
    """Encoded DecideRequests, asked in order and over again. Any number of generators may share it.

    A server answers a call_id it has seen lately from memory, and a caller it has seen is no newcomer: what is to be
    new in every call, however often the requests are gone through, is written anew as each is sent.

    Parameters
    ----------
    data
        The messages, one behind the other.
    offsets
        Where they begin, and where the last one ends; shape (n + 1,), n >= 1, ascending from 0 to ``len(data)``.
        A message may have up to 64 KiB.
    expected
        The verdicts that are right for each: bit v for Verdict v (0: any); shape (n,).
    serials
        Up to two (byte, digits) with 1 <= digits <= 18: in every message sent, the so many ASCII digits from that byte
        of the message on are overwritten by the call's number (modulo 10**digits). Call number k asks request k % n.

    Raises
    ------
    ValueError
        When the arrays do not fit each other, or a serial does not lie within every message.
    """

    def __init__(
        self,
        data: bytes,
        offsets: NDArray[np.int64],
        expected: NDArray[np.uint8] | None = None,
        serials: Sequence[tuple[int, int]] = (),
    ) -> None: ...
    def __len__(self) -> int: ...
