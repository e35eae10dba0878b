"""Workers that are forked from a process which has used its client, and goes on using it, have their answers too."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from service.running import Running, environment

SERVER = Path(__file__).parent / "forking.py"


@pytest.mark.parametrize("kind", ["unary", "stream", "async-unary", "async-stream", "from-c-unary"])
def test_every_forked_worker_is_answered(
    kind: str, service: Running, scale: Callable[[int, int], int]
) -> None:
    forks = scale(60, 1000)
    done = subprocess.run(
        [sys.executable, SERVER, service.data.address, kind, str(forks)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["workers"] == {"listed": forks}, done.stderr
    assert told["afterwards"] == "listed"
    # a call that a fork would have to wait for too long is broken off, and answered otherwise
    assert told["threads"].get("", 0) > 0 or kind.startswith("from-c")
