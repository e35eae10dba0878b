"""Recorded calls through an engine, in the order in which things happened."""

import numpy as np
import numpy.typing as npt

from interceptor.engine.engine import Engine
from interceptor.replay.columns import Columns

class Player:
    """Decides rows under an engine's policy, without the GIL. One thread at a time; one engine a player.

    in_progress: calls whose answer and end are still to come, 4,194,304 at most: of more they are not told.
    """

    def __init__(self, engine: Engine, *, in_progress: int = 1 << 22) -> None: ...
    @property
    def lost(self) -> int:
        """Calls whose answer and end were not told, as there was no room for more in progress."""

    def play(
        self,
        columns: Columns,
        first: int,
        last: int,
        answers: npt.NDArray[np.void],
        shares: npt.NDArray[np.uint8] | None = None,
        share: int = 0,
        *,
        before: int = 0,
    ) -> tuple[int, int, int]:
        """Goes on with rows first to last, later than all before, and writes what was said to them into `answers`.

        What becomes of a call later, by its row, is told between the calls that come then: at one time first ends,
        then answers, then setups; a call's own end comes behind its answer.

        shares: whose each row is; 255: everybody's, answered by share 0. Others' rows are passed over. before: rows of
        the recording before these, by which calls without a call_id are named.

        Returns (row, flaw, field): the row it stopped at because it is no call, what is wrong with it, and whose text
        that is, 255 for none; or (last, FLAW_NONE, 255). Raises ValueError for answers of another type or length.
        """

    def share_out(
        self, columns: Columns, first: int, last: int, shares: npt.NDArray[np.uint8], among: int, digits: int
    ) -> None:
        """Says whose each row is by who calls, or by that many `digits` of who calls; 0: all of them.

        A row that is no call, and one of nobody, is share 0's; an emergency call everybody's, 255.
        """
