"""`buf curl`: what an engineer types to see whether the service answers. The data port has no reflection: --schema."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.certificates import Authority, needs_openssl
from service.running import CALLEE, LISTED, Running, write_policy

PROTO = Path(__file__).parent.parent.parent / "proto"
BUF = shutil.which("buf") or shutil.which("buf", path=str(Path(sys.executable).parent))
pytestmark = pytest.mark.skipif(BUF is None, reason="buf is not installed")

LISTED_CALL = {"caller": LISTED, "callee": CALLEE}


def curl(url: str, data: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [BUF, "curl", "--schema", PROTO, "--protocol", "grpc", *arguments, "--data", data, url]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=60)


def test_a_call_is_decided(service: Running) -> None:
    url = f"http://{service.data.address}/interceptor.v1.InterceptionService/Decide"
    asked = curl(url, json.dumps(LISTED_CALL), "--http2-prior-knowledge")
    answer = json.loads(asked.stdout)
    assert (answer["verdict"], answer["rule"]) == ("VERDICT_BLOCK", "listed")


def test_a_stream_is_answered(service: Running) -> None:
    url = f"http://{service.data.address}/interceptor.v1.InterceptionService/DecideStream"
    messages = "".join(json.dumps({"id": i, "call": LISTED_CALL}) for i in range(1, 4))
    asked = curl(url, messages, "--http2-prior-knowledge")
    decoder, answers, rest = json.JSONDecoder(), [], asked.stdout.strip()
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer["id"])
        rest = rest[end:].strip()
    assert sorted(answers) == ["1", "2", "3"]


def test_a_refusal_is_shown(service: Running) -> None:
    url = f"http://{service.data.address}/interceptor.v1.InterceptionService/Decide"
    asked = curl(url, json.dumps({"userAgent": "x" * 5000}), "--http2-prior-knowledge")
    assert asked.returncode != 0
    assert json.loads(asked.stderr)["code"] == "invalid_argument"
    assert json.loads(asked.stderr)["message"].startswith("user_agent:")


@needs_openssl
def test_under_tls_with_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, switch = authority.issue("service", "DNS:localhost,IP:127.0.0.1"), authority.issue("switch")
    service = Running(
        write_policy(tmp_path),
        "--tls-cert",
        own.certificate,
        "--tls-key",
        own.key,
        "--tls-client-ca",
        authority.ca,
    )
    try:
        url = f"https://{service.data.address}/interceptor.v1.InterceptionService/Decide"
        shown = ("--cacert", authority.ca, "--cert", switch.certificate, "--key", switch.key)
        assert json.loads(curl(url, json.dumps(LISTED_CALL), *shown).stdout)["rule"] == "listed"
    finally:
        service.stop()
