"""Debian's Unbound as a program of its own, with a zone of domains to resolve and a response policy zone over it."""

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

UNBOUND = shutil.which("unbound", path="/usr/sbin:/usr/bin:/usr/local/sbin")

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
    """An Unbound that answers on `port` of loopback until `stop`.

    Parameters
    ----------
    policy
        Lines of its ``rpz:`` clause: where the policy zone comes from.
    """

    def __init__(self, directory: Path, policy: list[str], port: int | None = None) -> None:
        self.port = port or free_port()
        (directory / "world.zone").write_text(WORLD)
        configuration = directory / "unbound.conf"
        configuration.write_text(
            f"""\
server:
    interface: 127.0.0.1@{self.port}
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
        assert UNBOUND is not None
        self._log = (directory / "unbound.log").open("wb")
        self._process = subprocess.Popen([UNBOUND, "-dd", "-c", configuration], stderr=self._log)

    def ask(self, name: str) -> str:
        """The address of a name, or why there is none: "NXDOMAIN"."""
        query = dns.message.make_query(name, "A")
        for _ in range(100):
            try:
                answer = dns.query.udp(query, "127.0.0.1", port=self.port, timeout=1)
            except (dns.exception.Timeout, OSError):
                assert self._process.poll() is None, "unbound has ended"
                time.sleep(0.1)  # it is not there yet
                continue
            found = [str(rr) for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for rr in rrset]
            return found[0] if found else dns.rcode.to_text(answer.rcode())
        raise AssertionError("unbound does not answer")

    def comes_to(self, name: str, expected: str) -> bool:
        """Whether the answer becomes `expected`, some time."""
        for _ in range(300):
            if self.ask(name) == expected:
                return True
            time.sleep(0.1)
        return False

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()


def free_port() -> int:
    """A port that nothing has just now, for a program that cannot choose one by itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port: int = udp.getsockname()[1]
        return port
