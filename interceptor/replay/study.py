"""A replay from its file to all that is told of it: answers added up, flipped calls, labels, thresholds tried."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from interceptor.replay.flips import WANTED as FLIP_COLUMNS
from interceptor.replay.flips import Flips
from interceptor.replay.outcome import BadRow
from interceptor.replay.play import IN_PROGRESS, Replay, Side, cores_of
from interceptor.replay.recording import Recording
from interceptor.replay.scoring import WANTED, Score, Scoring
from interceptor.replay.sweep import Setting
from interceptor.replay.tally import Tally

#: what is being done, the share of it that is done, and calls decided so far
Progress = Callable[[str, float, int], None]


@dataclass(frozen=True, eq=False)
class Findings:
    """What one policy said, added up."""

    side: Side
    tally: Tally
    score: Score | None  #: None: no call is labelled
    lost: int  #: calls whose answer and end it was not told: too many were in progress
    together: str  #: why callers were decided by one core; empty where they were not


@dataclass(frozen=True, eq=False)
class Tried:
    """What a policy said under other thresholds."""

    setting: Setting
    tally: Tally
    score: Score | None


@dataclass(eq=False)
class Study:
    """What came of a replay."""

    recording: Recording
    candidate: Findings
    against: Findings | None
    flips: Flips | None
    rows: int
    skipped: int
    bad: tuple[BadRow, ...]
    begin_ms: int  #: of the first call, and of the last; -1 when there is none
    end_ms: int
    seconds: float  #: of the pass over the recording that `candidate` and `against` were decided in
    cores: int
    swept: list[Tried] = field(default_factory=list)


@dataclass(frozen=True)
class How:
    """How to replay."""

    home: str = "CN"
    secret: bytes | None = None
    skip_bad: bool = False
    cores: int | None = None
    in_progress: int = IN_PROGRESS


def study(
    recording: Recording,
    candidate: Side,
    against: Side | None = None,
    *,
    flips: Path | None = None,
    how: How = How(),
    progress: Progress | None = None,
) -> Study:
    """Replays a recording under a candidate, and beside it under the policy it is held against.

    Parameters
    ----------
    flips
        Where calls with another verdict are written.

    Raises
    ------
    RecordingError
    """
    begun = time.perf_counter()
    sides = [candidate] if against is None else [candidate, against]
    run = _run(recording, sides, how, () if flips is None else FLIP_COLUMNS)
    tallies = [Tally(side.spec) for side in sides]
    scores = [Scoring(side.spec) for side in sides]
    rows, begin, end = 0, -1, -1
    with ExitStack() as stack:
        found = None
        if against is not None:
            found = stack.enter_context(Flips(against.spec, candidate.spec, flips))
        for played in run:
            for answers, tally, score in zip(played.answers, tallies, scores, strict=True):
                tally.add(played.columns, answers)
                score.add(played.columns, answers)
            if found is not None:
                found.add(played.first, played.columns, played.answers[1], played.answers[0])
            times = np.asarray(played.columns["time_ms"].fill_null(-1))
            times = times[played.answers[0]["verdict"] > 0]
            if len(times):
                begin, end = int(times[0]) if begin < 0 else begin, int(times[-1])
            rows = played.first + len(played.answers[0])
            if progress is not None:
                progress("replaying", played.share, run.calls)
    findings = [
        Findings(side, tally, score.score(), lost, why)
        for side, tally, score, lost, why in zip(sides, tallies, scores, run.lost, run.together, strict=True)
    ]
    return Study(
        recording=recording,
        candidate=findings[0],
        against=findings[1] if len(findings) > 1 else None,
        flips=found,
        rows=rows,
        skipped=run.skipped,
        bad=tuple(run.bad),
        begin_ms=begin,
        end_ms=end,
        seconds=time.perf_counter() - begun,
        cores=run.cores,
    )


def sweep(
    recording: Recording,
    sides: Sequence[tuple[Setting, Side]],
    *,
    how: How = How(),
    progress: Progress | None = None,
) -> Iterator[Tried]:
    """Replays a recording under one policy after another, as many at once as there are cores."""
    done = 0
    cores = cores_of(how.cores)
    while done < len(sides):
        some = sides[done : done + cores]
        run = _run(recording, [side for _, side in some], how, ())
        tallies = [Tally(side.spec) for _, side in some]
        scores = [Scoring(side.spec) for _, side in some]
        for played in run:
            for answers, tally, score in zip(played.answers, tallies, scores, strict=True):
                tally.add(played.columns, answers)
                score.add(played.columns, answers)
            if progress is not None:
                progress("sweeping", (done + played.share * len(some)) / len(sides), run.calls)
        for (setting, _), tally, score in zip(some, tallies, scores, strict=True):
            yield Tried(setting, tally, score.score())
        done += len(some)


def _run(recording: Recording, sides: Sequence[Side], how: How, wanted: Sequence[str]) -> Replay:
    return Replay(
        recording,
        sides,
        wanted=(*WANTED, *wanted),
        home=how.home,
        secret=how.secret,
        skip_bad=how.skip_bad,
        cores=how.cores,
        in_progress=how.in_progress,
    )
