"""The decision log: who was blocked and why, numbers masked unless the operator wants them."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interceptor.delivery.rotation import RotatingFile
from interceptor.runtime.masking import masked
from service.running import CALLEE, LISTED, Running, write_policy

CALL = {
    "callee": CALLEE,
    "call_id": "8613800000001-77@switch",
    "imei": "490154203237518",
    "trunk": "t1",
    "cell": "460-00-1-2",
}


def logged(start: Callable[..., Running], tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    """The lines of a service's log after a block, a warning, a pass, an unparseable caller's block and a repeat."""
    log = tmp_path / "decisions.log"
    service = start(write_policy(tmp_path), "--decision-log", log, "--pass-sample", "0", *arguments)
    service.decide(caller=LISTED, **CALL)
    service.decide(caller=LISTED, **CALL)
    service.decide(caller="+8613766666666", callee="10086", user_agent="friendly-x")
    service.decide(caller="+8613766666667", callee=CALLEE)
    service.decide(caller="sip:mallory-13812345678@host", callee=CALLEE, tags={"dealer": "bad"})
    assert service.stop() == 0
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_numbers_are_masked(start: Callable[..., Running], tmp_path: Path) -> None:
    blocked, warned, unparseable = logged(start, tmp_path)
    assert (blocked["caller"], blocked["callee"]) == ("+86138******01", "+86139******00")
    assert (blocked["imei"], blocked["call_id"]) == ("490154*******18", "861380*******77@switch")
    assert (blocked["verdict"], blocked["rule"], blocked["reason"]) == ("block", "listed", "credit-record")
    assert (blocked["block_class"], blocked["trunk"], blocked["cell"]) == ("list", "t1", "460-00-1-2")
    assert (blocked["policy_revision"], len(blocked["decision_id"]), blocked["time"][-1]) == (1, 16, "Z")
    assert (warned["verdict"], warned["callee"], warned["added"]) == ("warn", "10086", True)
    assert "13812345678" not in json.dumps(unparseable)
    assert [line["sequence"] for line in (blocked, warned, unparseable)] == [0, 1, 2]


def test_numbers_are_whole_where_the_operator_says_so(start: Callable[..., Running], tmp_path: Path) -> None:
    blocked, _, _ = logged(start, tmp_path, "--show-numbers")
    assert (blocked["caller"], blocked["imei"], blocked["call_id"]) == (LISTED, CALL["imei"], CALL["call_id"])


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+8613800138000", "+86138******00"),
        ("tel:+86-138-0013-8000", "tel:+86138******00"),
        ("sip:+8613800138000@10.0.0.1;user=phone", "sip:+86138******00@10.0.0.1;user=phone"),
        ("95588", "95588"),
        ("110", "110"),
        ("anonymous", "anonymous"),
        ("1234567", "123**67"),
        ("", ""),
    ],
)
def test_masking_keeps_country_network_and_length(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_a_full_file_moves_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "log", limit=20, keep=2)
    for number in range(8):
        file.write([b"line %03d\n" % number, b"LINE %03d\n" % number])
    file.close()
    texts = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert texts == {
        "log": "line 007\nLINE 007\n",
        "log.1": "line 006\nLINE 006\n",
        "log.2": "line 005\nLINE 005\n",
    }


def test_an_existing_file_is_continued(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    file = RotatingFile(tmp_path / "log", limit=20)
    file.write([b"after\n", b"a line that is too long for what is left\n"])
    file.close()
    assert (tmp_path / "log.1").read_text() == "before\nafter\n"


def test_a_file_that_cannot_be_moved_aside_leaves_other_files_alone(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    file = RotatingFile(folder / "log", limit=20)
    file.write([b"before the disk went\n"])
    folder.rename(tmp_path / "away")
    others = tmp_path / "others"
    with others.open("wb") as other:  # the number of a file that was closed would be this one's
        for _ in range(3):
            with pytest.raises(OSError, match="log"):
                file.write([b"after\n"])
        assert other.tell() == 0
        assert others.read_bytes() == b""
    (tmp_path / "away").rename(folder)
    file.write([b"and back\n"])
    file.close()
    assert (folder / "log").read_text() == "and back\n"
    assert (folder / "log.1").read_text() == "before the disk went\n"
