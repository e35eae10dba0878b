"""Evidence packs: whole ones are read as they were made, and no changed byte passes, on a pack or on its page."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.runtime.evidence import EvidenceError, packed, verified
from interceptor.runtime.evidencepage import page, verified_page

HEAD: dict[str, Any] = {
    "kind": "head",
    "subject": "number",
    "text": "+8613800138000",
    "until": "2026-11-22 00:00:00 UTC",
    "made_by": "cert:<desk>",
    "policy_revision": 3,
    "service": "0" * 32,
    "words": "What is known of it & more.",
}
ITEMS: list[dict[str, Any]] = [
    HEAD,
    {
        "kind": "seen",
        "words": "2 calls",
        "by_hour": {"2026-11-22 00:00:00 UTC": 2},
        "decision_ids": ["00000000000000ff"],
    },
    {"kind": "decision", "verdict": "BLOCK", "caller": "</pre><b>", "decision_ids": ["00000000000000ff"]},
    {"kind": "list entry", "list": "reported", "words": "因诈骗 listed", "decision_ids": []},
]
PACK, SEAL = packed(ITEMS)
PAGE = page(PACK)

texts = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name not in {"n", "previous", "hash", "kind"}),
    st.one_of(st.integers(), st.text(max_size=20), st.none(), st.lists(st.text(max_size=5))),
)


def test_a_pack_is_read_as_it_was_made() -> None:
    pack = verified(PACK)
    assert pack.hash == SEAL
    assert [
        {k: v for k, v in item.items() if k not in {"n", "previous", "hash"}} for item in pack.items
    ] == ITEMS
    assert verified_page(PAGE) == pack


@given(st.lists(texts, max_size=6))
def test_any_items_are_read_as_they_were_packed(items: list[dict[str, Any]]) -> None:
    data, seal = packed(items)
    pack = verified(data)
    assert pack.hash == seal
    assert [
        {k: v for k, v in item.items() if k not in {"n", "previous", "hash"}} for item in pack.items
    ] == items


@pytest.mark.parametrize(("data", "read"), [(PACK, verified), (PAGE, verified_page)], ids=["pack", "page"])
def test_no_changed_byte_passes(data: bytes, read: Any) -> None:
    for at in range(len(data)):
        for change in (1, 0x20, 0x80):
            with pytest.raises(EvidenceError):
                read(data[:at] + bytes([data[at] ^ change]) + data[at + 1 :])


def test_no_byte_is_taken_out_and_none_put_in() -> None:
    for at in range(len(PACK)):
        with pytest.raises(EvidenceError):
            verified(PACK[:at] + PACK[at + 1 :])
        with pytest.raises(EvidenceError):
            verified(PACK[:at] + b" " + PACK[at:])
    with pytest.raises(EvidenceError):
        verified(PACK + b"\n")


def test_lines_are_neither_left_out_nor_moved() -> None:
    lines = PACK.splitlines(keepends=True)
    for at in range(len(lines)):
        with pytest.raises(EvidenceError):
            verified(b"".join(lines[:at] + lines[at + 1 :]))
    with pytest.raises(EvidenceError):
        verified(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))


def test_what_is_wrong_is_said_with_its_line() -> None:
    lines = PACK.splitlines(keepends=True)
    changed = json.dumps({**json.loads(lines[2]), "verdict": "WARN"}, sort_keys=True, separators=(",", ":"))
    with pytest.raises(EvidenceError, match="line 3: was changed"):
        verified(b"".join([*lines[:2], changed.encode() + b"\n", *lines[3:]]))
    with pytest.raises(EvidenceError, match="the seal is missing"):
        verified(b"".join(lines[:-1]))
    with pytest.raises(EvidenceError, match="line 1: is no JSON"):
        verified(b"nonsense\n")
    with pytest.raises(EvidenceError, match="no evidence pack"):
        verified_page(b"<html></html>")


def test_nothing_of_a_pack_becomes_markup() -> None:
    assert b"<b>" not in PAGE
    assert PAGE.count(b"</pre>") == 1
