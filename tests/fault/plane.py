"""A data plane in a process of its own, so that its memory and its files can be counted; and the process's program.

It blocks LISTED. Run as a program it takes DataPlane's settings as JSON, says its addresses, answers every line with
what it has counted, and ends with its input.
"""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np

from dataplane.switch import TIMEOUT, Switch
from interceptor.dataplane.phrasebook import Phrasebook
from interceptor.dataplane.server import DataPlane
from interceptor.dataplane.tls import TlsServer
from interceptor.engine.engine import Engine, ListContent
from interceptor.engine.keys import KeyKind, digits_key_of
from interceptor.numbering import load_plan
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.policy import load_policy
from service.running import CALLEE, LISTED, environment

TESTS = Path(__file__).parent.parent
DECIDE = "/interceptor.v1.InterceptionService/Decide"
DECIDE_STREAM = "/interceptor.v1.InterceptionService/DecideStream"
POLICY = """\
version: 1
lists:
  fraud: {kind: number}
rules:
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: listed-fraud}
default: pass
"""
LISTED_CALL = pb.DecideRequest(caller=LISTED, callee=CALLEE).SerializeToString()


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for what is bound to come."""
    late = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < late, "it did not come to pass"
        time.sleep(0.01)


class Plane:
    """The process, and what can be seen of it. `files`: at most so many open ones."""

    def __init__(self, files: int = 0, **settings: Any) -> None:
        settings = {"listen": ["127.0.0.1:0"], "threads": 2, **settings}
        path = os.pathsep.join([str(TESTS), environment()["PYTHONPATH"]])
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps({"files": files, **settings})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(), "PYTHONPATH": path},
        )
        self.address: str = self._hear()[0]
        self._forgotten: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        code = self._process.wait(TIMEOUT)
        self._process.stdout.close()
        assert code == 0, f"the data plane's process ended with {code}"

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the data plane's process is gone: {self._process.wait(TIMEOUT)}"
        return json.loads(line)

    def traffic(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        counted: dict[str, Any] = self._hear()
        return counted

    def ended(self) -> dict[str, int]:
        """Why connections have ended since `forget`."""
        counted = self.traffic()["ended"].items()
        return {why: new for why, count in counted if (new := count - self._forgotten.get(why, 0))}

    def forget(self) -> None:
        """What has ended so far counts no more."""
        self._forgotten = self.traffic()["ended"]

    def connections(self) -> int:
        return sum(self.traffic()["connections"])

    def resident(self) -> int:
        """Bytes of memory."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def files(self) -> int:
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))


class Neighbour(threading.Thread):
    """A well-behaved switch beside the others: asks until it is left, and must get every answer."""

    def __init__(self, plane: Plane, **settings: Any) -> None:
        super().__init__()
        self._switch = Switch(plane.address, **settings)
        self._over = threading.Event()
        self._first = threading.Event()
        self.answers: list[tuple[int, str]] = []
        self.failed: Exception | None = None

    def run(self) -> None:
        try:
            with self._switch as switch:
                while not self._over.is_set():
                    reply = pb.DecideResponse.FromString(switch.ask(DECIDE, LISTED_CALL))
                    self.answers.append((reply.verdict, reply.rule))
                    self._first.set()
                    self._over.wait(0.002)
        except (AssertionError, OSError) as error:
            self.failed = error
            self._first.set()

    def __enter__(self) -> Self:
        self.start()
        assert self._first.wait(TIMEOUT)
        return self

    def __exit__(self, *_: object) -> None:
        asked = len(self.answers)
        if self.failed is None:
            eventually(lambda: len(self.answers) > asked or self.failed is not None)
        self._over.set()
        self.join()
        assert self.failed is None, self.failed
        assert set(self.answers) == {(pb.VERDICT_BLOCK, "listed")}


def main() -> None:
    settings = json.loads(sys.argv[1])
    files, tls = settings.pop("files"), settings.pop("tls", None)
    engine = Engine(load_plan(), repeats=1 << 12, events=1 << 12)
    words = Phrasebook(
        1, [], [("listed", "listed-fraud", 603, "")], ("default", "", 0, ""), ("emergency", "", 0, ""), []
    )
    key = digits_key_of(KeyKind.KEY_NUMBER, LISTED.removeprefix("+").encode())
    lists = {"fraud": ListContent(np.array([key], np.uint64))}
    engine.publish(load_policy("policy.yaml", POLICY), lists, revision=1, companion=words)
    plane = DataPlane(
        engine,
        clock_offset_ns=time.time_ns() - time.monotonic_ns(),
        tls=TlsServer(*tls, None) if tls else None,
        client_names=None,
        **settings,
    )
    plane.start()
    plane.open()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files or hard, hard))
    print(json.dumps(plane.addresses), flush=True)
    for _ in sys.stdin:
        print(json.dumps(plane.traffic()), flush=True)
    plane.close(0)


if __name__ == "__main__":
    main()
