"""How a replaced snapshot waits for the threads that hold no GIL: who holds it up, and who does not."""

import random
import threading
from collections.abc import Callable

import numpy as np
import pytest

from interceptor.engine.engine import CALL_DTYPE, Engine, ListContent
from interceptor.engine.publication import PublicationProbe
from interceptor.engine.snapshot import Companion
from interceptor.numbering import load_plan
from interceptor.policy import load_policy

NOW = 1_700_000_000_000

POLICY = """
version: 1
lists:
  fraud: {kind: number}
  block: {kind: prefix}
counters:
  calls: {count: call, per: caller, window: 1m}
rules:
  - {id: listed, when: call.caller in lists.fraud || call.caller in lists.block, verdict: block, class: list}
  - {id: busy, when: counters.calls > 1000000, verdict: warn}
default: pass
"""


SPEC = load_policy("policy.yaml", POLICY)


def made(revision: int = 1) -> Engine:
    engine = Engine(load_plan(), secret=bytes(16), pass_sample=0)
    if revision:
        engine.publish(SPEC, {}, revision=revision)
    return engine


def rows(count: int, caller: bytes) -> np.ndarray:
    calls = np.zeros(count, dtype=CALL_DTYPE)
    calls["caller"], calls["callee"] = caller, b"+8613900139000"
    return calls


class Waiting(threading.Thread):
    """A writer's wait, and whether it has come back."""

    def __init__(self, wait: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._wait = wait
        self.start()

    def run(self) -> None:
        self._wait()

    @property
    def over(self) -> bool:
        self.join(10)
        return not self.is_alive()

    @property
    def held_up(self) -> bool:
        self.join(0.02)
        return self.is_alive()


def test_before_the_first_snapshot_there_is_none() -> None:
    probe = PublicationProbe()
    assert probe.enter(0) is None
    probe.leave(0)
    assert probe.publish() == 1
    assert probe.enter(0) == 1


def test_nobody_inside_holds_nothing_up() -> None:
    probe = PublicationProbe()
    probe.publish()
    for worker in range(64):
        probe.enter(worker)
        probe.leave(worker)
    probe.wait()


@pytest.mark.parametrize("passes", ["leave", "enter"])
def test_a_wait_is_over_when_a_reader_inside_has_left_or_come_in_anew(passes: str) -> None:
    probe = PublicationProbe()
    probe.publish()
    assert probe.enter(5) == 1
    probe.publish()
    writer = Waiting(probe.wait)
    assert writer.held_up
    getattr(probe, passes)(5)
    assert writer.over


def test_who_comes_in_during_a_wait_does_not_prolong_it() -> None:
    probe = PublicationProbe()
    probe.publish()
    probe.enter(0)
    writer = Waiting(probe.wait)
    assert writer.held_up
    assert probe.enter(1) == 1
    probe.leave(0)
    assert writer.over


def test_every_one_of_the_workers_is_waited_for() -> None:
    probe = PublicationProbe()
    probe.publish()
    for worker in (0, 31, 63):
        probe.enter(worker)
        writer = Waiting(probe.wait)
        assert writer.held_up
        probe.leave(worker)
        assert writer.over


def test_a_second_wait_looks_anew() -> None:
    probe = PublicationProbe()
    probe.publish()
    probe.enter(0)
    first = Waiting(probe.wait)
    assert first.held_up
    probe.enter(0)
    assert first.over
    second = Waiting(probe.wait)
    assert second.held_up
    probe.leave(0)
    assert second.over


def test_there_are_as_many_workers_as_there_are() -> None:
    probe = PublicationProbe()
    with pytest.raises(ValueError, match="worker 64: workers are numbered 0 to 63"):
        probe.enter(64)


def test_readers_never_look_at_what_was_freed_and_never_go_back(scale: Callable[[int, int], int]) -> None:
    probe = PublicationProbe()
    probe.publish()
    wrong: list[int] = []
    readers = [
        threading.Thread(target=lambda w=worker: wrong.append(probe.read(w, scale(10_000_000, 300_000_000))))
        for worker in (0, 1, 63)
    ]
    for reader in readers:
        reader.start()
    while any(reader.is_alive() for reader in readers):
        probe.publish()
        probe.wait()
        probe.discard()  # a reader that still looked there would end the process
    for reader in readers:
        reader.join()
    assert wrong == [0, 0, 0]


# --- the same, of an engine


def test_an_enlisted_thread_decides_and_is_counted_as_any_other() -> None:
    engine = made()
    worker = engine.enlist()
    answers = worker.decide_batch(rows(100, b"+8613800138000"), np.full(100, NOW))
    assert (answers["revision"] == 1).all()
    assert engine.stats()["verdicts"]["pass"] == 100
    engine.decide({"caller": "+8613800138000", "callee": "+8613900139000"}, NOW)
    assert engine.stats()["verdicts"]["pass"] == 101


def test_a_thread_may_be_enlisted_before_there_is_a_policy() -> None:
    engine = made(revision=0)
    worker = engine.enlist()
    one = rows(1, b"+8613800138000"), np.full(1, NOW)
    with pytest.raises(RuntimeError, match="publish one first"):
        worker.decide_batch(*one)
    engine.publish(SPEC, {}, revision=7)
    assert worker.decide_batch(*one)["revision"] == [7]


def test_what_was_counted_stays_counted_when_the_snapshot_goes() -> None:
    engine = made()
    worker = engine.enlist()
    for revision in range(2, 6):
        worker.decide_batch(rows(10, b"+8613800138000"), np.full(10, NOW))
        engine.publish(SPEC, {}, revision=revision)
    assert engine.stats()["verdicts"]["pass"] == 40


def test_decision_ids_of_enlisted_threads_are_their_own() -> None:
    engine = made()
    workers = [engine.enlist() for _ in range(3)]
    ids = {int(each) for w in workers for each in w.decide_batch(rows(9, b"1"), np.full(9, NOW))["id"]}
    assert len(ids) == 27
    assert [worker.index for worker in workers] == [0, 1, 2]


def test_one_place_is_left_to_python_threads() -> None:
    engine = made()
    enlisted = [engine.enlist() for _ in range(63)]
    with pytest.raises(RuntimeError, match="decides with 64 threads, and 63 have their place: start fewer"):
        engine.enlist()
    engine.decide({"caller": "+8613800138000", "callee": "+8613900139000"}, NOW)
    assert enlisted[-1].decide_batch(rows(1, b"1"), np.full(1, NOW))["verdict"] == [1]


def test_deciding_without_a_policy_takes_nobodys_place() -> None:
    engine = made(revision=0)
    for _ in range(100):
        with pytest.raises(RuntimeError, match="publish one first"):
            engine.decide({"caller": "1", "callee": "2"}, NOW)
    engine.publish(SPEC, {}, revision=1)
    assert engine.decide({"caller": "1", "callee": "2"}, NOW).revision == 1


def test_a_companion_is_one() -> None:
    engine = made()
    engine.publish(SPEC, {}, revision=2, companion=Companion())
    with pytest.raises(TypeError):
        engine.publish(SPEC, {}, revision=3, companion="phrases")  # type: ignore[arg-type]
    assert engine.revision == 2


def test_what_was_counted_can_be_read_while_a_policy_is_built() -> None:
    engine, seen = made(), []

    class Asking(dict[str, ListContent]):
        """Content of lists that looks at the engine while it is read."""

        def __getitem__(self, name: str) -> ListContent:
            seen.append(engine.stats()["revision"])
            return super().__getitem__(name)

    engine.publish(SPEC, Asking(fraud=ListContent(np.empty(0, np.uint64))), revision=2)
    assert seen == [1]
    assert engine.stats()["revision"] == 2


def test_what_a_change_of_a_list_replaced_goes_with_that_change() -> None:
    engine = made()
    worker = engine.enlist()
    worker.decide_batch(rows(1, b"1"), np.full(1, NOW))
    engine.add("fraud", ListContent(np.arange(1, 20_000, dtype=np.uint64) | np.uint64(7 << 58)))
    after_growth = engine.stats()["list_bytes"]
    engine.add("fraud", ListContent(np.array([20_001 | 7 << 58], dtype=np.uint64)))
    assert engine.stats()["list_bytes"] == after_growth


def test_native_threads_decide_while_policies_are_published_and_lists_change(
    scale: Callable[[int, int], int],
) -> None:
    """What is freed while a thread looks at it ends the process, here or under AddressSanitizer."""
    engine = made()
    workers = [engine.enlist() for _ in range(3)]
    rng, wrong = random.Random(1), []
    rounds = scale(6_000, 100_000)

    def decide(index: int) -> None:
        calls = rows(256, f"+861380013800{index}".encode())
        for _ in range(10):
            answers = workers[index].decide_batch(calls, np.full(256, NOW), rounds=rounds // 10)
            if not (np.diff(answers["revision"].astype(int)) >= 0).all() or (answers["verdict"] == 0).any():
                wrong.append(index)

    threads = [threading.Thread(target=decide, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    revision, key = 1, 1
    while any(thread.is_alive() for thread in threads):
        match rng.randrange(4):
            case 0:
                revision += 1
                engine.publish(SPEC, {}, revision=revision)
            case 1:  # the table grows
                keys = np.arange(key, key + 3000, dtype=np.uint64) | np.uint64(7 << 58)
                engine.add("fraud", ListContent(keys))
                key += 3000
            case 2:  # the trie is replaced
                engine.add("block", ListContent(np.empty(0, np.uint64), [(0, b"%d" % (861390 + key % 10))]))
            case 3:
                engine.remove(
                    "block", ListContent(np.empty(0, np.uint64), [(0, b"%d" % (861390 + key % 10))])
                )
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sum(engine.stats()["verdicts"].values()) == 3 * 256 * (rounds // 10) * 10
