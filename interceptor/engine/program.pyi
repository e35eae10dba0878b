"""The VM that runs the conditions of a policy."""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from interceptor.engine.spec import Clock, Code, Span

class Outcome(IntEnum):
    """How a condition ended."""

    NO_MATCH = 0
    MATCH = 1
    OUTCOME_ABSENT = 2  #: something it reads is not there
    OUTCOME_ERROR = 3  #: overflow, division by zero, out of range

class CompiledProgram:
    """Verified, immutable bytecode.

    Parameters
    ----------
    code
        Instructions and constants of every condition.
    spans
        The conditions: only these may be evaluated.
    n_counters, n_lists
        How many counters and lists the conditions may name.

    Raises
    ------
    ValueError
        Names the instruction's index, its op and the reason.
    """

    spans: frozenset[tuple[int, int]]

    def __init__(self, code: Code, spans: Sequence[Span], n_counters: int, n_lists: int) -> None: ...
    def __len__(self) -> int: ...
    def evaluate_with(
        self,
        span: Span,
        *,
        texts: Mapping[int, bytes] | None = None,
        numbers: Mapping[int, tuple[int, bytes, bool, int, int]] | None = None,
        scalars: Mapping[int, int] | None = None,
        counters: Mapping[int, int | None] | None = None,
        bitmaps: Mapping[int, int] | None = None,
        keys: Mapping[int, int] | None = None,
        regions: Sequence[str] = (),
        types: Sequence[str] = (),
        now: int = 0,
        clock: Clock = ...,
    ) -> Outcome:
        """Runs one condition over a hand-made call, without an engine.

        Parameters
        ----------
        span
            One of the spans the program was made with.
        texts
            By Field: the text as signalled.
        numbers
            By Field (the first N_NUMBERS): status, normalised text, valid, number type, index of the region.
        scalars
            By Scalar; those left out are absent.
        counters
            By counter index; None or left out: the counter cannot be read.
        bitmaps
            By Field: the lists the field is on.
        keys
            By Field: 0 or left out means that `in` is an error.
        regions, types
            Names by index, such as `NumberingPlan.regions` and `NumberingPlan.type_names`; those left out are "".
        now, clock
            When the call comes, in milliseconds since the epoch, and the time where it does; UTC by itself.
        """
