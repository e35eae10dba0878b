"""A service in a process of its own, on sockets of its own, and what tests ask it."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from google.protobuf.message_factory import GetMessageClass

import interceptor
from interceptor.pb.v1 import admin_pb2
from interceptor.pb.v1 import interception_pb2 as pb
from service.forked import Process

PACKAGE = Path(interceptor.__file__).resolve().parent
SERVICE = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
SAMPLE = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

PORTS = ("--listen", "--control", "--metrics")
STATE = tempfile.TemporaryDirectory(prefix="interceptor-test-")
LISTED = "+8613800000001"
CALLEE = "+8613900139000"

#: One rule for each verdict, one that counts, one in shadow, one that fails.
POLICY = """
version: 1
trunks:
  default: {region: CN}
tags: [dealer]
lists:
  fraud: {kind: number, file: fraud.csv}
  watch: {kind: number}
counters:
  caller_calls_1h: {count: call, per: caller, window: 1h}
  caller_people_1h: {distinct: callee, per: caller, window: 1h}
rules:
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: credit-record}
  - {id: scanner, when: call.user_agent.startsWith("friendly"), verdict: warn, class: analytics, reason: scanner,
     add_to: {list: watch, key: caller, for: 1h}}
  - {id: dealer, when: call.tags.dealer == "bad", verdict: block, class: analytics, reason: dealer}
  - {id: often, when: counters.caller_calls_1h > 2, verdict: block, class: analytics, reason: often, mode: shadow}
  - {id: fails, when: 1 / (counters.caller_calls_1h - counters.caller_calls_1h) > 0, verdict: warn}
  - {id: busy, when: counters.caller_calls_1h > 5, verdict: block, class: analytics, reason: fan-out}
default: pass
"""
LIST = f"number,reason,source,valid_until\n{LISTED},credit-record,police,\n+8613800000002,false-loan,bank,\n"


def write_policy(directory: Path, policy: str = POLICY, fraud: str = LIST) -> Path:
    """Writes policy and list into `directory` and returns the policy's path."""
    (directory / "fraud.csv").write_text(fraud)
    path = directory / "policy.yaml"
    path.write_text(policy)
    return path


def command(*arguments: str | Path) -> list[str]:
    """The command line `interceptor ARGUMENTS`, run by this Python on the package under test."""
    return [sys.executable, "-m", "interceptor.cli.main", *map(str, arguments)]


def environment(**extra: str) -> dict[str, str]:
    """Of a process of ours: what it keeps lies in a directory of this test run, and its counters end with it."""
    return {
        **os.environ,
        "PYTHONPATH": str(PACKAGE.parent),
        "PYTHONWARNINGS": "default",
        "COLUMNS": "120",
        "XDG_STATE_HOME": STATE.name,
        "INTERCEPTOR_STATE": "none",
        **extra,
    }


class Done(NamedTuple):
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


Cli = Callable[..., Done]


class Front:
    """One of the service's ports that answer switches."""

    def __init__(self, address: str, identity: grpc.ChannelCredentials | None = None) -> None:
        self.address = address
        self.channel = (
            grpc.insecure_channel(address) if identity is None else grpc.secure_channel(address, identity)
        )

    def decide(self, timeout: float = 10, **call: Any) -> pb.DecideResponse:
        return self.ask("InterceptionService/Decide", pb.DecideRequest(**call), pb.DecideResponse, timeout)

    def ask(self, method: str, request: Any, kind: Any, timeout: float = 10) -> Any:
        return kind.FromString(self.raw(method, request.SerializeToString(), timeout))

    def raw(self, method: str, data: bytes, timeout: float = 10) -> bytes:
        """Sends bytes that may be no message."""
        answer: bytes = self.channel.unary_unary(f"/interceptor.v1.{method}")(data, timeout=timeout)
        return answer

    def stream(self, messages: Iterable[bytes], timeout: float = 30) -> Iterator[pb.DecideStreamResponse]:
        call = self.channel.stream_stream(
            "/interceptor.v1.InterceptionService/DecideStream",
            response_deserializer=pb.DecideStreamResponse.FromString,
        )
        return iter(call(iter(messages), timeout=timeout))


class Running:
    """`interceptor serve`, started and SERVING: the compiled port for switches, and the control port.

    policy: a file it follows; None: the store's. Without --data it keeps what it keeps in a directory of its own.
    within: a command line that runs it. identity: what its ports are asked with, where they want TLS.
    """

    def __init__(
        self,
        policy: Path | str | None,
        *arguments: str | Path,
        within: Iterable[str] = (),
        identity: grpc.ChannelCredentials | None = None,
    ) -> None:
        self._own: tempfile.TemporaryDirectory[str] | None = None
        if "--data" not in arguments:
            self._own = tempfile.TemporaryDirectory(dir=STATE.name)
            arguments = ("--data", self._own.name, *arguments)
        said = command(
            "serve",
            *(() if policy is None else ("--policy", policy)),
            *(part for port in PORTS if port not in arguments for part in (port, "127.0.0.1:0")),
            *arguments,
        )
        self.process = Process(
            [*within, *said],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        self.lines: list[str] = []
        self._arrived = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            serving = self.event("serving")
        except BaseException:
            self._end()
            raise
        self.data = Front(serving["listen"][0], identity)
        self.control = Front(serving["control"], identity)
        self.metrics: str = serving["metrics"]
        self.zones: int | None = serving["zones"]

    def front(self, name: str) -> Front:
        """The port called `name`: data, or control."""
        return {"data": self.data, "control": self.control}[name]

    def decide(self, **call: Any) -> pb.DecideResponse:
        return self.data.decide(**call)

    def admin(self, method: str, request: Any, timeout: float = 60) -> Any:
        """The answer of AdminService to a request; its kind goes by the method's name."""
        kind = GetMessageClass(SERVICE.methods_by_name[method].output_type)
        return self.control.ask(f"AdminService/{method}", request, kind, timeout)

    def explain(self, **call: Any) -> admin_pb2.ExplainResponse:
        request = admin_pb2.ExplainRequest(call=pb.DecideRequest(**call))
        return self.control.ask("AdminService/Explain", request, admin_pb2.ExplainResponse)

    def reload(self) -> admin_pb2.ReloadResponse:
        return self.control.ask(
            "AdminService/Reload", admin_pb2.ReloadRequest(), admin_pb2.ReloadResponse, 60
        )

    def page(self) -> str:
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def scrape(self, text: str | None = None) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
        """The metrics page, or what somebody else got of it: name -> labels -> value."""
        page: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
        for line in (text or self.page()).splitlines():
            found = SAMPLE.match(line)
            if found:
                labels = frozenset(LABEL.findall(found["labels"] or ""))
                page.setdefault(found["name"], {})[labels] = float(found["value"])
        return page

    def metric(self, name: str, text: str | None = None, /, **labels: str) -> float:
        """Sum of the samples of `name` whose labels include these."""
        samples = self.scrape(text)[name]
        return sum(value for key, value in samples.items() if labels.items() <= dict(key).items())

    def event(self, name: str, timeout: float = 60, after: int = 0) -> dict[str, Any]:
        """The first log line of that event behind the `after`-th, waited for."""
        return self._await(
            lambda: next((e for e in self.events()[after:] if e["event"] == name), None), timeout, name
        )

    def events(self) -> list[dict[str, Any]]:
        """The log so far."""
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, if it still runs; returns its exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        finally:
            self._end()
        for front in (self.data, self.control):
            front.channel.close()
        if self._own is not None:
            self._own.cleanup()
        return code

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        if self._own is not None:
            self._own.cleanup()

    def _await(self, found: Callable[[], Any], timeout: float, what: str) -> Any:
        end = time.monotonic() + timeout
        with self._arrived:
            while (result := found()) is None:
                if self.process.poll() is not None and not self._reader.is_alive():
                    raise AssertionError(
                        f"the service ended with {self.process.returncode}:\n" + "".join(self.lines)
                    )
                if (
                    not self._arrived.wait(min(0.2, max(end - time.monotonic(), 0)))
                    and time.monotonic() > end
                ):
                    raise AssertionError(f"no {what!r} within {timeout} s:\n" + "".join(self.lines))
        return result

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._arrived:
                self.lines.append(line)
                self._arrived.notify_all()


def refused(ask: Callable[[], Any]) -> tuple[str, str]:
    """Status and message that `ask` is refused with."""
    try:
        answer = ask()
    except grpc.RpcError as error:
        return error.code().name, error.details() or ""
    raise AssertionError(f"was not refused but answered {answer}")


def run(*arguments: str | Path) -> Done:
    """Runs `interceptor ARGUMENTS` to its end."""
    with Process(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            printed, said = process.communicate(timeout=120)
        except BaseException:
            process.kill()
            raise
    return Done(process.returncode, printed, said)
