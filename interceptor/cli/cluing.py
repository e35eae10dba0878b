"""What `interceptor clue` does: asks for an evidence pack and writes it down, or looks whether one is whole."""

import os
import time
from pathlib import Path

from interceptor.cli.connection import Connection
from interceptor.cli.failing import EXIT_USAGE, Failure
from interceptor.cli.listing import told
from interceptor.cli.times import shown, span_ms
from interceptor.pb.v1 import clues_pb2 as pb
from interceptor.runtime.evidence import EvidenceError, verified
from interceptor.runtime.evidencepage import page, verified_page


def gather(service: Connection, text: str, *, since: str, subject: str, out: Path | None) -> None:
    now = int(time.time() * 1000)
    request = pb.GatherClueRequest(
        text=text, subject=f"CLUE_SUBJECT_{subject.upper()}", since_ms=now - span_ms("--since", since)
    )
    found = service.ask("AdminService/GatherClue", request, pb.GatherClueResponse)
    if out is None:
        kind = pb.ClueSubject.Name(found.subject).removeprefix("CLUE_SUBJECT_").lower()
        out = Path(f"clue-{kind}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now / 1000))}")
    for ending, data in ((".jsonl", found.pack), (".html", page(found.pack))):
        _write(out.with_name(out.name + ending), data)
    print(f"{found.decisions} decisions; {out}.jsonl and {out}.html; seal {found.hash}")


def verify(service: Connection, file: Path, *, offline: bool) -> None:
    """Raises Failure when the pack is not as it was made."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", EXIT_USAGE) from None
    try:
        pack = verified(data) if file.suffix == ".jsonl" else verified_page(data)
    except EvidenceError as error:
        raise Failure(f"{file}: {error}") from None
    if offline:
        print(f"whole: {len(pack.items)} items, seal {pack.hash}; whether it was made here was not asked")
        return
    found = service.ask("AdminService/CheckClue", pb.CheckClueRequest(hash=pack.hash), pb.CheckClueResponse)
    if not found.known:
        raise Failure(f"{file}: is whole, but this service's audit trail does not know its seal {pack.hash}")
    told(found, lambda known: print(_known(known, len(pack.items))))


def _known(found: pb.CheckClueResponse, items: int) -> str:
    return f"whole: {items} items; made here at {shown(found.at_ms)} by {found.actor}, audit record {found.sequence}"


def _write(file: Path, data: bytes) -> None:
    """A new file that its owner alone may read."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
    except FileExistsError:
        raise Failure(f"{file} is there already: say another name with --out", EXIT_USAGE) from None
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", EXIT_USAGE) from None
