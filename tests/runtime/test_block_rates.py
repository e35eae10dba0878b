"""When an analytics rule has jumped: against its usual share, above a minimum, never before that share is known."""

from interceptor.engine.spec import Guard
from interceptor.runtime.demotion import BUCKET_MS, KNOWN, BlockRates, Jump

GUARD = Guard(share=0.001, factor=10, minimum=100)


class Traffic:
    """Totals as the engine counts them, a bucket at a time."""

    def __init__(self) -> None:
        self.rates = BlockRates()
        self.now_ms = self.calls = self.blocked = 0

    def pass_bucket(self, calls: int, blocked: int, guard: Guard = GUARD) -> list[Jump]:
        self.now_ms += BUCKET_MS
        self.calls += calls
        self.blocked += blocked
        return self.rates.take(self.now_ms, self.calls, {"busy": self.blocked}, guard)


def usual(calls: int = 10_000, blocked: int = 20, buckets: int = 20) -> Traffic:
    traffic = Traffic()
    assert [traffic.pass_bucket(calls, blocked) for _ in range(buckets)] == [[]] * buckets
    return traffic


def test_a_rule_that_blocks_ten_times_its_usual_share_has_jumped() -> None:
    (jump,) = usual().pass_bucket(10_000, 2_000)
    assert (jump.rule, jump.blocked, jump.calls) == ("busy", 2_020, 20_000)
    assert abs(jump.usual - 0.002) < 1e-9


def test_it_takes_more_than_the_factor() -> None:
    traffic = usual()
    assert not any(traffic.pass_bucket(10_000, 150) for _ in range(20))


def test_more_calls_are_no_jump_while_the_share_is_the_same() -> None:
    traffic = usual()
    assert not any(traffic.pass_bucket(1_000_000, 2_000) for _ in range(20))


def test_few_blocks_are_no_jump_whatever_their_share() -> None:
    traffic = usual(calls=100, blocked=0)
    assert not any(traffic.pass_bucket(100, 8) for _ in range(20))


def test_a_share_that_the_guard_allows_anyway_is_no_jump() -> None:
    traffic = usual(calls=1_000_000, blocked=0)
    assert not any(traffic.pass_bucket(1_000_000, 500) for _ in range(20))
    assert usual(calls=1_000_000, blocked=0).pass_bucket(1_000_000, 3_000)


def test_what_a_new_rule_blocks_is_learned_before_it_is_judged() -> None:
    traffic = Traffic()
    assert not any(traffic.pass_bucket(10_000, 5_000) for _ in range(50))


def test_times_without_calls_teach_nothing() -> None:
    traffic = usual()
    for _ in range(100):
        traffic.pass_bucket(0, 0)
    assert not traffic.pass_bucket(10_000, 20)
    assert traffic.pass_bucket(10_000, 2_000)


def test_what_jumped_does_not_become_usual() -> None:
    traffic = usual()
    assert all(traffic.pass_bucket(10_000, 2_000) for _ in range(100))


def test_what_grows_slowly_shows_in_the_long_window() -> None:
    traffic = usual(calls=100, blocked=0)
    found = [traffic.pass_bucket(100, 30) for _ in range(6)]
    assert any(found)


def test_a_rule_that_a_new_policy_brings_begins_anew() -> None:
    traffic = usual()
    traffic.now_ms += BUCKET_MS
    rules = {"busy": traffic.blocked, "new": 0}
    assert not traffic.rates.take(traffic.now_ms, traffic.calls, rules, GUARD)
    for _ in range(KNOWN - 1):
        traffic.now_ms += BUCKET_MS
        traffic.calls += 1_000
        rules["new"] += 900
        assert not traffic.rates.take(traffic.now_ms, traffic.calls, rules, GUARD)
