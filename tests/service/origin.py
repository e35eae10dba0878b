"""The process that our commands are forked from: `python origin.py SOCKET`. It has loaded what they load, and nothing
of them has begun in it.

A request is what `become` takes, with three files; the answer is the number of the new process, which is a child of the
one that asked: that takes up those whose own parent has ended.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import time

#: what commands load once they know what they are to do
LOADED = (
    *(
        f"interceptor.cli.{name}"
        for name in ("main", "serving", "asking", "listing", "governing", "overseeing")
    ),
    *(f"interceptor.cli.{name}" for name in ("examining", "entities", "importing")),
    *("interceptor.store.backup", "alembic.command", "sqlalchemy.dialects.sqlite"),
)


def main(asked: socket.socket) -> None:
    """Forks until nobody asks any more. A forked process comes back from here, to run its command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["GRPC_VERBOSITY"] = "NONE"  # as our commands have it before they load gRPC
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()  # else looking for garbage would copy what processes share
    while True:
        request, files, _, _ = socket.recv_fds(asked, 1 << 18, 3)
        if not request:
            asked.close()
            sys.exit()
        number, numbered = os.pipe()
        between = os.fork()
        if between == 0:
            forked = os.fork()
            if forked == 0:
                break
            os.write(numbered, str(forked).encode())
            os._exit(0)
        os.waitpid(between, 0)
        asked.send(os.read(number, 20))
        for file in (number, numbered, *files):
            os.close(file)
    asked.close()
    os.close(number)
    os.close(numbered)
    become(files, **json.loads(request))


def become(files: list[int], line: list[str], environ: dict[str, str], directory: str, session: bool) -> None:
    """Makes this process what it would be had it been started with that command line."""
    for at, file in enumerate(files):
        os.dup2(file, at)
        os.close(file)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - until the process ends
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    if session:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    sys.orig_argv[:] = line
    sys.argv = [sys.modules["interceptor.cli.main"].__file__, *line[3:]]


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
    sys.modules["interceptor.cli.main"].main()
