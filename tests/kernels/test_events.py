"""Decisions on their way to the Python side: in order, whole, and every loss shows."""

import threading
from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from interceptor.engine.events import EVENT_DTYPE, EventRing
from interceptor.engine.number import imei_key_of, imsi_key_of
from interceptor.engine.types import BlockClass, Field, NumberStatus, Verdict


def test_an_event_tells_the_decision_and_the_call() -> None:
    ring = EventRing(4)
    ring.put(
        {
            Field.F_CALLER: b"0086 138 0013 8000",
            Field.F_CALLEE: b"anonymous@anonymous.invalid",
            Field.F_TRUNK: b"gw-1",
            Field.F_SWITCH: b"msc-7",
            Field.F_CALL_ID: b"a84b4c76e66710@pc33.example",
            Field.F_IMEI: b"356938035643809",
            Field.F_IMSI: b"460001234567890",
            Field.F_CELL: b"460-00-1234-56789",
        },
        numbers={
            Field.F_CALLER: (NumberStatus.NUMBER_E164, b"+8613800138000"),
            Field.F_CALLEE: (NumberStatus.NUMBER_WITHHELD, b""),
        },
        keys={Field.F_CALLER: 2**63 + 1},
        now=1_700_000_000_123,
        id=2**64 - 1,
        shadow=5,
        revision=7,
        rule=3,
        verdict=Verdict.BLOCK,
        block_class=BlockClass.CLASS_LIST,
        repeated=1,
        added=1,
        errors=2,
        emergency=1,
        verified=1,
        added_field=Field.F_CALLER,
        trial=1,
        would_verdict=Verdict.WARN,
        would_rule=65535,
    )
    (event,) = ring.drain()
    assert {name: event[name].item() for name in EVENT_DTYPE.names or ()} == {
        "sequence": 0,
        "time_ms": 1_700_000_000_123,
        "decision": 2**64 - 1,
        "shadow": 5,
        "added_key": 2**63 + 1,
        "revision": 7,
        "rule": 3,
        "verdict": Verdict.BLOCK,
        "block_class": BlockClass.CLASS_LIST,
        "repeated": 1,
        "added": 1,
        "emergency": 1,
        "verified": 1,
        "caller_status": NumberStatus.NUMBER_E164,
        "callee_status": NumberStatus.NUMBER_WITHHELD,
        "errors": 2,
        "caller": b"+8613800138000",
        "callee": b"anonymous@anonymous.inva",
        "trunk": b"gw-1",
        "switch": b"msc-7",
        "call_id": b"a84b4c76e66710@pc33.example",
        "imei": b"356938035643809",
        "imsi": b"460001234567890",
        "cell": b"460-00-1234-56789",
        "added_text": b"+8613800138000",
        "would_rule": 65535,
        "would_verdict": Verdict.WARN,
        "trial": 1,
    }


def test_an_event_and_its_turn_are_six_cache_lines() -> None:
    assert EVENT_DTYPE.itemsize + 8 == 6 * 64


@pytest.mark.parametrize(
    ("field", "signalled", "key", "told"),
    [
        (Field.F_IMEI, b"35-693803-564380-9", imei_key_of(b"35-693803-564380-9"), b"35693803564380"),
        (Field.F_IMSI, b"460001234567890", imsi_key_of(b"460001234567890"), b"460001234567890"),
        (Field.F_TRUNK, b"peer-1", 7, b"peer-1"),
        (Field.F_TRUNK, b"x" * 60, 7, b"x" * 52),
    ],
)
def test_an_event_tells_what_a_rule_added(field: int, signalled: bytes, key: int, told: bytes) -> None:
    ring = EventRing(2)
    ring.put({field: signalled}, keys={field: key}, added=1, added_field=field)
    ring.put({field: signalled}, keys={field: key}, added=0, added_field=field)
    added, other = ring.drain()
    assert (added["added_key"], added["added_text"]) == (key, told)
    assert (other["added_key"], other["added_text"]) == (0, b"")


@pytest.mark.parametrize("character", ["a", "é", "中", "\U00010348"])
def test_a_long_text_is_cut_between_two_characters(character: str) -> None:
    for lead in range(4):
        ring = EventRing(2)
        ring.put({Field.F_SWITCH: ("x" * lead + character * 30).encode()})
        trunk: bytes = ring.drain()[0]["switch"]
        assert trunk.decode() == "x" * lead + character * ((24 - lead) // len(character.encode()))


def test_a_place_in_the_ring_keeps_nothing_of_the_call_before() -> None:
    ring = EventRing(2)
    for _ in range(2):
        ring.put({Field.F_CALL_ID: b"a-long-call-id-of-somebody-else", Field.F_CALLER: b"garbled"})
    ring.drain()
    ring.put({Field.F_CALL_ID: b"short"})
    assert ring.drain()[0]["call_id"] == b"short"
    ring.put()
    assert ring.drain()[0]["caller"] == b""


def test_a_full_ring_drops_the_newest_and_the_numbers_show_it() -> None:
    ring = EventRing(4)
    for i in range(6):
        ring.put(id=i)
    assert ring.dropped == 2
    assert ring.drain(1)["sequence"].tolist() == [0]
    ring.put(id=6)
    assert ring.drain()["sequence"].tolist() == [1, 2, 3, 6]
    assert ring.next_sequence == 7
    assert ring.entered == 7 - ring.dropped
    assert ring.drain().shape == (0,)


@pytest.mark.parametrize("capacity", [0, 1, 3, 1000, 2**25])
def test_a_ring_holds_a_power_of_two(capacity: int) -> None:
    with pytest.raises(ValueError, match=f"power of two .* not {capacity}"):
        EventRing(capacity)


class RingIsAQueue(RuleBasedStateMachine):
    """The ring as a deque that turns newcomers away when it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = EventRing(8)
        self.queue: deque[int] = deque()
        self.taken = self.dropped = 0

    @rule(n=st.integers(1, 6))
    def decisions(self, n: int) -> None:
        for _ in range(n):
            self.ring.put(id=self.taken)
            if len(self.queue) < 8:
                self.queue.append(self.taken)
            else:
                self.dropped += 1
            self.taken += 1

    @rule(limit=st.integers(0, 10))
    def drain(self, limit: int) -> None:
        expected = [self.queue.popleft() for _ in range(min(limit, len(self.queue)))]
        events = self.ring.drain(limit)
        assert events["sequence"].tolist() == expected
        assert events["decision"].tolist() == expected

    @invariant()
    def tells_its_state(self) -> None:
        assert len(self.ring) == len(self.queue)
        assert self.ring.dropped == self.dropped
        assert self.ring.next_sequence == self.taken


TestRingIsAQueue = RingIsAQueue.TestCase


def whole(events: npt.NDArray[np.void]) -> bool:
    """Every field of an event of `put_many` says which one it is."""
    ids = events["decision"]
    letters = np.array(
        [bytes(97 + (int(i) >> 4 * (15 - n) & 15) for n in range(16)) for i in ids], dtype="S24"
    )
    return bool(
        (events["shadow"] == ~ids).all()
        and (events["revision"] == ids & 0xFFFFFFFF).all()
        and (events["time_ms"].astype(np.uint64) == ids & 0xFFFFFFFF).all()
        and (events["caller"] == letters).all()
        and (events["cell"] == letters).all()
    )


@pytest.mark.parametrize("capacity", [2, 64, 65536])
def test_with_many_producers_every_number_is_delivered_once_in_order_or_dropped(
    capacity: int, scale: Callable[[int, int], int]
) -> None:
    producers, each = 3, scale(30_000, 3_000_000)
    ring = EventRing(capacity)
    threads = [threading.Thread(target=ring.put_many, args=(i, each)) for i in range(producers)]
    for thread in threads:
        thread.start()
    drained = []
    while any(thread.is_alive() for thread in threads) or len(ring):
        drained.append(ring.drain(1000))
    for thread in threads:
        thread.join()
    events = np.concatenate(drained)
    assert (np.diff(events["sequence"].astype(np.int64)) > 0).all()
    assert len(events) + ring.dropped == ring.next_sequence == producers * each
    assert whole(events)
    for producer in range(producers):
        own = events["revision"][events["decision"] >> np.uint64(32) == producer]
        assert (np.diff(own.astype(np.int64)) > 0).all()
