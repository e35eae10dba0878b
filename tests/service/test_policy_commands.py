"""Policies and decisions as operators handle them: put, compared, taken back, tried; why, feedback, audit, erasure."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from service.operating import DESK, TRIED, Ask, add, asking, becomes, put
from service.running import CALLEE, Cli, Running, write_policy
from service.terminal import Terminal

Start = Callable[..., Running]


@pytest.fixture(scope="module")
def service(operated: Running) -> Running:
    return operated


def written(directory: Path, policy: str) -> Path:
    path = directory / "new.yaml"
    path.write_text(policy)
    return path


def test_a_policy_is_put_compared_and_taken_back(service: Running, ask: Ask, tmp_path: Path) -> None:
    def rule() -> str:
        return service.decide(caller="+8613812120001", callee=CALLEE).rule

    (first, *_) = ask("policy", "history")["policies"]
    assert first["in_force"]
    new = written(
        tmp_path, DESK.replace("default: pass", "  - {id: all, when: 'true', verdict: warn}\ndefault: pass")
    )
    dry = ask("policy", "put", new, "--dry-run")
    assert (dry["revision"], dry["in_force"]) == ("0", False)
    assert rule() == "default"
    done = ask("policy", "put", new, "--comment", "a test")
    assert done["in_force"]
    assert rule() == "all"
    assert ask("policy", "get") == new.read_text()
    assert ask("policy", "get", first["revision"]) == DESK
    changed = [
        line
        for line in ask("policy", "diff", first["revision"]).splitlines()
        if line.startswith(("+ ", "- "))
    ]
    assert changed == ["+  - {id: all, when: 'true', verdict: warn}"]
    assert (
        ask("policy", "diff", first["revision"], new).splitlines()[2:]
        == (ask("policy", "diff", first["revision"]).splitlines()[2:])
    )
    back = ask("policy", "rollback", first["revision"], "--confirm", done["revision"])
    assert int(back["revision"]) > int(done["revision"])
    assert rule() == "default"
    assert ask("policy", "get") == DESK
    assert ask("policy", "diff", first["revision"]) == ""


def test_a_policy_with_problems_is_refused_with_all_of_them(
    cli: Cli, service: Running, tmp_path: Path
) -> None:
    broken = written(
        tmp_path, DESK.replace("lists.fraud", "lists.frauds").replace("lists.areas", "lists.area")
    )
    before = put(service)
    done = cli("policy", "put", broken, "--server", service.control.address)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("^") == 2
    state = json.loads(cli("policy", "history", "--server", service.control.address).stdout)["policies"][0]
    assert (state["revision"], state["in_force"]) == (str(before), True)


def test_a_policy_that_would_turn_too_many_calls_is_refused_until_confirmed(
    service: Running, cli: Cli, ask: Ask, tmp_path: Path
) -> None:
    careful = DESK.replace("share: 1", "share: 0.001")
    put(service, careful)
    new = written(tmp_path, careful.replace("default: pass", "default: warn"))

    def enough() -> bool:
        service.decide(caller="+8613812130001", callee=CALLEE)
        return int(ask("policy", "put", new, "--dry-run")["impact"]["flipped"]) >= 3

    becomes(enough)
    done = cli("policy", "put", new, "--server", service.control.address)
    assert (done.returncode, done.stdout) == (1, "")
    confirm = re.search(r"to do it all the same: interceptor policy put .* --confirm (\d+)$", done.stderr)
    assert confirm is not None
    assert service.decide(caller="+8613812130000", callee=CALLEE).verdict == pb.VERDICT_PASS
    assert ask("policy", "put", new, "--confirm", confirm[1])["in_force"]
    assert service.decide(caller="+8613812130000", callee=CALLEE).verdict == pb.VERDICT_WARN
    actions = [each["action"] for each in ask("audit", "log", "--limit", "4")["records"]]
    assert actions[:3] == ["policy", "confirmed", "refused"]
    ask("policy", "put", written(tmp_path, DESK), "--confirm", str(int(confirm[1]) + 1))


def test_a_followed_file_is_changed_by_nobody_else(start: Start, cli: Cli, tmp_path: Path) -> None:
    service = start(write_policy(tmp_path))
    done = cli("policy", "put", written(tmp_path, DESK), "--server", service.control.address)
    assert (done.returncode, done.stdout) == (1, "")
    assert "policy.yaml" in done.stderr
    asking(cli, service)("policy", "history")


def test_a_trial_tells_what_it_would_decide_otherwise(service: Running, ask: Ask, tmp_path: Path) -> None:
    begun = ask("policy", "trial", written(tmp_path, TRIED), "--for", "1h")
    assert begun["running"]
    answer = service.decide(caller="+8613812120002", callee=CALLEE)
    assert answer.rule == "default"
    becomes(lambda: ask("policy", "trial")["differing"] != "0")
    ended = ask("policy", "trial", "--stop")
    assert not ended["running"]
    assert sum(map(int, ended["kinds"].values())) == int(ended["differing"]) >= 1
    assert ended["last"][-1]["decision_id"]


def test_a_trial_names_what_it_cannot_read(service: Running, ask: Ask, tmp_path: Path) -> None:
    short = "  short_1d: {count: short, under: 10s, per: caller, window: 24h}\n"
    tried = DESK.replace("rules:\n", f"{short}rules:\n").replace("lists:\n", "tags: [dealer]\nlists:\n", 1)
    rule = "  - {id: short, when: 'counters.short_1d > 3 || call.tags.dealer == \"x\"', verdict: warn}\n"
    state = ask("policy", "trial", written(tmp_path, tried.replace("default: pass", f"{rule}default: pass")))
    assert (state["unknown_counters"], state["unknown_tags"], state["stopped"]) == (
        ["short_1d"],
        ["dealer"],
        "",
    )
    terminal = Terminal("policy", "trial", "--server", service.control.address, columns=120)
    try:
        assert terminal.end() == 0
        assert "it cannot read counters of its own that reports feed" in terminal.written
        assert "short_1d" in terminal.written
        assert "dealer" in terminal.written
    finally:
        terminal.close()
        ask("policy", "trial", "--stop")


def test_why_says_it_in_words_and_wrong_releases_the_caller(service: Running, ask: Ask) -> None:
    caller = "+8613812120003"
    add(service, caller, reason="fake-police", note="case 7")
    decision = service.decide(caller=caller, callee=CALLEE).decision_id
    known: list[dict[str, object]] = []

    def remembered() -> bool:
        try:
            known.append(ask("why", decision))
        except AssertionError:
            return False
        return True

    becomes(remembered)
    why = known[-1]
    assert why["decision"]["rule"] == "listed"  # type: ignore[index]
    assert "lists.fraud" in str(why["condition"])
    (entry,) = why["entries"]  # type: ignore[misc]
    assert (entry["reason"], entry["added_by"]) == ("fake-police", "local")
    assert why["words"] and why["undo"]
    noted = ask("feedback", decision, "wrong", "--comment", "it is a bank")
    assert noted["released"]
    assert service.decide(caller=caller, callee=CALLEE).rule == "allowed"
    assert ask("why", decision)["feedback"] == "wrong"
    ask("lists", "undo", str(noted["revision"]))
    assert service.decide(caller=caller, callee=CALLEE).rule == "listed"


def test_what_why_proposes_undoes_it(service: Running, cli: Cli, ask: Ask) -> None:
    caller = "+8613812120004"
    add(service, caller)
    decision = service.decide(caller=caller, callee=CALLEE).decision_id
    becomes(lambda: cli("why", decision, "--server", service.control.address).returncode == 0)
    for command in ask("why", decision)["undo"]:
        program, *words = shlex.split(command)
        assert program == "interceptor"
        if words[0] == "lists":
            ask(*words)
            break
    assert service.decide(caller=caller, callee=CALLEE).rule == "default"


def test_a_decision_nobody_remembers_is_one_line(cli: Cli, service: Running) -> None:
    for command in (("why", "0123456789abcdef"), ("feedback", "0123456789abcdef", "wrong")):
        done = cli(*command, "--server", service.control.address)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)


def test_a_persons_number_is_erased_and_the_trail_stays_whole(service: Running, cli: Cli, ask: Ask) -> None:
    number = "+8613812120005"
    add(service, number, note="somebody")
    assert service.decide(caller=number, callee=CALLEE).rule == "listed"
    to = ("--server", service.control.address)
    assert cli("privacy", "erase", number, *to).returncode == 2
    erased = ask("privacy", "erase", number, "--yes", "--comment", "request 1")
    assert erased["entries"] == "1"
    assert service.decide(caller=number, callee=CALLEE).rule == "default"
    assert ask("lists", "show", number, "--history")["entries"] == []
    for deep in ((), ("--deep",)):
        found = ask("audit", "verify", *deep)
        assert (found["whole"], found["problems"]) == (True, [])
    assert "12120005" not in json.dumps(ask("audit", "log", "--limit", "1000"))


def test_the_audit_trail_is_told_page_by_page_and_by_action(service: Running, ask: Ask) -> None:
    add(service, "+8613812120006")
    ask("lists", "show", "+8613812120006")
    last = ask("audit", "log", "--limit", "2")["records"]
    assert [each["action"] for each in last] == ["read", "add"]
    assert int(last[0]["sequence"]) == int(last[1]["sequence"]) + 1
    rest = ask("audit", "log", "--limit", "1", "--before", last[1]["sequence"])["records"]
    assert int(rest[0]["sequence"]) == int(last[1]["sequence"]) - 1
    assert {each["action"] for each in ask("audit", "log", "--action", "policy")["records"]} == {"policy"}
    assert ask("audit", "log", "--actor", "nobody")["records"] == []


def test_what_was_acknowledged_is_there_after_a_restart(start: Start, cli: Cli, tmp_path: Path) -> None:
    caller = "+8613812120007"
    first = start(None, "--data", tmp_path / "data")
    put(first)
    revision = add(first, caller).revision
    first.process.kill()
    first.stop()
    second = start(None, "--data", tmp_path / "data")
    ask = asking(cli, second)
    assert second.decide(caller=caller, callee=CALLEE).rule == "listed"
    assert ask("policy", "get") == DESK
    ask("lists", "undo", str(revision))
    assert second.decide(caller=caller, callee=CALLEE).rule == "default"
    assert ask("audit", "verify", "--deep")["whole"]


def test_a_directory_serves_one_service_at_a_time(start: Start, cli: Cli, tmp_path: Path) -> None:
    start(None, "--data", tmp_path / "data")
    ports = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--metrics", "")
    done = cli("serve", "--data", tmp_path / "data", *ports)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert str(tmp_path / "data") in done.stderr
