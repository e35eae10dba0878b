"""State that lasts: how soon ten million entities are there again after kill -9, and after a reboot, from their copy.

- the table of a process that was killed, taken up by the next one: promised within a second
- its copy to disk: how long it takes, unthrottled, and how large it is
- the same table restored from the copy, its memory gone: promised within ten seconds
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _report import ROOT, Report, arguments

from interceptor.engine.columns import Measure
from interceptor.engine.entities import EntityTable
from interceptor.engine.residents import earlier, settle
from interceptor.engine.state import StateDirectory

ENTITIES = 10_000_000
READY, RESTORED = 1.0, 10.0  # seconds
SECRET = b"a benchmark's   "
HOUR = 3_600_000
NOW = 1_700_000_000_000
#: what an entity of a usual policy has: calls and different callees of an hour and a day
MEANT = [
    (b"calls", (int(Measure.MEASURE_COUNT), HOUR)),
    (b"callees", (int(Measure.MEASURE_DISTINCT), HOUR)),
]


def fill(directory: Path, entities: int) -> None:
    """Counts a call of each entity, and ends as a process does that is killed."""
    table = settle("caller", entities, MEANT, 1, StateDirectory(directory, SECRET)).table
    count_each(table, entities)
    os.kill(os.getpid(), signal.SIGKILL)


def count_each(table: EntityTable, entities: int) -> None:
    step = 1 << 20
    for first in range(1, entities + 1, step):
        keys = np.arange(first, min(first + step, entities + 1), dtype=np.uint64)
        none = np.zeros_like(keys)
        table.touch_many(keys, none, np.full(len(keys), NOW), keys)


def take_up(directory: Path, copies: Path | None = None) -> tuple[float, int, StateDirectory, EntityTable]:
    """Seconds until the tables are there, and how many entities they hold."""
    begun = time.perf_counter()
    state = StateDirectory(directory, SECRET, copies=copies)
    (resident,) = earlier(state, SECRET)
    return time.perf_counter() - begun, resident.table.used, state, resident.table


def main() -> None:
    if sys.argv[1:2] == ["--fill"]:
        fill(Path(sys.argv[2]), int(sys.argv[3]))
    args = arguments(__doc__)
    entities = ENTITIES // 20 if args.quick else ENTITIES
    report = Report("state", args, entities=entities)
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory(dir=shared) as memory:
        directory, copies = Path(memory) / "state", Path(scratch) / "copies"
        filling = [sys.executable, __file__, "--fill", str(directory), str(entities)]
        subprocess.run(filling, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})

        report.section("after kill -9")
        ready = []
        for _ in range(report.rounds(5, quick=2)):
            seconds, used, state, table = take_up(directory, copies)
            ready.append(seconds)
            state.close()
            del table
        report.figure("entities there", used, "entities")
        report.promise("ready again", report.figure("taken up", ready, "s"), READY, "s")

        report.section("after a reboot")
        _, _, state, table = take_up(directory, copies)
        begun = time.perf_counter()
        missed = state.copy(lambda _: None)
        report.figure("copied to disk, unthrottled", time.perf_counter() - begun, "s")
        report.figure("too busy to be in it", missed, "sets")
        report.figure("size", sum(file.stat().st_size for file in copies.iterdir()) / 1e6, "MB")
        state.close()
        del table, state
        shutil.rmtree(directory)
        seconds, used, state, _table = take_up(directory, copies)
        report.figure("entities there", used, "entities")
        report.promise("restored", seconds, RESTORED, "s")
        state.close()
    report.close()


if __name__ == "__main__":
    main()
