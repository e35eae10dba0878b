"""A command at a terminal of its own: what it draws, and keys that are pressed."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path

from service.forked import Process
from service.running import command, environment

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """`interceptor ARGUMENTS` at a terminal of so many lines and columns, until it ends."""

    def __init__(self, *arguments: str | Path, lines: int = 24, columns: int = 80) -> None:
        self._ours, self._theirs = pty.openpty()
        self.resize(lines, columns)
        self.modes = termios.tcgetattr(self._theirs)
        self.process = Process(
            command(*arguments),
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env=environment(TERM="xterm-256color", LC_ALL="C.UTF-8"),
            start_new_session=True,
        )
        self.written = ""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def screen(self) -> list[str]:
        """The lines that were drawn last: each picture begins at the top left."""
        pictures = self.written.split("\x1b[H")
        return ESCAPES.sub("", pictures[-1]).replace("\r", "").split("\n")

    def shows(self, what: str, seconds: float = 60) -> list[str]:
        """The screen, as soon as that is on it."""
        return self.until(lambda: any(what in line for line in self.screen()), what, seconds)

    def until(self, found: Callable[[], bool], what: str, seconds: float = 60) -> list[str]:
        end = time.monotonic() + seconds
        while not (self._read(0.2) or found()):
            assert time.monotonic() < end, f"no {what!r}:\n" + "\n".join(self.screen())
        assert found(), f"it ended, without {what!r}:\n{self.written}"
        return self.screen()

    def end(self) -> int:
        """Waits for its end, and takes what it still writes."""
        end = time.monotonic() + 60
        while not self._read(0.2):
            assert time.monotonic() < end, "it does not end"
        return self.process.wait()

    def modes_are_back(self) -> bool:
        return bool(termios.tcgetattr(self._theirs) == self.modes)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self, seconds: float) -> bool:
        """Takes what was written; whether nothing more will be."""
        over = self.process.poll() is not None
        while select.select([self._ours], [], [], seconds)[0]:
            self.written += os.read(self._ours, 65536).decode(errors="replace")
            seconds = 0.1  # a picture comes in pieces
        return over
