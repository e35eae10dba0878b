"""An analyst's day with lists: every command once from end to end, at a service that keeps what it is told."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import dns.exception
import dns.query
import dns.zone
import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1 import lists_pb2
from service.operating import Ask, add, asking, becomes, put
from service.running import CALLEE, Cli, Running, refused

Start = Callable[..., Running]


@pytest.fixture(scope="module")
def service(operated: Running) -> Running:
    return operated


def rule(service: Running, caller: str, callee: str = CALLEE) -> str:
    return service.decide(caller=caller, callee=callee).rule


def feed(path: Path, numbers: list[str], reason: str = "feed") -> Path:
    path.write_text("number,reason\n" + "".join(f"{each},{reason}\n" for each in numbers))
    return path


def numbers(first: int, count: int) -> list[str]:
    return [f"+86{first + at}" for at in range(count)]


def exported(ask: Ask, name: str = "fraud", *options: str) -> list[str]:
    return sorted(ask("lists", "export", name, *options).splitlines())


def test_an_added_number_is_blocked_on_the_very_next_call_and_a_removed_one_passes(
    service: Running, ask: Ask
) -> None:
    caller = "+8613811110001"
    assert rule(service, caller) == "default"
    said = ("lists", "add", caller, "--list", "fraud", "--reason", "fake-police", "--note", "case 12")
    added = ask(*said)
    assert (added["added"], added["removed"]) == ("1", "0")
    answer = service.decide(caller=caller, callee=CALLEE)
    assert (answer.verdict, answer.rule) == (pb.VERDICT_BLOCK, "listed")
    assert ask(*said)["added"] == "0"
    assert ask("lists", "remove", caller, "--list", "fraud")["removed"] == "1"
    assert rule(service, caller) == "default"


def test_every_add_is_seen_by_the_next_call(service: Running, scale: "pytest.FixtureRequest") -> None:
    for number in numbers(13822000000, scale(100, 10_000)):  # type: ignore[operator]
        assert add(service, number).added == 1
        assert rule(service, number) == "listed"


def test_a_number_is_gone_when_the_last_of_its_sources_lets_go(service: Running, ask: Ask) -> None:
    caller = "+8613811110002"
    for source in ("police", "bank"):
        ask("lists", "add", caller, "--list", "fraud", "--source", source, "--reason", "fraud")
    shown = ask("lists", "show", caller)
    assert {(each["source"], each["live"], each["added_by"]) for each in shown["entries"]} == {
        ("police", True, "local"),
        ("bank", True, "local"),
    }
    ask("lists", "remove", caller, "--list", "fraud", "--source", "police")
    assert rule(service, caller) == "listed"
    ask("lists", "remove", caller, "--list", "fraud", "--source", "bank")
    assert rule(service, caller) == "default"
    assert ask("lists", "show", caller)["entries"] == []
    history = ask("lists", "show", caller, "--history")["entries"]
    assert [(each["live"], each["gone_by"]) for each in history] == [(False, "local")] * 2


def test_show_reads_a_number_in_any_form_and_counts_the_calls_it_stopped(service: Running, ask: Ask) -> None:
    caller = "+8613811110003"
    add(service, caller, reason="false-loan")
    decision = service.decide(caller=caller, callee=CALLEE).decision_id
    becomes(lambda: ask("lists", "show", "138 1111 0003")["stopped"] == "1")
    shown = ask("lists", "show", "008613811110003")
    (entry,) = shown["entries"]
    assert (entry["text"], entry["reason"], entry["list"]) == (caller, "false-loan", "fraud")
    assert shown["decision_ids"] == [decision]


def test_an_entry_begins_and_ends_on_time(service: Running, ask: Ask) -> None:
    caller = "+8613811110004"
    ask("lists", "add", caller, "--list", "fraud", "--for", "2s")
    assert rule(service, caller) == "listed"
    becomes(lambda: rule(service, caller) == "default")
    (entry,) = ask("lists", "show", caller)["entries"]
    assert not entry["live"]


def test_dates_are_read_as_people_write_them(ask: Ask) -> None:
    caller = "+8613811110005"
    ask("lists", "add", caller, "--list", "fraud", "--from", "2098-01-01", "--until", "2099-12-31")
    (entry,) = ask("lists", "show", caller)["entries"]
    assert (entry["valid_from_ms"], entry["valid_until_ms"]) == ("4039372800000", "4102444800000")
    assert not entry["live"]


def test_a_feed_is_taken_whole_shown_before_and_undone(service: Running, ask: Ask, tmp_path: Path) -> None:
    before = exported(ask)
    first = numbers(13833000000, 3000)
    path = feed(tmp_path / "feed.csv", first)
    to = ("--list", "fraud", "--source", "feed")
    preview = ask("lists", "import", path, *to, "--dry-run")
    assert (preview["added"], preview["removed"], preview["bad_rows"]) == ("3000", "0", "0")
    assert first[0] in preview["first_added"]
    assert exported(ask) == before
    change = ask("lists", "import", path, *to)
    assert change["added"] == "3000"
    assert {rule(service, number) for number in (first[0], first[1500], first[-1])} == {"listed"}
    again = ask("lists", "import", path, *to)
    assert (again["added"], again["removed"], again["revision"]) == ("0", "0", "0")

    second = [*first[1000:], *numbers(13834000000, 10)]
    packed = tmp_path / "feed2.csv.gz"
    packed.write_bytes(gzip.compress(feed(tmp_path / "feed2.csv", second).read_bytes()))
    preview = ask("lists", "import", packed, *to, "--replace", "--dry-run")
    assert (preview["added"], preview["removed"], preview["unchanged"]) == ("10", "1000", "2000")
    replaced = ask("lists", "import", packed, *to, "--replace")
    assert (replaced["added"], replaced["removed"]) == ("10", "1000")
    assert rule(service, first[0]) == "default"
    assert rule(service, "+8613834000009") == "listed"

    ask("lists", "undo", replaced["revision"])
    assert rule(service, first[0]) == "listed"
    assert rule(service, "+8613834000009") == "default"
    ask("lists", "undo", change["revision"])
    assert exported(ask) == before


def test_what_is_exported_can_be_imported_again(ask: Ask, tmp_path: Path) -> None:
    for number in numbers(13844000000, 5):
        ask("lists", "add", number, "--list", "fraud", "--source", "desk 4", "--reason", 'a, "b"')
    path = tmp_path / "out.csv"
    assert ask("lists", "export", "fraud", "--source", "desk 4", "-o", path) == ""
    change = ask("lists", "import", path, "--list", "fraud", "--source", "desk 4", "--replace")
    assert (change["added"], change["removed"]) == ("0", "0")


def test_a_file_with_bad_rows_is_refused_by_line(cli: Cli, service: Running, tmp_path: Path) -> None:
    path = feed(tmp_path / "bad.csv", ["+8613855000000", "no number"])
    to = ("--list", "fraud", "--source", "bad", "--server", service.control.address)
    done = cli("lists", "import", path, *to)
    assert (done.returncode, done.stdout) == (1, "")
    assert "line 3" in done.stderr or ":3" in done.stderr
    assert rule(service, "+8613855000000") == "default"
    assert cli("lists", "import", path, *to, "--allow-bad-rows").returncode == 0
    assert rule(service, "+8613855000000") == "listed"


def test_search_goes_page_by_page(ask: Ask) -> None:
    wanted = numbers(13866000000, 25)
    ask("lists", "add", *wanted, "--list", "fraud", "--source", "desk 6")
    found: list[str] = []
    page = ""
    while True:
        answer = ask("lists", "search", "+8613866", "--source", "desk 6", "--limit", "10", "--page", page)
        found += [each["text"] for each in answer["entries"]]
        page = answer["next_page"]
        if not page:
            break
    assert found == wanted


def test_stats_count_by_source_and_reason(ask: Ask) -> None:
    ask("lists", "add", *numbers(13877000000, 4), "--list", "areas", "--source", "desk 7", "--reason", "scam")
    (areas,) = ask("lists", "stats", "areas")["lists"]
    assert (areas["kind"], areas["entries"], areas["by_source"]) == ("prefix", "4", {"desk 7": "4"})
    assert areas["by_reason"] == {"scam": "4"}
    assert {each["list"] for each in ask("lists", "stats")["lists"]} >= {"fraud", "sites", "areas"}


def test_retention_gives_entries_an_end(ask: Ask) -> None:
    ask("lists", "retention", "--source", "short-lived", "--for", "1d")
    ask("lists", "add", "+8613811110008", "--list", "fraud", "--source", "short-lived")
    (entry,) = ask("lists", "show", "+8613811110008")["entries"]
    assert int(entry["valid_until_ms"]) - int(entry["added_ms"]) == 86_400_000


def test_a_domain_is_listed_with_all_below_it(ask: Ask) -> None:
    ask("lists", "add", "fraud-bank.example", "--list", "sites", "--reason", "phishing")
    found = ask("lists", "check", "login.fraud-bank.example")
    assert found["listed"]
    assert found["entries"][0]["text"] == "fraud-bank.example"
    assert not ask("lists", "check", "bank.example")["listed"]
    zone = ask("lists", "export", "sites", "--format", "rpz")
    assert re.search(r"^fraud-bank\.example(\.\S+)?\s.*CNAME\s+\.$", zone, flags=re.MULTILINE)


def test_a_subscribers_own_list_holds_for_him_alone(service: Running, ask: Ask) -> None:
    caller = "+8613811110009"
    ask("lists", "add", f"{CALLEE}:{caller}", "--list", "unwanted", "--source", "subscriber")
    answer = service.decide(caller=caller, callee=CALLEE)
    assert (answer.rule, answer.sip_code) == ("unwanted", 607)
    assert rule(service, caller, "+8613900139001") == "default"


def test_a_listed_domain_is_in_the_zone_that_is_served(start: Start, cli: Cli) -> None:
    service = start(None, "--zone", "rpz.example=sites", "--zone-listen", "127.0.0.1:0")
    put(service)
    port = service.event("serving")["zones"]
    asking(cli, service)("lists", "add", "fraud-shop.example", "--list", "sites")

    def zone() -> set[str]:
        try:
            found = dns.zone.from_xfr(dns.query.xfr("127.0.0.1", "rpz.example", port=port), relativize=True)
        except dns.exception.DNSException:  # it has no such list yet
            return set()
        return {str(name) for name in found.nodes}

    becomes(lambda: "fraud-shop.example" in zone())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("lists", "add", "+8613800000000", "--list", "nowhere"), "nowhere"),
        (("lists", "add", "not a number", "--list", "fraud"), "not a number"),
        (("lists", "undo", "999999"), "999999"),
        (("lists", "export", "nowhere"), "nowhere"),
        (("lists", "export", "fraud", "--format", "rpz"), "domain"),
        (("lists", "retention",), "list or a source"),
        (("lists", "import", "/nonexistent.csv", "--list", "fraud", "--source", "s"), "/nonexistent.csv"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_what_makes_no_sense_is_one_line(
    cli: Cli, service: Running, arguments: tuple[str, ...], told: str
) -> None:
    done = cli(*arguments, "--server", service.control.address)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("interceptor: ")
    assert told in line


@pytest.mark.parametrize(
    "arguments",
    [("--for", "soon"), ("--until", "tomorrow"), ("--for", "1d", "--until", "2099-01-01")],
    ids=" ".join,
)
def test_a_time_that_is_none_is_a_wrong_command_line(
    cli: Cli, service: Running, arguments: tuple[str, ...]
) -> None:
    to = ("--list", "fraud", "--server", service.control.address)
    assert cli("lists", "add", "+8613800000000", *to, *arguments).returncode == 2


def test_a_protected_number_is_refused_until_confirmed_with_what_was_seen(
    cli: Cli, service: Running, ask: Ask
) -> None:
    hotline, other = "+861095588000", "+8613811110010"
    ask("lists", "add", hotline, "--list", "hotlines")
    to = ("--list", "fraud", "--server", service.control.address)
    done = cli("lists", "add", hotline, *to)
    assert (done.returncode, done.stdout) == (1, "")
    assert hotline in done.stderr
    impact = json.loads(done.stderr[: done.stderr.index("\ninterceptor:")])
    assert (impact["refused"], bool(impact["protected_numbers"])) == (True, True)
    seen = impact["revision"]
    assert f"--confirm {seen}" in done.stderr
    assert rule(service, hotline) == "hotline"

    ask("lists", "add", other, "--list", "fraud")  # another operator, meanwhile
    stale = cli("lists", "add", hotline, *to, "--confirm", seen)
    assert stale.returncode == 1
    assert "ABORTED" in stale.stderr
    assert rule(service, hotline) == "hotline"

    again = cli("lists", "add", hotline, *to)
    confirming = re.search(r"--confirm (\d+)", again.stderr)
    assert confirming is not None
    change = ask("lists", "add", hotline, "--list", "fraud", "--confirm", confirming[1])
    assert rule(service, hotline) == "listed"
    ask("lists", "undo", change["revision"])
    assert rule(service, hotline) == "hotline"


def test_a_list_that_there_is_none_of_is_not_found(service: Running, cli: Cli) -> None:
    entry = lists_pb2.ListEntry(text="+8613800000000")
    asked = {
        "AddEntries": lists_pb2.AddEntriesRequest(list="frauds", source="s", entries=[entry]),
        "RemoveEntries": lists_pb2.RemoveEntriesRequest(list="frauds", texts=[entry.text]),
        "SearchEntries": lists_pb2.SearchEntriesRequest(list="frauds"),
        "GetListStats": lists_pb2.GetListStatsRequest(list="frauds"),
        "SetRetention": lists_pb2.SetRetentionRequest(list="frauds", retention_ms=1),
    }
    for method, request in asked.items():
        status, message = refused(lambda method=method, request=request: service.admin(method, request))
        assert (status, "the store has no list 'frauds'" in message) == ("NOT_FOUND", True), method
    done = cli("lists", "add", entry.text, "--list", "frauds", "--server", service.control.address)
    assert done.returncode == 1
    assert "the service says NOT_FOUND: the store has no list 'frauds'; it has" in done.stderr


def test_requests_are_bounded(service: Running) -> None:
    entries = [lists_pb2.ListEntry(text="+8613800000000")] * 10_001
    status, message = refused(
        lambda: service.admin(
            "AddEntries", lists_pb2.AddEntriesRequest(list="fraud", source="s", entries=entries)
        )
    )
    assert (status, "10,000" in message) == ("INVALID_ARGUMENT", True)
    status, _ = refused(lambda: service.admin("SearchEntries", lists_pb2.SearchEntriesRequest(limit=5000)))
    assert status == "INVALID_ARGUMENT"
