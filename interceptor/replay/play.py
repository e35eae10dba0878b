"""Recorded calls decided again: one pass over the file, under one policy or several."""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.border import TEXTS
from interceptor.engine.engine import Engine
from interceptor.engine.spec import ListContent, Spec
from interceptor.engine.types import Field, Happening
from interceptor.numbering import load_plan
from interceptor.replay.columns import Columns, Flaw
from interceptor.replay.needs import apart, columns_read
from interceptor.replay.outcome import ANSWER, BadRow, Outcome
from interceptor.replay.player import Player
from interceptor.replay.recording import Recording, RecordingError, Stretch
from interceptor.replay.values import codes_of
from interceptor.store.listfile import ListFile

#: words of the column `event`, by Happening
EVENTS = {
    "call": Happening.H_CALL,
    "activated": Happening.H_ACTIVATED,
    "reactivated": Happening.H_REACTIVATED,
    "attached": Happening.H_ATTACHED,
    "sms": Happening.H_SMS,
}
#: 16 bytes that key the hashes of texts: the same file gives the same answers
SECRET = bytes(range(16))
MOST_CORES = 32
IN_PROGRESS = 1 << 22  # calls, in each of the engines
BAD_KEPT = 10
_HAPPENINGS = np.array([*EVENTS.values(), 255], dtype=np.uint8)  # the last for what is no word
_SAID = {
    Flaw.FLAW_CONTROL: "holds a control character",
    Flaw.FLAW_UTF8: "is not valid UTF-8",
    Flaw.FLAW_LONG: "is longer than 1,024 bytes",
    Flaw.FLAW_BROKEN: "is broken: its offsets lead outside of the column",
}
_WHOLES = ("time_ms", "answered_ms", "ended_ms", "sim_age_days", "event_time_ms")
_FLAGS = ("international_ingress", "roaming")


@dataclass(frozen=True)
class Side:
    """A policy and what is on its lists."""

    spec: Spec
    lists: Mapping[str, ListContent] = field(default_factory=dict)  #: by name; one that is missing is empty
    #: lists of files, by name: entries end when their time has come
    files: Mapping[str, ListFile] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Played:
    """A stretch of the recording, decided."""

    first: int  #: rows before it
    columns: Mapping[
        str, Any
    ]  #: the columns that were read, Arrow arrays of as many rows as each of `answers`
    answers: tuple[npt.NDArray[np.void], ...]  #: by side: dtype outcome.ANSWER
    share: float  #: of the file that is done


class Replay:
    """Recorded calls under several policies, each with counters and lists of its own, in one pass over the file.

    Iterating decides them, a stretch at a time; once. Several cores are used: a policy keeps one busy, and several
    where callers can be told apart.

    Parameters
    ----------
    recording
        The calls.
    sides
        The policies.
    wanted
        Further columns to hand on with the answers, such as label and instance, where the file has them.
    home, secret
        As the engine's.
    skip_bad
        Pass over rows that are no call; otherwise the first ends the replay with a RecordingError.
    cores
        How many to use; None: all there are.
    in_progress
        Calls whose answer and end are still to come, at most: of more they are not told to a policy.

    Attributes
    ----------
    calls, skipped
        Rows decided and passed over so far.
    bad
        The first ten that were passed over.
    together
        By side: why callers are not decided apart; empty where they are.
    """

    def __init__(
        self,
        recording: Recording,
        sides: Sequence[Side],
        *,
        wanted: Collection[str] = (),
        home: str = "CN",
        secret: bytes | None = None,
        skip_bad: bool = False,
        cores: int | None = None,
        in_progress: int = IN_PROGRESS,
    ) -> None:
        self.recording, self.skip_bad = recording, skip_bad
        self.cores = cores_of(cores)
        each = max(self.cores // len(sides), 1)
        self.sides = [
            _Playing(side, home, SECRET if secret is None else secret, each, in_progress) for side in sides
        ]
        self.fields = frozenset(wanted).union(*(columns_read(side.spec) for side in sides))
        self.together = tuple(playing.together for playing in self.sides)
        self.calls = self.skipped = 0
        self.bad: list[BadRow] = []
        self._latest = -1

    @property
    def lost(self) -> tuple[int, ...]:
        """By side: calls whose answer and end were not told so far, as too many were in progress."""
        return tuple(sum(player.lost for player in playing.players) for playing in self.sides)

    def __iter__(self) -> Iterator[Played]:
        with ThreadPoolExecutor(self.cores, "replay") as pool, ThreadPoolExecutor(1, "reading") as reader:
            stretches = self.recording.stretches(self.fields)
            ahead: Future[Stretch | None] = reader.submit(next, stretches, None)
            while (stretch := ahead.result()) is not None:
                ahead = reader.submit(next, stretches, None)
                yield self._decide(stretch, pool)

    def _decide(self, stretch: Stretch, pool: ThreadPoolExecutor) -> Played:
        rows = _Rows(stretch, self.recording, self._latest)
        self._check(stretch, rows.flawed)
        self._latest = rows.latest
        waiting = [(playing, playing.start(rows, pool)) for playing in self.sides]
        found: dict[int, tuple[str, str]] = {}
        for _, futures in waiting:
            for future in futures:
                found |= future.result()
        self._check(stretch, found)
        answers = tuple(playing.answers for playing, _ in waiting)
        for each in answers:
            each[list(found)] = 0  # what one policy cannot read is no call to the others
        self.calls += int(np.count_nonzero(answers[0]["verdict"]))
        return Played(stretch.first, stretch.columns, answers, stretch.share)

    def _check(self, stretch: Stretch, flawed: Mapping[int, tuple[str, str]]) -> None:
        for row in sorted(flawed):
            column, problem = self.recording.name(flawed[row][0]), flawed[row][1]
            if not self.skip_bad:
                raise RecordingError(self.recording.path, problem, stretch.first + row + 1, column)
            self.skipped += 1
            if len(self.bad) < BAD_KEPT:
                self.bad.append(BadRow(stretch.first + row + 1, column, problem))


def cores_of(asked: int | None) -> int:
    """How many cores to use: those asked for, or all that this process may use."""
    return min(asked or len(os.sched_getaffinity(0)), MOST_CORES)


class _Rows:
    """A stretch as the kernel reads it."""

    def __init__(self, stretch: Stretch, recording: Recording, latest: int) -> None:
        self.columns, self.n, self.first = stretch.columns, stretch.rows, stretch.first
        self.flawed = dict(stretch.flawed)
        self.events: npt.NDArray[np.uint8] | None = None
        if "event" in self.columns:
            codes = codes_of(self.columns["event"], tuple(EVENTS))
            self._note("event", np.flatnonzero(codes < 0), f"is none of {', '.join(EVENTS)}")
            self.events = _HAPPENINGS[codes]
        self.times = np.asarray(self.columns["time_ms"].fill_null(-1), dtype=np.int64)
        self._note("time_ms", np.flatnonzero(self.times < 0), "holds no time since 1970")
        reached = np.maximum.accumulate(np.concatenate(([latest], self.times)))
        self._note("time_ms", np.flatnonzero(self.times < reached[:-1]), "goes back: sort the calls by time")
        self.reached, self.latest = reached[1:], int(reached[-1])  # by row: the latest time by then
        begun = self.times
        for name in ("answered_ms", "ended_ms"):
            if name in self.columns:
                held = np.asarray(self.columns[name].fill_null(2**62), dtype=np.int64)
                self._note(name, np.flatnonzero(held < begun), "is before the call began, or was answered")
                begun = np.where(held < 2**62, held, begun)
        self.bad: npt.NDArray[np.uint8] | None = None
        if self.flawed:
            self.bad = np.zeros(self.n, np.uint8)
            self.bad[list(self.flawed)] = 1

    def _note(self, name: str, rows: npt.NDArray[np.intp], problem: str) -> None:
        for row in rows.tolist():
            self.flawed.setdefault(row, (name, problem))

    def kernel(self, tags: Sequence[str]) -> Columns:
        """The columns for a policy that declares these tags."""
        fields = {**TEXTS, **{f"tags.{tag}": Field.F_TAG + i for i, tag in enumerate(tags)}}
        have = self.columns
        return Columns(
            self.n,
            {int(place): have[name] for name, place in fields.items() if name in have},
            {name: have[name] for name in _WHOLES if name in have},
            {name: have[name] for name in _FLAGS if name in have},
            redirecting=have.get("redirecting"),
            events=self.events,
            bad=self.bad,
        )


class _Playing:
    """One side at work: an engine for each share of the callers."""

    def __init__(self, side: Side, home: str, secret: bytes, cores: int, in_progress: int) -> None:
        digits, self.together = apart(side.spec)
        self.side, self.digits = side, digits or 0
        self.lists = {name: each.content for name, each in side.files.items()} | dict(side.lists)
        self.engines = []
        for _ in range(1 if digits is None else cores):
            engine = Engine(load_plan(), home=home, secret=secret, events=1 << 10, pass_sample=0)
            engine.publish(side.spec, self.lists, revision=1)
            self.engines.append(engine)
        self.players = [Player(engine, in_progress=in_progress) for engine in self.engines]
        self.before = 0  # rows before those at hand
        self.ended = -1  # entries of list files that ended by then are off the lists
        self.answers = np.zeros(0, ANSWER)

    def start(self, rows: _Rows, pool: ThreadPoolExecutor) -> list[Future[dict[int, tuple[str, str]]]]:
        """Begins to decide the rows; each result says what else was wrong with some of them."""
        columns, self.before = rows.kernel(self.side.spec.tags), rows.first
        self.answers = np.zeros(rows.n, ANSWER)
        shares = None
        if len(self.players) > 1:
            shares = np.zeros(rows.n, np.uint8)
            parts = np.linspace(0, rows.n, len(self.players) + 1, dtype=int).tolist()
            told = [
                pool.submit(player.share_out, columns, first, last, shares, len(self.players), self.digits)
                for player, first, last in zip(self.players, parts, parts[1:], strict=False)
            ]
            for each in told:
                each.result()
        pauses = self._pauses(rows.reached)
        return [pool.submit(self._play, place, columns, shares, pauses) for place in range(len(self.players))]

    def _pauses(self, reached: npt.NDArray[np.int64]) -> list[tuple[int, list[tuple[str, ListContent]]]]:
        """Rows before which entries of list files end, and which."""
        last = max(int(reached[-1]), self.ended)
        found: dict[int, list[tuple[str, ListContent]]] = {}
        for name, file in self.side.files.items():
            ends = file.expiries.until
            moments = np.unique(
                ends[np.searchsorted(ends, self.ended, "right") : np.searchsorted(ends, last, "right")]
            )
            before = self.ended
            for moment in moments.tolist():
                row = int(np.searchsorted(reached, moment))
                found.setdefault(row, []).append((name, file.expiries.between(before, moment)))
                before = moment
        self.ended = last
        return sorted(found.items())

    def _play(
        self,
        place: int,
        columns: Columns,
        shares: npt.NDArray[np.uint8] | None,
        pauses: list[tuple[int, list[tuple[str, ListContent]]]],
    ) -> dict[int, tuple[str, str]]:
        player, engine, row = self.players[place], self.engines[place], 0
        found: dict[int, tuple[str, str]] = {}
        for stop, gone in [*pauses, (len(columns), [])]:
            while row < stop:
                row, flaw, at = player.play(
                    columns, row, stop, self.answers, shares, place, before=self.before
                )
                if flaw != Flaw.FLAW_NONE:
                    found[row] = self._name(at), _SAID[Flaw(flaw)]
                    row += 1
            for name, content in gone:
                engine.remove(name, content)
        return found

    def _name(self, place: int) -> str:
        names = {int(each): str(name) for name, each in TEXTS.items()}
        if place >= Field.F_TAG:
            return f"tags.{self.side.spec.tags[place - Field.F_TAG]}"
        return names.get(place, "redirecting")


def replay(
    path: Path | str,
    spec: Spec,
    *,
    lists: Mapping[str, ListContent] | None = None,
    columns: Mapping[str, str] | None = None,
    home: str = "CN",
    secret: bytes | None = None,
    skip_bad: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """What a policy says to every call of a file (Parquet or CSV, sorted by time), answers and ends counted between.

    Parameters
    ----------
    lists
        What is on the policy's lists; one that is missing is empty.
    columns
        Field -> what the file calls it, where that is another name.
    home, secret
        As the engine's.
    skip_bad
        Pass over rows that are no call; otherwise the first ends the replay.
    progress
        Called with the rows done so far.

    Raises
    ------
    RecordingError
        Names file, row and column.
    """
    begun = time.perf_counter()
    run = Replay(
        Recording(path, columns), [Side(spec, lists or {})], home=home, secret=secret, skip_bad=skip_bad
    )
    found = [np.zeros(0, ANSWER)]
    for played in run:
        found.append(played.answers[0])
        if progress is not None:
            progress(played.first + len(played.answers[0]))
    answers = np.concatenate(found)
    return Outcome(spec, answers, run.calls, run.skipped, tuple(run.bad), time.perf_counter() - begun)
