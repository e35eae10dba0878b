"""What a sink is told, found without reading JSON, against the obvious way that reads it."""

import json
import re
from hashlib import blake2b
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from interceptor.delivery.envelope import PREFIX, Spooled, record
from interceptor.delivery.selection import PRIVATE, Selection
from interceptor.delivery.settings import KINDS, SinkEntry
from interceptor.runtime.masking import hidden, masked

KEY = b"k" * 16
SOURCE = "interceptor/test"
#: whatever a name or text is made of that could be taken for something else
PIECES = [
    "+8613800138000",
    "10086",
    "(010) 555-12",
    '"',
    "\\",
    ":",
    ",",
    "{",
    "}",
    "caller",
    '","caller":"',
    "\n",
    "电话",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=5).map("".join)
RULES, VERDICTS = ["shop", 'a "rule"', "\\"], ["pass", "warn", "block"]
DATA = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys([*PRIVATE, "trunk", "reason"], TEXTS)
    | {
        "verdict": st.sampled_from(VERDICTS),
        "rule": st.sampled_from(RULES),
        "shadow_rules": st.lists(TEXTS, max_size=2),
        "policy_revision": st.integers(0, 9),
        "emergency": st.just(True),
    },
)


def told(entry: SinkEntry, spooled: Spooled) -> dict[str, Any] | None:
    """The CloudEvent that a sink is to be given."""
    body = json.loads(spooled.body)
    data = body["data"]
    if spooled.kind not in entry.events or (
        spooled.kind == "decision" and data["verdict"] not in entry.verdicts
    ):
        return None
    if entry.rules is not None and data.get("rule") not in entry.rules:
        return None
    if entry.numbers == "masked":
        data = {name: masked(value) if name in PRIVATE else value for name, value in data.items()}
    return {
        "specversion": "1.0",
        "id": body["id"],
        "source": SOURCE,
        "type": PREFIX + spooled.kind,
        "time": body["time"],
        "sequence": f"{spooled.sequence:020d}",
        "datacontenttype": "application/json",
        "data": data,
    }


def hashed(body: dict[str, Any], name: str) -> bytes:
    """By the value as JSON has it, or else by the id."""
    value = json.dumps(body["data"].get(name, ""), ensure_ascii=False)[1:-1]
    return blake2b((value or body["id"]).encode(), digest_size=16, key=KEY).digest()


@given(
    kind=st.sampled_from(KINDS),
    name=TEXTS,
    data=DATA,
    sequence=st.integers(1, 2**62),
    said=st.fixed_dictionaries(
        {"numbers": st.sampled_from(["masked", "whole"])},
        optional={
            "events": st.lists(st.sampled_from(KINDS), min_size=1),
            "verdicts": st.lists(st.sampled_from(VERDICTS), min_size=1),
            "rules": st.lists(st.sampled_from(RULES)),
        },
    ),
)
def test_an_event_is_told_as_whoever_reads_it_whole_would_tell_it(
    kind: str, name: str, data: dict[str, Any], sequence: int, said: dict[str, Any]
) -> None:
    if kind == "decision":
        data.setdefault("verdict", "warn")
    entry = SinkEntry.model_validate({"name": "x"} | said)
    spooled = Spooled(sequence, 5, kind, record(kind, name, 1_772_353_800_123, data).body)
    event = Selection(entry, source=SOURCE, masked=masked, key=KEY).event(spooled)
    expected = told(entry, spooled)
    assert (event and event.cloud) == expected
    if event is not None:
        assert b"\n" not in event.text
        body = json.loads(spooled.body)
        assert (event.id, event.type, event.at_ms) == (body["id"], PREFIX + kind, 5)
        assert event.subject == hashed(body, "caller")
        assert event.call == hashed(body, "call_id")


@given(st.lists(st.sampled_from("++0123456789-.() x\u0663\n")).map("".join))
def test_numbers_are_masked_wherever_they_stand(text: str) -> None:
    assert masked(text) == re.sub(r"\+?\d(?:[-.() ]*\d)*", lambda found: hidden(found.group()), text)
