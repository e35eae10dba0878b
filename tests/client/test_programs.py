"""The minimal clients of each language do what their README says, where its toolchain is found."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import interceptor
from interop.programs import BUILT, ROOT, fingerprint, node_program
from service.running import CALLEE, LISTED, Running, environment

CLIENTS = Path(interceptor.__file__).parent / "integrations/clients"
NOWHERE = "127.0.0.1:1"


def python() -> list[str]:
    return [sys.executable, str(CLIENTS / "python/client.py")]


def node() -> list[str]:
    """On the modules of the interoperability tests' client, which are the same."""
    program, _ = node_program()
    return [program, str(CLIENTS / "node/client.js")]


def go() -> list[str]:
    """Built once, until its source or the contract changes."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    (generator,) = re.findall(r"go install (\S+)@", (CLIENTS / "README.md").read_text())
    source = BUILT / f"minimal-{fingerprint(CLIENTS / 'go')}-{fingerprint(ROOT / 'proto/interceptor/v1')}"
    program = source / "client"
    if not program.exists():
        shutil.copytree(CLIENTS / "go", source, dirs_exist_ok=True)
        plugin = source / "protoc-gen-go"
        subprocess.run(["go", "build", "-o", plugin, generator], cwd=source, check=True)
        contract = "interceptor/v1/interception.proto"
        subprocess.run(
            [
                *(sys.executable, "-m", "grpc_tools.protoc", "-I", ROOT / "proto", f"--plugin={plugin}"),
                *(f"--go_out={source}", "--go_opt=module=client"),
                *(f"--go_opt=M{contract}=client/interceptorpb", contract),
            ],
            check=True,
        )
        subprocess.run(["go", "build", "-buildvcs=false", "-o", program, "."], cwd=source, check=True)
    return [str(program)]


@pytest.fixture(scope="module", params=[python, node, go], ids=lambda made: made.__name__)
def client(request: pytest.FixtureRequest) -> Callable[..., str]:
    """``client(service, caller, callee)`` is what such a client prints."""
    made: list[str] = request.param()
    environ = environment(
        INTERCEPTOR_PROTO=str(ROOT / "proto"),
        NODE_PATH=str(BUILT / "node/node_modules"),
        PATH=os.environ["PATH"],
    )

    def ask(*asked: str) -> str:
        done = subprocess.run(
            [*made, *asked], capture_output=True, text=True, timeout=60, check=True, env=environ
        )
        return done.stdout.strip()

    return ask


def test_a_listed_caller_is_refused(client: Callable[..., str], service: Running) -> None:
    answers = {client(service.data.address, LISTED, CALLEE) for _ in range(3)}
    assert (
        'BLOCK listed 603 SIP;cause=603;text="Decline"' in answers
    )  # on a busy machine one may come too late
    assert answers <= {'BLOCK listed 603 SIP;cause=603;text="Decline"', "PASS fail-open"}


def test_without_a_service_the_call_goes_through(client: Callable[..., str]) -> None:
    assert client(NOWHERE, LISTED, CALLEE) == "PASS fail-open"
