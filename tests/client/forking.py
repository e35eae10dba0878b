"""A forking server: `python forking.py TARGET KIND FORKS` uses its client, forks again and again while threads go on
using it, a few workers at once; each worker asks three calls. Prints what the workers and the threads were told."""

import asyncio
import ctypes
import faulthandler
import json
import os
import sys
import threading
from collections import Counter
from typing import Any

from interceptor.client import AsyncScreening, Screening

AT_ONCE = 8
HANGS_S = 20
CALL = {"caller": "+8613800000001", "callee": "+8613900139000"}

target, kind, forks = sys.argv[1], sys.argv[2], int(sys.argv[3])
settings: dict[str, Any] = {"stream": "stream" in kind, "deadline_ms": 30_000}
screening = Screening(target, **settings)
waiting = AsyncScreening(target, **settings)
workers: Counter[str] = Counter()
threads: Counter[str] = Counter()
over = threading.Event()


def ask() -> str:
    if "async" in kind:
        return asyncio.run(waiting.decide(CALL)).rule
    return screening.decide(CALL).rule


def go_on() -> None:
    while not over.wait(0.001):
        threads[screening.decide(CALL).cause] += 1


def work() -> None:
    """In the worker: never returns."""
    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    told = {ask() for _ in range(3)}
    screening.report_call(call_id="worker", event="answered")
    screening.close(HANGS_S)
    sent = screening.lines().tally.reports["sent"]
    os._exit(0 if told == {"listed"} and sent == 1 else 1)


def ended() -> None:
    _, status = os.wait()
    workers["listed" if status == 0 else f"ended with {status}"] += 1


ask()
# From C, the client cannot know of a fork before it is used again: then nobody else may be inside gRPC meanwhile.
fork = ctypes.PyDLL(None).fork if "from-c" in kind else os.fork
users = [] if "from-c" in kind else [threading.Thread(target=go_on) for _ in range(2)]
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
