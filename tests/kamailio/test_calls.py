"""Calls of every kind, by SIPp through Kamailio: the SIP answers, and what reaches the called party."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kamailio.telephony import Called, Callers, Kamailio, Message, stranger
from kamailio.world import CALLS, FIRST_OF_SIMBOX, KINDS, called_by, caller, settings, write_policy
from service.running import CALLEE, Running

#: Kinds whose calls are made at the same time.
TOGETHER = 5


class World:
    """All kinds of calls have been made."""

    def __init__(self, directory: Path) -> None:
        self.parties: list[Callers | Called | Kamailio] = []
        self.service = Running(write_policy(directory))
        try:
            self.called = Called(directory)
            self.parties.append(self.called)
            self.kamailio = Kamailio(directory, settings(self.service.data.address), self.called.port)
            self.parties.append(self.kamailio)
            first = Callers(directory, "first", FIRST_OF_SIMBOX, self.kamailio)
            self.parties.append(first)
            assert first.over().failed == 0, first.trouble()
            self.made: dict[str, Callers] = {}
            kinds = list(KINDS)
            for start in range(0, len(kinds), TOGETHER):
                for name in kinds[start : start + TOGETHER]:
                    made = Callers(directory, f"calls-{len(self.made)}", KINDS[name], self.kamailio)
                    self.made[name] = made
                    self.parties.append(made)
                for made in self.made.values():
                    made.over()
            self.invited = self.called.invited()
        except BaseException:
            self.stop()
            raise

    def reached(self, kind: str) -> list[Message]:
        """INVITEs of that kind's calls that reached the called party."""
        own = self.made[kind].own
        return [message for message in self.invited if message.one("Call-ID").startswith(own)]

    def counters(self, kind: str, call: int, **awaited: int) -> dict[str, int]:
        """What is counted of the caller of a call; with `ended`, once its end has been reported."""
        told: dict[str, int] = {}
        for _ in range(100):
            explained = self.service.explain(caller=called_by(caller(kind), call), callee=CALLEE).counters
            told = {one.counter: one.value - one.counted for one in explained}
            if told["answered"] + told["unanswered"] - told["active"] >= awaited.get("ended", 0):
                break
            time.sleep(0.1)
        return {name: value for name, value in told.items() if name != "device_numbers_1h"}

    def outcome(self, kind: str, call: int) -> dict[str, int]:
        """What is counted of a caller but how long he talked, once the end of his call has been reported."""
        counted = self.counters(kind, call, ended=1)
        del counted["talked"]
        return counted

    def stop(self) -> None:
        for party in reversed(self.parties):
            party.stop()
        self.service.stop()


@pytest.fixture(scope="module")
def world(telephony: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("calls"))
    yield made
    made.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_each_call_ends_as_its_kind_does(world: World, kind: str) -> None:
    made = world.made[kind]
    assert (made.successful, made.failed) == (len(KINDS[kind].calls), 0), made.trouble()
    assert len(KINDS[kind].calls) >= CALLS
    assert {message.status for message in made.finals()} == {KINDS[kind].status}
    assert len(made.finals()) == len(KINDS[kind].calls)


@pytest.mark.parametrize(
    ("kinds", "line", "reason", "call_info"),
    [
        (
            ["listed", "listed, as a tel: URI", "prefix", "domain", "network", "spoofed", "diverted"],
            "SIP/2.0 603 Decline",
            'SIP;cause=603;text="Decline"',
            "",
        ),
        (
            ["diverted, by History-Info", "asserted"],
            "SIP/2.0 603 Decline",
            'SIP;cause=603;text="Decline"',
            "",
        ),
        (["subscriber"], "SIP/2.0 607 Unwanted", 'SIP;cause=607;text="Unwanted"', ""),
        (
            ["simbox"],
            "SIP/2.0 608 Rejected",
            'SIP;cause=608;text="Rejected"',
            "<https://operator.example/complain.jws>;purpose=jwscard",
        ),
        (["scanner"], "SIP/2.0 403 Forbidden", 'Q.850;cause=21;text="scanner"', ""),
    ],
)
def test_a_refusal_says_on_what_grounds(
    world: World, kinds: list[str], line: str, reason: str, call_info: str
) -> None:
    for kind in kinds:
        answers = world.made[kind].finals()
        said = {(answer.first, answer.one("Reason"), answer.one("Call-Info")) for answer in answers}
        assert said == {(line, reason, call_info)}, kind
        assert not world.reached(kind), f"{kind}: calls that are refused go nowhere"


@pytest.mark.parametrize(
    ("kind", "rule", "label"),
    [
        ("warned", "reason=highly-suspected;rule=suspected", "疑似诈骗"),
        ("unverified", "reason=failed-verification;rule=unverified", r"Unverified \"number\""),
        ("vouched for by nobody", "reason=highly-suspected;rule=suspected", "疑似诈骗"),
        ("hidden", "reason=hidden;rule=hidden", "疑似诈骗"),
    ],
)
def test_a_warned_call_goes_on_with_a_label_and_a_mark(
    world: World, kind: str, rule: str, label: str
) -> None:
    invited = world.reached(kind)
    assert len(invited) == CALLS
    decisions = set()
    for invite in invited:
        mark, _, decision = invite.one("X-Interceptor").rpartition(";decision=")
        assert mark == f"warn;{rule}"
        decisions.add(decision)
        assert invite.one("From").startswith(f'"{label}" <sip:+86138')
        assert all(value.startswith(f'"{label}" <tel:+86138') for value in invite.all("P-Asserted-Identity"))
    assert len(decisions) == CALLS, "each call has a decision of its own to complain about"


@pytest.mark.parametrize(
    "kind", ["ordinary", "asserted, but not believed", "vouched for", "forged", "emergency", "again"]
)
def test_a_call_that_passes_is_left_as_it_is(world: World, kind: str) -> None:
    invited = [invite for invite in world.reached(kind) if invite.one("CSeq") == "1 INVITE"]
    assert len(invited) == CALLS
    for invite in invited:
        assert invite.all("X-Interceptor") == [], "nobody else says what the interceptor says"
        assert invite.one("From").startswith('"Bob" <sip:+86138')
    sent = {
        value for header in KINDS[kind].headers if header.startswith("Identity:") for value in [header[10:]]
    }
    assert {value for invite in invited for value in invite.all("Identity")} == sent


def test_emergency_calls_get_through_by_whoever(world: World) -> None:
    for kind in ("emergency", "emergency, as a tel: URI", "emergency, by its name"):
        assert len(world.reached(kind)) == CALLS
    assert {invite.first for invite in world.reached("emergency, by its name")} == {
        "INVITE urn:service:sos.police SIP/2.0"
    }


def test_an_invite_within_a_call_is_not_asked_about(world: World) -> None:
    assert len(world.reached("again")) == 2 * CALLS
    for call in range(CALLS):
        assert world.counters("again", call)["calls"] == 1


def test_answers_and_ends_are_reported(world: World) -> None:
    for call in range(CALLS):
        assert world.outcome("ordinary", call) == {
            "calls": 1, "answered": 1, "unanswered": 0, "active": 0
        }  # fmt: skip
        assert world.counters("again", call, ended=1)["talked"] >= 2, "these talk for three seconds"


@pytest.mark.parametrize("kind", ["busy", "cancelled"])
def test_a_call_nobody_answered_is_reported_as_ended(world: World, kind: str) -> None:
    for call in range(CALLS):
        assert world.outcome(kind, call) == {
            "calls": 1, "answered": 0, "unanswered": 1, "active": 0
        }  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [
        [b"User-Agent: \xff\xfe\x80", b'P-Asserted-Identity: "\xc3" <tel:+8613800138000>'],
        [b"User-Agent: " + b"x" * 3000, b"Privacy: " + b"y" * 2000, b"Diversion: <tel:" + b"1" * 2000 + b">"],
        [b"P-Asserted-Identity: " + b"<" * 4000, b"History-Info: " + b'"' * 4001, b"Identity: ..;;"],
        [b"User-Agent: a\x01\x02\x7fb", b"Contact: *"],
    ],
)
def test_nobody_gets_through_by_writing_nonsense(world: World, headers: list[bytes]) -> None:
    assert stranger(world.kamailio.port, *headers, caller="+8613700990000").status == 603
    assert stranger(world.kamailio.port, *headers, caller="+8613700770000").status == 486


def test_a_call_id_that_was_used_before_gets_nobody_through(world: World) -> None:
    port = world.kamailio.port
    assert stranger(port, caller="+8613700770001", call_id="used").status == 486
    assert stranger(port, caller="+8613700990000", call_id="used").status == 603


def test_a_to_tag_of_no_call_gets_nobody_through(world: World) -> None:
    route = f"Route: <sip:127.0.0.1:{world.kamailio.port};lr>".encode()
    there = f"sip:13900200486@127.0.0.1:{world.called.port}"
    for number, status in (("+8613700990000", 603), ("+8613700770002", 486)):
        answer = stranger(world.kamailio.port, route, caller=number, tag=";tag=made-up", to=there)
        assert answer.status == status


def test_kamailio_counts_what_became_of_calls(world: World) -> None:
    made = sum(len(kind.calls) for kind in KINDS.values()) + len(FIRST_OF_SIMBOX.calls)
    counted = {
        name: world.kamailio.counted(name) for name in ("passed", "warned", "blocked", "undecided", "failed")
    }
    blocked = sum(len(kind.calls) for kind in KINDS.values() if kind.status in {603, 607, 608, 403})
    assert (counted["undecided"], counted["failed"]) == (0, 0)
    least = {"passed": made - blocked - 4 * CALLS, "warned": 4 * CALLS, "blocked": blocked}
    for name, number in least.items():  # more where an INVITE was sent again
        assert counted[name] >= number, name


def test_no_number_is_in_kamailios_log(world: World) -> None:
    log = world.kamailio.log()
    assert "BLOCK rule=listed reason=listed-fraud decision=" in log
    assert "+86" not in log


def test_kamailio_does_not_start_with_settings_that_are_wrong(telephony: None, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"interceptor\.toml: targets: name at least one"):
        Kamailio(tmp_path, "targets = []", 1)
