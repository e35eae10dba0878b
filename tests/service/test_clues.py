"""Clues for the police, as the desk asks for them: what a pack holds, whom it hides, and how it is checked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interceptor.runtime.evidence import packed
from service.operating import DESK, Ask, add, becomes, put
from service.running import Cli, Running

Start = Callable[..., Running]

CALLER, OTHER, PASSER = "+8613812150001", "+8613812150002", "+8613812150003"
CALLEES = ("+8613812159990", "+8613812159991")
DEVICE, CELL = "350000000000019", "460-00-2101-11"
SEVERE = DESK.replace(
    "default: pass",
    "  - {id: fan-out, when: counters.calls_1h > 2, verdict: warn, class: analytics, reason: fan-out}\ndefault: pass",
)


@pytest.fixture(scope="module")
def service(operated: Running) -> Running:
    put(operated, SEVERE)
    add(operated, CALLER, reason="sim-box", note="case 9")
    add(operated, OTHER)
    for caller in (CALLER, OTHER, PASSER, PASSER, PASSER):
        for callee in CALLEES:
            operated.decide(caller=caller, callee=callee, imei=DEVICE, imsi=f"46000{caller[-10:]}", cell=CELL)
    return operated


def items(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def gathered(ask: Ask, directory: Path, text: str, decisions: int, *more: str) -> list[dict[str, Any]]:
    """The items of a pack, once all decisions are remembered."""
    packs: list[list[dict[str, Any]]] = []

    def there() -> bool:
        out = directory / f"pack-{len(packs)}"
        ask("clue", text, "--since", "1h", "--out", out, *more)
        packs.append(items(directory / f"{out.name}.jsonl"))
        return bool(packs[-1][0]["decisions"] >= decisions)

    becomes(there)
    return packs[-1]


def of(pack: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item for item in pack if item["kind"] == kind]


@pytest.mark.usefixtures("service")
def test_a_clue_about_a_number_says_what_it_did_and_who_listed_it(ask: Ask, tmp_path: Path) -> None:
    pack = gathered(ask, tmp_path, CALLER, 2)
    assert (pack[0]["subject"], pack[0]["text"], pack[0]["decisions"]) == ("number", CALLER, 2)
    (seen,) = of(pack, "seen")
    assert (seen["blocked"], seen["warned"], seen["called_parties"]) == (2, 0, 2)
    (rule,) = of(pack, "rule")
    assert (rule["rule"], rule["calls"], len(rule["decision_ids"])) == ("listed", 2, 2)
    assert [each["value"] for each in of(pack, "associated device")] == [DEVICE[:14]]
    assert [each["value"] for each in of(pack, "associated cell")] == [CELL]
    (entry,) = of(pack, "list entry")
    assert (entry["list"], entry["reason"], entry["added_by"], entry["live"]) == (
        "fraud",
        "sim-box",
        "local",
        True,
    )
    (counter,) = of(pack, "counter")
    assert (counter["name"], counter["value"]) == ("calls_1h", 2)
    assert {each["card"] for each in of(pack, "decision")} == {f"46000{CALLER[-10:]}"}
    assert all(item["decision_ids"] for item in pack if item["kind"] in {"seen", "rule", "decision"})


@pytest.mark.usefixtures("service")
def test_a_clue_about_a_device_names_whose_calls_were_blocked_and_hides_everybody_else(
    ask: Ask, tmp_path: Path
) -> None:
    pack = gathered(ask, tmp_path, DEVICE, 8)
    assert {each["value"] for each in of(pack, "associated number")} == {CALLER, OTHER, "+86138******03"}
    text = json.dumps(pack)
    assert PASSER not in text
    assert not any(callee in text for callee in CALLEES)
    assert {each["callee"] for each in of(pack, "decision")} == {
        "called party 1 (+86138******90)",
        "called party 2 (+86138******91)",
    }


def test_a_clue_about_a_subscriber_hides_whom_he_blocks(service: Running, ask: Ask, tmp_path: Path) -> None:
    add(service, f"{CALLEES[0]}:{PASSER}", "unwanted")
    add(service, f"{CALLEES[0]}:{CALLER}", "unwanted")
    pack = gathered(ask, tmp_path, CALLEES[0], 0)
    assert {item["entry"] for item in of(pack, "list entry")} == {
        f"{CALLEES[0]}:+86138******03",
        f"{CALLEES[0]}:+86138******01",  # nothing of this pack says that it was blocked
    }
    assert PASSER not in json.dumps(pack)


@pytest.mark.usefixtures("service")
def test_a_clue_about_a_cell(ask: Ask, tmp_path: Path) -> None:
    pack = gathered(ask, tmp_path, CELL, 8)
    assert pack[0]["subject"] == "cell"
    assert [each["value"] for each in of(pack, "associated device")] == [DEVICE[:14]]


def test_a_clue_verifies_and_a_changed_byte_does_not(
    service: Running, cli: Cli, ask: Ask, tmp_path: Path
) -> None:
    to = ("--server", service.control.address)
    gathered(ask, tmp_path, CALLER, 2)
    for file in (tmp_path / "pack-0.jsonl", tmp_path / "pack-0.html"):
        assert file.stat().st_mode & 0o777 == 0o600
        assert ask("clue", file, "--verify")["known"]
        assert ask("clue", file, "--verify", "--offline").startswith("whole: ")
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        changed = tmp_path / f"changed{file.suffix}"
        changed.write_bytes(data)
        done = cli("clue", changed, "--verify", *to)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)


def test_a_pack_that_was_forged_as_a_whole_is_not_known(service: Running, cli: Cli, tmp_path: Path) -> None:
    forged, _ = packed([{"kind": "head", "text": CALLER}])
    (tmp_path / "forged.jsonl").write_bytes(forged)
    done = cli("clue", tmp_path / "forged.jsonl", "--verify", "--server", service.control.address)
    assert done.returncode == 1
    assert "does not know its seal" in done.stderr


def test_what_is_gathered_is_on_the_audit_trail_without_the_number(ask: Ask, tmp_path: Path) -> None:
    seal = gathered(ask, tmp_path, CALLER, 2)[-1]["hash"]
    (record,) = ask("audit", "log", "--action", "clue", "--limit", "1")["records"]
    assert seal in record["detail"]
    assert record["subject"].startswith("number ")
    assert CALLER[3:] not in json.dumps(record)
    assert ask("audit", "verify")["whole"]


def test_what_is_no_subject_is_one_line(service: Running, cli: Cli, tmp_path: Path) -> None:
    to = ("--server", service.control.address, "--out", tmp_path / "x")
    for arguments in (("hello", "--as", "number"), ("12345", "--as", "device"), (CALLER, "--since", "soon")):
        done = cli("clue", *arguments, *to)
        assert done.returncode != 0
        assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_written_over(service: Running, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("mine")
    done = cli("clue", CALLER, "--server", service.control.address, "--out", tmp_path / "x")
    assert done.returncode == 2
    assert (tmp_path / "x.jsonl").read_text() == "mine"
