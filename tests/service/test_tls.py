"""TLS: who may ask, and under which name."""

from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from service.certificates import Authority, needs_openssl
from service.running import CALLEE, POLICY, Running, refused, run, write_policy

pytestmark = needs_openssl
MINE = "  - {id: mine, when: call.switch == 'switch-1.example', verdict: warn, reason: mine}\n"
BY_SWITCH = POLICY.replace("default: pass", MINE + "default: pass")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("identities"))


def test_a_switch_is_known_by_its_certificate_and_nobody_else_gets_in(
    start: Callable[..., Running], tmp_path: Path, authority: Authority
) -> None:
    own = authority.issue("service", "IP:127.0.0.1,DNS:localhost")
    switch = authority.issue("switch", "DNS:switch-1.example")
    service = start(
        write_policy(tmp_path, BY_SWITCH),
        "--tls-cert", own.certificate, "--tls-key", own.key, "--tls-client-ca", authority.ca,
    )  # fmt: skip
    asked = ("decide", "--server", service.control, "--caller", "+8613788888888", "--callee", CALLEE)
    known = run(*asked, "--tls-ca", authority.ca, "--tls-cert", switch.certificate, "--tls-key", switch.key)
    assert '"rule": "mine"' in known.stdout, known.stderr
    assert run(*asked, "--tls-ca", authority.ca).returncode == 3
    assert run(*asked).returncode == 3

    credentials = grpc.ssl_channel_credentials(
        authority.ca.read_bytes(), switch.key.read_bytes(), switch.certificate.read_bytes()
    )
    with grpc.secure_channel(service.control, credentials) as channel:
        ask = channel.unary_unary("/interceptor.v1.InterceptionService/Decide")
        request = pb.DecideRequest(caller="+8613788888889", callee=CALLEE).SerializeToString()
        assert pb.DecideResponse.FromString(ask(request, timeout=10)).rule == "mine"
    assert refused(lambda: service.decide(caller="1", callee="2", timeout=5))[0] in (
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
    )
