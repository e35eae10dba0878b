"""Random calls: few numbers and names, so that calls meet; absent fields, odd forms and garbage, so that rules fail."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

NUMBERS = (
    *(f"+861380013800{i}" for i in range(4)),
    *(f"+861390013900{i}" for i in range(3)),
    *(
        "13800138000",
        "013800138001",
        "008613800138002",
        "tel:+86-138-0013-8003",
        "sip:+8613900139000@a;user=phone",
    ),
    *(
        "+861065551234",
        "01065551234",
        "+12025550123",
        "+442079460123",
        "+8613900",
        "+861380013800",
        "+999123456789",
    ),
    *(
        "10086",
        "95588",
        "96110",
        "123456",
        "anonymous",
        "sip:anonymous@anonymous.invalid",
        "robot",
        "+",
        "1-800-CALL",
    ),
)
EMERGENCY = ("110", "112", "911", "12345", "933", "urn:service:sos.police", "1100", "+110")
ADDRESSES = (
    "192.0.2.1",
    "192.0.2.200",
    "::ffff:192.0.2.2",
    "2001:db8::1",
    "2001:DB8:0:1::1",
    "192.0.2.1:5060",
    "x",
)
#: how far the clock goes on between two calls
STEPS_MS = (0, 0, 0, 1, 37, 250, 700, 999, 1000, 1001, 2500, 7_000, 31_999, 70_000)

#: how long after a call something more becomes of it
LATER_MS = (0, 1, 400, 3_000, 3_000, 9_999, 10_000, 25_000, 90_000)


@dataclass
class Choice:
    """A random source that leaves things out more often than not."""

    source: random.Random

    def one(self, *values: Any, absent: float = 0.3) -> Any:
        return None if self.source.random() < absent else self.source.choice(values)


def misspelt(number: str, source: random.Random) -> str:
    """A number with a character lost, added or changed."""
    at = source.randrange(len(number))
    change: str = source.choice(("", *"0123456789+-;@:%x .<>"))
    return number[:at] + change + number[at + source.randrange(2) :]


def random_calls(
    seed: int, count: int, start: int, *, backwards: bool = True
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(time, call) of `count` calls: the clock rests, ticks, jumps and, if it may, now and then steps back a little."""
    pick = Choice(random.Random(seed))
    numbers = pick.source.sample(NUMBERS, 8)
    numbers += [misspelt(number, pick.source) for number in numbers[:2]]
    now = start
    for _ in range(count):
        now += pick.source.choice(STEPS_MS)
        if backwards and pick.source.random() < 0.02:
            now -= pick.source.randrange(100)
        call: dict[str, Any] = {
            "caller": pick.one(*numbers, absent=0.05),
            "callee": pick.one(*numbers, *numbers, pick.source.choice(EMERGENCY), absent=0.05),
            "asserted_identity": pick.one(*numbers, absent=0.6),
            "redirecting": [
                pick.source.choice(numbers) for _ in range(pick.source.choice((0, 0, 0, 1, 2, 5)))
            ],
            "call_id": pick.one("a", "b", "c", absent=0.7),
            "switch": pick.one("s1", "s2"),
            "trunk": pick.one("own", "peer", "us", "dark", "unheard-of"),
            "privacy": pick.one("id", "none", absent=0.7),
            "domain": pick.one(
                "a.fraud.example", "FRAUD.example.", "calls.fraud.example", "example", "..", absent=0.8
            ),
            "user_agent": pick.one("x", "phone/1", absent=0.5),
            "source_ip": pick.one(*ADDRESSES, absent=0.5),
            "imsi": pick.one(*(f"46000000000000{i}" for i in range(6)), "001010000000001", "46", absent=0.4),
            "imei": pick.one(
                "356938035643809", "35693803564389", "3569380356440001", "00499901064000", "35x"
            ),
            "cell": pick.one("north", "south", absent=0.5),
            "verstat": pick.one("TN-Validation-Failed", "TN-Validation-Passed", absent=0.7),
            "attestation": pick.one("A", "B", absent=0.6),
            "international_ingress": pick.one(True, False, absent=0.5),
            "roaming": pick.one(True, False, absent=0.5),
            "sim_age_days": pick.one(0, 3, 29, 30, 400, absent=0.4),
            "event_time_ms": pick.one(0, 1, 1000, 1_800_000_000_000, absent=0.6),
            "tags": {
                name: value
                for name in ("dealer", "shop")
                if (value := pick.one("north", "south", absent=0.5))
            },
        }
        yield now, {name: value for name, value in call.items() if value is not None}


@dataclass(frozen=True)
class Told:
    """What is reported: of a call, or of a card where there is an `event` beside it."""

    now: int
    report: dict[str, Any]
    event: str = ""


def random_reports(seed: int, calls: Sequence[tuple[int, dict[str, Any]]]) -> Iterator[Told]:
    """What becomes of calls, most of which have a call_id of their own, in order of time; and what happens to cards."""
    pick = Choice(random.Random(seed))
    told: list[Told] = []
    for now, call in calls:
        if pick.source.random() < 0.4:
            card = {name: call[name] for name in ("imsi", "imei", "cell", "trunk", "tags") if name in call}
            if "caller" in call:
                card["number"] = call["caller"]
            event = pick.source.choice(("activated", "reactivated", "attached", "attached", "sms"))
            told.append(Told(now + pick.source.choice(LATER_MS), card, event))
        if "call_id" not in call or pick.source.random() < 0.2:
            continue
        name = {part: call[part] for part in ("call_id", "switch") if part in call}
        at = now + pick.source.choice(LATER_MS)
        if pick.source.random() < 0.5:
            told += [Told(at, name | {"event": "answered"})] * pick.source.choice((1, 1, 1, 2))
            at += pick.source.choice(LATER_MS)
        if pick.source.random() < 0.8:
            duration = pick.one(0, 499, 500, 7_000, 61_000, absent=0.6)
            ended = name | {"event": "ended"} | ({} if duration is None else {"duration_ms": duration})
            told += [Told(at, ended)] * pick.source.choice((1, 1, 1, 2))
    return iter(sorted(told, key=lambda each: each.now))
