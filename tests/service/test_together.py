"""Operators at work at the same time, each through a connection of his own: what was acknowledged is there."""

import random
import re
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1 import lists_pb2, policies_pb2
from service.operating import DESK, Ask, add, put
from service.running import CALLEE, Front, Running, refused, run

HOTLINE = "+861095588000"
Work = Callable[[Front], None]


@pytest.fixture(scope="module")
def service(operated: Running) -> Running:
    return operated


def at_once(service: Running, *works: Work) -> None:
    """Each of the works by somebody of his own, all begun together."""
    begin = threading.Barrier(len(works))
    failed: list[BaseException] = []

    def one(work: Work) -> None:
        front = Front(service.control.address)
        try:
            begin.wait()
            work(front)
        except BaseException as error:
            failed.append(error)
        finally:
            front.channel.close()

    threads = [threading.Thread(target=one, args=(work,)) for work in works]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []


def put_on(front: Front, texts: list[str], source: str, confirmed: int = 0) -> int:
    request = lists_pb2.AddEntriesRequest(
        list="fraud", source=source, entries=[lists_pb2.ListEntry(text=text) for text in texts]
    )
    if confirmed:
        request.confirmation.revision = confirmed
    answer = front.ask("AdminService/AddEntries", request, lists_pb2.AddEntriesResponse, 60)
    return int(answer.change.added)


def take_off(front: Front, texts: list[str], source: str) -> int:
    request = lists_pb2.RemoveEntriesRequest(list="fraud", source=source, texts=texts)
    answer = front.ask("AdminService/RemoveEntries", request, lists_pb2.RemoveEntriesResponse, 60)
    return int(answer.change.removed)


def exported(ask: Ask, source: str) -> set[str]:
    lines = ask("lists", "export", "fraud", "--source", source).splitlines()
    return {line.partition(",")[0] for line in lines[1:]}


def test_every_acknowledged_change_of_several_operators_is_there(
    service: Running, ask: Ask, tmp_path: Path, scale: Callable[[int, int], int]
) -> None:
    rounds, size = scale(30, 500), scale(5_000, 200_000)
    numbers = [f"+86138{at:08d}" for at in range(50)]  # the same ones, at two desks
    told: dict[str, set[str]] = {}
    rules: list[str] = []

    def desk(source: str, seed: int) -> Work:
        chance = random.Random(seed)
        have = told.setdefault(source, set())

        def work(front: Front) -> None:
            for _ in range(rounds):
                texts = chance.sample(numbers, 3)
                if chance.random() < 0.6:
                    assert put_on(front, texts, source) == len(set(texts) - have)
                    have.update(texts)
                else:
                    assert take_off(front, texts, source) == len(set(texts) & have)
                    have.difference_update(texts)

        return work

    def feeds(source: str, area: str) -> Work:
        def work(front: Front) -> None:
            for edition in range(3):
                texts = {f"+86{area}{edition}{at:07d}" for at in range(size)}
                path = tmp_path / f"{source}{edition}.csv"
                path.write_text("number\n" + "".join(f"{each}\n" for each in sorted(texts)))
                to = ("--list", "fraud", "--source", source, "--server", front.address)
                done = run("lists", "import", path, "--replace", *to)
                assert done.returncode == 0, done.stderr
                told[source] = texts

        return work

    def policies(front: Front) -> None:
        for edition in range(rounds // 3):
            text = DESK.replace("default: pass", f"thresholds: {{edition: {edition}}}\ndefault: pass")
            request = policies_pb2.PutPolicyRequest(text=text, origin="desk.yaml")
            answer = front.ask("AdminService/PutPolicy", request, policies_pb2.PutPolicyResponse, 60)
            assert answer.policy.in_force
            rules.append(text)

    at_once(
        service, desk("desk 1", 1), desk("desk 2", 2), feeds("police", "136"), feeds("bank", "137"), policies
    )
    for source, texts in told.items():
        assert exported(ask, source) == texts
    assert ask("policy", "get") == rules[-1]
    held = told["desk 1"] | told["desk 2"]
    for number in numbers:
        verdict = service.decide(caller=number, callee=CALLEE).verdict
        assert (verdict == pb.VERDICT_BLOCK) == (number in held)
    assert service.decide(caller=max(told["bank"]), callee=CALLEE).rule == "listed"
    records = ask("audit", "log", "--limit", "1000")["records"]
    live = sorted(int(each["revision"]) for each in records if "revision" in each)
    assert live == list(range(live[0], live[-1] + 1))
    assert ask("audit", "verify", "--deep")["whole"]
    put(service)


def test_of_two_who_confirm_the_same_revision_one_is_told_to_look_again(service: Running, ask: Ask) -> None:
    others = ["+861095588001", "+861095588002"]
    for each in others:
        add(service, each, "hotlines")
    shown = [
        re.search(r"confirm revision (\d+)", refused(lambda each=each: add(service, each))[1])
        for each in others
    ]
    assert shown[0] is not None and shown[1] is not None
    assert shown[0][1] == shown[1][1]
    seen = int(shown[0][1])
    ends: dict[str, tuple[str, str]] = {}

    def confirming(text: str) -> Work:
        def work(front: Front) -> None:
            try:
                ends[text] = ("OK", str(put_on(front, [text], "desk", seen)))
            except grpc.RpcError as error:
                ends[text] = (error.code().name, error.details() or "")

        return work

    at_once(service, *map(confirming, others))
    (lost,) = (each for each in others if ends[each][0] != "OK")
    (won,) = (each for each in others if ends[each] == ("OK", "1"))
    status, message = ends[lost]
    assert status == "ABORTED"
    assert (
        f"revision {seen} was confirmed, and {seen + 1} is live by now: look at what it does now" in message
    )
    assert service.decide(caller=won, callee=CALLEE).rule == "listed"
    assert service.decide(caller=lost, callee=CALLEE).rule == "hotline"


def test_an_entry_that_two_change_at_once_is_as_the_last_one_left_it(service: Running, ask: Ask) -> None:
    number = "+8613912345678"

    def work(front: Front) -> None:
        for _ in range(20):
            put_on(front, [number], "desk")
            take_off(front, [number], "desk")

    at_once(service, work, work)
    history = ask("lists", "show", number, "--history")["entries"]
    assert all(not each["live"] and each["gone_by"] == "local" for each in history)
    assert service.decide(caller=number, callee=CALLEE).rule == "default"
