"""What the engine knows of calls, kept beyond the process: where it lies."""

import hashlib
from pathlib import Path
from typing import Literal

from interceptor.engine.state import StateDirectory, StateError
from interceptor.runtime.logs import Log

#: of every user, in memory, until the machine is started anew
SHARED_MEMORY = Path("/dev/shm")
#: how large pages of shared memory come about: `never` costs every decision some misses more
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")

#: where state lies: None is memory of the process's own
Place = Path | Literal["default"] | None


def default_place(secret: bytes, data: Path) -> Path:
    """The directory in shared memory of an installation's service that keeps `data`."""
    whose = hashlib.sha256(b"interceptor state place\0" + secret + bytes(data.resolve())).hexdigest()[:12]
    return SHARED_MEMORY / f"interceptor-{whose}"


def open_state(place: Place, secret: bytes, data: Path, log: Log) -> StateDirectory | None:
    """Opens the directory of the state, if there is to be one. Raises StateError for one that was asked for by name."""
    if place is None:
        return None
    if place != "default":
        return StateDirectory(place, secret)
    place = default_place(secret, data)
    try:
        if not SHARED_MEMORY.is_dir():
            raise StateError(f"{SHARED_MEMORY}: there is no shared memory; name a directory by --state")
        return StateDirectory(place, secret, required=False)
    except StateError as error:
        log.warning("counters will not outlive this process", problem=str(error))
        return None


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
        torn=counts.torn,
        large_pages=_large_pages(),
    )


def _large_pages() -> str:
    try:
        said = HUGE_PAGES.read_text()
    except OSError:
        return "unknown"
    return said.partition("[")[2].partition("]")[0]
