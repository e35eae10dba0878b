"""Nobody is in two calls at once: the sieve of a slice against its obvious model."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from interceptor.simulation import calls

LINES = 6
CALL = st.tuples(
    st.integers(0, 60_000),  # begins
    st.integers(-1, LINES - 1),  # caller
    st.integers(-2, LINES - 1),  # callee
    st.integers(1, 5_000),  # rings
    st.sampled_from([0, 0, 1_000, 20_000]),  # talks
    st.sampled_from([calls.SETUP, calls.SETUP, calls.SETUP, calls.SMS]),
)


def model(made: list[tuple[int, ...]], busy: list[int]) -> list[tuple[int, int, int, bool]]:
    """(begins, rings, talks, found busy) of each call that takes place, and of each event."""
    kept = []
    for begins, caller, callee, rings, talks, event in made:
        if event != calls.SETUP:
            kept.append((begins, rings, talks, False))
            continue
        if callee == -2:
            rings, talks = 900, 0
        if caller >= 0 and busy[caller] > begins:
            continue
        engaged = callee >= 0 and busy[callee] > begins
        if engaged:
            rings, talks = 2_000, 0
        if caller >= 0:
            busy[caller] = begins + rings + talks
        if callee >= 0 and talks:
            busy[callee] = begins + rings + talks
        kept.append((begins, rings, talks, engaged))
    return kept


@given(
    made=st.lists(CALL, max_size=40), before=st.lists(st.integers(0, 30_000), min_size=LINES, max_size=LINES)
)
def test_a_telephone_is_in_one_call(made: list[tuple[int, ...]], before: list[int]) -> None:
    made = sorted((call for call in made if call[1] != call[2] or call[1] < 0), key=lambda call: call[0])
    rows = calls.empty(len(made))
    for name, column in zip(
        ("time", "line", "to", "ring", "talk", "event"), zip(*made, strict=True), strict=False
    ):
        rows[name] = column
    busy, expected = np.array(before), list(before)
    kept = calls.one_at_a_time(rows, busy)
    assert [(row["time"], row["ring"], row["talk"], row["cause"] == calls.BUSY) for row in kept] == model(
        made, expected
    )
    assert busy.tolist() == expected
