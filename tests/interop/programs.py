"""Clients in other languages, built into build/interop and driven by JSON lines: `go/main.go` and `node/client.js`."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_health.v1 import health_pb2

from interceptor.pb.v1 import interception_pb2 as pb

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BUILT = ROOT / "build/interop"
CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class Program:
    """One such client, connected to `address` when it is first asked.

    Parameters
    ----------
    command
        Starts it.
    descriptors
        File of a FileDescriptorSet of the services.
    identity
        PEM files: CA, and the client's own Certificate and Key. Without a CA there is no TLS.
    """

    def __init__(self, command: list[str], address: str, descriptors: Path, **identity: Path) -> None:
        settings = {"Address": address, "Descriptors": descriptors, "Proto": ROOT / "proto", **identity}
        self._process = subprocess.Popen(
            [*command, json.dumps(settings, default=str)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "NODE_PATH": str(BUILT / "node/node_modules")},
        )

    def decide(self, *calls: dict[str, Any], timeout: float = 20) -> list[dict[str, Any]]:
        """Asks all calls at once; a refused one's answer has a `code`."""
        (result,) = self._ask(Do="decide", Calls=calls, TimeoutMs=timeout * 1000)
        return [named(answer) for answer in result["answers"]]

    def stream(
        self, *calls: dict[str, Any], timeout: float = 20, hold: bool = False, cancel_after: int = 0
    ) -> tuple[list[dict[str, Any]], str]:
        """Answers of one DecideStream, and how it ended."""
        settings = {"Hold": hold, "CancelAfter": cancel_after, "TimeoutMs": timeout * 1000}
        (result,) = self._ask(Do="stream", Calls=calls, **settings)
        return result.get("answers") or [], CODES[result["code"]]

    def watch(self, service: str = "", timeout: float = 20, cancel_after: int = 0) -> Iterator[str]:
        """Statuses of one Health/Watch as they come, then how it ended."""
        settings = {"Service": service, "CancelAfter": cancel_after, "TimeoutMs": timeout * 1000}
        for result in self._ask(Do="watch", **settings):
            yield result.get("status") or CODES[result["code"]]

    def close(self) -> None:
        self._process.communicate(timeout=30)

    def _ask(self, **asked: Any) -> Iterator[dict[str, Any]]:
        """What it says to a command, line by line; the last one has no status of a Watch."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked | {"TimeoutMs": int(asked["TimeoutMs"])}) + "\n")
        self._process.stdin.flush()
        more = True
        while more:
            line = self._process.stdout.readline()
            assert line, "the program ended; what it said is above"
            result: dict[str, Any] = json.loads(line)
            more = bool(result.get("status"))
            yield result


def named(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"code": CODES[answer["code"]]} if "code" in answer else answer


def go_program() -> list[str]:
    """Builds the client in Go; afterwards it is there until its source changes."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    source = HERE / "go"
    program = BUILT / f"client-{fingerprint(source)}"
    if not program.exists():
        # vcs: whether this is a checkout is of no interest
        subprocess.run(["go", "build", "-buildvcs=false", "-o", program, "."], cwd=source, check=True)
    return [str(program)]


def node_program() -> list[str]:
    """Installs what the client on @grpc/grpc-js needs; afterwards it is there until its lock changes."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    source, target = HERE / "node", BUILT / "node"
    installed = target / f"installed-{fingerprint(source)}"
    if not installed.exists():
        target.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, target)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
        subprocess.run(command, cwd=target, check=True)
        installed.touch()
    return ["node", str(source / "client.js")]


def fingerprint(directory: Path) -> str:
    """Of the files there."""
    contents = [path.read_bytes() for path in sorted(directory.iterdir())]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:12]


def write_descriptors(path: Path) -> Path:
    """The services' descriptors, as `buf build` would write them."""
    both = FileDescriptorSet()
    for module in (pb, health_pb2):
        module.DESCRIPTOR.CopyToProto(both.file.add())
    path.write_bytes(both.SerializeToString())
    return path
