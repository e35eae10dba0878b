"""The house keeps its floors: which room may import what, and the habits every file keeps."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "interceptor"

#: Room -> floor. A room imports only rooms on floors below its own.
FLOORS = {
    "pb": 0,
    "engine": 1,
    "numbering": 1,
    "client": 1,
    "policy": 2,
    "store": 2,
    "dataplane": 2,
    "delivery": 2,
    "integrations": 2,
    "simulation": 2,
    "runtime": 3,
    "loadtest": 3,
    "replay": 4,
    "control": 4,
    "cli": 5,
}
#: What else a room may import: a neighbour, by exact module.
BESIDES = {"numbering": {"interceptor.engine.plan"}}
#: The client is what a switch loads: pb and grpc alone.
CLIENT_MAY_IMPORT = {"interceptor.pb", "interceptor.client", "grpc"}
#: What Kamailio loads, once for each of its processes: that client, and no more.
KAMAILIO_MAY_IMPORT = {"interceptor.client", "interceptor.integrations.kamailio", "KSR"}
#: Foreign package -> the only rooms (or modules) that see it.
ONLY = {
    "grpc": {"control", "client", "pb", "cli.connection"},  # `interceptor decide` is a client
    "grpc_health": {"control", "client"},
    "grpc_reflection": {"control"},
    "prometheus_client": {
        "runtime.metrics",
        "runtime.families",
        "runtime.standing",
        "runtime.traffic",
        "runtime.outlets",
        "client.metrics",  # loaded by who gives the client a registry
    },
    "sqlite3": {"store"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "dns": {"control"},
    "psycopg": {"store"},
    "celpy": set(),  # tests hold our parser to its grammar
    "lark": set(),
    "phonenumbers": {"numbering"},
    "typer": {"cli"},
    "httpx": {"delivery"},
    "valkey": {"delivery"},
    "confluent_kafka": {"delivery"},
    "opentelemetry": {"delivery"},
}
#: Kernels have no clock, no I/O and no threads of their own; engine.pyx, where Python threads enter, may.
NOT_IN_ENGINE = re.compile(
    r"^(time|datetime|os|io|pathlib|socket|select|threading|subprocess|logging|random|libc\.(time|stdio)|posix)\b"
)
VAGUE = re.compile(r"^(utils?|helpers?|manager|common|misc)$")
#: About 300 lines is the aim; a room that is one thought may run to this.
MAX_LINES = 420
#: Used by engine.pyx alone.
INSIDE = {"engine.batch", "engine.seats"}


def sources(*suffixes: str) -> list[Path]:
    """Our own files, without what protoc generated."""
    return sorted(
        path
        for path in PACKAGE.rglob("*")
        if path.suffix in suffixes and "pb" not in path.relative_to(PACKAGE).parts
    )


def module_of(path: Path) -> str:
    """``engine.lists`` for interceptor/engine/lists.pyx; ``engine`` for its __init__; ``""`` for the package's."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(path: Path) -> str:
    return module_of(path).split(".", maxsplit=1)[0]


def imports_of(path: Path) -> Iterator[str]:
    """Every module a file imports or cimports, at whatever depth of the file.

    ``from a.b import c`` gives both a.b and a.b.c, as c may be a module.
    """
    text = path.read_text()
    if path.suffix in {".py", ".pyi"}:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import hides which room is meant"
                yield str(node.module)
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
        return
    for module, names in re.findall(
        r"^\s*from\s+([\w.]+)\s+c?import\s+(\([^)]*\)|[^\n#]*)", text, flags=re.MULTILINE
    ):
        yield module
        yield from (f"{module}.{name}" for name in re.findall(r"\w+|\*", names))
    for names in re.findall(r"^\s*c?import\s+([\w., ]+)", text, flags=re.MULTILINE):
        yield from (name.split(" as ")[0].strip() for name in names.split(","))


def seen(*suffixes: str) -> Iterator[tuple[Path, str, str]]:
    """(file, its room, a module it imports), for every file that belongs to a room."""
    for path in sources(*suffixes):
        room = room_of(path)
        if room:
            for module in imports_of(path):
                yield path.relative_to(ROOT), room, module


CODE = (".py", ".pyi", ".pyx", ".pxd")


def test_a_floor_imports_only_floors_below_it() -> None:
    wrong = []
    for path, room, module in seen(*CODE):
        first, _, rest = module.partition(".")
        target = rest.split(".")[0]
        if first != "interceptor" or target in {"", room}:
            continue
        if target not in FLOORS:  # a name out of interceptor/__init__
            continue
        allowed = BESIDES.get(room, set())
        if FLOORS[target] >= FLOORS[room] and not any(
            module == name or module.startswith(name + ".") for name in allowed
        ):
            if any(name.startswith(module + ".") for name in allowed):
                continue  # `from interceptor.engine import plan` also shows as interceptor.engine
            wrong.append(f"{path}: {room} (floor {FLOORS[room]}) imports {module} (floor {FLOORS[target]})")
    assert not wrong, "\n".join(wrong)


def test_every_room_has_its_floor() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms <= FLOORS.keys()


def test_the_client_sees_pb_and_grpc_alone() -> None:
    wrong = [
        f"{path} imports {module}"
        for path, room, module in seen(*CODE)
        if room == "client"
        and not (module_of(ROOT / path) == "client.metrics" and module.startswith("prometheus_client."))
        and module.split(".")[0] not in sys.stdlib_module_names
        and not any((module + ".").startswith(name + ".") for name in CLIENT_MAY_IMPORT | {"google.protobuf"})
        and module != "interceptor"
    ]
    assert not wrong, "\n".join(wrong)


def test_kamailio_loads_the_client_alone() -> None:
    wrong = [
        f"{path} imports {module}"
        for path, room, module in seen(".py")
        if module_of(ROOT / path).startswith("integrations.kamailio.")
        and module.split(".")[0] not in sys.stdlib_module_names
        and not any(f"{module}.".startswith(f"{name}.") for name in KAMAILIO_MAY_IMPORT)
        and module != "interceptor.integrations"
    ]
    assert not wrong, "\n".join(wrong)


def test_a_switch_loads_neither_numpy_nor_the_engine() -> None:
    switch = "import interceptor.client, sys; print(*sorted(sys.modules))"
    modules = subprocess.run(
        [sys.executable, "-c", switch], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "interceptor.pb.v1.interception_pb2" in modules
    heavy = ("numpy", "phonenumbers", "prometheus_client", "interceptor.engine", "interceptor.numbering")
    assert not [name for name in modules if name.startswith(heavy)]


def test_a_foreign_package_is_seen_only_by_its_room() -> None:
    wrong = []
    for path, room, module in seen(*CODE):
        owners = ONLY.get(module.split(".")[0])
        if owners is None or room in owners:
            continue
        if module_of(ROOT / path) not in owners:
            wrong.append(f"{path} imports {module}, which only {', '.join(sorted(owners))} may see")
    assert not wrong, "\n".join(wrong)


def test_sql_is_written_only_in_the_store() -> None:
    sql = re.compile(r"\b(SELECT .+ FROM|INSERT INTO|CREATE TABLE|DELETE FROM|PRAGMA )\b")
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources(".py")
        if room_of(path) != "store" and sql.search(path.read_text())
    ]
    assert not wrong, wrong


def test_kernels_have_no_clock_no_files_and_no_threads() -> None:
    wrong = [
        f"{path} imports {module}"
        for path, room, module in seen(".pyx", ".pxd")
        if room == "engine" and path.stem != "engine" and NOT_IN_ENGINE.match(module)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_file_says_in_its_first_line_what_it_holds() -> None:
    wrong = []
    for path in sources(*CODE):
        lines = path.read_text().splitlines()
        first = lines[0] if lines else ""
        opening = "#" if path.suffix in {".pyx", ".pxd"} else '"""'
        if not first.startswith(opening) or len(first) < len(opening) + 10:
            wrong.append(f"{path.relative_to(ROOT)}: {first!r}")
    assert not wrong, "\n".join(wrong)


def test_no_file_is_longer_than_a_reader_holds() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources(*CODE)}
    wrong = [f"{path}: {lines} lines" for path, lines in lengths.items() if lines > MAX_LINES]
    assert not wrong, "\n".join(wrong)


def test_names_come_from_the_field() -> None:
    assert not [path for path in sources(*CODE) if VAGUE.match(path.stem)]


def test_every_kernel_is_built_and_has_its_types() -> None:
    built = set(re.findall(r'"(interceptor\.[\w.]+)"', (ROOT / "setup.py").read_text()))
    wrong = []
    for path in sources(".pyx"):
        if f"interceptor.{module_of(path)}" not in built:
            wrong.append(f"{path.relative_to(ROOT)} is not in setup.py's list")
        contract = path.with_suffix(".pxd")
        faces = path.read_text() + (contract.read_text() if contract.exists() else "")
        has_face = re.search(r"^(def|class|cdef class|cpdef|@cython\.)\b", faces, flags=re.MULTILINE)
        if has_face and module_of(path) not in INSIDE and not path.with_suffix(".pyi").exists():
            wrong.append(f"{path.relative_to(ROOT)} has a Python face and no .pyi")
    assert not wrong, "\n".join(wrong)
