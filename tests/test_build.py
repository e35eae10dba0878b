"""The build: what Cython only hints at fails it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: without `noexcept` a void nogil function takes the GIL on every call, to look for an exception
WITH_HINT = """\
cdef void ring(int* bell) nogil:
    bell[0] += 1
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree with our setup.py and one module."""
    (tmp_path / "interceptor/engine").mkdir(parents=True)
    shutil.copy(ROOT / "setup.py", tmp_path)
    return tmp_path


def cythonize(tree: Path, source: str) -> subprocess.CompletedProcess[str]:
    (tree / "interceptor/engine/memory.pyx").write_text(source)
    return subprocess.run(
        [sys.executable, "setup.py", "--name"], cwd=tree, capture_output=True, text=True, check=False
    )


def test_a_performance_hint_fails_the_build_and_goes_on_failing_it(tree: Path) -> None:
    for _ in range(2):
        built = cythonize(tree, WITH_HINT)
        assert built.returncode != 0
        assert "performance hint: interceptor/engine/memory.pyx:1:0" in built.stderr
        assert "hints above are errors" in built.stderr


def test_a_module_without_hints_builds(tree: Path) -> None:
    built = cythonize(tree, WITH_HINT.replace(") nogil", ") noexcept nogil"))
    assert built.returncode == 0, built.stderr
