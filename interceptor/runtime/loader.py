"""From a policy to a published snapshot: policy, list files, engine. What fails leaves the last good one in force.

The first load runs where it is asked for; every later one on a builder thread at nice 19, so that a load of millions of
numbers takes no turn from the threads that decide calls.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeVar

from interceptor.dataplane.phrasebook import Phrasebook
from interceptor.engine.engine import Engine, ListContent
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListSpec, Spec
from interceptor.policy import PolicyError, load_policy
from interceptor.policy.reading import read_source
from interceptor.runtime.clock import Clock
from interceptor.runtime.niceness import step_back
from interceptor.runtime.outcomes import EMERGENCY, RecentOutcomes
from interceptor.store.listfile import ListFile, ListFileError, read_list

Result = TypeVar("Result")

#: called with the list, the rows read so far, the bytes read and the bytes there are
Progress = Callable[[str, int, int, int], None]

SHIPPED = Path(__file__).resolve().parent.parent / "policies"


class Fault(StrEnum):
    """Why a load failed."""

    POLICY = "policy"  #: the policy file: what it says is wrong
    LISTS = "lists"  #: a list file it names
    BUILD = "build"  #: neither: no memory, for example


class LoadError(Exception):
    """A load that failed. The last good policy is still in force."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class Written:
    """A policy as it is written, and where."""

    text: str
    origin: str  #: the file's name, for messages
    folder: Path  #: where its list files are looked up


@dataclass(frozen=True)
class Checked:
    """A policy that was found good, with the list files it names."""

    written: Written
    spec: Spec
    read_ms: int  #: when its list files began to be read: entries that had ended by then were left out
    lists: Mapping[str, ListFile] = field(default_factory=dict)  #: by name, those that have a file


@dataclass(frozen=True)
class Loaded(Checked):
    """What is in force."""

    revision: int = 0


class Loader:
    """Checks policies and publishes them to one engine."""

    def __init__(
        self,
        engine: Engine,
        plan: NumberingPlan,
        clock: Clock,
        outcomes: RecentOutcomes,
        *,
        home: str,
        allow_bad: bool = False,
    ) -> None:
        self._engine = engine
        self._plan = plan
        self._clock = clock
        self._outcomes = outcomes
        self._home = home
        self._allow_bad = allow_bad
        self._phrases: Phrasebook | None = None
        self._builder = ThreadPoolExecutor(1, "builder", initializer=step_back)
        self.current: Loaded | None = None

    def build(self, work: Callable[[], Result]) -> Result:
        """Runs `work` on the builder thread, after whatever that is doing, and returns its result.

        Before the first policy is in force no call is being decided, and it runs at once.
        """
        if self.current is None:
            return work()
        return self._builder.submit(work).result()

    def close(self) -> None:
        """Ends the builder thread once it has finished what it is doing."""
        self._builder.shutdown()

    def check(self, written: Written, progress: Progress | None = None, *, files: bool = True) -> Checked:
        """Checks a policy and reads its list files, if that is asked for. Raises LoadError."""
        try:
            spec = load_policy(written.folder / written.origin, written.text, written.folder)
        except PolicyError as error:
            raise LoadError(Fault.POLICY, str(error)) from error
        now = self._clock.now_ms()
        named = [each for each in spec.lists if each.file is not None] if files else []
        lists = {each.name: self._read(each, now, progress) for each in named}
        return Checked(written, spec, now, lists)

    def publish(self, checked: Checked, revision: int, kept: Mapping[str, ListContent]) -> Loaded:
        """Puts a policy into force. kept: entries of lists of the store that the engine does not have yet.

        Raises LoadError; the policy before stays then.
        """
        spec = checked.spec
        content = {name: each.content for name, each in checked.lists.items()}
        # Before the first decision of the new policy, what its rules say must be known.
        self._outcomes.record(revision, spec)
        outcomes = self._outcomes[revision]
        try:
            phrases = Phrasebook(
                revision,
                spec.tags,
                outcomes.rules,
                outcomes.default,
                EMERGENCY,
                outcomes.shadows,
                self._phrases,
            )
            self._engine.publish(spec, {**content, **kept}, revision=revision, companion=phrases)
        except (ValueError, MemoryError, OverflowError) as error:
            raise LoadError(Fault.BUILD, f"{spec.source}: {error or 'not enough memory'}") from error
        self._phrases = phrases
        self.current = Loaded(checked.written, spec, checked.read_ms, checked.lists, revision)
        return self.current

    def _read(self, entry: ListSpec, now: int, progress: Progress | None) -> ListFile:
        assert entry.file is not None
        path = Path(entry.file)
        try:
            return read_list(
                path,
                entry.kind,
                self._plan,
                self._home,
                self._engine.secret,
                now,
                allow_bad=entry.allow_bad or self._allow_bad,
                progress=None if progress is None else partial(progress, entry.name),
            )
        except ListFileError as error:
            raise LoadError(Fault.LISTS, f"list {entry.name}: {error}") from error
        except OSError as error:
            raise LoadError(Fault.LISTS, f"list {entry.name}: {path}: {error.strerror or error}") from error


def read_policy(path: Path) -> Written:
    """The policy file at `path`. Raises LoadError."""
    try:
        return Written(read_source(path).text, path.name, path.parent.absolute())
    except PolicyError as error:
        raise LoadError(Fault.POLICY, str(error)) from error


def policy_path(name: str) -> Path:
    """The policy file `name` says: a path, or the name of a shipped policy.

    Raises
    ------
    FileNotFoundError
        Neither; the message names the shipped policies.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = SHIPPED / f"{name}.yaml"
    if path.name == name and shipped.is_file():
        return shipped
    names = ", ".join(sorted(each.stem for each in SHIPPED.glob("*.yaml")))
    raise FileNotFoundError(f"{name}: no such file, nor a shipped policy (there are: {names})")
