"""What a user installs: the wheel holds all that runs, and its tests pass on it without the source tree."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "interceptor"


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def wanted() -> set[str]:
    """Every file a user needs besides the compiled modules."""
    return {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in {".so", ".pyc"}
    }


def test_types_contracts_and_policies_are_packaged(tmp_path: Path) -> None:
    run("setup.py", "--quiet", "build_py", "--build-lib", tmp_path)
    packaged = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert not wanted() - packaged
    assert "interceptor/py.typed" in packaged
    assert "interceptor/policies/default.yaml" in packaged


@pytest.mark.long
def test_the_wheel_made_from_the_source_archive_runs_without_the_source_tree(tmp_path: Path) -> None:
    run("setup.py", "--quiet", "sdist", "--dist-dir", tmp_path / "dist")
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    offline = ("--no-deps", "--no-index", "--quiet")
    run("-m", "pip", "wheel", *offline, "--no-build-isolation", "--wheel-dir", tmp_path / "dist", archive)
    (wheel,) = (tmp_path / "dist").glob("*.whl")

    held = set(zipfile.ZipFile(wheel).namelist())
    assert not wanted() - held
    kernels = {str(path.relative_to(ROOT).with_suffix("")) for path in PACKAGE.rglob("*.pyx")}
    assert kernels == {name.split(".")[0] for name in held if name.endswith(".so")}

    site = tmp_path / "site"
    run("-m", "pip", "install", *offline, "--target", site, wheel)
    on_the_wheel = {"PYTHONPATH": str(site), "INTERCEPTOR_TREE": str(site)}
    run("-P", "-m", "pytest", "-q", "tests/kernels", "-p", "no:cacheprovider", **on_the_wheel)
    asked = run("-P", "-c", "from interceptor.cli.main import main; main()", "--help", **on_the_wheel)
    assert "serve" in asked
