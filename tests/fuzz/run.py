"""Builds the fuzz targets and runs each on its corpus: `make fuzz`, or `make fuzz RUNS=10000000`.

The kernels are there already, compiled for it (build/fuzz/lib). A target is a Cython module of this folder, linked
with driver.c into a libFuzzer program. Inputs that lead somewhere new are kept in build/fuzz/corpus. An input that
breaks the target is a finding: it lies in build/fuzz/findings, its report is printed, the exit code is 1.
"""

import argparse
import os
import re
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import seeds

HERE = Path(__file__).parent
BUILD = Path("build/fuzz")
COMPILER = ["clang", "-g", "-O2", "-fno-strict-aliasing", "-fno-omit-frame-pointer"]
COMPILER += ["-Wall", "-Wno-unused-function"]
SANITIZE = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
CYTHON = ["-3", "-X", "cdivision=True", "-X", "wraparound=False"]

#: Target -> the longest input it is given, bytes.
TARGETS = {"texts": 300, "wire": 2048, "frames": 4096}


def build(target: str) -> Path:
    """The target's program, made anew unless it is newer than all it is made of."""
    program, source = BUILD / target, BUILD / f"{target}.c"
    ours = [HERE / f"{target}.pyx", HERE / "driver.c", *Path("interceptor").rglob("*.pxd")]
    if program.exists() and program.stat().st_mtime > max(path.stat().st_mtime for path in ours):
        return program
    command = [sys.executable, "-m", "cython", *CYTHON, "-I", ".", "-o", source, ours[0]]
    subprocess.run(command, check=True)
    paths, names = sysconfig.get_paths(), sysconfig.get_config_vars()
    python = [f"-I{paths['include']}", f"-L{names['LIBDIR']}", f"-Wl,-rpath,{names['LIBDIR']}"]
    python += [f"-lpython{names['LDVERSION']}", *names["LIBS"].split(), "-rdynamic"]
    macros = [f"-DTARGET={target}", f'-DPYTHON="{sys.executable}"']
    subprocess.run(
        [*COMPILER, *SANITIZE, *macros, HERE / "driver.c", source, "-o", program, *python], check=True
    )
    return program


def run(target: str, runs: int) -> bool:
    """Runs the target so many times; false when it found something."""
    program = build(target)
    corpus, first = BUILD / "corpus" / target, BUILD / "seeds" / target
    for folder in (corpus, first, BUILD / "findings"):
        folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.of(target):
        (first / name).write_bytes(data)
    words = HERE / f"{target}.dict"
    flags = [f"-runs={runs}", f"-max_len={TARGETS[target]}", f"-artifact_prefix={BUILD}/findings/{target}-"]
    flags += ["-print_final_stats=1", "-timeout=10", *([f"-dict={words}"] if words.exists() else [])]
    environment = {**os.environ, "PYTHONPATH": str(BUILD / "lib"), "PYTHONMALLOC": "malloc"}
    began = time.monotonic()
    done = subprocess.run(
        [program, *flags, corpus, first], env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    seconds = time.monotonic() - began
    if done.returncode:
        print(done.stderr)
    executed = re.findall(r"number_of_executed_units: (\d+)", done.stderr) or ["?"]
    covered = re.findall(r"cov: (\d+) ft: (\d+)", done.stderr) or [("?", "?")]
    print(
        f"{target}: {executed[-1]} inputs in {seconds:.0f} s, {covered[-1][0]} edges, {covered[-1][1]} features, "
        f"{len(list(corpus.iterdir()))} inputs kept: {'FOUND SOMETHING' if done.returncode else 'no finding'}",
        flush=True,
    )
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--runs", type=int, default=200_000, help="inputs for each target")
    asked = parser.parse_args()
    unknown = set(asked.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    clean = [run(target, asked.runs) for target in asked.targets or TARGETS]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
