"""Parts of the service by themselves: clock, refusals, status messages, addresses."""

from urllib.parse import quote

import pytest

from interceptor.control.refusing import LONGEST, PRINTABLE, fitting
from interceptor.engine.spec import Rule, Span
from interceptor.engine.types import BlockClass, RuleIndex, Verdict
from interceptor.policy import load_policy
from interceptor.runtime.addresses import ListenError, endpoint, guard, local
from interceptor.runtime.clock import Clock
from interceptor.runtime.outcomes import KEPT, RecentOutcomes, refusal

SECOND = 1_000_000_000


def test_a_step_of_the_wall_clock_moves_no_window() -> None:
    wall, monotonic = [1_700_000_000 * SECOND], [5 * SECOND]
    clock = Clock(lambda: wall[0], lambda: monotonic[0])
    assert clock.now_ms() == 1_700_000_000_000
    wall[0] -= 3600 * SECOND
    monotonic[0] += 2 * SECOND
    assert clock.now_ms() == 1_700_000_002_000


@pytest.mark.parametrize(
    ("verdict", "block_class", "code", "reason", "told"),
    [
        (Verdict.PASS, BlockClass.CLASS_NONE, 0, "", (0, "")),
        (Verdict.WARN, BlockClass.CLASS_LIST, 0, "", (0, "")),
        (Verdict.BLOCK, BlockClass.CLASS_LIST, 603, "", (603, 'SIP;cause=603;text="Decline"')),
        (Verdict.BLOCK, BlockClass.CLASS_SUBSCRIBER, 607, "", (607, 'SIP;cause=607;text="Unwanted"')),
        (Verdict.BLOCK, BlockClass.CLASS_ANALYTICS, 608, "", (608, 'SIP;cause=608;text="Rejected"')),
        (Verdict.BLOCK, BlockClass.CLASS_ANALYTICS, 603, "", (603, 'SIP;cause=603;text="v=analytics1"')),
        (Verdict.BLOCK, BlockClass.CLASS_LIST, 404, "", (404, "SIP;cause=404")),
        (Verdict.BLOCK, BlockClass.CLASS_LIST, 603, "Q.850;cause=21", (603, "Q.850;cause=21")),
    ],
)
def test_a_block_says_why_in_sip(
    verdict: Verdict, block_class: BlockClass, code: int, reason: str, told: tuple[int, str]
) -> None:
    assert refusal(Rule("r", Span(0, 0), verdict, block_class, sip_code=code, sip_reason=reason)) == told


def test_outcomes_of_the_last_policies_are_known() -> None:
    outcomes = RecentOutcomes()
    for revision in range(1, 2 * KEPT):
        rule = f"{{id: r, when: 'true', verdict: warn, reason: of-{revision}}}"
        outcomes.record(
            revision, load_policy("policy.yaml", f"version: 1\nrules: [{rule}]\ndefault: block\n")
        )
    assert [outcomes[revision].at(0).reason for revision in (KEPT, 2 * KEPT - 1)] == [
        f"of-{KEPT}",
        f"of-{2 * KEPT - 1}",
    ]
    assert outcomes[KEPT].at(RuleIndex.RULE_EMERGENCY).rule == "emergency"
    default = outcomes[KEPT].at(RuleIndex.RULE_DEFAULT)
    assert (default.rule, default.sip_code) == ("default", 603)


@pytest.mark.parametrize("line", ["policy.yaml:1:1: wrong", "策略第一行写错了", "%" * 500])
def test_a_status_message_fits_its_trailer(line: str) -> None:
    assert fitting(line) == line
    long = "\n".join([line] * 1000)
    told = fitting(long)
    assert len(quote(told, safe=PRINTABLE)) <= LONGEST
    assert told.endswith("all of it")
    assert len(quote(fitting("界" * 10_000), safe=PRINTABLE)) <= LONGEST


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1:50052", True), ("127.8.8.8:1", True), ("[::1]:50052", True), ("localhost:1", True),
        ("unix:/run/interceptor.sock", True), ("0.0.0.0:50052", False), ("[::]:50052", False), ("10.0.0.1:1", False),
        ("switch.example:50052", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_served_without_tls(address: str, own: bool) -> None:
    assert local(address) == own
    guard(address, True, False)
    guard(address, False, True)
    if own:
        guard(address, False, False)
    else:
        with pytest.raises(ListenError, match="--insecure"):
            guard(address, False, False)


@pytest.mark.parametrize("address", ["", ":1", "host", "host:", "host:port", "127.0.0.1:65536", "1:2:-1"])
def test_what_is_no_address_is_said_to_be_none(address: str) -> None:
    with pytest.raises(ListenError, match="HOST:PORT"):
        endpoint(address)
