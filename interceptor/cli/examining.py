"""What `interceptor doctor` looks at, and `interceptor probe` asks."""

import ctypes
import json
import os
import resource
import shutil
import socket
import ssl
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interceptor.cli.checking import counters_memory
from interceptor.cli.connection import Connection
from interceptor.cli.failing import Failure
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.policy import PolicyError, load_policy
from interceptor.runtime.addresses import ListenError, endpoint
from interceptor.runtime.certificates import end_of_authorities, end_of_chain, own_certificate
from interceptor.runtime.loader import policy_path
from interceptor.runtime.state import HUGE_PAGES, SHARED_MEMORY
from interceptor.store.backup import problems
from interceptor.store.database import FILE

GOOD, LOOK, BAD = "good", "look", "bad"
STYLES = {GOOD: "green", LOOK: "yellow", BAD: "red"}
GB = 1 << 30
#: days before its end from which a certificate is told of, free disk below which a store is
SOON, ROOM = 21, 2 * GB
#: bytes: of a process without lists and counters, of a listed number; see "How large a machine" in the README
BASE, NUMBER = 300 << 20, 27
FILES = 16_384 + 1_024
ASKING = 2  # seconds that a port has to answer
ANSWERS, FREE, BUSY = "answers", "is free", "is taken, and lets nobody in"
PORTS = {
    ANSWERS: "",
    FREE: "if the service is to run: start it, and look at its last line",
    BUSY: "whoever has it stands still, or has more to do than it can: look at the machine's load, and at its log",
}
_UNSYNC, _ERROR = 0x40, 5  # STA_UNSYNC, TIME_ERROR (adjtimex(2))


@dataclass(frozen=True)
class Where:
    """What is looked at."""

    data: Path
    store: str | None
    ports: tuple[str, str, str]
    policy: str | None  #: a file, or a shipped policy's name
    certificate: Path | None
    key: Path | None
    clients: Path | None
    name: str | None
    sinks: Path | None


@dataclass(frozen=True)
class Finding:
    """One thing, and what to do about it."""

    what: str
    state: str
    found: str
    do: str = ""


def doctor(where: Where, *, as_json: bool) -> int:
    """Prints what it finds; the exit code."""
    looks: tuple[Callable[[Where], Iterator[Finding]], ...] = (
        _ports, _health, _certificates, _sinks, _store, _memory, _pages, _clock, _shared, _files, _governor,
    )  # fmt: skip
    findings = [finding for look in looks for finding in look(where)]
    if as_json:
        print(json.dumps([asdict(each) for each in findings], indent=2))
    else:
        table = Table("", "what", "found", "what to do")
        for each in findings:
            table.add_row(Text(each.state, STYLES[each.state]), each.what, Text(each.found), Text(each.do))
        Console().print(table)
    return int(any(each.state == BAD for each in findings))


def _heard(address: str) -> str:
    """Who is at a port of this machine."""
    try:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as one:
                # Only a blocking connect waits for a place in the queue; Python's own timeout makes it fail at once.
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", ASKING, 0))
                one.connect(address.removeprefix("unix:").removeprefix("//"))
        else:
            socket.create_connection(endpoint(address), ASKING).close()
    except (BlockingIOError, TimeoutError):
        return BUSY
    except OSError:
        return FREE
    return ANSWERS


def _ports(where: Where) -> Iterator[Finding]:
    for name, address in zip(("listen", "control", "metrics"), where.ports, strict=True):
        if not address:
            continue
        try:
            heard = _heard(address)
        except ListenError as error:
            yield Finding(f"port {name}", BAD, str(error), f"give --{name} HOST:PORT")
            continue
        state = GOOD if heard == ANSWERS else LOOK
        yield Finding(f"port {name}", state, f"{address} {heard}", PORTS[heard])


def _health(where: Where) -> Iterator[Finding]:
    try:
        if not where.ports[2] or _heard(where.ports[2]) == FREE:
            return
    except ListenError:
        return
    try:
        with urllib.request.urlopen(f"http://{where.ports[2]}/readyz", timeout=5) as answer:
            yield Finding("readiness", GOOD, answer.read(200).decode(errors="replace").strip())
    except urllib.error.HTTPError as error:
        said = error.read(200).decode(errors="replace").strip()
        yield Finding("readiness", BAD, f"{error.code}: {said}", "wait until it has loaded; look at its log")
    except (OSError, ValueError) as error:
        yield Finding("readiness", LOOK, str(error), "is it served by TLS, or another program's port?")


def _certificates(where: Where) -> Iterator[Finding]:
    if where.certificate is None or where.key is None:
        yield Finding("certificate", GOOD, "none is named: plain text, for this machine alone")
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(where.certificate, where.key)
    except (OSError, ssl.SSLError) as error:
        yield Finding(
            "certificate",
            BAD,
            f"{where.certificate}, {where.key}: {error}",
            "name a readable PEM chain, own certificate first, and the key that belongs to it",
        )
        return
    said = own_certificate(where.certificate)
    names = [value for kind, value in said.get("subjectAltName", ()) if kind in {"DNS", "IP Address"}]
    state, ends = _until(end_of_chain(where.certificate))
    do = "" if state == GOOD else "renew it, write it beside the old one, move it over, then SIGHUP"
    yield Finding("certificate", state, f"key matches; {ends}", do)
    if where.name is not None:
        wild = where.name.partition(".")[2]
        known = where.name in names or f"*.{wild}" in names
        yield Finding(
            "certificate's names",
            GOOD if known else BAD,
            ", ".join(names) or "none",
            "" if known else f"issue one with subjectAltName {where.name}, or let switches use a name it has",
        )
    if where.clients is not None:
        try:
            context.load_verify_locations(where.clients)
        except (OSError, ssl.SSLError) as error:
            yield Finding(
                "clients' CA", BAD, f"{where.clients}: {error}", "name a PEM file of CA certificates"
            )
        else:
            state, ends = _until(end_of_authorities(where.clients))
            do = (
                ""
                if state == GOOD
                else "add the next CA to the file, SIGHUP, then renew the clients' certificates"
            )
            yield Finding("clients' CA", state, f"{len(context.get_ca_certs())} certificates; {ends}", do)


def _sinks(where: Where) -> Iterator[Finding]:
    if where.sinks is None:
        return
    from interceptor.delivery.settings import SinksError, read_settings  # noqa: PLC0415 - where there are sinks

    try:
        authorities = read_settings(where.sinks).authorities
    except SinksError as error:
        yield Finding("sinks", BAD, str(error), "mend the file: the service does not start with it")
        return
    for name, path in authorities.items():
        try:
            state, ends = _until(end_of_authorities(path))
        except OSError as error:
            yield Finding(f"CA of sink {name}", BAD, f"{path}: {error}", "name a PEM file of CA certificates")
        else:
            do = (
                ""
                if state == GOOD
                else "put the receiver's next CA into the file, and start the service anew"
            )
            yield Finding(f"CA of sink {name}", state, ends, do)


def _until(end: float) -> tuple[str, str]:
    """How good it is that something ends then, and in words."""
    days = int((end - time.time()) // 86400)
    date = datetime.fromtimestamp(end, UTC).isoformat(timespec="minutes")
    return BAD if days < 0 else LOOK if days < SOON else GOOD, f"ends in {days} days ({date})"


def _store(where: Where) -> Iterator[Finding]:
    if not where.data.is_dir():
        yield Finding(
            "data", LOOK, f"{where.data} is not there", "the first start makes it; or name another by --data"
        )
        return
    if not os.access(where.data, os.W_OK | os.X_OK):
        yield Finding(
            "data", BAD, f"{where.data} cannot be written", "chown it to the service's user; mode 0700"
        )
    free = shutil.disk_usage(where.data).free
    yield Finding(
        "disk",
        BAD if free < ROOM // 4 else LOOK if free < ROOM else GOOD,
        f"{free / GB:.1f} GB free at {where.data}",
        "" if free >= ROOM else "make room: changes are refused when it is full; calls go on",
    )
    if where.store is None and (where.data / FILE).is_file():
        wrong = problems(where.data)
        yield Finding(
            "store",
            BAD if wrong else GOOD,
            "; ".join(wrong) or "opens, and its pages are whole",
            "stop the service, move it aside, `interceptor restore` the last backup" if wrong else "",
        )


def _memory(where: Where) -> Iterator[Finding]:
    counters, numbers = 0, 0
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = min([there, *_limits()])
    if where.policy is not None:
        try:
            counters, _ = counters_memory(load_policy(policy_path(where.policy)), "CN")
        except (PolicyError, OSError) as error:
            yield Finding(
                "policy", BAD, str(error).splitlines()[0], f"interceptor policy check {where.policy}"
            )
            return
        except MemoryError:
            counters = limit
    image = where.data / "lists.image"
    if image.is_file():
        numbers = image.stat().st_size // 8
    bound = BASE + 2 * NUMBER * numbers + counters
    state = GOOD if bound < 0.9 * limit else BAD
    said = f"about {bound / GB:.1f} GB" if counters < limit else f"more than {limit / GB:.1f} GB"
    of = f"{numbers:,} listed" + (
        ", and the policy's counters" if where.policy else "; the counters' by --policy"
    )
    yield Finding(
        "memory",
        state,
        f"{said} for {of}, of {limit / GB:.1f} GB",
        "" if state == GOOD else "lower the policy's `entities`, raise MemoryMax, or take a larger machine",
    )


def _limits() -> Iterator[int]:
    """Of the control groups that this process is in."""
    try:
        own = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")
    except OSError:
        return
    folder = Path("/sys/fs/cgroup", own)
    for each in (folder, *folder.parents):
        try:
            said = (each / "memory.max").read_text().strip()
        except OSError:
            continue
        if said.isdecimal():
            yield int(said)


def _pages(_where: Where) -> Iterator[Finding]:
    wanted = (
        (Path("/sys/kernel/mm/transparent_hugepage/enabled"), "lists and counters", {"always", "madvise"}),
        (HUGE_PAGES, "counters in shared memory", {"always", "advise", "within_size"}),
    )
    for path, what, good in wanted:
        try:
            said = path.read_text().partition("[")[2].partition("]")[0]
        except OSError:
            said = "unknown"
        do = f"echo {min(good - {'always'})} > {path}: misses cost decisions up to a fifth more without"
        yield Finding(
            f"huge pages of {what}", GOOD if said in good else LOOK, said, "" if said in good else do
        )


def _clock(_where: Where) -> Iterator[Finding]:
    state = ctypes.create_string_buffer(208)  # struct timex, of which `modes` is 0: a look
    libc = ctypes.CDLL(None, use_errno=True)
    returned = libc.adjtimex(state)
    status = int.from_bytes(state.raw[40:44], "little")
    synced = returned not in {-1, _ERROR} and not status & _UNSYNC
    now = datetime.now(UTC).isoformat(timespec="seconds")
    do = "run chrony or systemd-timesyncd: entries begin and end, and switches' times are compared, by this clock"
    yield Finding(
        "clock",
        GOOD if synced else LOOK,
        f"{now}, {'' if synced else 'not '}synchronised",
        "" if synced else do,
    )


def _shared(_where: Where) -> Iterator[Finding]:
    if not SHARED_MEMORY.is_dir():
        yield Finding(
            "shared memory", LOOK, f"no {SHARED_MEMORY}", "name a directory in memory (tmpfs) by --state"
        )
        return
    free = shutil.disk_usage(SHARED_MEMORY).free
    good = free > GB
    do = "" if good else f"mount -o remount,size=50% {SHARED_MEMORY}; or --state DIR of a larger tmpfs"
    yield Finding("shared memory", GOOD if good else LOOK, f"{free / GB:.1f} GB free at {SHARED_MEMORY}", do)


def _files(_where: Where) -> Iterator[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    good = soft >= FILES or soft == resource.RLIM_INFINITY
    do = (
        ""
        if good
        else f"LimitNOFILE=65536 in the unit (or ulimit -n; at most {hard} here): a file a connection"
    )
    yield Finding("open files", GOOD if good else LOOK, f"{soft:,} for this user's processes", do)


def _governor(_where: Where) -> Iterator[Finding]:
    try:
        said = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return  # a virtual machine has none
    good = said == "performance"
    do = (
        ""
        if good
        else "cpupower frequency-set -g performance: the first calls of a burst wait for the clock else"
    )
    yield Finding("CPU governor", GOOD if good else LOOK, said, do)


def probe(service: Connection, expect: str | None, *, as_json: bool) -> None:
    """Asks about one call of a withheld number. Raises Failure for another verdict than expected."""
    asked = pb.DecideRequest(user_agent="interceptor-probe")
    begun = time.monotonic()
    answer = service.ask("InterceptionService/Decide", asked, pb.DecideResponse)
    took = round(1000 * (time.monotonic() - begun), 3)
    verdict = pb.Verdict.Name(answer.verdict).removeprefix("VERDICT_").lower()
    said = {"verdict": verdict, "rule": answer.rule, "policy_revision": answer.policy_revision, "ms": took}
    print(json.dumps(said) if as_json else f"{verdict} by {answer.rule} in {took} ms")
    if expect is not None and expect.lower() != verdict:
        raise Failure(f"the verdict is {verdict}, not {expect}: see `interceptor policy get` and its rules")
