"""A real PostgreSQL cluster of the tests' own, reached through a socket in its own directory."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

#: where Debian keeps what is not on the PATH
DEBIAN = Path("/usr/lib/postgresql")


def program(name: str) -> Path | None:
    """A program of the newest PostgreSQL that is installed."""
    versions = sorted(DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    found = next((path / name for path in versions if (path / name).exists()), None)
    on_path = shutil.which(name)
    return found or (Path(on_path) if on_path else None)


class Cluster:
    """Made and started by `Cluster()`; root makes it as user `postgres`, as root may not run it."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="interceptor-postgresql-"))
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            who = pwd.getpwnam("postgres")
            os.chown(self.home, who.pw_uid, who.pw_gid)
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self._made = 0
        self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(program(name)), *arguments],
            cwd=self.home,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **self._user,
        )
        assert done.returncode == 0, done.stdout

    def start(self) -> None:
        """It answers when this returns. No test is about a machine that crashes: no waiting for the disk."""
        settings = f"-c listen_addresses= -c unix_socket_directories={self.home} -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", settings)

    def stop(self, mode: str = "fast") -> None:
        """Ends it: "fast" ends connections, "immediate" is a crash."""
        self._run("pg_ctl", "stop", "-w", "-D", "data", "-m", mode)

    def database(self) -> str:
        """URL of a new, empty database."""
        self._made += 1
        name = f"store{self._made}"
        self._run("psql", "-q", "-h", str(self.home), "-U", "postgres", "-c", f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self.home}"

    def close(self) -> None:
        """Ends it, and nothing of it is left."""
        self.stop("immediate")
        shutil.rmtree(self.home)
