"""The blast-radius guard: what a change would have meant for the calls of the last hour, before it is made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Flip:
    """A recent call that would have been answered otherwise."""

    decision_id: str
    caller: str  #: masked, unless the service shows numbers
    callee: str
    was: str  #: verdict and rule: "PASS default"
    would_be: str


@dataclass(frozen=True)
class Impact:
    """What a change would have meant for recent calls."""

    calls: int  #: recent calls it was tried on
    flipped: int  #: of these, the ones with another verdict
    first: tuple[Flip, ...] = ()  #: the first of them
    protected: tuple[str, ...] = ()  #: protected numbers it hits, each with why it is protected
    unknown_counters: tuple[str, ...] = ()  #: counters only a trial can tell about
    allowed_share: float = 0.0  #: share of flipped calls beyond which it must be confirmed
    refused: bool = False  #: whether it must be confirmed
    revision: int = 0  #: what it was found at: confirm with this


class GuardRefusedError(Exception):
    """A change that must be confirmed; nothing has changed. The message says what it hits and how to confirm it."""

    def __init__(self, message: str, impact: Impact) -> None:
        super().__init__(message)
        self.impact = impact
