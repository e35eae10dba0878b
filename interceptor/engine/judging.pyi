"""What another policy, or other lists, would have answered to recent calls."""

from collections.abc import Mapping, Sequence

from interceptor.engine.answers import Judgement
from interceptor.engine.candidate import Candidate
from interceptor.engine.spec import ListContent

def judge(
    live: object,
    samples: Sequence[bytes],
    candidate: Candidate | None,
    changes: Mapping[str, tuple[ListContent, ListContent]] | None,
) -> Judgement:
    """`Engine.judge` under a snapshot (of snapshot.pyx), whose lists nobody lets go of meanwhile; without the GIL.

    candidate: None for the live policy. Raises KeyError, ValueError, MemoryError.
    """
