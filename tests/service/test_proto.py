"""The public contract: the generated code is fresh, the .proto files keep buf's rules."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PB = PROJECT / "interceptor" / "pb"
#: what differs between two versions of grpcio-tools that generate the same code
VERSION = re.compile(r"\d+\.\d+\.\d+|(?<=^    )\d+(?=,$)", flags=re.MULTILINE)


def test_the_generated_code_is_what_the_proto_files_say(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    script = PROJECT / "proto" / "generate.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, capture_output=True)
    made = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*.py*")}
    kept = {path.relative_to(PB): path for path in PB.rglob("*_pb2*.py*") if "__pycache__" not in path.parts}
    assert made.keys() == kept.keys()
    stale = [
        str(name)
        for name in made
        if VERSION.sub("", made[name].read_text()) != VERSION.sub("", kept[name].read_text())
    ]
    assert not stale, f"run `python proto/generate.py`: {stale}"


@pytest.mark.parametrize("check", [("lint",), ("format", "--diff", "--exit-code")], ids=["lint", "format"])
def test_the_proto_files_keep_bufs_rules(check: tuple[str, ...]) -> None:
    buf = shutil.which("buf") or shutil.which("buf", path=str(Path(sys.executable).parent))
    if buf is None:
        pytest.skip("buf is not installed (pip install buf-bin)")
    done = subprocess.run([buf, *check], cwd=PROJECT / "proto", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
