"""What `interceptor lists import` does: sends a file, shows how far it is, and goes on after a cut connection."""

import hashlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from interceptor.cli import listtables as tables
from interceptor.cli.connection import Connection, CutError
from interceptor.cli.failing import EXIT_UNREACHABLE, Failure
from interceptor.cli.listing import confirmation, told
from interceptor.pb.v1 import lists_pb2 as pb

PIECE = 1 << 20  # bytes
ATTEMPTS = 8  # in a row that bring nothing forward
PAUSE = 0.5  # seconds before the first of them; each waits twice as long as the one before, up to ...
LONGEST_PAUSE = 15.0
PHASES = {
    "receive": "sending",
    "read": "reading",
    "stage": "storing",
    "apply": "putting into force",
}


def import_file(
    service: Connection,
    file: Path,
    list_name: str,
    source: str,
    *,
    replace: bool,
    reason: str,
    allow_bad: bool,
    comment: str,
    dry_run: bool,
    confirm: int | None,
) -> None:
    header = pb.ImportHeader(
        list=list_name,
        source=source,
        mode=pb.IMPORT_MODE_REPLACEMENT if replace else pb.IMPORT_MODE_ADDITION,
        file_name=file.name,
        size=file.stat().st_size,
        sha256=digest(file),
        reason=reason,
        comment=comment,
        dry_run=dry_run,
        allow_bad=allow_bad,
        confirmation=confirmation(confirm),
    )
    with Bars() as bars:
        last = until_done(service, file, header, bars)
    if last.HasField("preview"):
        told(last.preview, tables.show_preview)
    else:
        told(last.change, lambda change: tables.show_change(change, list_name, False))


def until_done(
    service: Connection, file: Path, header: pb.ImportHeader, bars: "Bars"
) -> pb.ImportListResponse:
    """The last answer; a cut connection is begun anew as long as that gets on."""
    failed, reached = 0, -1
    while True:
        try:
            return once(service, file, header, bars)
        except CutError as cut:
            failed = 0 if bars.sent > reached else failed + 1
            reached = max(reached, bars.sent)
            if failed >= ATTEMPTS:
                raise Failure(
                    f"{cut}; what was sent is kept: the same command goes on", EXIT_UNREACHABLE
                ) from None
            if cut.said:  # nobody shall wait without knowing for what
                bars.say(f"{cut}; trying again")
            time.sleep(min(PAUSE * 2**failed, LONGEST_PAUSE))


def once(service: Connection, file: Path, header: pb.ImportHeader, bars: "Bars") -> pb.ImportListResponse:
    """What one connection brings. Raises CutError when it breaks."""
    starts: SimpleQueue[int | None] = SimpleQueue()

    def requests() -> Iterator[pb.ImportListRequest]:
        yield pb.ImportListRequest(header=header)
        offset = starts.get()
        if offset is None:
            return
        while data := piece(file, offset):  # which is not left open by a connection that is cut
            yield pb.ImportListRequest(piece=pb.ImportPiece(offset=offset, data=data))
            offset += len(data)

    try:
        with service.exchange("AdminService/ImportList", requests(), pb.ImportListResponse) as answers:
            for answer in answers:
                step = answer.WhichOneof("step")
                if step == "send_from":
                    bars.show("receive", answer.send_from, header.size)
                    starts.put(answer.send_from)
                elif step == "progress":
                    bars.show(answer.progress.phase, answer.progress.done, answer.progress.total)
                else:
                    return answer
    finally:
        starts.put(None)
    raise CutError("the service ended the import without a word")


def piece(file: Path, offset: int) -> bytes:
    """The bytes of a file from `offset` on, at most PIECE of them."""
    with file.open("rb") as content:
        content.seek(offset)
        return content.read(PIECE)


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class Bars:
    """A bar for each phase, with the time that is left; shown on a terminal alone."""

    def __init__(self) -> None:
        self.sent = 0  #: bytes that the service has said it has
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, TaskID] = {}
        self._said = ""

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(self, *_ended: object) -> None:
        self._progress.stop()

    def say(self, words: str) -> None:
        """Says something above the bars, unless it was said just before."""
        if words != self._said:
            self._progress.console.print(words, markup=False, highlight=False, soft_wrap=True)
        self._said = words

    def show(self, phase: str, done: int, total: int) -> None:
        """`phase` has come to `done` of `total` bytes or rows; 0: not known."""
        if phase == "receive":
            self.sent = done
        if phase not in self._tasks:
            self._tasks[phase] = self._progress.add_task(PHASES.get(phase, phase), total=total)
        self._progress.update(self._tasks[phase], completed=done, total=max(total, done, 1))
