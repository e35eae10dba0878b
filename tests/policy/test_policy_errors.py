"""What is wrong with a policy file: every problem at its line and column, all of them in one go."""

from pathlib import Path

import pytest

from interceptor.engine.engine import Engine
from interceptor.numbering import load_plan
from interceptor.policy import PolicyError, load_document, load_policy

FOLDER = Path(__file__).parent / "policy_errors"
POLICY = "version: 1\ntrunks: {default: {region: CN}}\n"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_broken_policy_is_answered_as_in_the_file_beside_it(path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(path.name, path.read_text(encoding="utf-8"))
    assert str(caught.value) == path.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        load_policy("policy.yaml", text)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in caught.value.problems]


def test_there_are_limits_of_lists_pair_lists_counters_shadow_rules_and_cost() -> None:
    lists = "lists:\n" + "".join(f"  l{i}: {{kind: number}}\n" for i in range(56))
    lists += "".join(f"  p{i}: {{kind: pair}}\n" for i in range(9))
    counters = "counters:\n" + "".join(
        f"  c{i}: {{count: call, per: caller, window: 1m}}\n" for i in range(257)
    )
    rules = "rules:\n" + "".join(
        f"  - {{id: r{i}, when: true, verdict: warn, mode: shadow}}\n" for i in range(65)
    )
    assert problems(POLICY + lists + counters + rules) == [
        "3:1: 65 lists; at most 64 are allowed",
        "3:1: 9 lists of kind pair; at most 8 are allowed",
        "69:1: 257 counters; at most 256 are allowed",
        "327:1: 65 shadow rules; at most 64 are allowed",
    ]


def test_an_emergency_number_has_no_more_digits_than_an_engine_matches() -> None:
    policy = POLICY + 'emergency: {add: {CN: ["%s"]}}\n'
    spec = load_policy("policy.yaml", policy % ("1" * 13))
    Engine(load_plan()).publish(spec, {}, revision=1)
    assert problems(policy % ("1" * 14)) == [
        "3:24: '11111111111111' is no number as dialled: 1 to 13 digits in quotes, no +"
    ]


@pytest.mark.long
def test_a_policy_that_costs_too_much_is_refused() -> None:
    condition = "call.event_time_ms in [" + ", ".join(map(str, range(2_500))) + "]"
    rules = "rules:\n" + "".join(f"  - {{id: r{i}, when: '{condition}', verdict: warn}}\n" for i in range(14))
    assert problems(POLICY + rules) == [
        "3:1: a call can cost 105056 instructions; at most 100000 are allowed: use lists"
    ]


def test_a_file_that_cannot_be_read_is_a_problem_of_its_first_line(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"missing.yaml:1:1: cannot be read: No such file or directory"):
        load_policy(tmp_path / "missing.yaml")
    with pytest.raises(PolicyError, match="Is a directory"):
        load_document(tmp_path)


def test_bytes_that_are_no_utf8_are_named_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("version: 1\n# caf\u00e9 caf".encode() + b"\xe9\n")
    with pytest.raises(PolicyError, match=r"latin.yaml:2:11: byte 0xE9 is no UTF-8: save the file as UTF-8"):
        load_policy(path)


def test_control_characters_are_named_with_their_place() -> None:
    assert problems("version: 1\n# \x07") == ["2:3: character U+0007 cannot stand in a policy file"]
    assert problems("version: 1\ntags: [\ud800]") == ["2:8: character U+D800 cannot stand in a policy file"]


def test_a_byte_order_mark_and_windows_line_ends_move_no_column() -> None:
    text = "\ufeffversion: 1\r\nrules:\r\n  - id: a\r\n    when: call.x ||\r\n          call.y\r\n    verdict: warn\r\n"
    assert [line.split(": ")[0] for line in problems(text)] == ["4:16", "5:16"]


@pytest.mark.parametrize("text", ["[" * 50_000, "{a: " * 5_000, "- " * 5_000, "x" * (1 << 20) + "y"])
def test_no_depth_and_no_size_is_more_than_an_error(text: str) -> None:
    assert len(problems(text)) == 1


def test_a_caret_stands_under_wide_characters_and_in_long_lines() -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy("p", POLICY + "# 电话\nrules: [{id: a, when: '\"电话\" == call.x', verdict: warn}]")
    line, caret = str(caught.value).splitlines()[1:]
    assert line[line.index("call.x") + 5 :].startswith("x")
    assert len(caret) == line.index("call.x") + 5 + len("电话") + 1
    long = "call.caller == 'a' || " * 100
    with pytest.raises(PolicyError) as caught:
        load_policy("p", POLICY + f'rules: [{{id: a, when: "{long}call.x", verdict: warn}}]')
    line, caret = str(caught.value).splitlines()[1:]
    assert len(line) <= 124
    assert line[len(caret) - 1 :].startswith("x")
