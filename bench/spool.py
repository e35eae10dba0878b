"""Events through the spool, on one core: from the engine's ring into mapped files, and from there to what a sink sends.

Times are of the thread on its core (`time.thread_time`), which leaves out what a shared machine gave to others.
"""

import time
from pathlib import Path

import numpy as np
import structlog
from _report import Report, arguments, interleaved, seconds_of
from _service import scratch

from interceptor.delivery.outlets import Outlets
from interceptor.delivery.selection import Selection
from interceptor.delivery.settings import Sinks
from interceptor.engine.events import EventRing
from interceptor.engine.spec import INSTRUCTION, Code, Rule, Span, Spec, Trunk
from interceptor.engine.types import Field, Verdict
from interceptor.runtime.clock import Clock
from interceptor.runtime.masking import masked
from interceptor.runtime.outcomes import RecentOutcomes
from interceptor.runtime.publishing import Publishing

BATCH, SENT = 4096, 500  # events taken off the ring, and delivered, at once
ASKED = 100_000  # events a second into the spool


def publishing(directory: Path) -> Publishing:
    """What puts events into a spool; its sinks are not started."""
    outcomes = RecentOutcomes()
    rules = (Rule("sim-box", Span(0, 0), Verdict.WARN, reason="sim-box"),)
    outcomes.record(1, Spec(Code(np.zeros(0, INSTRUCTION)), rules, trunks={"default": Trunk("CN")}))
    lines = {"name": "lines", "kind": "file", "path": directory / "lines", "rotate_megabytes": 10_000}
    return Publishing(
        Sinks.model_validate({"version": 1, "spool": {"megabytes": 4096}, "sinks": [lines]}),
        outcomes,
        (),
        data=directory,
        identity="0" * 32,
        secret=bytes(16),
        clock=Clock(),
        log=structlog.get_logger(),
    )


def events() -> np.ndarray:
    """A batch as the ring gives it."""
    ring = EventRing(BATCH)
    for i in range(BATCH):
        numbers = {Field.F_CALLER: (1, b"+86138%08d" % i), Field.F_CALLEE: (1, b"+8613900139000")}
        texts = {
            Field.F_TRUNK: b"east-1",
            Field.F_CALL_ID: b"%020d@10.20.30.40" % i,
            Field.F_IMSI: b"460001234567890",
        }
        said = {"id": i + 1, "verdict": int(Verdict.WARN), "rule": 0, "revision": 1}
        ring.put(texts, numbers=numbers, now=1_772_353_800_000 + i, **said)
    return ring.drain(BATCH)


class Work:
    """The same events again and again; each step returns microseconds an event."""

    def __init__(self, made: Publishing, batches: int) -> None:
        self._made, self._outlets, self._batches = made, made.outlets, batches
        self._events = events()
        self._first = 0
        self._reader = self._outlets.spool.reader("bench")

    def into(self) -> float:
        """Off the ring, into the spool."""

        def work() -> None:
            for _ in range(self._batches):
                self._events["sequence"] = np.arange(self._first, self._first + BATCH)
                self._first += BATCH
                self._made.take(self._events)

        return seconds_of(work, time.thread_time) * 1e6 / (self._batches * BATCH)

    def out(self, numbers: str) -> float:
        """Out of the spool, chosen, masked or not, as JSON: what every sink does before it sends."""
        entry = Sinks.model_validate(
            {"version": 1, "sinks": [{"name": "x", "kind": "file", "path": "x", "numbers": numbers}]}
        ).sinks[0]
        selection = Selection(entry, source="interceptor/x", masked=masked, key=bytes(16))
        done = 0

        def work() -> None:
            nonlocal done
            while taken := self._reader.take(SENT):
                done += sum(1 for each in taken if (event := selection.event(each)) and event.text)
                self._reader.commit()

        self.into()
        return seconds_of(work, time.thread_time) * 1e6 / done


def size_of(outlets: Outlets) -> float:
    """Bytes of the spool an event."""
    spool = outlets.spool
    return sum(segment.end for segment in spool.segments) / (spool.next - spool.segments[0].first)


def main() -> None:
    args = arguments(__doc__)
    report = Report("spool", args, batch=BATCH)
    with scratch() as directory:
        made = publishing(directory)
        work = Work(made, 5 if args.quick else 20)
        times = interleaved(
            {
                "into": work.into,
                "masked": lambda: work.out("masked"),
                "whole": lambda: work.out("whole"),
            },
            rounds=report.rounds(5, quick=3),
            seed=args.seed,
        )
        report.section("An event")
        report.figure("off the ring, into the spool", times["into"], "us")
        report.figure("out of it, masked, as JSON", times["masked"], "us")
        report.figure("out of it, whole, as JSON", times["whole"], "us")
        report.figure("in the spool", size_of(made.outlets), "bytes")
        made.stop()
        report.section("A core")
        report.rate(
            "events a second into the spool", 1e6 / float(np.median(times["into"])), ASKED, "events/s"
        )
    report.close()


if __name__ == "__main__":
    main()
