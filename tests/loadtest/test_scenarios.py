"""Scenarios are the same every time, are requests, and are right about the verdicts they are certain of."""

from collections import Counter

import numpy as np
import pytest

from interceptor.control import border
from interceptor.engine.engine import Engine, ListContent
from interceptor.engine.plan import NumberingPlan
from interceptor.loadtest.scenarios import (
    ANY,
    BLOCK,
    CALL_DIGITS,
    PASS,
    SCENARIOS,
    WARN,
    Calls,
    ScenarioError,
    Wanted,
    listed,
    mixed,
    mobile,
)
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.policy import load_policy
from interceptor.runtime.loader import policy_path

COUNT = 6_000
#: 13 digits: 86 166 ...
LISTED = np.uint64(1 << 58 | 13 << 54) | mobile(np.arange(500), 8616).astype(np.uint64)
WANTED = Wanted(COUNT, seed=7, listed=LISTED)
START_MS = 1_790_000_000_000
#: policy -> its list that blocks
POLICIES = {"antifraud-cn": "other_fraud", "default": "blocked"}


def messages(calls: Calls) -> list[bytes]:
    data = calls.data.tobytes()
    return [data[a:b] for a, b in zip(calls.offsets[:-1], calls.offsets[1:], strict=True)]


def numbered(calls: Calls, message: bytes, number: int) -> bytes:
    """The message as it is sent as that call of a run."""
    out = bytearray(message)
    for at, digits in calls.serials:
        out[at : at + digits] = str(number % 10**digits).zfill(digits).encode()
    return bytes(out)


@pytest.fixture(scope="module", params=SCENARIOS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def calls(name: str) -> Calls:
    return SCENARIOS[name](WANTED)


def test_a_scenario_is_the_same_for_the_same_seed_and_another_for_another(name: str, calls: Calls) -> None:
    again = SCENARIOS[name](WANTED)
    assert np.array_equal(calls.data, again.data)
    assert np.array_equal(calls.offsets, again.offsets)
    assert np.array_equal(calls.expected, again.expected)
    other = SCENARIOS[name](Wanted(COUNT, seed=8, listed=LISTED))
    assert not np.array_equal(calls.data, other.data)


def test_every_call_is_a_request_that_says_nothing_unknown(calls: Calls) -> None:
    known = {field.number for field in pb.DecideRequest.DESCRIPTOR.fields}
    for message in messages(calls):
        assert {number for number, _, _ in border.fields(message)} <= known
        assert pb.DecideRequest.FromString(message).SerializeToString() == message


def test_numbers_written_as_a_call_is_sent_change_call_id_and_new_callers_alone(
    name: str, calls: Calls
) -> None:
    for i, message in enumerate(messages(calls)[:200]):
        before, after = (
            pb.DecideRequest.FromString(message),
            pb.DecideRequest.FromString(numbered(calls, message, 987_654_321)),
        )
        assert before.call_id == f"0-{i:0{CALL_DIGITS}}"
        assert after.call_id == f"0-{987_654_321:0{CALL_DIGITS}}"
        assert after.caller == ("+8613987654321" if name == "never-repeat" else before.caller)
        after.call_id, after.caller = before.call_id, before.caller
        assert after == before


@pytest.mark.parametrize("policy", POLICIES)
def test_the_engine_gives_the_verdicts_a_scenario_is_certain_of(
    name: str, calls: Calls, policy: str, plan: NumberingPlan
) -> None:
    engine = Engine(plan, home="CN")
    spec = load_policy(policy_path(policy))
    engine.publish(spec, {POLICIES[policy]: ListContent(LISTED)}, revision=1)
    wrong: Counter[tuple[str, str]] = Counter()
    given: Counter[str] = Counter()
    for number, (message, right) in enumerate(
        zip(messages(calls) * 2, calls.expected.tolist() * 2, strict=True)
    ):
        call = border.read_call(numbered(calls, message, number))
        assert isinstance(call, dict)
        decision = engine.decide(call, START_MS + number // 200)  # 200,000 calls a second
        given[decision.verdict.name] += 1
        if right != ANY and not right >> decision.verdict & 1:
            wrong[decision.rule, decision.verdict.name] += 1
    assert not wrong, f"{wrong} of {given}"
    assert given.total() == 2 * COUNT


ATTACKS = {"flood": "flooded-phone", "scan": "new-sim-dialler", "simbox": "many-sims"}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_noticed_by_the_rule_that_is_there_for_it(attack: str, plan: NumberingPlan) -> None:
    calls = SCENARIOS[attack](WANTED)
    engine = Engine(plan, home="CN")
    engine.publish(load_policy(policy_path("antifraud-cn")), {}, revision=1)
    rules: Counter[str] = Counter()
    for number, message in enumerate(messages(calls)):
        call = border.read_call(message)
        assert isinstance(call, dict)
        rules[engine.decide(call, START_MS + number).rule] += 1
    assert rules[ATTACKS[attack]] > 0, rules
    assert COUNT / 2.5 < COUNT - rules["default"] - rules["emergency"] < COUNT / 1.9, rules


def test_most_verdicts_are_certain() -> None:
    calls = mixed(Wanted(100_000, listed=LISTED))
    share = {right: float(np.mean(calls.expected == right)) for right in (PASS, WARN, BLOCK, ANY)}
    assert share[PASS] > 0.9
    assert 0.008 < share[BLOCK] < 0.012
    assert share[ANY] < 0.08


def test_calls_that_are_made_too_often_to_be_certain_are_not() -> None:
    seldom, often = (mixed(Wanted(10_000, times=times)) for times in (1, 11))
    assert np.mean(seldom.expected == PASS) > 0.85
    assert np.mean(often.expected == PASS) < 0.10  # calls to service numbers, which are built for load
    assert np.array_equal(seldom.data, often.data)


def test_the_hours_of_a_day_follow_each_other() -> None:
    times = [pb.DecideRequest.FromString(message).event_time_ms for message in messages(mixed(Wanted(5_000)))]
    hours = [time // 3_600_000 % 24 for time in times]
    assert hours == sorted(hours)
    assert hours.count(4) * 5 < hours.count(10)


def test_callers_are_heavy_tailed() -> None:
    callers = Counter(
        request.caller
        for message in messages(mixed(Wanted(20_000)))
        if (request := pb.DecideRequest.FromString(message)).trunk == "own-access"
    )
    busiest = callers.most_common()
    assert busiest[0][1] > 20 * busiest[len(busiest) // 2][1]


def test_listed_callers_need_a_list() -> None:
    with pytest.raises(ScenarioError, match="--listed"):
        listed(Wanted(10))
    assert not np.any(mixed(Wanted(2_000)).expected == BLOCK)


def test_a_list_with_short_numbers_is_refused() -> None:
    with pytest.raises(ScenarioError, match="short"):
        listed(Wanted(10, listed=np.array([2 << 58 | 5 << 54 | 95588], np.uint64)))


def test_the_run_is_named_in_its_call_ids() -> None:
    calls = mixed(Wanted(20, run="4fd1"))
    assert pb.DecideRequest.FromString(messages(calls)[3]).call_id == "4fd1-00000000000003"
