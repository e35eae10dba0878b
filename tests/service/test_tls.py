"""TLS: who may ask, and under which name."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from service.running import CALLEE, POLICY, Running, refused, run, write_policy

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
MINE = "  - {id: mine, when: call.switch == 'switch-1.example', verdict: warn, reason: mine}\n"
BY_SWITCH = POLICY.replace("default: pass", MINE + "default: pass")


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, and certificates of it for the service and a switch."""
    directory = tmp_path_factory.mktemp("identities")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    ca = ("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "2")
    openssl(directory, "req", "-x509", *curve, *ca)
    for name, alternative in (("service", "IP:127.0.0.1,DNS:localhost"), ("switch", "DNS:switch-1.example")):
        openssl(
            directory, "req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"
        )
        (directory / "extension").write_text(f"subjectAltName={alternative}\n")
        signed = (
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "extension",
        )
        openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    return directory


def test_a_switch_is_known_by_its_certificate_and_nobody_else_gets_in(
    start: Callable[..., Running], tmp_path: Path, identities: Path
) -> None:
    files = {name: identities / f"{name}.pem" for name in ("ca", "service", "switch")}
    keys = {name: identities / f"{name}.key" for name in ("service", "switch")}
    service = start(
        write_policy(tmp_path, BY_SWITCH),
        "--tls-cert", files["service"], "--tls-key", keys["service"], "--tls-client-ca", files["ca"],
    )  # fmt: skip
    asked = ("decide", "--server", service.control, "--caller", "+8613788888888", "--callee", CALLEE)
    known = run(*asked, "--tls-ca", files["ca"], "--tls-cert", files["switch"], "--tls-key", keys["switch"])
    assert '"rule": "mine"' in known.stdout, known.stderr
    assert run(*asked, "--tls-ca", files["ca"]).returncode == 3
    assert run(*asked).returncode == 3

    credentials = grpc.ssl_channel_credentials(
        files["ca"].read_bytes(), keys["switch"].read_bytes(), files["switch"].read_bytes()
    )
    with grpc.secure_channel(service.control, credentials) as channel:
        ask = channel.unary_unary("/interceptor.v1.InterceptionService/Decide")
        request = pb.DecideRequest(caller="+8613788888889", callee=CALLEE).SerializeToString()
        assert pb.DecideResponse.FromString(ask(request, timeout=10)).rule == "mine"
    assert refused(lambda: service.decide(caller="1", callee="2", timeout=5))[0] in (
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
    )
