"""State that lasts: how soon ten million entities are there again after kill -9, and after a reboot, from their copy.

- the table of a process that was killed, taken up by the next one: promised within a second
- its copy to disk: how long it takes, unthrottled, and how large it is
- the same table restored from the copy, its memory gone: promised within ten seconds
- the same of the whole service, which was asked about ten million callers: from its start to its first answer
- what its copies cost calls: the longest answer of an open loop while they are made, beyond what idle cores keep a call
  from and beyond the same without copies. Runs without, with, and of idle cores alternate and are of one length; the
  median of the rounds' longest counts, for a single one is whatever the machine did once. Beside it, what tells them
  apart better: the percentiles, and how many answers of a thousand took over 1 ms
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
from _service import CORES, Control, complain, drive, requests_of, serve, settle

from interceptor.engine.columns import Measure
from interceptor.engine.copying import Pace
from interceptor.engine.entities import EntityTable
from interceptor.engine.residents import earlier
from interceptor.engine.residents import settle as settle_table
from interceptor.engine.state import StateDirectory
from interceptor.loadtest.histogram import bounds_ns

ENTITIES = 10_000_000
READY, RESTORED = 1.0, 10.0  # seconds
PAUSE_MS = 1.0
RATE = 50_000  # calls a second beside a copy
#: every caller is new: as many calls, as many entities
POLICY = """\
version: 1
entities: {{caller: {slots}}}
counters:
  calls_1h: {{count: call, per: caller, window: 1h}}
  callees_1h: {{distinct: callee, per: caller, window: 1h}}
rules:
  - id: fan-out
    when: counters.callees_1h > 100 || counters.calls_1h > 100
    verdict: warn
    class: analytics
    reason: fan-out
default: pass
"""
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
    table = settle_table("caller", entities, MEANT, 1, StateDirectory(directory, SECRET)).table
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
        missed = state.copy(Pace())
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
        del _table, state
        shutil.rmtree(directory)
    the_service(report, entities)
    report.close()


def the_service(report: Report, entities: int) -> None:
    """Killed and started again, with so many callers known; its copies made beside calls; restored from one."""
    requests = requests_of("never-repeat", listed=1, seed=report.args.seed, calls=400_000)
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory(dir=shared) as memory:
        policy, directory = Path(scratch) / "policy.yaml", Path(memory) / "state"
        policy.write_text(POLICY.format(slots=entities * 6 // 5))
        options = ("--data", str(Path(scratch) / "data"), "--state", str(directory))
        cores = sorted(CORES)

        report.section("The service, after kill -9")
        with serve(policy, *options, "--state-copy", "0", cores=cores) as service:
            settle(service.listen, requests, calls=entities + entities // 50, seconds=600)
            report.figure("entities counted", service.metric("interceptor_entities"), "entities")
            service.process.kill()
            service.process.wait()
        ready = []
        for _ in range(report.rounds(5, quick=2)):
            begun = time.perf_counter()
            with serve(policy, *options, "--state-copy", "0", cores=cores) as service:
                ready.append(time.perf_counter() - begun)
                there = service.metric("interceptor_entities")
                service.process.kill()
                service.process.wait()
        report.figure("entities there", there, "entities")
        report.promise("ready again", report.figure("from its start to ready", ready, "s"), READY, "s")

        report.section(f"The service, copies beside {RATE:,} decisions/s")
        longest: dict[str, list[float]] = {}
        others: dict[str, list[float]] = {}
        seconds = 6.0 if report.args.quick else 40.0
        for _ in range(report.rounds(3, quick=2)):
            for minutes, name in (("0", "without copies"), ("0.01", "with copies")):
                with serve(policy, *options, "--state-copy", minutes, cores=cores) as service:
                    run = drive(
                        service.listen, requests, rate=RATE, duration=seconds, warm_up=1.0, connections=4
                    )
                    complain(report, name, run)
                    copies = service.metric("interceptor_state_copy_seconds")
                longest.setdefault(name, []).append(run.latency.percentile(100) / 1e6)
                for percent in (50, 99, 99.9):
                    others.setdefault(f"p{percent:g}, {name}", []).append(
                        run.latency.percentile(percent) / 1e6
                    )
                over = run.latency.counts[bounds_ns() > PAUSE_MS * 1e6].sum() / run.latency.total
                others.setdefault(f"over {PAUSE_MS:g} ms of a thousand, {name}", []).append(over * 1e3)
            control = Control()
            control.look(seconds)
            longest.setdefault("idle cores", []).append(control.percentile(100) / 1e3)
        for name, samples in others.items():
            report.figure(name, samples, "ms" if name.startswith("p") else "answers")
        report.figure("seconds a copy takes beside them", copies, "s")
        most = {name: report.figure(f"longest, {name}", samples, "ms") for name, samples in longest.items()}
        beyond = most["with copies"] - max(most["idle cores"], most["without copies"])
        report.promise("longest pause beyond both", max(beyond, 0), PAUSE_MS, "ms")

        report.section("The service, after a reboot")
        shutil.rmtree(directory)
        begun = time.perf_counter()
        with serve(policy, *options, "--state-copy", "0", cores=cores) as service:
            report.promise("restored and ready", time.perf_counter() - begun, RESTORED, "s")
            report.figure("entities there", service.metric("interceptor_entities"), "entities")


if __name__ == "__main__":
    main()
