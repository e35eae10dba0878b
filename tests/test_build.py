"""The build: what Cython only hints at fails it, and the debug build catches what the fast one does not look at."""

import os
import re
import signal
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

#: a memoryview and a C array, each read where the caller says
UNCHECKED = """\
def of_view(const unsigned char[:] bells, Py_ssize_t i):
    return bells[i]

cdef int of_array(int i) noexcept nogil:
    cdef int[4] bells
    for k in range(4):
        bells[k] = k
    return bells[i]

def of_ring(int i):
    return of_array(i)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree with our setup.py and one module."""
    (tmp_path / "interceptor/engine").mkdir(parents=True)
    setup = (ROOT / "setup.py").read_text()
    one = re.sub(
        r"^MODULES = \[.*?^\]",
        'MODULES = ["interceptor.engine.memory"]',
        setup,
        flags=re.DOTALL | re.MULTILINE,
    )
    assert one != setup
    (tmp_path / "setup.py").write_text(one)
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


def test_a_hint_is_heard_from_every_process(tree: Path) -> None:
    setup = (tree / "setup.py").read_text()
    memory = '"interceptor.engine.memory"'
    (tree / "setup.py").write_text(setup.replace(memory, f'{memory}, "interceptor.engine.keys"'))
    (tree / "interceptor/engine/keys.pyx").write_text("bells = 1\n")
    built = cythonize(tree, WITH_HINT)
    assert built.returncode != 0
    assert "performance hint: interceptor/engine/memory.pyx:1:0" in built.stderr


def test_a_module_without_hints_builds(tree: Path) -> None:
    built = cythonize(tree, WITH_HINT.replace(") nogil", ") noexcept nogil"))
    assert built.returncode == 0, built.stderr


def test_a_library_that_is_not_there_is_named_with_its_package(tree: Path) -> None:
    setup = (tree / "setup.py").read_text()
    (tree / "setup.py").write_text(setup.replace("interceptor.engine.memory", "interceptor.dataplane.words"))
    built = subprocess.run(
        [sys.executable, "setup.py", "--name"],
        cwd=tree,
        env={**os.environ, "PKG_CONFIG_LIBDIR": str(tree), "PKG_CONFIG_PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode != 0
    assert "apt-get install pkg-config libnghttp2-dev libssl-dev" in built.stderr


def test_the_debug_build_stops_at_an_index_out_of_bounds(tree: Path) -> None:
    (tree / "interceptor/engine/memory.pyx").write_text(UNCHECKED)
    environment = {**os.environ, "INTERCEPTOR_DEBUG": "1", "PYTHONPATH": str(tree)}
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
        cwd=tree,
        env=environment,
        capture_output=True,
        check=True,
    )

    def ask(what: str) -> subprocess.CompletedProcess[str]:
        script = f"from interceptor.engine.memory import *; print({what})"
        command = [sys.executable, "-P", "-c", script]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ask("of_view(b'abc', 1), of_ring(1)").stdout == "98 1\n"
    assert "IndexError" in ask("of_view(b'abc', 3)").stderr
    assert ask("of_ring(4)").returncode in {-signal.SIGILL, -signal.SIGTRAP, -signal.SIGABRT}
