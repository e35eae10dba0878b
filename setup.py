"""The one list of compiled modules and how they are built.

INTERCEPTOR_DEBUG=1     bounds checks and kernel asserts on, undefined behaviour traps, -O0
INTERCEPTOR_SANITIZE=address,undefined | thread    compiled under those sanitizers (implies the debug build);
                        with CC=clang also fuzzer-no-link: the coverage a fuzzer looks at
INTERCEPTOR_KERNELS=0   without them: for an editable install of a tree in which they are built in place
INTERCEPTOR_KERNELS=engine    only that room's
"""

import contextlib
import functools
import io
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("INTERCEPTOR_DEBUG", "") not in ("", "0")
SANITIZE = os.environ.get("INTERCEPTOR_SANITIZE", "")
CHECKED = DEBUG or bool(SANITIZE)
KERNELS = os.environ.get("INTERCEPTOR_KERNELS", "")

# Cython looks at dates, not at directives: the checked build keeps its C files apart.
C_FILES = Path("build/cython-checked" if CHECKED else "build/cython")

MODULES = [
    "interceptor.engine.types",
    "interceptor.engine.opcodes",
    "interceptor.engine.memory",
    "interceptor.engine.copying",
    "interceptor.engine.keys",
    "interceptor.engine.macs",
    "interceptor.engine.plan",
    "interceptor.engine.signalled",
    "interceptor.engine.number",
    "interceptor.engine.lists",
    "interceptor.engine.pairs",
    "interceptor.engine.prefixes",
    "interceptor.engine.networks",
    "interceptor.engine.tables",
    "interceptor.engine.live",
    "interceptor.engine.domains",
    "interceptor.engine.recent",
    "interceptor.engine.sketches",
    "interceptor.engine.counts",
    "interceptor.engine.large",
    "interceptor.engine.distinct",
    "interceptor.engine.columns",
    "interceptor.engine.entities",
    "interceptor.engine.pairing",
    "interceptor.engine.program",
    "interceptor.engine.stats",
    "interceptor.engine.events",
    "interceptor.engine.samples",
    "interceptor.engine.intake",
    "interceptor.engine.snapshot",
    "interceptor.engine.publication",
    "interceptor.engine.counting",
    "interceptor.engine.inflight",
    "interceptor.engine.orphans",
    "interceptor.engine.feeding",
    "interceptor.engine.decide",
    "interceptor.engine.following",
    "interceptor.engine.candidate",
    "interceptor.engine.judging",
    "interceptor.engine.trial",
    "interceptor.engine.border",
    "interceptor.engine.batch",
    "interceptor.engine.seats",
    "interceptor.engine.parts",
    "interceptor.engine.changes",
    "interceptor.engine.explaining",
    "interceptor.engine.reporting",
    "interceptor.engine.engine",
    # the front for switches
    "interceptor.dataplane.words",
    "interceptor.dataplane.phrasebook",
    "interceptor.dataplane.faults",
    "interceptor.dataplane.responses",
    "interceptor.dataplane.messages",
    "interceptor.dataplane.reports",
    "interceptor.dataplane.answering",
    "interceptor.dataplane.spares",
    "interceptor.dataplane.grpc",
    "interceptor.dataplane.exchanges",
    "interceptor.dataplane.replies",
    "interceptor.dataplane.framing",
    "interceptor.dataplane.fields",
    "interceptor.dataplane.frames",
    "interceptor.dataplane.sieve",
    "interceptor.dataplane.http2",
    "interceptor.dataplane.http2probe",
    "interceptor.dataplane.certificate",
    "interceptor.dataplane.tls",
    "interceptor.dataplane.connection",
    "interceptor.dataplane.loop",
    "interceptor.dataplane.acceptor",
    "interceptor.dataplane.traffic",
    "interceptor.dataplane.server",
    # recorded calls
    "interceptor.replay.columns",
    "interceptor.replay.pending",
    "interceptor.replay.player",
    # the load test
    "interceptor.loadtest.histogram",
    "interceptor.loadtest.idle",
    "interceptor.loadtest.requests",
    "interceptor.loadtest.session",
    "interceptor.loadtest.connection",
    "interceptor.loadtest.drive",
    "interceptor.loadtest.generator",
]

# What a room links with, by pkg-config's names.
LIBRARIES = {
    "interceptor.dataplane": ("libnghttp2", "openssl"),
    "interceptor.loadtest": ("libnghttp2", "openssl"),
}

DIRECTIVES = {
    "language_level": "3",
    "boundscheck": CHECKED,
    "wraparound": False,
    "initializedcheck": CHECKED,
    "cdivision": True,
    "embedsignature": True,
    "freethreading_compatible": False,
    "show_performance_hints": not CHECKED,  # they would be about its bounds checks
}

# Without -fno-strict-aliasing a record viewed as columns would be undefined behaviour.
# Python says -g, which is a quarter of the time; -g1 still tells functions and lines. The debug build
# is run once: -O0 takes two thirds of -O1 to compile, and its tests as long as at -O1.
COMPILE = ["-g1", "-O1" if SANITIZE else "-O0" if DEBUG else "-O3"]
COMPILE += ["-fno-strict-aliasing", "-fno-math-errno", "-Wno-unused-function"]
LINK: list[str] = []
if SANITIZE:
    flag = f"-fsanitize={SANITIZE}"
    COMPILE += [flag, "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
    LINK += [flag]
elif DEBUG:  # a trap needs no runtime library; `make sanitize` says in words what was wrong
    COMPILE += ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]


@functools.cache
def library_flags(what: str, libraries: tuple[str, ...]) -> list[str]:
    """What pkg-config says about `libraries`: ``--cflags`` or ``--libs``."""
    try:
        asked = subprocess.run(
            [os.environ.get("PKG_CONFIG", "pkg-config"), what, *libraries],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or f"{error}\n"
        sys.exit(
            f"{said}setup.py: the data plane is built with {' and '.join(libraries)}, found by pkg-config: "
            "install them with their headers (Debian: apt-get install pkg-config libnghttp2-dev libssl-dev)"
        )
    return shlex.split(asked.stdout)


def extension(name: str) -> Extension:
    libraries = LIBRARIES.get(name.rpartition(".")[0], ())
    compiling = [*library_flags("--cflags", libraries), "-pthread"] if libraries else []
    # of a room's libraries a module loads those it calls
    linking = ["-pthread", "-Wl,--as-needed", *library_flags("--libs", libraries)] if libraries else []
    return Extension(
        name,
        [name.replace(".", "/") + ".pyx"],
        extra_compile_args=COMPILE + compiling,
        extra_link_args=LINK + linking,
        define_macros=[("INTERCEPTOR_DEBUG", "1" if CHECKED else "0")],
    )


@contextlib.contextmanager
def hearing() -> Iterator[io.StringIO]:
    """What is written to stderr meanwhile, by processes begun here too: it is held back until the end."""
    heard, own = io.StringIO(), os.dup(2)
    with tempfile.TemporaryFile("w+") as file:
        sys.stderr.flush()
        os.dup2(file.fileno(), 2)
        try:
            yield heard
        finally:
            sys.stderr.flush()
            os.dup2(own, 2)
            os.close(own)
            file.seek(0)
            heard.write(file.read())
            sys.stderr.write(heard.getvalue())


def cythonize_strictly() -> list[Extension]:
    """Cython's C files for the extensions, made only if Cython had nothing to say against them.

    A nogil function without `noexcept` takes the GIL on every call (58 ns instead of 1.4), and all Cython does is
    print a performance hint. Here a hint fails the build.
    """
    with hearing() as heard:
        extensions: list[Extension] = cythonize(
            [extension(name) for name in MODULES if name.startswith(f"interceptor.{KERNELS}")],
            compiler_directives=DIRECTIVES,
            build_dir=str(C_FILES),
            nthreads=min(os.cpu_count() or 1, 4),
        )
    if "performance hint:" in heard.getvalue():
        shutil.rmtree(C_FILES, ignore_errors=True)  # else the next build would find them up to date, and pass
        sys.exit("setup.py: Cython's performance hints above are errors here")
    return extensions


setup(ext_modules=[] if KERNELS == "0" else cythonize_strictly())
