"""A forking server: `python forking.py TARGET KIND FORKS` uses its client, forks again and again while threads go on
using it, a few workers at once; each worker asks three calls. Prints what the workers and the threads were told.

KIND is how it asks, and who forks: Python; "from-c", with nobody inside gRPC; "prepared", from C as Python's C API has
it; "unprepared", from C while a stream is open: those workers are told why nobody can be asked there."""

import asyncio
import ctypes
import faulthandler
import json
import os
import sys
import threading
from collections import Counter
from typing import Any

from interceptor.client import AsyncScreening, Cause, Screening

AT_ONCE = 8
HANGS_S = 20
CALL = {"caller": "+8613800000001", "callee": "+8613900139000"}

target, kind, forks = sys.argv[1], sys.argv[2], int(sys.argv[3])
by, _, _ = kind.rpartition("-")
settings: dict[str, Any] = {"stream": "stream" in kind, "deadline_ms": 30_000}
screening = Screening(target, **settings)
waiting = AsyncScreening(target, **settings)
workers: Counter[str] = Counter()
threads: Counter[str] = Counter()
over = threading.Event()


def hooked(*names: str | None) -> None:
    """Has fork() itself call these functions before, after in the parent, and after in the child, as a host written in
    C does: in the child no line of Python runs before, which may wait for a thread that is not there. Those registered
    last come first, so that gRPC is to have registered its own."""
    hooks = [None if name is None else ctypes.cast(ctypes.pythonapi[name], ctypes.c_void_p) for name in names]
    assert ctypes.PyDLL(None)["__register_atfork"](*hooks, None) == 0


def ask() -> str:
    if by == "async":
        return asyncio.run(waiting.decide(CALL)).rule
    return screening.decide(CALL).rule


def go_on() -> None:
    while not over.wait(0.001):
        threads[screening.decide(CALL).cause] += 1


def work() -> None:
    """In the worker: never returns."""
    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    if by == "unprepared":
        os._exit(0 if all(map(told_so, (screening, screening, Screening(target)))) else 1)
    told = {ask() for _ in range(3)}
    screening.report_call(call_id="worker", event="answered")
    screening.close(HANGS_S)
    sent = screening.lines().tally.reports["sent"]
    os._exit(0 if told == {"listed"} and sent == 1 else 1)


def told_so(client: Screening) -> bool:
    answer = client.decide(CALL)
    return answer.cause == Cause.FORKING and "PyOS_BeforeFork" in answer.detail and not client.connect()


def ended() -> None:
    _, status = os.wait()
    workers["well" if status == 0 else f"ended with {status}"] += 1


ask()
if by == "prepared":
    hooked("PyOS_BeforeFork", "PyOS_AfterFork_Parent", "PyOS_AfterFork_Child")
elif by == "unprepared":
    hooked(None, None, "PyOS_AfterFork_Child")
fork = os.fork if by in {"", "async"} else ctypes.PyDLL(None).fork
users = [] if by in {"from-c", "unprepared"} else [threading.Thread(target=go_on) for _ in range(2)]
for user in users:
    user.start()
for n in range(forks):
    if fork() == 0:
        work()
    if n >= AT_ONCE:
        ended()
for _ in range(min(forks, AT_ONCE)):
    ended()
over.set()
for user in users:
    user.join()
print(json.dumps({"workers": workers, "threads": threads, "afterwards": ask()}))
