"""Debian's Kamailio with our script in it, and SIPp on both sides of it: as ordinary processes, on loopback."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import interceptor
from interop.resolver import free_port

PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
KAMAILIO, KAMCMD, SIPP = (shutil.which(name, path=PATH) for name in ("kamailio", "kamcmd", "sipp"))
MODULE = next(Path("/usr/lib").glob("*/kamailio/modules/app_python3.so"), None)
SHIPPED = Path(interceptor.__file__).parent / "integrations/kamailio"
SCENARIOS = Path(__file__).parent / "scenarios"

#: A number that is busy.
BUSY = "sip:13900200486@127.0.0.1"
#: SIPp's exit codes that say the calls are over: all went as the scenario says, or some did not.
OVER = (0, 1)


def why_not() -> str:
    """Why Kamailio cannot be run here with our script in it; "" if it can."""
    for program, package in ((KAMAILIO, "kamailio"), (KAMCMD, "kamailio"), (SIPP, "sip-tester")):
        if program is None:
            return f"{package} is not installed"
    if MODULE is None:
        return "kamailio-python3-modules is not installed"
    embedded = re.search(
        r"libpython3\.(\d+)",
        subprocess.run(["ldd", MODULE], capture_output=True, text=True, check=True).stdout,
    )
    if embedded is None or int(embedded[1]) != sys.version_info.minor:
        ours, theirs = f"3.{sys.version_info.minor}", f"3.{embedded[1] if embedded else '?'}"
        return f"Kamailio embeds Python {theirs}, grpc is installed here for {ours} alone"
    return ""


class Message(NamedTuple):
    """A SIP message as SIPp has recorded it."""

    first: str
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        """The value of a header field; "" where there is none."""
        found = self.all(name)
        assert len(found) <= 1, f"{name} is there {len(found)} times: {self}"
        return found[0] if found else ""

    @property
    def status(self) -> int:
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def final(self) -> bool:
        return self.status >= 200


def message(text: str) -> Message:
    """What a datagram says."""
    first, *lines = text.strip().splitlines()
    fields = (line.partition(":") for line in lines)
    return Message(first, tuple((name.strip(), value.strip()) for name, _, value in fields))


def recorded(path: Path) -> list[Message]:
    """What a SIPp has received, in order."""
    blocks = re.split(r"^-{20,}.*\n", path.read_text(errors="replace"), flags=re.MULTILINE)
    found = []
    for block in blocks:
        said, _, text = block.partition("\n\n")
        if "message received" in said:
            found.append(message(text.split("\n\n")[0]))
    return found


class Kind(NamedTuple):
    """Calls that are alike. ``[field0]`` is a call's calling number, ``[field1]`` the called one."""

    calls: Sequence[tuple[str, ...]]
    status: int = 200  #: what they come to
    scenario: str = "talks"
    source: str = "127.0.0.1"  #: the address they come from: a trunk's
    caller: str = "sip:[field0]@example.net"
    callee: str = "sip:[field1]@127.0.0.1"
    display: str = '"Bob"'
    contact: str = ""  #: parameters behind the Contact's URI
    headers: tuple[str, ...] = ()  #: further header fields


def stranger(
    port: int, *headers: bytes, caller: str, tag: str = "", call_id: str = "", to: str = BUSY
) -> Message:
    """The final answer to an INVITE as nobody's telephone writes it, to a number that is busy."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.settimeout(0.5)
        here = f"127.0.0.1:{sender.getsockname()[1]}"
        name = uuid.uuid4().hex
        lines = [
            f"INVITE {to} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{name}",
            f"From: <sip:{caller}@example.net>;tag={name}",
            f"To: <{to}>{tag}",
            f"Call-ID: {call_id or name}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:{here}>",
            "Max-Forwards: 70",
        ]
        text = b"\r\n".join([*(line.encode() for line in lines), *headers, b"Content-Length: 0", b"", b""])
        for _ in range(60):
            sender.sendto(text, ("127.0.0.1", port))
            try:
                while not (answer := message(sender.recv(65536).decode())).final:
                    pass
                return answer
            except TimeoutError:
                continue  # it is sent again, as over UDP it has to be
    raise AssertionError("an INVITE was not answered")


class Party:
    """A SIPp process with its records."""

    def __init__(self, directory: Path, name: str, arguments: Sequence[str]) -> None:
        self.messages = directory / f"{name}.messages"
        self.errors = directory / f"{name}.errors"
        self.said = directory / f"{name}.out"
        assert SIPP is not None
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                [SIPP, *arguments, "-trace_err", "-error_file", str(self.errors), "-nostdin"],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Callers(Party):
    """Calls that are made one after the other, each of which has to end as the scenario says."""

    def __init__(
        self,
        directory: Path,
        name: str,
        kind: Kind,
        kamailio: "Kamailio",
        *,
        rate: int = 20,
        calls: int | None = None,
        record: bool = True,
    ) -> None:
        self.own = f"{name}-"  #: with which each of its Call-IDs begins
        scenario = (SCENARIOS / f"{kind.scenario}.xml").read_text()
        for place, text in {
            "STATUS": str(kind.status),
            "CALLER": kind.caller,
            "CALLEE": kind.callee,
            "DISPLAY": kind.display,
            "CONTACT": kind.contact,
            # SIPp would end the header at a line that is empty.
            "HEADERS": "\n".join(kind.headers or ("X-Nothing: at all",)),
        }.items():
            scenario = scenario.replace(f"@{place}@", text)
        (directory / f"{name}.xml").write_text(scenario)
        rows = [";".join(call) for call in kind.calls]
        (directory / f"{name}.csv").write_text("\n".join(["SEQUENTIAL", *rows, ""]))
        options = {
            "-i": kind.source,
            "-sf": f"{name}.xml",
            "-inf": f"{name}.csv",
            "-m": calls or len(rows),
            "-r": rate,
            "-timeout": 300,
            "-cid_str": f"{self.own}%u-%p",
            "-stf": f"{name}.stat",
            "-fd": 1,
        }
        arguments = [f"127.0.0.1:{kamailio.port}", "-trace_stat"]
        arguments += [str(word) for option in options.items() for word in option]
        if record:
            arguments += ["-trace_msg", "-message_file", f"{name}.messages"]
        self.stat = directory / f"{name}.stat"
        super().__init__(directory, name, arguments)

    def over(self, timeout: float = 330) -> "Callers":
        """Waits for the last call's end."""
        assert self.process.wait(timeout) in OVER, self.said.read_text()[-2000:]
        return self

    def end(self) -> "Callers":
        """Makes no further call, and waits for the end of those that are."""
        self.process.send_signal(signal.SIGUSR1)
        return self.over()

    @property
    def failed(self) -> int:
        return self._counted("FailedCall(C)")

    @property
    def successful(self) -> int:
        return self._counted("SuccessfulCall(C)")

    def trouble(self) -> str:
        """What SIPp said of calls that went otherwise than they should."""
        return self.errors.read_text(errors="replace")[:3000] if self.errors.exists() else ""

    def finals(self) -> list[Message]:
        """Final answers to the INVITEs, one for each call. What is sent again to who had this port before is none."""
        found = {
            message.one("Call-ID"): message
            for message in recorded(self.messages)
            if message.final
            and message.one("CSeq") == "1 INVITE"
            and message.one("Call-ID").startswith(self.own)
        }
        return list(found.values())

    def _counted(self, column: str) -> int:
        names, *rows = (line.split(";") for line in self.stat.read_text().splitlines())
        return int(rows[-1][names.index(column)])


class Called(Party):
    """Who answers the calls that get through: a callee that ends in 0486 is busy, in 0487 only rings."""

    def __init__(self, directory: Path, *, record: bool = True) -> None:
        self.port = free_port()
        arguments = ["-i", "127.0.0.1", "-p", str(self.port), "-sf", str(SCENARIOS / "called.xml")]
        if record:
            arguments += ["-trace_msg", "-message_file", "called.messages"]
        super().__init__(directory, "called", arguments)

    def invited(self) -> list[Message]:
        """INVITEs that came through, each once."""
        found = {
            (message.one("Call-ID"), message.one("CSeq")): message
            for message in recorded(self.messages)
            if message.first.startswith("INVITE ")
        }
        return list(found.values())


class Kamailio:
    """Kamailio with the shipped configuration and script."""

    def __init__(self, directory: Path, settings: str, next_hop: int, *, workers: int = 16) -> None:
        self.port = free_port()
        self._control = f"unix:{directory}/ctl"
        self._log = directory / "kamailio.log"
        (directory / "interceptor.toml").write_text(settings)
        defined: Mapping[str, object] = {
            "LISTEN": f"udp:127.0.0.1:{self.port}",
            "NEXT_HOP": f'"sip:127.0.0.1:{next_hop}"',
            "WORKERS": workers,
            "SCRIPT": f'"{SHIPPED / "screening.py"}"',
            "CONTROL": f'"{self._control}"',
        }
        command = [str(KAMAILIO), "-f", str(SHIPPED / "kamailio.cfg"), "-DD", "-E", "-w", str(directory)]
        command += ["-Y", str(directory), "-P", str(directory / "pid")]
        for name, value in defined.items():
            command += ["-A", f"{name}={value}"]
        path = [str(Path(interceptor.__file__).parent.parent), sysconfig.get_path("platlib")]
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "INTERCEPTOR_KAMAILIO": str(directory / "interceptor.toml"),
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environ, start_new_session=True
            )
        try:
            for _ in range(300):
                assert self.process.poll() is None, f"Kamailio has ended:\n{self.log()}"
                if self.counted("passed", wait=False) is not None:
                    return
                time.sleep(0.1)
            raise AssertionError(f"Kamailio does not start:\n{self.log()}")
        except BaseException:
            self.stop()
            raise

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def counted(self, name: str, *, wait: bool = True) -> int | None:
        """A count of the script: passed, warned, blocked, undecided, failed."""
        asked = subprocess.run(
            [str(KAMCMD), "-s", self._control, "stats.fetch", f"interceptor_{name}"],
            capture_output=True,
            text=True,
            check=wait,
        )
        found = re.search(rf"interceptor_{name}: (\d+)", asked.stdout)
        return int(found[1]) if found else None

    def stop(self) -> None:
        """Ends it with all its processes, which are a group of their own."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
