"""What another policy, or other lists, would have answered to recent calls."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from interceptor.engine.answers import Judgement
from interceptor.engine.candidate import Candidate
from interceptor.engine.snapshot import SnapshotHolder
from interceptor.engine.spec import ListContent

def asked(live: object, samples: Sequence[bytes]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    """`Engine.asked` under a snapshot."""

def judge(
    live: SnapshotHolder,
    samples: Sequence[bytes],
    candidate: Candidate | None,
    changes: Mapping[str, tuple[ListContent, ListContent]] | None,
) -> Judgement:
    """`Engine.judge` under a snapshot (of snapshot.pyx), whose lists nobody lets go of meanwhile; without the GIL.

    candidate: None for the live policy. Raises KeyError, ValueError, MemoryError.
    """
