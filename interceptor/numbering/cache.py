"""Keeps the built numbering plan in one checked file, so that only the first start pays for building it.

File: magic, SHA-256 of everything behind it, length of a JSON directory, the directory, the arrays. A file that
is not exactly what this version of the builder and of phonenumbers' data would write is built anew; a folder
that cannot be written is no error.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.plan import NumberingPlan

MAGIC = b"ICPLAN1\n"

Tables = dict[str, npt.NDArray[Any]]


def default_folder() -> Path:
    """Where the plan is kept: $XDG_CACHE_HOME/call-interceptor or ~/.cache/call-interceptor."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()
    return root / "call-interceptor"


def load_plan(cache: Path | None = None) -> NumberingPlan:
    """The world's numbering plan, from the cache or built (about a second) and then kept there.

    Parameters
    ----------
    cache
        Folder of the file; by default `default_folder()`. It need not exist or be writable.
    """
    key = f"{version('phonenumbers')}-{_builder_digest()}"
    folder = None
    with contextlib.suppress(RuntimeError):  # no home directory: build, and keep nothing
        folder = default_folder() if cache is None else cache
    path = folder and folder / f"numbering-{key}.plan"
    if path:
        tables = read_tables(path, key)
        if tables is not None:
            with contextlib.suppress(ValueError, KeyError):
                return NumberingPlan(tables)
    tables = build_tables()
    if path:
        with contextlib.suppress(OSError):
            write_tables(path, key, tables)
    return NumberingPlan(tables)


def build_tables() -> Tables:
    """Build every table from the metadata of the installed phonenumbers."""
    # where a plan is kept there is nothing to build
    from interceptor.numbering.automaton import build_world  # noqa: PLC0415 - with it phonenumbers
    from interceptor.numbering.dialling import build_dialling  # noqa: PLC0415 - the same
    from interceptor.numbering.language import Languages  # noqa: PLC0415 - the same
    from interceptor.numbering.regions import region_names  # noqa: PLC0415 - the same

    languages = Languages()
    names = region_names()
    world = build_world(languages, {name: i for i, name in enumerate(names)})
    dialling = build_dialling(languages, names)
    return {
        "transitions": world.transitions,
        "accept": world.accept,
        "tails": world.tails,
        "jump": world.jump,
        "answers": world.answers,
        "regions": dialling.regions,
        "rules": dialling.rules,
        "dial_transitions": dialling.transitions,
        "dial_accept": dialling.accept,
        "main_of_code": dialling.main_of_code,
    }


def write_tables(path: Path, key: str, tables: Tables) -> None:
    """Write the file whole or not at all; raises OSError when the folder cannot be written."""
    arrays = {name: np.ascontiguousarray(array) for name, array in tables.items()}
    entries = [[name, _described(array.dtype), list(array.shape)] for name, array in arrays.items()]
    directory = json.dumps({"key": key, "arrays": entries}).encode()
    body = len(directory).to_bytes(4, "little") + directory + b"".join(a.tobytes() for a in arrays.values())
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as out:
        try:
            out.write(MAGIC + hashlib.sha256(body).digest() + body)
            out.close()
            Path(out.name).replace(path)
        except BaseException:
            Path(out.name).unlink(missing_ok=True)
            raise


def read_tables(path: Path, key: str) -> Tables | None:
    """The tables in the file; None when it is missing, damaged or of another version."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body = data[len(MAGIC) + 32 :]
    if not data.startswith(MAGIC) or hashlib.sha256(body).digest() != data[len(MAGIC) : len(MAGIC) + 32]:
        return None
    at = 4 + int.from_bytes(body[:4], "little")
    try:
        directory = json.loads(body[4:at])
        if directory["key"] != key:
            return None
        tables: Tables = {}
        for name, described, shape in directory["arrays"]:
            dtype = np.dtype(described if isinstance(described, str) else [tuple(f) for f in described])
            count = int(np.prod(shape))
            # A copy: in the file a table begins at any byte, and the kernels read whole words.
            tables[name] = np.frombuffer(body, dtype, count, at).reshape(shape).copy()
            at += count * dtype.itemsize
    except (ValueError, KeyError, TypeError):
        return None
    return tables


def _described(dtype: np.dtype[Any]) -> Any:
    return dtype.str if dtype.names is None else [list(field) for field in dtype.descr]


def _builder_digest() -> str:
    """Changes with this package's source: a plan built by other rules is not read."""
    digest = hashlib.sha256(MAGIC)
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
