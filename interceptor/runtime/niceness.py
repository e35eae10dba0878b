"""Who goes first on a busy machine: threads that step back behind the calls, and step forward when all is to end.

Linux keeps niceness, and the scheduler's policy, per thread.
"""

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

LAST = 19


def step_back() -> None:
    """Puts the calling thread, and it alone, at nice 19."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LAST)


def step_forward() -> None:
    """Puts each thread of this process where the calling one is, as far as the system permits.

    For who is about to wait for all of them: beside busy neighbours one at nice 19 has its turn after seconds, each
    time, and whoever wants Python's lock while such a thread has it waits as long. Root may do so, and who has
    CAP_SYS_NICE or a limit of niceness (RLIMIT_NICE, systemd's LimitNICE=) that reaches as far.
    """
    # First those that may have Python's lock: to list the directory lets go of it, and gets it back after seconds.
    _forward(each.native_id for each in threading.enumerate() if each.native_id is not None)
    _forward(int(each.name) for each in Path("/proc/self/task").iterdir())


def _forward(threads: Iterable[int]) -> None:
    niceness, policy = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)
    for each in threads:
        with suppress(OSError):  # not permitted, or it has ended
            if os.sched_getscheduler(each) == os.SCHED_IDLE != policy:  # it copies the state
                os.sched_setscheduler(each, os.SCHED_OTHER, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, each, niceness)
