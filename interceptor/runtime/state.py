"""What the engine knows of calls, kept beyond the process: where it lies."""

import ctypes
import hashlib
import time
from pathlib import Path
from typing import Literal

from interceptor.engine.copies import CopyError
from interceptor.engine.copying import Pace
from interceptor.engine.state import StateDirectory, StateError
from interceptor.runtime.background import Background
from interceptor.runtime.clock import Clock
from interceptor.runtime.logs import Log
from interceptor.runtime.niceness import step_back

#: of every user, in memory, until the machine is started anew
SHARED_MEMORY = Path("/dev/shm")
#: how large pages of shared memory come about: `never` costs every decision some misses more
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")

#: file systems whose files are memory: `f_type` of statfs(2)
IN_MEMORY = {0x01021994: "tmpfs", 0x858458F6: "ramfs", 0x958458F6: "hugetlbfs"}

#: bytes a second that a copy to disk takes of memory: calls are to notice nothing of it
RATE = 150_000_000

#: where state lies: None is memory of the process's own
Place = Path | Literal["default"] | None


def default_place(secret: bytes, data: Path) -> Path:
    """The directory in shared memory of an installation's service that keeps `data`."""
    whose = hashlib.sha256(b"interceptor state place\0" + secret + bytes(data.resolve())).hexdigest()[:12]
    return SHARED_MEMORY / f"interceptor-{whose}"


def open_state(
    place: Place, secret: bytes, data: Path, log: Log, *, beside: bool = False
) -> StateDirectory | None:
    """Opens the directory of the state, if there is to be one. Copies of it are in `data`.

    beside: another process has it, and hands it over. Raises StateError for one that was asked for by name.
    """
    copies = data / "state"
    if place is None:
        return None
    if place != "default":
        state = StateDirectory(place, secret, copies=copies, beside=beside)
        if not in_memory(place):
            log.warning(
                "state lies on a disk: decisions wait for it whenever the system writes it back; name a directory of a "
                "file system in memory (tmpfs), copies on disk are made anyway",
                directory=str(place),
            )
        return state
    place = default_place(secret, data)
    try:
        if not SHARED_MEMORY.is_dir():
            raise StateError(f"{SHARED_MEMORY}: there is no shared memory; name a directory by --state")
        return StateDirectory(place, secret, required=False, copies=copies, beside=beside)
    except StateError as error:
        log.warning("counters will not outlive this process", problem=str(error))
        return None


def in_memory(place: Path) -> bool:
    """Whether the files of a directory are memory; True where the system does not tell."""
    about = (ctypes.c_long * 32)()  # struct statfs takes 15 of them; f_type comes first
    if ctypes.CDLL(None).statfs(bytes(place), about) != 0:
        return True
    return about[0] in IN_MEMORY


class Fetching(Background):
    """Maps the state of an earlier process ahead of the calls, once, at nice 19."""

    def __init__(self, state: StateDirectory | None) -> None:
        super().__init__("fetching")
        self._state = state

    def _run(self) -> None:
        step_back()
        for _ in () if self._state is None else self._state.fetch():
            if self._stopping.is_set():
                break


class Copying(Background):
    """Copies the state to disk every so many seconds, slowly and while nobody else wants the core; and once at the end.

    That last one is made by whoever stops it, as fast as it goes: no call waits for the core any more, and behind busy
    neighbours a thread at nice 19 would not come to its end in time. One that it finds being made is given up.
    """

    def __init__(self, state: StateDirectory | None, period: float, clock: Clock, log: Log) -> None:
        super().__init__("copying")
        self._state = state
        self._period = period
        self._clock = clock
        self._log = log
        self._failing = False
        self._beside = Pace(RATE)
        self.ours = True  #: no other process goes on with the state, and copies it
        self.made_ms = 0  #: when the last copy was made; 0: none yet
        self.seconds = 0.0  #: that it took

    def _run(self) -> None:
        if self._state is None or not self._period:
            return
        step_back()
        while not self._stopping.wait(self._period):
            self._copy(self._state, self._beside)

    def stop(self) -> None:
        """Makes the last copy, if this process began to make any."""
        self._beside.give_up()
        super().stop()
        if self._thread.ident and self._state is not None and self._period and self.ours:
            self._copy(self._state, Pace())

    def _copy(self, state: StateDirectory, pace: Pace) -> None:
        begun = time.monotonic()
        try:
            missed = state.copy(pace)
        except CopyError:
            return
        except OSError as error:
            if not self._failing:
                self._log.warning(
                    "counters not copied to disk, the last copy stays",
                    directory=str(state.copies),
                    problem=error.strerror or str(error),
                )
            self._failing = True
            return
        self._failing = False
        self.made_ms, self.seconds = self._clock.now_ms(), time.monotonic() - begun
        self._log.debug("counters copied to disk", seconds=round(self.seconds, 3), missed=missed)


def tell(state: StateDirectory | None, log: Log) -> None:
    """Says what was found of an earlier process, and what was not taken up."""
    if state is None:
        return
    counts = state.counts
    for name, problem in counts.left_out:
        log.warning("state of an earlier process left out, it is begun anew", file=name, problem=problem)
    for name, problem in counts.private:
        log.warning("a table that will not outlive this process", table=name, problem=problem)
    log.info(
        "state",
        directory=str(state.path),
        bytes=state.nbytes,
        attached=counts.attached,
        restored=counts.restored,
        torn=counts.torn,
        large_pages=_large_pages(),
    )


def _large_pages() -> str:
    try:
        said = HUGE_PAGES.read_text()
    except OSError:
        return "unknown"
    return said.partition("[")[2].partition("]")[0]
