"""What `interceptor top` does: follows the service's decisions, draws them on the terminal, listens to keys."""

import io
import json
import os
import re
import select
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, ConsoleDimensions
from rich.live import Live

from interceptor.cli import printing
from interceptor.cli.connection import Connection, PassingError
from interceptor.cli.failing import Failure
from interceptor.cli.toptables import Screen
from interceptor.pb.v1 import watch_pb2 as pb

#: rich's, without the fonts that whoever looks at it would fetch from elsewhere
PLAIN_SVG = re.sub(r"@font-face {{.*?}}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)

METHOD = "AdminService/WatchDecisions"
PAPER = (100, 30)  # columns and lines of a picture
LOOKS = 0.2  # seconds between looks at the keys and at the terminal's size
AGAIN = 1.0  # seconds until a service that went is asked again


def top(
    service: Connection, *, span: int, callers: int, show_numbers: bool, once: bool, as_json: bool
) -> None:
    """Shows how calls are decided until somebody quits, or once."""
    request = asked(span, callers, show_numbers)
    if as_json or not printing.to_person():
        for picture in pictures(service, request):
            print(printing.in_full(picture) if once else on_a_line(picture), flush=True)
            if once:
                return
    elif once:
        console = Console(highlight=False)
        console.print(Screen(service.server).drawn(next(pictures(service, request)), console.size.width))
    else:
        draw(service, request)


def into_file(service: Connection, path: Path, *, span: int, callers: int, show_numbers: bool) -> None:
    """Draws it once, as SVG."""
    request = asked(span, callers, show_numbers)
    console = Console(record=True, width=PAPER[0], force_terminal=True, file=io.StringIO(), highlight=False)
    screen = Screen(service.server)
    for picture in islice(pictures(service, request), max(span, 2)):  # so that the curve is one
        drawn = screen.drawn(picture, *PAPER)
    console.print(drawn)
    path.write_text(console.export_svg(title="interceptor top", code_format=PLAIN_SVG))


def asked(span: int, callers: int, show_numbers: bool) -> pb.WatchDecisionsRequest:
    return pb.WatchDecisionsRequest(span_s=span, callers=callers, whole_numbers=show_numbers, rows=100)


def pictures(service: Connection, request: pb.WatchDecisionsRequest) -> Iterator[pb.WatchDecisionsResponse]:
    """Without an end: the service ends a stream now and then."""
    while True:
        yield from service.take(METHOD, request, pb.WatchDecisionsResponse)


def on_a_line(picture: pb.WatchDecisionsResponse) -> str:
    return json.dumps(json.loads(printing.in_full(picture)), ensure_ascii=False, separators=(",", ":"))


class Following(threading.Thread):
    """Reads the stream beside the drawing, and keeps what came last."""

    def __init__(self, service: Connection, request: pb.WatchDecisionsRequest) -> None:
        super().__init__(name="following", daemon=True)
        self._service = service
        self._request = request
        self._over = threading.Event()
        self._cancel: Callable[[], object] = lambda: None
        self.newest: pb.WatchDecisionsResponse | None = None
        self.problem = ""  #: why nothing comes at the moment
        self.failure: Failure | None = None  #: why nothing will

    def run(self) -> None:
        while not self._over.is_set():
            try:
                with self._service.follow(METHOD, self._request, pb.WatchDecisionsResponse) as (
                    arriving,
                    cancel,
                ):
                    self._cancel = cancel
                    if self._over.is_set():  # before there was anything to end
                        return
                    for picture in arriving:
                        self.newest, self.problem = picture, ""
            except Failure as failure:
                if self._over.is_set():
                    return
                if self.newest is None or not isinstance(failure, PassingError):
                    self.failure = failure
                    return
                self.problem = str(failure)
                self._over.wait(AGAIN)

    def stop(self) -> None:
        self._over.set()
        self._cancel()
        self.join()


def draw(service: Connection, request: pb.WatchDecisionsRequest) -> None:
    """Draws until somebody quits. Raises Failure when the service refuses, or was never there."""
    following = Following(service, request)
    following.start()
    console, screen = Console(highlight=False), Screen(service.server)
    shown: object = None
    try:
        with keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
            while following.failure is None:
                key = pressed()
                if key in ("q", "Q"):
                    return
                if key in ("p", "P", " "):
                    screen.pause()
                width, height = console.size = dimensions()
                newest = following.newest
                now = (newest, following.problem, screen.paused, width, height)
                if now != shown:
                    live.update(screen.drawn(newest, width, height, problem=following.problem), refresh=True)
                    shown = now
    finally:
        following.stop()
    raise following.failure


def dimensions() -> ConsoleDimensions:
    """Of the terminal, now: rich would go by the environment first."""
    size = os.get_terminal_size(sys.stdout.fileno())
    return ConsoleDimensions(size.columns or 80, size.lines or 24)


@contextmanager
def keys() -> Iterator["Keys"]:
    """Keys as they are pressed, if somebody can press any; the terminal is as it was afterwards."""
    if not sys.stdin.isatty():
        yield Keys(None)
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal, termios.TCSANOW)  # keys that were pressed before count
        yield Keys(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


class Keys:
    """Waits for a key, a short while."""

    def __init__(self, terminal: int | None) -> None:
        self._terminal = terminal

    def __call__(self) -> str:
        if self._terminal is None:
            time.sleep(LOOKS)
            return ""
        ready, _, _ = select.select([self._terminal], [], [], LOOKS)
        if not ready:
            return ""
        return os.read(self._terminal, 1).decode(errors="replace") or "q"  # the terminal has gone
