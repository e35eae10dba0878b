"""What is still to happen to calls: a heap and a wheel, held against a list that is sorted."""

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from interceptor.engine.types import Happening
from interceptor.replay.pending import PendingReports

Reported = tuple[int, int, int, Happening, int]
ROOM = 40
#: from within a stretch of the wheel to more than a turn of it
spans = st.sampled_from([0, 1, 5, 1023, 1024, 60_000, 3_600_000, 4_194_304, 9_000_000])
reported = st.sampled_from(["answered", "ended", "both", "neither"])


def order(report: Reported) -> tuple[int, bool]:
    return report[2], report[3] == Happening.H_ANSWERED


class PendingIsList(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pending = PendingReports(ROOM)
        self.calls: list[list[Reported]] = []  #: of each call what is still to happen
        self.now = self.added = self.lost = 0

    @initialize(now=st.sampled_from([0, 1_700_000_000_000]))
    def start(self, now: int) -> None:
        self.now = now

    @rule(step=spans, to_answer=spans, to_end=spans, what=reported, times=st.integers(1, 50))
    def add(self, step: int, to_answer: int, to_end: int, what: str, times: int) -> None:
        """Calls one after the other."""
        for _ in range(times):
            self.take(0)  # what is due is taken off before a call is added
            self.added += 1
            answered = self.now + to_answer if what in ("answered", "both") else -1
            ended = max(answered, self.now) + to_end if what in ("ended", "both") else -1
            self.pending.add(self.added, ~self.added & (2**64 - 1), answered, ended)
            reports = []
            if answered >= 0:
                reports.append(self.report(answered, Happening.H_ANSWERED, -1))
            if ended >= 0:
                reports.append(
                    self.report(ended, Happening.H_ENDED, ended - answered if answered >= 0 else -1)
                )
            if reports and len(self.calls) == ROOM:
                self.lost += 1
            elif reports:
                self.calls.append(reports)
            self.now += min(step, 1023)

    def report(self, time: int, event: Happening, duration: int) -> Reported:
        return self.added, ~self.added & (2**64 - 1), time, event, duration

    @rule(step=spans)
    def take(self, step: int) -> None:
        self.now += step
        taken = self.pending.take(self.now)
        due = []
        while self.calls and (first := min(self.calls, key=lambda call: order(call[0])))[0][2] <= self.now:
            due.append(first.pop(0))
            self.calls = [call for call in self.calls if call]
        assert [order(report) for report in taken] == [order(report) for report in due]
        assert Counter(taken) == Counter(due)

    @rule(step=spans, most=st.sampled_from([0, 1, 7, 128]))
    def soon(self, step: int, most: int) -> None:
        first = [call[0] for call in self.calls if call[0][2] <= self.now + step]
        seen = self.pending.soon(self.now + step, most)
        assert len(seen) == min(len(first), most)
        assert not Counter(seen) - Counter(first)

    @invariant()
    def none_is_lost_but_for_want_of_room(self) -> None:
        assert self.pending.lost == self.lost


TestPendingIsList = PendingIsList.TestCase
