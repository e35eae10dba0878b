"""The ready-made bytes of a policy's answers."""

from collections.abc import Sequence

from interceptor.engine.snapshot import Companion

class Phrasebook(Companion):
    """What a policy means on the wire; travels with its snapshot (``Engine.publish(..., companion=...)``).

    Parameters
    ----------
    revision : int
        Of the policy.
    tags : sequence of str
        The tags it reads, in its order.
    rules : sequence of tuple
        By index of the rule, what it says of a call it decides besides verdict and class: its id, its reason, and the
        SIP response code and Reason header value a blocked call is refused with (0 and "" when it does not block).
    otherwise, emergency : tuple
        The same where no rule decided, and of emergency calls.
    shadow : sequence of str
        Ids of its shadow rules, by bit.
    previous : Phrasebook, optional
        Of the policy before. The answers of the last eight policies are kept, as a repeated call gets the answer of
        the policy that decided it first; what is older is answered in the words of the oldest.

    Raises
    ------
    ValueError
        More tags or shadow rules than a policy may have, or an answer could be longer than 8 KiB.
    """

    def __init__(
        self,
        revision: int,
        tags: Sequence[str],
        rules: Sequence[tuple[str, str, int, str]],
        otherwise: tuple[str, str, int, str],
        emergency: tuple[str, str, int, str],
        shadow: Sequence[str],
        previous: Phrasebook | None = None,
    ) -> None: ...
    @property
    def longest(self) -> int:
        """Bytes the longest DecideStreamResponse may have."""

    @property
    def revisions(self) -> list[int]:
        """The policies it has words for, the newest first."""
