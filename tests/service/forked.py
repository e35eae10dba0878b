"""Our commands in processes forked from one that has loaded Python and our modules: loading is most of a start.

Such a process has the arguments, environment, directory, files and signals of one that was started, and the test is its
parent. What a test wants to see from the first instruction on it starts with `subprocess`, or within another command.
"""

import atexit
import ctypes
import inspect
import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

OURS = [sys.executable, "-m", "interceptor.cli.main"]
PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
PR_SET_CHILD_SUBREAPER = 36
ASKING = Lock()  # a test may start processes in threads of its own


class Process(subprocess.Popen[str]):
    """`subprocess.Popen`, for which a command line of ours is forked: with env, cwd, files and start_new_session."""

    def _execute_child(self, *how: Any) -> None:
        start = super()._execute_child  # type: ignore[misc]
        given = dict(zip(inspect.signature(start).parameters, how, strict=True))
        environ = dict(os.environ if given["env"] is None else given["env"])
        if given["args"][:3] != OURS or "LD_PRELOAD" in environ:  # sanitizers follow no fork beside threads
            start(*how)
            return
        files = [given["p2cread"], given["c2pwrite"], given["errwrite"]]
        with ASKING:
            origin = origin_of(*sorted(each for each in environ.items() if each[0].startswith("PYTHON")))
            self.pid = origin.fork(
                [at if file == -1 else file for at, file in enumerate(files)],
                line=given["args"],
                environ=environ,
                directory=os.fspath(given["cwd"] or Path.cwd()),
                session=given["start_new_session"],
            )
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in PIPES))  # type: ignore[attr-defined]


class Origin:
    """The process that they are forked from, of a Python with those settings: see origin.py."""

    def __init__(self, settings: dict[str, str]) -> None:
        # The process between it and a forked one ends at once: then the forked one is a child of ours.
        assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        self._asking, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = Path(__file__).with_name("origin.py")
        with asked:
            self._process = subprocess.Popen(
                [sys.executable, "-P", program, str(asked.fileno())],
                env={**os.environ, **settings},
                pass_fds=[asked.fileno()],
            )
        atexit.register(self.end)

    def fork(self, files: list[int], **how: Any) -> int:
        """The number of a new process, a child of this one."""
        socket.send_fds(self._asking, [json.dumps(how).encode()], files)
        return int(self._asking.recv(20))

    def end(self) -> None:
        self._asking.close()
        self._process.wait()


@cache
def origin_of(*settings: tuple[str, str]) -> Origin:
    return Origin(dict(settings))
