"""What a replay is made into: figures, flipped calls, labels, thresholds, a page."""

import io
import json
import random
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from rich.console import Console

from interceptor.cli.replaytables import show
from interceptor.engine.types import Verdict
from interceptor.policy import load_policy
from interceptor.replay.document import document
from interceptor.replay.page import page
from interceptor.replay.play import Side, replay
from interceptor.replay.recording import Recording
from interceptor.replay.scoring import NEVER
from interceptor.replay.study import How, Study, study, sweep
from interceptor.replay.sweep import Sweep, SweepError, grid, with_thresholds
from interceptor.replay.tally import VERDICTS
from tests.replay.recorded import POLICY, Row, policy, rows_of, write_parquet
from tests.service import running

STRICTER = POLICY.replace("people: 6", "people: 3")


def labelled(seed: int, calls: int = 3_000) -> list[Row]:
    """Calls of some ordinary callers and of a few offenders, who call more people."""
    rng = random.Random(seed)
    rows = []
    for row in rows_of(seed, calls):
        offender = rng.random() < 0.4
        whose = rng.randrange(4)
        row |= {
            "label": "sim-box" if offender else "ordinary",
            "fraud": offender,
            "instance": whose if offender else None,
        }
        if offender:
            row |= {"caller": f"+8615800{whose:06}", "asserted_identity": None, "imei": f"8699990{whose:07}"}
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row], Study]:
    folder = tmp_path_factory.mktemp("study")
    rows = labelled(11)
    recording = Recording(write_parquet(folder / "calls.parquet", rows))
    candidate, live = policy(folder, STRICTER, "stricter.yaml"), policy(folder)
    found = study(recording, Side(candidate), Side(live), flips=folder / "flips.parquet")
    settings = grid([Sweep.read("thresholds.people=2:8:3"), Sweep.read("thresholds.calls=1,3")])
    sides = [(setting, Side(with_thresholds(folder / "policy.yaml", setting))) for setting in settings]
    found.swept.extend(sweep(recording, sides))
    return folder, rows, found


def test_figures_are_those_of_the_answers(made: tuple[Path, list[Row], Study]) -> None:
    folder, rows, found = made
    spec = found.candidate.side.spec
    answers = replay(folder / "calls.parquet", spec).answers
    tally = found.candidate.tally
    assert tally.calls == len(rows) == sum(tally.verdicts.values())
    assert tally.verdicts == {
        name: int((answers["verdict"] == verdict).sum()) for verdict, name in VERDICTS.items()
    }
    ids = [rule.id for rule in spec.rules] + ["default", "emergency"]
    decided = Counter(
        {65535: "default", 65534: "emergency"}.get(rule) or ids[rule] for rule in answers["rule"].tolist()
    )
    assert {rule.rule: rule.calls for rule in tally.rules()} == {name: decided[name] for name in ids}
    hours = Counter((VERDICTS[Verdict(verdict)], row["time_ms"] // 3_600_000)
                    for verdict, row in zip(answers["verdict"].tolist(), rows, strict=True))  # fmt: skip
    assert {(name, hour): n for name, counts in tally.hours.items() for hour, n in counts.items()} == hours
    blocked = Counter(row["caller"] for row, verdict in zip(rows, answers["verdict"].tolist(), strict=True)
                      if verdict == Verdict.BLOCK)  # fmt: skip
    assert [hit.blocked for hit in tally.hit_hardest(5)] == [n for _, n in blocked.most_common(5)]


def test_every_flipped_call_is_written_and_no_other(made: tuple[Path, list[Row], Study]) -> None:
    folder, rows, found = made
    assert found.against is not None and found.flips is not None
    was, would = (
        replay(folder / "calls.parquet", each.side.spec).answers for each in (found.against, found.candidate)
    )
    flipped = np.flatnonzero(was["verdict"] != would["verdict"])
    table = pyarrow.parquet.read_table(folder / "flips.parquet").to_pylist()
    assert [each["row"] for each in table] == (flipped + 1).tolist()
    assert len(flipped) == found.flips.calls == sum(kind.calls for kind in found.flips.kinds()) > 20
    for each in table[:200]:
        row = rows[each["row"] - 1]
        assert {
            name: row[name] for name in ("time_ms", "call_id", "caller", "callee", "label", "instance")
        } == {name: each[name] for name in ("time_ms", "call_id", "caller", "callee", "label", "instance")}
        assert each["verdict_before"] == VERDICTS[Verdict(int(was["verdict"][each["row"] - 1]))]
        assert each["verdict"] == VERDICTS[Verdict(int(would["verdict"][each["row"] - 1]))]
    assert {each["rule"] for each in table} <= {rule.id for rule in found.candidate.side.spec.rules} | {
        "default"
    }


def test_labels_say_how_well_a_policy_does(made: tuple[Path, list[Row], Study]) -> None:
    folder, rows, found = made
    verdicts = replay(folder / "calls.parquet", found.candidate.side.spec).answers["verdict"].tolist()
    score = found.candidate.score
    assert score is not None
    for kind in score.kinds:
        mine = [
            (row, verdict) for row, verdict in zip(rows, verdicts, strict=True) if row["label"] == kind.label
        ]
        assert kind.fraud is (kind.label == "sim-box")
        assert (kind.calls, kind.warned, kind.blocked) == (
            len(mine),
            sum(verdict == Verdict.WARN for _, verdict in mine),
            sum(verdict == Verdict.BLOCK for _, verdict in mine),
        )
    offenders = score.offenders[0]
    for name, least in ((offenders.until_warned, Verdict.WARN), (offenders.until_blocked, Verdict.BLOCK)):
        until = []
        for instance in range(4):
            theirs = [
                verdict for row, verdict in zip(rows, verdicts, strict=True) if row["instance"] == instance
            ]
            until.append(next((i + 1 for i, verdict in enumerate(theirs) if verdict >= least), NEVER))
        assert name.tolist() == until
    assert offenders.callers == 4
    right = offenders.warned + offenders.blocked
    assert score.recall() == right / offenders.calls
    assert score.precision() == right / sum(kind.warned + kind.blocked for kind in score.kinds)
    assert sum(rule.right for rule in score.rules if not rule.shadow) == right


def test_a_sweep_says_what_each_policy_says_that_is_written_so(made: tuple[Path, list[Row], Study]) -> None:
    folder, _, found = made
    assert [dict(tried.setting) for tried in found.swept] == [
        {"people": people, "calls": calls} for people in (2, 5, 8) for calls in (1, 3)
    ]
    written = policy(folder, POLICY.replace("people: 6, calls: 1", "people: 5, calls: 3"), "written.yaml")
    tried = found.swept[3]
    assert (
        tried.tally.verdicts
        == study(Recording(folder / "calls.parquet"), Side(written)).candidate.tally.verdicts
    )
    assert len({tuple(tried.tally.verdicts.values()) for tried in found.swept}) > 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("people=1:2", "write thresholds.NAME=FROM:TO:STEP"),
        ("thresholds.people=9:2:1", "goes up, by a step above 0"),
        ("thresholds.people=1:9:0", "goes up, by a step above 0"),
        ("thresholds.people=1:1000:1", "more than 200 values"),
        ("thresholds.people=few", "thresholds are numbers"),
    ],
)
def test_a_sweep_that_cannot_be_made_is_told(text: str, problem: str) -> None:
    with pytest.raises(SweepError, match=problem):
        Sweep.read(text)


def test_values_of_a_sweep_are_what_is_written(tmp_path: Path) -> None:
    assert Sweep.read("thresholds.fan_out=20:200:10").values == tuple(range(20, 201, 10))
    assert Sweep.read("thresholds.share=0.1:0.4:0.1").values == (0.1, 0.2, 0.3, 0.4)
    assert Sweep.read("thresholds.x=5,1,5").values == (5, 1)
    with pytest.raises(SweepError, match="more than 200 combinations"):
        grid([Sweep.read("thresholds.a=1:100"), Sweep.read("thresholds.b=1:3")])
    policy(tmp_path)
    with pytest.raises(SweepError, match=r"has no thresholds\.fan_out; there are people, calls"):
        with_thresholds(tmp_path / "policy.yaml", {"fan_out": 3})
    assert (
        with_thresholds(tmp_path / "policy.yaml", {"people": 6, "calls": 1}).digest
        == load_policy(tmp_path / "policy.yaml").digest
    )


class Reader(HTMLParser):
    """Opens and closes what the page does."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1
        self.outside += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in ("meta", "rect", "line", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def test_the_page_holds_all_that_it_shows(made: tuple[Path, list[Row], Study]) -> None:
    _, rows, found = made
    told = document(found)
    shown = page(told)
    reader = Reader()
    reader.feed(shown)
    assert reader.open == [] and reader.outside == []
    assert reader.seen["svg"] == 6 and reader.seen["table"] >= 5
    assert "NaN" not in shown and "nan" not in json.dumps(told)
    assert not any(row["caller"] in shown for row in rows if row["caller"].startswith("+"))
    assert json.loads(json.dumps(told)) == told


COUNTS_ENDS = """
version: 1
trunks: {default: {region: CN}}
counters: {ended_1h: {count: ended, per: caller, window: 1h}}
rules: [{id: ended, when: counters.ended_1h > 2, verdict: warn, class: analytics, reason: x}]
default: pass
"""


def test_calls_whose_ends_a_policy_was_not_told_are_counted(tmp_path: Path) -> None:
    begin = 1_780_000_000_000
    rows: list[Row] = [
        {
            "time_ms": begin + n,
            "ended_ms": begin + 3_600_000,
            "caller": f"+861380000{n:04}",
            "callee": "+8613900000001",
        }
        for n in range(30)
    ]
    recording = Recording(write_parquet(tmp_path / "calls.parquet", rows))
    candidate, live = policy(tmp_path, COUNTS_ENDS), policy(tmp_path, POLICY, "live.yaml")
    for room, lost in ((30, 0), (20, 10)):
        found = study(recording, Side(candidate), Side(live), how=How(in_progress=room, cores=1))
        told = document(found)
        assert told["candidate"]["calls_without_reports"] == lost
        assert told["against"]["calls_without_reports"] == 0  # it counts nothing of them
        assert ("Of 10 calls the policy was not told answer and end" in page(told)) is (lost > 0)
        drawn = io.StringIO()
        show(told, Console(file=drawn, width=200))
        assert ("of 10 calls it was not told answer and end" in drawn.getvalue()) is (lost > 0)


def test_a_recording_of_nothing_is_told_too(tmp_path: Path) -> None:
    row = rows_of(1, 1)[0]
    empty = Recording(write_parquet(tmp_path / "calls.parquet", [row | {"caller": "+86\x07"}]))
    found = study(empty, Side(policy(tmp_path)), how=How(skip_bad=True))
    reader = Reader()
    reader.feed(page(document(found)))
    assert reader.open == [] and found.rows == 1 and found.candidate.tally.calls == 0


def test_a_row_that_one_of_two_policies_cannot_read_is_passed_over_by_both_and_counted_once(
    tmp_path: Path,
) -> None:
    rows = rows_of(1, 40)
    rows[7] |= {"caller": "+86\x07"}
    rows[20] |= {"tags.dealer": "go\x07od"}
    live = (
        "version: 1\ntrunks: {default: {region: CN}}\n"
        "rules: [{id: all, when: true, verdict: warn, class: analytics, reason: x}]\n"
    )
    found = study(
        Recording(write_parquet(tmp_path / "calls.parquet", rows)),
        Side(policy(tmp_path)),
        Side(policy(tmp_path, live, "live.yaml")),
        flips=tmp_path / "flips.parquet",
        how=How(skip_bad=True),
    )
    told = document(found)
    assert (told["recording"]["skipped"], told["recording"]["calls"]) == (2, 38)
    assert [bad["row"] for bad in told["recording"]["bad"]] == [8, 21]
    assert sum(told["against"]["verdicts"].values()) == 38
    flipped = pyarrow.parquet.read_table(tmp_path / "flips.parquet")["row"].to_pylist()
    assert len(flipped) == told["flips"]["calls"] and not {8, 21} & set(flipped)


def test_the_command_writes_all_of_it(made: tuple[Path, list[Row], Study], tmp_path: Path) -> None:
    folder, rows, found = made
    done = running.run(
        "replay", folder / "calls.parquet", "--policy", folder / "stricter.yaml", "--against", folder / "policy.yaml",
        "--sweep", "thresholds.people=2,6", "--flips", tmp_path / "flips.parquet", "--report", tmp_path / "page.html",
        "--json", tmp_path / "found.json", "--show-numbers",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads((tmp_path / "found.json").read_text())
    assert told["candidate"]["verdicts"] == found.candidate.tally.verdicts
    assert told["candidate"]["hit_hardest"][0]["caller"] in {row["caller"] for row in rows}
    assert len(told["sweep"]) == 2
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert pyarrow.parquet.read_metadata(tmp_path / "flips.parquet").num_rows == told["flips"]["calls"]
    arguments = ("replay", folder / "calls.parquet", "--policy", folder / "stricter.yaml")
    wrong = running.run(*arguments, "--column", "caller=WHO")
    assert wrong.returncode == 1 and "has no column 'WHO' for caller" in wrong.stderr
