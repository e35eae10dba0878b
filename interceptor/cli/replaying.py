"""What `interceptor replay` does: reads policies and lists, replays, shows and writes what came of it."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from interceptor.cli.failing import EXIT_USAGE, Failure
from interceptor.cli.printing import to_person
from interceptor.cli.replaytables import show
from interceptor.engine.spec import Spec
from interceptor.numbering import load_plan
from interceptor.policy import PolicyError, load_policy
from interceptor.replay import study as studies
from interceptor.replay.document import Document, document
from interceptor.replay.page import page
from interceptor.replay.play import SECRET, Side
from interceptor.replay.recording import Recording, RecordingError
from interceptor.replay.sweep import Setting, Sweep, SweepError, grid, with_thresholds
from interceptor.runtime.loader import policy_path
from interceptor.store.listfile import ListFile, ListFileError, read_list


@dataclass(frozen=True)
class Options:
    """The command line of `interceptor replay`."""

    policy: str
    against: str | None
    sweeps: tuple[str, ...]
    columns: tuple[str, ...]
    lists: tuple[str, ...]
    skip_bad: bool
    home: str
    cores: int | None
    flips: Path | None
    report: Path | None
    json: Path | None
    show_numbers: bool


def replay(calls: Path, options: Options) -> None:
    """Replays, and tells what came of it. Raises Failure when something is wrong with that."""
    if options.flips is not None and options.against is None:
        raise Failure("--flips needs --against: the policy whose answers would change", EXIT_USAGE)
    try:
        sweeps = grid([Sweep.read(text) for text in options.sweeps]) if options.sweeps else []
        recording = Recording(calls, pairs("--column", "FIELD=NAME", options.columns))
        files = _Files(pairs("--list", "NAME=FILE", options.lists), options.home, recording.begin_ms())
        candidate = files.side(policy_of(options.policy))
        against = None if options.against is None else files.side(policy_of(options.against))
        files.check_used()
        tried = [(setting, files.side(varied(options.policy, setting))) for setting in sweeps]
        found = _replayed(recording, candidate, against, tried, options)
    except (RecordingError, SweepError, ListFileError) as error:
        raise Failure(str(error)) from None
    if options.report is not None:
        options.report.write_text(page(found), encoding="utf-8")
    if options.json is not None:
        options.json.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if to_person():
        show(found)
    elif options.json is None:
        print(json.dumps(found, ensure_ascii=False, indent=1))


def _replayed(
    recording: Recording,
    candidate: Side,
    against: Side | None,
    tried: list[tuple[Setting, Side]],
    options: Options,
) -> Document:
    how = studies.How(home=options.home, skip_bad=options.skip_bad, cores=options.cores)
    with progress_bar() as progress:
        found = studies.study(recording, candidate, against, flips=options.flips, how=how, progress=progress)
        found.swept.extend(studies.sweep(recording, tried, how=how, progress=progress))
    return document(found, show_numbers=options.show_numbers)


def policy_of(name: str) -> Spec:
    """The policy of a file, or a shipped one. Raises Failure; its problems are printed."""
    try:
        return load_policy(policy_path(name))
    except FileNotFoundError as error:
        raise Failure(str(error)) from None
    except PolicyError as error:
        print(error, file=sys.stderr)
        count = len(error.problems)
        raise Failure(f"{name} has {count} problem{'s' if count > 1 else ''}") from None


def varied(name: str, setting: Setting) -> Spec:
    """The policy under other thresholds."""
    try:
        return with_thresholds(policy_path(name), setting)
    except PolicyError as error:
        values = ", ".join(f"thresholds.{key}={value}" for key, value in setting.items())
        raise Failure(f"{name} with {values}: {error.problems[0].message}") from None


class _Files:
    """Lists of policies as files have them, each file read once."""

    def __init__(self, given: Mapping[str, str], home: str, now_ms: int) -> None:
        self._given, self._home, self._now = given, home, now_ms
        self._read: dict[tuple[str, str], ListFile] = {}
        self._used: set[str] = set()

    def side(self, spec: Spec) -> Side:
        files = {}
        for entry in spec.lists:
            path = self._given.get(entry.name, entry.file)
            self._used.add(entry.name)
            if path is None:
                continue
            key = path, entry.kind
            if key not in self._read:
                self._read[key] = read_list(
                    path, entry.kind, load_plan(), self._home, SECRET, self._now, allow_bad=entry.allow_bad
                )
            files[entry.name] = self._read[key]
        return Side(spec, files=files)

    def check_used(self) -> None:
        for name in self._given:
            if name not in self._used:
                known = ", ".join(sorted(self._used)) or "none"
                raise Failure(f"--list {name}: the policy has no such list; there are {known}", EXIT_USAGE)


def pairs(option: str, form: str, texts: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise Failure(f"{option} {text}: write {form}", EXIT_USAGE)
        if name in found:
            raise Failure(f"{option} {name} is given twice", EXIT_USAGE)
        found[name] = value
    return found


@contextmanager
def progress_bar() -> Iterator[studies.Progress]:
    """A bar for the replay and one for the sweep, with the time they still take; gone when all is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[calls]:,} calls"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, share: float, calls: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=1.0, calls=0)
            bars.update(tasks[what], completed=share, calls=calls)

        yield report
