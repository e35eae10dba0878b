"""A service with everything on that it can have, and those who watch it from outside while another follows it."""

import http.client
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import dns.exception
import dns.message
import dns.query
import grpc

from delivery.smsgateway import SECRET, Gateway
from service.certificates import Authority
from service.running import Running

POLICY = """\
version: 1
trunks:
  default: {region: CN}
lists:
  fraud: {kind: number}
  sites: {kind: domain}
guard: {share: 1}
entities: {caller: 20000}
counters:
  calls: {count: call, per: caller, window: 24h}
  people: {distinct: callee, per: caller, window: 24h}
  active: {active: call, per: caller}
  answered: {count: answered, per: caller, window: 24h}
rules:
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: listed-fraud}
  - {id: shop, when: call.user_agent == "shop", verdict: warn, reason: fake-ecommerce-service}
default: pass
"""
SINKS = """\
version: 1
reminders: {{quiet_hours: null}}
sinks:
  - {{name: gateway, kind: webhook, url: "{url}", secret_file: {directory}/secret, numbers: whole}}
  - {{name: lines, kind: file, path: {directory}/lines}}
"""
ZONE = "rpz.test"


class World:
    """What a service has around it: an authority of certificates, an SMS gateway, a place for what it keeps."""

    def __init__(self, directory: Path, gateway: Gateway, authority: Authority) -> None:
        self.directory = directory
        self.gateway = gateway
        self.authority = authority
        self.policy = directory / "policy.yaml"
        self.policy.write_text(POLICY)
        (directory / "secret").write_text(SECRET)
        self.sinks = directory / "sinks.yaml"
        self.sinks.write_text(SINKS.format(url=gateway.url, directory=directory))
        self.renew("first")
        own = authority.issue("switch", "DNS:switch-1.example")
        self.identity = grpc.ssl_channel_credentials(
            authority.ca.read_bytes(), own.key.read_bytes(), own.certificate.read_bytes()
        )

    def renew(self, name: str) -> None:
        """Another certificate lies where the service's own lay."""
        issued = self.authority.issue(name, "IP:127.0.0.1")
        shutil.copy(issued.certificate, self.directory / "own.pem")
        shutil.copy(issued.key, self.directory / "own.key")

    def arguments(self) -> tuple[str | Path, ...]:
        """Of `serve`."""
        return (
            *("--sinks", self.sinks, "--zone", f"{ZONE}=sites", "--zone-listen", "127.0.0.1:0"),
            *("--tls-cert", self.directory / "own.pem", "--tls-key", self.directory / "own.key"),
            *("--tls-client-ca", self.authority.ca, "--tls-allow", "switch-1.example"),
        )


def person(number: int) -> str:
    return f"+86139{number:08}"


def warn(service: Running, persons: Iterable[int], caller: str = "+8613700137000") -> set[str]:
    """A warned call to each of them; the ids of the decisions."""
    calls = [
        service.decide(caller=caller, callee=person(n), call_id=f"{n} {caller}", user_agent="shop")
        for n in persons
    ]
    assert {call.rule for call in calls} <= {"shop"}
    return {call.decision_id for call in calls}


class Watching(Thread):
    """Asks again and again, and keeps what it heard."""

    def __init__(self, ask: Callable[[], object], every: float = 0.01) -> None:
        super().__init__(daemon=True)
        self.heard: list[Any] = []
        self._ask = ask
        self._every = every
        self._over = Event()
        self.start()

    def run(self) -> None:
        while not self._over.wait(self._every):
            try:
                said = self._ask()
            except (OSError, http.client.HTTPException, dns.exception.DNSException, grpc.RpcError) as error:
                said = repr(error)
            self.heard.append(said)

    def end(self) -> list[Any]:
        self._over.set()
        self.join()
        return self.heard


def readiness(address: str) -> Callable[[], int]:
    def ask() -> int:
        asking = http.client.HTTPConnection(address, timeout=10)
        asking.request("GET", "/readyz")
        status = asking.getresponse().status
        asking.close()
        return status

    return ask


def decided(service: Running) -> Callable[[], float]:
    return lambda: service.metric("interceptor_decisions_total")


def serial(port: int) -> Callable[[], int]:
    """Asks for a zone's SOA, as a resolver does."""

    def ask() -> int:
        answer = dns.query.udp(dns.message.make_query(ZONE, "SOA"), "127.0.0.1", port=port, timeout=5)
        return answer.answer[0][0].serial if answer.answer else 0

    return ask
