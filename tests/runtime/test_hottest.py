"""Who calls most, counted in bounded memory: against a plain count of everything."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.events import EVENT_DTYPE
from interceptor.engine.types import NumberStatus, Verdict
from interceptor.runtime.hottest import KEPT, SLICES, Calling, Frequent, Hottest

COUNTED = st.lists(st.tuples(st.integers(0, 40).map(lambda n: b"%d" % n), st.integers(1, 50)), max_size=200)


@given(st.lists(COUNTED, max_size=8), st.integers(1, 8))
def test_a_count_is_never_too_high_and_too_low_by_little(
    batches: list[list[tuple[bytes, int]]], kept: int
) -> None:
    frequent, plain = Frequent(kept), Counter[bytes]()
    for counted in batches:
        frequent.add(counted)
        for key, times in counted:
            plain[key] += times
        assert len(frequent.counts) <= 2 * kept
    short = plain.total() / (kept + 1)
    for key, times in plain.items():
        assert times - short <= frequent[key] <= times


@given(COUNTED)
def test_few_keys_are_counted_exactly(counted: list[tuple[bytes, int]]) -> None:
    frequent, plain = Frequent(), Counter[bytes]()
    frequent.add(counted)
    for key, times in counted:
        plain[key] += times
    assert frequent.counts == plain


def events(*calls: tuple[str, Verdict], rule: int = 0, **more: int) -> np.ndarray:
    made = np.zeros(len(calls), dtype=EVENT_DTYPE)
    for event, (caller, verdict) in zip(made, calls, strict=True):
        event["caller"], event["verdict"], event["rule"] = caller.encode(), verdict, rule
        event["caller_status"] = NumberStatus.NUMBER_E164
        for name, value in more.items():
            event[name] = value
    return made


def test_callers_come_by_blocked_calls_then_warned_then_passes() -> None:
    hottest = Hottest(0)
    hottest.add(
        events(*[("+1", Verdict.PASS)] * 9, *[("+2", Verdict.WARN)] * 2, ("+3", Verdict.BLOCK), rule=4)
    )
    hottest.add(events(("+3", Verdict.WARN), rule=5))
    assert hottest.top(9) == [
        Calling(1, 1, 0, b"+3", (0, 5)),
        Calling(0, 2, 0, b"+2", (0, 4)),
        Calling(0, 0, 9, b"+1", None),
    ]
    assert [each.caller for each in hottest.top(1)] == [b"+3"]


def test_the_rule_shown_is_the_last_one_of_a_batch() -> None:
    hottest = Hottest(0)
    batch = np.concatenate([events(("+1", Verdict.BLOCK), rule=rule) for rule in (3, 1, 2)])
    hottest.add(batch)
    assert hottest.top(1)[0].stopped == (0, 2)


def test_a_call_is_counted_once_and_withheld_callers_are_nobody() -> None:
    hottest = Hottest(0)
    hottest.add(events(("+1", Verdict.BLOCK), repeated=1))
    hottest.add(events(("+1", Verdict.BLOCK), trial=1))
    hottest.add(events(("anonymous", Verdict.BLOCK), caller_status=NumberStatus.NUMBER_WITHHELD))
    hottest.add(events(("", Verdict.BLOCK), caller_status=NumberStatus.NUMBER_ABSENT))
    assert hottest.top(9) == []


def test_a_minute_is_forgotten_slice_by_slice() -> None:
    hottest = Hottest(100)
    for now in range(SLICES):
        hottest.add(events(("+1", Verdict.BLOCK), (f"+2{now}", Verdict.BLOCK)))
        hottest.turn(101 + now)
    assert hottest.since == 101
    assert hottest.top(1)[0].blocked == SLICES - 1
    for now in range(SLICES):
        hottest.turn(200 + now)
    assert hottest.top(9) == []


def test_a_flood_of_callers_takes_bounded_memory_and_hides_no_heavy_one() -> None:
    hottest = Hottest(0)
    for batch in range(40):
        strangers = [(f"+86{batch}{n}", Verdict.BLOCK) for n in range(1_000)]
        hottest.add(events(*strangers, *[("+861", Verdict.BLOCK)] * 10))
    first = hottest.top(1)[0]
    assert first.caller == b"+861"
    assert 400 - 40_400 / (KEPT + 1) <= first.blocked <= 400
    assert len(hottest.top(100_000)) <= 2 * KEPT
