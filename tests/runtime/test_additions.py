"""What rules added and a process before could not keep, as the one that goes on takes it."""

from typing import Any

from interceptor.runtime.additions import WAITING, Additions


def test_what_finds_no_room_at_a_takeover_is_counted() -> None:
    nobody: Any = None  # nothing is written
    additions = Additions(nobody, nobody, nobody, nobody, nobody)
    entry = {"list_name": "watch", "rule": "fan-out", "reason": "", "text": "+8613800138000", "until_ms": 1}
    additions.inherit([entry] * (WAITING - 1))
    additions.inherit([entry] * 3)
    assert (additions.waiting, additions.lost) == (WAITING, 2)
