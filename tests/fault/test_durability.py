"""A service that is killed at any instant while operators change lists and policies: what it acknowledged is there."""

import csv
import hashlib
import io
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from interceptor.pb.v1 import access_pb2, admin_pb2_grpc, lists_pb2, policies_pb2
from service.running import CALLEE, Running

SINGLES = [f"+86138001{number:05d}" for number in range(40)]
ROWS = 3_000
#: seconds between the start of the changes and the blow, at most
LONGEST = 0.6
POLICY = """\
version: 1
trunks:
  default: {{region: CN}}
thresholds: {{edition: {edition}}}
guard: {{share: 1.0}}
lists:
  fraud: {{kind: number}}
  feed: {{kind: number}}
rules:
  - {{id: listed, when: call.caller in lists.fraud, verdict: block, class: list}}
  - {{id: fed, when: call.caller in lists.feed, verdict: block, class: list}}
default: pass
"""
Start = Callable[..., Running]


def edition_of(numbers: set[str]) -> int | None:
    """Which edition of the feed these numbers are; None when they are none's, or of several."""
    editions = {int(number[6:9]) for number in numbers}
    if not numbers:
        return 0
    return editions.pop() if len(editions) == 1 and len(numbers) == ROWS else None


def feed(edition: int) -> bytes:
    return b"number\n" + b"".join(b"+86139%03d%05d\n" % (edition, row) for row in range(ROWS))


@dataclass
class Known:
    """What operators know: what was acknowledged, and what was asked for and perhaps done."""

    there: dict[str, set[bool]] = field(default_factory=lambda: {number: {False} for number in SINGLES})
    feeds: set[int] = field(default_factory=lambda: {0})
    policies: set[int] = field(default_factory=lambda: {0})
    acknowledged: int = 0


class Desk:
    """Three operators, each of whom changes things until the service is gone."""

    def __init__(self, service: Running, known: Known, seed: int) -> None:
        self._channel = grpc.insecure_channel(service.control.address)
        self._admin = admin_pb2_grpc.AdminServiceStub(self._channel)
        self._known = known
        self._random = random.Random(seed)
        self._threads = [
            threading.Thread(target=self._until_gone, args=(each,))
            for each in (self._single, self._import, self._policy)
        ]
        for thread in self._threads:
            thread.start()

    def gone(self) -> None:
        """Waits until every operator has noticed."""
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        self._channel.close()

    def _until_gone(self, work: Callable[[], None]) -> None:
        while True:
            try:
                work()
            except grpc.RpcError as error:
                assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}, error
                return
            self._known.acknowledged += 1

    def _single(self) -> None:
        number = self._random.choice(SINGLES)
        states = self._known.there[number]
        wanted = True not in states
        states.add(wanted)
        if wanted:
            entry = lists_pb2.ListEntry(text=number, reason="fake-police")
            self._admin.AddEntries(
                lists_pb2.AddEntriesRequest(list="fraud", source="desk", entries=[entry]), timeout=60
            )
        else:
            self._admin.RemoveEntries(
                lists_pb2.RemoveEntriesRequest(list="fraud", texts=[number]), timeout=60
            )
        self._known.there[number] = {wanted}

    def _import(self) -> None:
        edition = max(self._known.feeds) % 900 + 1
        self._known.feeds.add(edition)
        data = feed(edition)
        header = lists_pb2.ImportHeader(
            list="feed",
            source="police",
            mode=lists_pb2.IMPORT_MODE_REPLACEMENT,
            file_name=f"feed-{edition}.csv",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        asked = threading.Event()
        send_from: list[int] = []

        def requests() -> Iterator[lists_pb2.ImportListRequest]:
            yield lists_pb2.ImportListRequest(header=header)
            asked.wait(60)
            for begin in range(*send_from, len(data), 1 << 14):
                piece = lists_pb2.ImportPiece(offset=begin, data=data[begin : begin + (1 << 14)])
                yield lists_pb2.ImportListRequest(piece=piece)

        try:
            for answer in self._admin.ImportList(requests(), timeout=60):
                if answer.WhichOneof("step") == "send_from":
                    send_from.append(answer.send_from)
                    asked.set()
        finally:
            send_from.append(len(data))
            asked.set()
        self._known.feeds = {edition}

    def _policy(self) -> None:
        edition = max(self._known.policies) + 1
        self._known.policies.add(edition)
        request = policies_pb2.PutPolicyRequest(text=POLICY.format(edition=edition), origin="policy.yaml")
        self._admin.PutPolicy(request, timeout=60)
        self._known.policies = {edition}
        time.sleep(0.05)


def exported(admin: admin_pb2_grpc.AdminServiceStub, name: str) -> set[str]:
    pieces = admin.ExportList(lists_pb2.ExportListRequest(list=name, format="csv"), timeout=60)
    text = b"".join(piece.data for piece in pieces).decode()
    return {row["number"] for row in csv.DictReader(io.StringIO(text))}


def look(service: Running, known: Known) -> None:
    """Compares what is there with what is known, which is certain again afterwards."""
    with grpc.insecure_channel(service.control.address) as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        fraud, fed = exported(admin, "fraud"), exported(admin, "feed")
        for number in SINGLES:
            assert (number in fraud) in known.there[number], f"{number}: {known.there[number]}"
            known.there[number] = {number in fraud}
            blocked = service.decide(caller=number, callee=CALLEE).rule == "listed"
            assert blocked == (number in fraud)
        edition = edition_of(fed)
        assert edition in known.feeds, f"{len(fed)} numbers, edition {edition} of {known.feeds}"
        known.feeds = {edition} if edition is not None else set()
        text = admin.GetPolicy(policies_pb2.GetPolicyRequest(), timeout=60).policy.text
        editions = {each for each in known.policies if POLICY.format(edition=each) == text}
        assert editions, text
        known.policies = editions
        audit = admin.VerifyAudit(access_pb2.VerifyAuditRequest(deep=True), timeout=60)
        assert audit.whole, list(audit.problems)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str | Path, ...]:
    """Options that say where the store is."""
    data = ("--data", tmp_path / "data")
    if request.param == "sqlite":
        return data
    return (*data, "--store", request.getfixturevalue("postgres_url"))


def test_what_was_acknowledged_survives_a_kill_at_any_instant(
    start: Start, store: tuple[str | Path, ...], scale: Callable[[int, int], int]
) -> None:
    known = Known()
    chance = random.Random(20_261_122)
    service = start(None, *store)
    first = policies_pb2.PutPolicyRequest(text=POLICY.format(edition=0), origin="policy.yaml")
    service.control.ask("AdminService/PutPolicy", first, policies_pb2.PutPolicyResponse)
    for instant in range(scale(4, 500)):
        desk = Desk(service, known, seed=instant)
        time.sleep(chance.uniform(0, LONGEST))
        service.signal(signal.SIGKILL)
        desk.gone()
        service.process.wait()
        service = start(None, *store)
        look(service, known)
    assert known.acknowledged > 0
    assert service.stop() == 0
