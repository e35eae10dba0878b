"""ImportList: a file comes in pieces, and is read, compared and put into force while the caller hears how far it is."""

import threading
import time
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing

import grpc

from interceptor.control.answering import SEATS, Line, Method
from interceptor.control.authorising import Caller
from interceptor.control.impacts import change_of, preview_of
from interceptor.control.lists import confirmed, invalid
from interceptor.control.refusing import Refusal
from interceptor.pb.v1 import lists_pb2 as pb
from interceptor.runtime.live import Changed, Import, LiveLists, Preview
from interceptor.runtime.niceness import step_back
from interceptor.store.words import Mode

LARGEST_PIECE = 1 << 20  # bytes
TELL = 0.5  # seconds between two words of how far it is
MODES = {pb.IMPORT_MODE_ADDITION: Mode.ADDITION, pb.IMPORT_MODE_REPLACEMENT: Mode.REPLACEMENT}


class CutError(Exception):
    """The caller has gone: what was begun for him is given up."""


class Reached:
    """How far an import is. Set by the thread that works on it, read by the one that tells."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._last = ("read", 0, 0)

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Raises CutError once nobody listens any more."""
        if self._line.cut:
            raise CutError
        with self._lock:
            self._last = (phase, done, total)

    def told(self) -> pb.ImportListResponse:
        with self._lock:
            phase, done, total = self._last
        return progress(phase, done, total)


class Importing:
    """Imports on their way in. What works on a file has a thread of its own, so that the stream stays alive."""

    def __init__(self, lists: LiveLists) -> None:
        self._lists = lists
        self._workers = ThreadPoolExecutor(SEATS, "import", initializer=step_back)

    def methods(self) -> Mapping[str, Method]:
        return {"ImportList": Method(self.import_list, pb.ImportListRequest, LARGEST_PIECE + 1024, long=True)}

    def close(self) -> None:
        """Ends the threads once they have finished what they are doing."""
        self._workers.shutdown()

    def import_list(
        self, requests: Iterator[pb.ImportListRequest], caller: Caller, line: Line
    ) -> Iterator[pb.ImportListResponse]:
        """Answers where to send from, then how far it is, then what came of it."""
        first = next(requests, None)
        if first is None or first.WhichOneof("part") != "header":
            raise invalid("the first message must be a header")
        header = first.header
        if header.mode not in MODES:
            raise invalid("header.mode: say whether the file replaces what its source has, or adds to it")
        with closing(self._begun(header, caller)) as taking:
            yield pb.ImportListResponse(send_from=taking.send_from)
            yield from received(taking, requests, header.size)
            answer = yield from self._finished(taking, line)
        yield answer  # not before it was let go of: the memory it took is free by then

    def _begun(self, header: pb.ImportHeader, caller: Caller) -> Import:
        return self._lists.begin_import(
            header.list,
            header.source,
            MODES[header.mode],
            file_name=header.file_name,
            size=header.size,
            sha256=header.sha256,
            reason=header.reason,
            allow_bad=header.allow_bad,
            actor=caller.name,
            comment=header.comment,
            confirmed=confirmed(header),
            dry_run=header.dry_run,
        )

    def _finished(
        self, taking: Import, line: Line
    ) -> Generator[pb.ImportListResponse, None, pb.ImportListResponse]:
        reached = Reached(line)
        working: Future[Changed | Preview] = self._workers.submit(taking.finish, reached)
        try:
            while not wait([working], TELL).done:
                yield reached.told()
            result = working.result()
        except CutError:
            raise Refusal(grpc.StatusCode.CANCELLED, "the caller has gone: nothing was changed") from None
        finally:
            wait([working])  # the file is not let go of under its hands
        if isinstance(result, Preview):
            return pb.ImportListResponse(preview=preview_of(result))
        return pb.ImportListResponse(change=change_of(result))


def received(
    taking: Import, requests: Iterator[pb.ImportListRequest], size: int
) -> Iterator[pb.ImportListResponse]:
    """Takes the pieces of the file that are still needed."""
    told = time.monotonic()
    while (reached := taking.send_from) < size:
        part = next(requests, None)
        if part is None:
            raise invalid(
                f"the file ends {size - reached:,} bytes too early; what came is kept: import it again to go on"
            )
        if part.WhichOneof("part") != "piece" or not part.piece.data:
            raise invalid("every message behind the header must be a piece of the file, with data")
        taking.receive(part.piece.offset, part.piece.data)
        if time.monotonic() - told >= TELL:
            told = time.monotonic()
            yield progress("receive", taking.send_from, size)


def progress(phase: str, done: int, total: int) -> pb.ImportListResponse:
    return pb.ImportListResponse(progress=pb.ImportProgress(phase=phase, done=done, total=total))
