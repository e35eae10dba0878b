"""What rules put on lists (`add_to`), kept: the engine has it at once, the store a moment later, under the rule's name.

Until an entry is in the store it is in the engine's own table of what rules added. What the store cannot take at the
moment waits here, bounded; what finds no room is counted, and ends with the process.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.engine import Engine
from interceptor.engine.keys import KeyKind, text_key_of
from interceptor.engine.spec import ListKind, Spec
from interceptor.engine.types import Field
from interceptor.runtime.background import Background
from interceptor.runtime.clock import Clock
from interceptor.runtime.desk import Desk
from interceptor.runtime.leave import RULE
from interceptor.runtime.loader import Loader
from interceptor.runtime.logs import Log
from interceptor.store.canonical import text_of
from interceptor.store.words import NewEntry, StoreError, StoreRefusedError

#: seconds between two batches: each is a change of its own, with its audit record
PERIOD = 0.2
#: entries of a batch, and entries that may wait
BATCH, WAITING = 5_000, 65_536
#: revisions whose rules are known: events wait in the ring for a moment
SPECS = 16


@dataclass(frozen=True)
class _Entry:
    list_name: str
    rule: str
    reason: str
    text: str
    until_ms: int


class Additions(Background):
    """Keeps what rules add. The drain calls `take`; a thread of its own writes."""

    def __init__(self, engine: Engine, loader: Loader, desk: Desk, clock: Clock, log: Log) -> None:
        super().__init__("additions")
        self._engine = engine
        self._loader = loader
        self._desk = desk
        self._clock = clock
        self._log = log
        self._specs: dict[int, Spec] = {}
        self._waiting: deque[_Entry] = deque()
        self._lock = threading.Lock()
        self._failing = False
        self.kept = 0  #: entries that are in the store
        self.lost = 0  #: for which there was no room

    @property
    def waiting(self) -> int:
        """Entries that are not in the store yet."""
        return len(self._waiting)

    def record(self, revision: int, spec: Spec) -> None:
        """A policy came into force: its rules may add from now on."""
        specs = {**self._specs, revision: spec}
        self._specs = dict(list(specs.items())[-SPECS:])

    def take(self, events: npt.NDArray[np.void]) -> None:
        """Events of the engine, of which some say what a rule added."""
        for event in events[(events["added"] != 0) & (events["trial"] == 0)]:
            spec = self._specs.get(int(event["revision"]))
            if spec is None or int(event["rule"]) >= len(spec.rules):
                continue
            rule = spec.rules[int(event["rule"])]
            if rule.add_to is None or spec.lists[rule.add_to.list].file is not None:
                continue
            listed = spec.lists[rule.add_to.list]
            text = self._written(listed.kind, int(event["added_key"]), bytes(event["added_text"]))
            if text is None:
                self.lost += 1
                continue
            until = int(event["time_ms"]) + rule.add_to.for_ms
            entry = _Entry(listed.name, rule.id, rule.reason, text, until)
            with self._lock:
                if len(self._waiting) < WAITING:
                    self._waiting.append(entry)
                else:
                    self.lost += 1

    def _written(self, kind: ListKind, key: int, text: bytes) -> str | None:
        """What a rule added, as an entry is written; None for a trunk's name that is longer than events have room for:
        what they have of it is another trunk's."""
        if kind is not ListKind.TRUNK:
            return text_of(kind, key)
        whole = text_key_of(self._engine.secret, KeyKind.KEY_TEXT + Field.F_TRUNK, text) == key
        return text.decode(errors="replace") if whole else None

    def give(self) -> list[dict[str, Any]]:
        """What waits still, for the process that goes on."""
        with self._lock:
            return [asdict(entry) for entry in self._waiting]

    def inherit(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """What the process before could not keep any more. Raises TypeError for what is none of it."""
        taken = [_Entry(**each) for each in entries]
        with self._lock:
            room = max(WAITING - len(self._waiting), 0)
            self._waiting.extend(taken[:room])
            self.lost += len(taken[room:])

    def _run(self) -> None:
        # Not stepped back: operators wait for the lock it takes.
        while True:
            last = self._stopping.wait(PERIOD)
            while self._waiting and self._write():
                pass
            if last:
                return

    def _write(self) -> bool:
        """Writes a batch; whether it could."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        grouped: dict[tuple[str, str], dict[str, _Entry]] = defaultdict(dict)
        for entry in batch:
            grouped[entry.list_name, entry.rule][entry.text] = entry
        while grouped:
            (name, rule), entries = grouped.popitem()
            try:
                self._keep(name, rule, entries)
            except StoreRefusedError as error:
                self._log.error("what a rule added is not kept", rule=rule, list=name, problem=str(error))
                self.lost += len(entries)
            except StoreError as error:
                left = [entry for some in (entries, *grouped.values()) for entry in some.values()]
                with self._lock:
                    self._waiting.extendleft(reversed(left))
                if not self._failing:
                    self._log.error("what rules add waits for the store, decisions go on", problem=str(error))
                self._failing = True
                return False
        self._failing = False
        return True

    def _keep(self, name: str, rule: str, entries: dict[str, _Entry]) -> None:
        now, who = self._clock.now_ms(), RULE + rule
        new = [
            NewEntry(each.text, reason=each.reason, valid_until_ms=each.until_ms)
            for each in entries.values()
            if each.until_ms > now
        ]
        if not new:
            return
        with self._desk.open() as store:
            done = store.lists.add(name, who, new, actor=who, now_ms=now)
            self._desk.settle(name, done.touched)
        self.kept += done.added
