"""What the guard lets through and what it refuses, of a running service with an hour's calls behind it."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.operating import Ask, add, becomes, put
from service.running import CALLEE, Cli, Running

POLICY = """
version: 1
trunks:
  default: {region: CN}
lists:
  fraud:    {kind: number}
  areas:    {kind: prefix}
  hotlines: {kind: number}
guard: {protected: [hotlines]}
counters:
  calls_1h: {count: call, per: caller, window: 1h}
rules:
  - {id: listed, when: call.caller in lists.fraud || call.callee in lists.fraud, verdict: block, class: list}
  - {id: area, when: call.caller in lists.areas, verdict: block, class: list}
default: pass
"""
#: every twentieth call is of a kind that a bad rule takes for fraud
CALLS, EVERY = 80, 20
HARSH = POLICY.replace(
    "default: pass",
    "  - {id: kiosk, when: call.domain == 'kiosk.example', verdict: block, class: analytics}\ndefault: pass",
)
#: a bank's number, which calls people and is called, and one the operator protects
BANK, HOTLINE = "+861062366236", "+861095588000"
#: the sampler takes a call in 64 ms
PACE = 0.066


def caller(at: int) -> str:
    return f"+86138{at:08d}"


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    """With recent calls, of which the guard knows every one: a test leaves policy and lists as they were."""
    running = Running(None)
    try:
        put(running, POLICY)
        add(running, HOTLINE, "hotlines")
        for at in range(CALLS):
            ends = {3: (BANK, CALLEE), 7: (caller(at), BANK)}.get(at % 10, (caller(at), CALLEE))
            domain = "kiosk.example" if at % EVERY == 0 else ""
            assert running.decide(caller=ends[0], callee=ends[1], domain=domain).rule == "default"
            time.sleep(PACE)
        yield running
    finally:
        running.stop()


@pytest.fixture
def known(ask: Ask, tmp_path: Path) -> int:
    """How many calls the guard has. Every call but the ones a slow machine let fall together."""
    some = feed(tmp_path / "some.csv", [BANK])

    def calls() -> int:
        preview = ask("lists", "import", some, "--list", "fraud", "--source", "s", "--dry-run")
        return int(preview["impact"]["calls"])

    becomes(lambda: calls() >= CALLS * 3 // 4)
    return calls()


def feed(path: Path, numbers: list[str]) -> Path:
    path.write_text("number\n" + "".join(f"{each}\n" for each in numbers))
    return path


class Refused:
    """A command that was refused: what it would have meant, and how it is confirmed."""

    def __init__(self, cli: Cli, service: Running, *said: str | Path) -> None:
        self._cli, self._said = cli, (*said, "--server", service.control.address)
        done = cli(*self._said)
        assert (done.returncode, done.stdout) == (1, "")
        written, _, self.message = done.stderr.partition("\ninterceptor:")
        self.impact: dict[str, Any] = json.loads(written)
        self.flipped = int(self.impact["flipped"])
        confirming = re.search(r"^to do it all the same: interceptor .* --confirm (\d+)$", done.stderr, re.M)
        assert confirming is not None
        self.revision = confirming[1]
        assert self.revision == self.impact["revision"]

    def confirmed(self) -> dict[str, Any]:
        done = self._cli(*self._said, "--confirm", self.revision)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def is_stale(self) -> bool:
        done = self._cli(*self._said, "--confirm", self.revision)
        assert done.returncode == 1
        return "ABORTED" in done.stderr and f"revision {self.revision} was confirmed" in done.stderr


def test_a_feed_with_a_busy_service_number_is_refused_and_says_which_calls_it_would_turn(
    cli: Cli, service: Running, ask: Ask, known: int, tmp_path: Path
) -> None:
    numbers = [f"+86137{at:08d}" for at in range(3000)]
    path = feed(tmp_path / "feed.csv", [*numbers, BANK])
    refused = Refused(cli, service, "lists", "import", path, "--list", "fraud", "--source", "feed")
    assert (int(refused.impact["calls"]), refused.impact["protected_numbers"]) == (known, [])
    assert known // 8 <= refused.flipped <= CALLS // 5
    assert f"{refused.flipped} of {known} recent calls" in refused.message
    assert {(each["was"], each["would_be"]) for each in refused.impact["first"]} == {
        ("PASS default", "BLOCK listed")
    }
    assert all(len(each["decision_id"]) == 16 for each in refused.impact["first"])
    assert service.decide(caller=BANK, callee=CALLEE).rule == "default"
    assert service.decide(caller=numbers[0], callee=CALLEE).rule == "default"

    other = add(service, caller(99_000_001))  # by another operator, meanwhile
    assert refused.is_stale()
    assert service.decide(caller=BANK, callee=CALLEE).rule == "default"

    again = Refused(cli, service, "lists", "import", path, "--list", "fraud", "--source", "feed")
    done = again.confirmed()
    assert done["added"] == "3001"
    assert {service.decide(caller=each, callee=CALLEE).rule for each in (BANK, numbers[-1])} == {"listed"}
    Refused(cli, service, "lists", "undo", done["revision"]).confirmed()  # it turns as many calls
    ask("lists", "undo", str(other.revision))
    assert service.decide(caller=BANK, callee=CALLEE).rule == "default"


def test_a_feed_with_a_protected_number_is_refused_though_nobody_called_it(
    cli: Cli, service: Running, known: int, tmp_path: Path
) -> None:
    path = feed(tmp_path / "feed.csv", [*(f"+86136{at:08d}" for at in range(3000)), HOTLINE])
    refused = Refused(cli, service, "lists", "import", path, "--list", "fraud", "--source", "feed")
    assert refused.flipped == 0
    assert refused.impact["protected_numbers"] == [f"{HOTLINE} is on the protected list hotlines"]
    assert service.decide(caller="+8613600000000", callee=CALLEE).rule == "default"


@pytest.mark.parametrize("part", ["021", "+8613800"])
def test_an_area_code_as_a_number_is_refused_until_confirmed(
    cli: Cli, service: Running, known: int, tmp_path: Path, part: str
) -> None:
    path = feed(tmp_path / "feed.csv", [*(f"+86135{at:08d}" for at in range(200)), part])
    for said in (("add", part), ("import", path, "--source", "feed")):
        refused = Refused(cli, service, "lists", *said, "--list", "fraud")
        assert (int(refused.impact["calls"]) >= known, refused.flipped) == (True, 0)
        (why,) = refused.impact["protected_numbers"]
        assert why.startswith(f"{part} is an area code")


@pytest.mark.parametrize("part", ["+8610", "+33162", "+4420", "+1212"])
def test_an_area_code_with_its_country_is_no_number(
    cli: Cli, service: Running, tmp_path: Path, part: str
) -> None:
    path = feed(tmp_path / "feed.csv", [*(f"+86135{at:08d}" for at in range(20)), part])
    for said in (("add", part), ("import", path, "--source", "feed")):
        done = cli("lists", *said, "--list", "fraud", "--server", service.control.address)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"'{part}' is too short for a number" in done.stderr
    assert service.decide(caller="+8613500000000", callee=CALLEE).rule == "default"


@pytest.mark.parametrize(("part", "whole"), [("+86", "+86"), ("0033", "+33"), ("+1242", "+1242 (BS)")])
def test_a_country_code_is_no_number(
    cli: Cli, service: Running, tmp_path: Path, part: str, whole: str
) -> None:
    path = feed(tmp_path / "feed.csv", [*(f"+86135{at:08d}" for at in range(20)), part])
    for said in (("add", part), ("import", path, "--source", "feed")):
        done = cli("lists", *said, "--list", "fraud", "--server", service.control.address)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"covers all of {whole}" in done.stderr
    assert service.decide(caller="+8613500000000", callee=CALLEE).rule == "default"


@pytest.mark.parametrize("prefix", ["+8613*", "+86138*"])
def test_a_prefix_that_covers_recent_callers_is_refused(
    cli: Cli, service: Running, known: int, prefix: str
) -> None:
    refused = Refused(cli, service, "lists", "add", prefix, "--list", "areas")
    assert known * 3 // 4 <= refused.flipped <= known
    assert len(refused.impact["first"]) >= 3


def test_a_rule_that_would_block_5_percent_of_the_recent_calls_is_refused(
    cli: Cli, service: Running, ask: Ask, known: int, tmp_path: Path
) -> None:
    path = tmp_path / "harsh.yaml"
    path.write_text(HARSH)
    refused = Refused(cli, service, "policy", "put", path)
    assert int(refused.impact["calls"]) >= known
    assert 3 <= refused.flipped <= CALLS // EVERY
    assert {each["would_be"] for each in refused.impact["first"]} == {"BLOCK kiosk"}
    assert ask("policy", "get") == POLICY
    add(service, caller(99_000_002))
    assert refused.is_stale()
    assert ask("policy", "get") == POLICY
    put_on = Refused(cli, service, "policy", "put", path).confirmed()
    assert put_on["in_force"]
    assert service.decide(caller=caller(1), callee=CALLEE, domain="kiosk.example").rule == "kiosk"
    before = ask("policy", "history")["policies"][1]["revision"]
    Refused(cli, service, "policy", "rollback", before).confirmed()
    assert ask("policy", "get") == POLICY


def test_an_ordinary_daily_feed_goes_through(service: Running, ask: Ask, known: int, tmp_path: Path) -> None:
    """Thousands of numbers nobody heard of, and two that called once."""
    numbers = [f"+86134{at:08d}" for at in range(5000)]
    seen = [caller(41), caller(42)]
    path = feed(tmp_path / "daily.csv", numbers + seen)
    to = ("--list", "fraud", "--source", "daily")
    tried = ask("lists", "import", path, *to, "--dry-run")["impact"]
    assert (tried["refused"], int(tried["flipped"]) <= 2) == (False, True)
    done = ask("lists", "import", path, *to)
    assert done["added"] == "5002"
    assert {service.decide(caller=each, callee=CALLEE).rule for each in (*seen, numbers[77])} == {"listed"}
    again = ask("lists", "undo", done["revision"], "--confirm", done["revision"])
    assert again["removed"] == "5002"
