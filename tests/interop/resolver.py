"""Debian's Unbound and BIND as programs, each with domains to resolve and a response policy zone over them."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
UNBOUND, NAMED = shutil.which("unbound", path=PATH), shutil.which("named", path=PATH)

#: what there is in the world: everybody has an address
WORLD = """\
$ORIGIN example.
@ 60 SOA ns.example. nobody.invalid. 1 3600 600 86400 60
@ 60 NS ns.example.
ns 60 A 192.0.2.53
*.fraud 60 A 192.0.2.1
fraud 60 A 192.0.2.1
www.bank 60 A 192.0.2.2
late 60 A 192.0.2.3
numbered 60 A 192.0.2.66
"""


class Resolver:
    """A resolver that answers on `port` of loopback until `stop`."""

    def __init__(self, directory: Path, port: int, command: list[str]) -> None:
        self.port = port
        self._name = command[0]
        self._log = (directory / "resolver.log").open("wb")
        self._process = subprocess.Popen(command, cwd=directory, stderr=self._log)

    def ask(self, name: str) -> str:
        """The address of a name, or why there is none: "NXDOMAIN"."""
        query = dns.message.make_query(name, "A")
        for _ in range(100):
            try:
                answer = dns.query.udp(query, "127.0.0.1", port=self.port, timeout=1)
            except (dns.exception.Timeout, OSError):
                assert self._process.poll() is None, f"{self._name} has ended"
                time.sleep(0.1)  # it is not there yet
                continue
            found = [str(rr) for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for rr in rrset]
            return found[0] if found else dns.rcode.to_text(answer.rcode())
        raise AssertionError(f"{self._name} does not answer")

    def comes_to(self, name: str, expected: str) -> bool:
        """Whether the answer becomes `expected`, some time."""
        for _ in range(600):
            if self.ask(name) == expected:
                return True
            time.sleep(0.1)
        return False

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()


def unbound(directory: Path, policy: list[str], port: int | None = None) -> Resolver:
    """An Unbound; `policy`: lines of its ``rpz:`` clause, which say where the policy zone comes from."""
    port = port or free_port()
    (directory / "world.zone").write_text(WORLD)
    (directory / "unbound.conf").write_text(
        f"""\
server:
    interface: 127.0.0.1@{port}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{directory}"
    pidfile: ""
    use-syslog: no
    do-ip6: no
    module-config: "respip iterator"
auth-zone:
    name: example.
    zonefile: world.zone
    for-downstream: no
rpz:
    name: fraud.rpz.
"""
        + "".join(f"    {line}\n" for line in policy)
    )
    return Resolver(directory, port, [str(UNBOUND), "-dd", "-c", "unbound.conf"])


def named(directory: Path, primary: int, key: str, port: int) -> Resolver:
    """A BIND that takes the policy zone from port `primary`, signing with `key`, a clause about one "resolvers"."""
    (directory / "world.zone").write_text(WORLD)
    (directory / "named.conf").write_text(
        f"""\
{key}
controls {{ }};
options {{
    directory "{directory}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    session-keyfile none;
    recursion yes;
    dnssec-validation no;
    response-policy {{ zone "fraud.rpz" min-update-interval 1; }} qname-wait-recurse no;
}};
zone "fraud.rpz" {{
    type secondary;
    file "fraud.zone";
    primaries {{ 127.0.0.1 port {primary} key "resolvers"; }};
}};
zone "example" {{ type primary; file "world.zone"; }};
"""
    )
    return Resolver(directory, port, [str(NAMED), "-g", "-n", "1", "-c", str(directory / "named.conf")])


def free_port() -> int:
    """A port that nothing has just now, for a program that cannot choose one by itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port: int = udp.getsockname()[1]
        return port
