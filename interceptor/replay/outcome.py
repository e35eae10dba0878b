"""What a replay found: what a policy said to every row of the recorded calls."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from interceptor.engine.spec import Spec

#: What a policy said to one row. verdict: a Verdict; 0: nothing was asked (a card's event, a row that was skipped).
#: rule: index into `Spec.rules`, or a RuleIndex. shadow: bit i, the policy's i-th shadow rule matched. errors: rules
#: that ended in an error. repeated: the answer to an earlier call of that id, again. added: the rule's add_to made an
#: entry. caller: the key (engine.keys) of who called, 0 where there is none.
ANSWER = np.dtype(
    [
        ("verdict", "u1"),
        ("block_class", "u1"),
        ("repeated", "u1"),
        ("added", "u1"),
        ("rule", "<u2"),
        ("errors", "<u2"),
        ("shadow", "<u8"),
        ("caller", "<u8"),
    ]
)


@dataclass(frozen=True)
class BadRow:
    """A row that is no call."""

    row: int  #: the first is 1
    column: str  #: as the file names it
    problem: str


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a policy said to recorded calls."""

    spec: Spec
    answers: npt.NDArray[np.void]  #: dtype ANSWER, one a row of the file, in its order
    calls: int  #: rows that were decided
    skipped: int  #: rows that were passed over because they are bad
    bad: tuple[BadRow, ...]  #: the first ten of these
    seconds: float  #: reading and deciding together
