"""The one list of compiled modules and how they are built.

INTERCEPTOR_DEBUG=1     bounds checks and kernel asserts on, -O1
INTERCEPTOR_SANITIZE=address,undefined | thread    compiled under those sanitizers (implies the debug build)
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("INTERCEPTOR_DEBUG", "") not in ("", "0")
SANITIZE = os.environ.get("INTERCEPTOR_SANITIZE", "")

MODULES = [
    "interceptor.engine.types",
    "interceptor.engine.opcodes",
    "interceptor.engine.memory",
    "interceptor.engine.keys",
    "interceptor.engine.plan",
    "interceptor.engine.number",
    "interceptor.engine.lists",
    "interceptor.engine.prefixes",
    "interceptor.engine.domains",
    "interceptor.engine.recent",
    "interceptor.engine.windows",
    "interceptor.engine.entities",
    "interceptor.engine.program",
    "interceptor.engine.stats",
    "interceptor.engine.events",
    "interceptor.engine.intake",
    "interceptor.engine.snapshot",
    "interceptor.engine.engine",
]

DIRECTIVES = {
    "language_level": "3",
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
    "freethreading_compatible": False,
    "warn.undeclared": True,
}

# Without -fno-strict-aliasing a record viewed as columns would be undefined behaviour.
COMPILE = ["-O1", "-g"] if DEBUG or SANITIZE else ["-O3"]
COMPILE += ["-fno-strict-aliasing", "-fno-math-errno", "-Wno-unused-function"]
LINK: list[str] = []
if SANITIZE:
    flag = f"-fsanitize={SANITIZE}"
    COMPILE += [flag, "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
    LINK += [flag]

EXTENSIONS = [
    Extension(
        name,
        [name.replace(".", "/") + ".pyx"],
        extra_compile_args=COMPILE,
        extra_link_args=LINK,
        define_macros=[("INTERCEPTOR_DEBUG", "1" if DEBUG or SANITIZE else "0")],
        depends=[str(p) for p in Path("interceptor/engine").glob("*.pxd")],
    )
    for name in MODULES
    if Path(name.replace(".", "/") + ".pyx").exists()
]

setup(ext_modules=cythonize(EXTENSIONS, compiler_directives=DIRECTIVES, build_dir="build/cython"))
