"""What `interceptor policy ...` does at a running service, and what it shows."""

import difflib
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interceptor.cli import listtables as tables
from interceptor.cli.connection import Connection
from interceptor.cli.failing import EXIT_USAGE, Failure
from interceptor.cli.listing import confirmation, told
from interceptor.cli.printing import show, to_person
from interceptor.cli.times import shown
from interceptor.pb.v1 import policies_pb2 as pb

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def put(service: Connection, file: Path, *, comment: str, dry_run: bool, confirm: int | None) -> None:
    request = pb.PutPolicyRequest(
        text=text_of(file),
        origin=str(file),
        comment=comment,
        dry_run=dry_run,
        confirmation=confirmation(confirm),
    )
    show_state(service.ask("AdminService/PutPolicy", request, pb.PutPolicyResponse).policy)


def get(service: Connection, revision: int) -> None:
    print(policy(service, revision).text, end="")


def diff(service: Connection, old: str, new: str) -> None:
    """Nothing is printed where nothing differs."""
    before, after = side(service, old), side(service, new)
    console = Console(highlight=False, soft_wrap=True)
    for line in difflib.unified_diff(
        before[1].splitlines(), after[1].splitlines(), before[0], after[0], lineterm=""
    ):
        if to_person():
            console.print(line, style=COLOURS.get(line[:1], ""), markup=False)
        else:
            print(line)


def history(service: Connection, limit: int) -> None:
    found = service.ask(
        "AdminService/ListPolicies", pb.ListPoliciesRequest(limit=limit), pb.ListPoliciesResponse
    )
    told(found, show_history)


def rollback(service: Connection, revision: int, *, comment: str, confirm: int | None) -> None:
    request = pb.RollbackPolicyRequest(revision=revision, comment=comment, confirmation=confirmation(confirm))
    show_state(service.ask("AdminService/RollbackPolicy", request, pb.RollbackPolicyResponse).policy)


def trial(service: Connection, file: Path | None, for_ms: int, *, stop: bool) -> None:
    if stop and file is not None:
        raise Failure("--stop ends the trial that runs: give no FILE with it", EXIT_USAGE)
    if stop:
        state = service.ask("AdminService/StopTrial", pb.StopTrialRequest(), pb.StopTrialResponse).trial
    elif file is None:
        state = service.ask("AdminService/GetTrial", pb.GetTrialRequest(), pb.GetTrialResponse).trial
    else:
        request = pb.StartTrialRequest(text=text_of(file), origin=str(file), for_ms=for_ms)
        state = service.ask("AdminService/StartTrial", request, pb.StartTrialResponse).trial
    told(state, show_trial)


def promote(service: Connection, rule: str, comment: str) -> None:
    request = pb.PromoteRuleRequest(rule=rule, comment=comment)
    show(service.ask("AdminService/PromoteRule", request, pb.PromoteRuleResponse))


def policy(service: Connection, revision: int) -> pb.PolicyState:
    request = pb.GetPolicyRequest(revision=revision)
    return service.ask("AdminService/GetPolicy", request, pb.GetPolicyResponse).policy


def side(service: Connection, which: str) -> tuple[str, str]:
    """Name and text of one side of a difference: a revision, a file, or the policy in force."""
    if (which.isdecimal() and not Path(which).exists()) or not which:
        state = policy(service, int(which or "0"))
        return f"revision {state.revision} ({state.origin})", state.text
    return which, text_of(Path(which))


def text_of(file: Path) -> str:
    try:
        return file.read_text()
    except UnicodeDecodeError as error:
        raise Failure(f"{file}: is no text: byte {error.start} is no UTF-8") from None


def show_state(state: pb.PolicyState) -> None:
    """A policy that was put, without its text."""
    state = pb.PolicyState.FromString(state.SerializeToString())
    state.text = ""
    told(state, show_put)


def show_put(state: pb.PolicyState) -> None:
    console = Console(highlight=False)
    if state.in_force:
        console.print(f"revision {state.revision} is in force: {state.rules} rules, {state.origin}")
    else:
        console.print(f"good: {state.rules} rules, {state.origin}")
    if state.HasField("impact"):
        tables.show_impact(state.impact, console)


def show_history(found: pb.ListPoliciesResponse) -> None:
    table = Table("revision", "put", "by", "rules", "file", "comment")
    for state in found.policies:
        name = f"{state.revision} *" if state.in_force else str(state.revision)
        table.add_row(name, shown(state.put_ms), state.actor, str(state.rules), state.origin, state.comment)
    Console(highlight=False).print(table)


def show_trial(state: pb.TrialState) -> None:
    console = Console(highlight=False)
    verb = "runs until" if state.running else "ended"
    console.print(f"{state.origin}: {verb} {shown(state.ends_ms)}, begun {shown(state.begun_ms)}")
    console.print(f"of {state.calls:,} calls it would decide {state.differing:,} otherwise")
    if state.stopped:
        console.print(Text(f"it ended before its time: {state.stopped}", "red"))
    if state.unknown_counters:
        names = ", ".join(state.unknown_counters)
        console.print(
            Text(
                f"it cannot read counters of its own that reports feed, rules that do fail: {names}", "yellow"
            )
        )
    if state.unknown_tags:
        names = ", ".join(state.unknown_tags)
        console.print(
            Text(f"it reads tags that the policy in force does not have, absent: {names}", "yellow")
        )
    if state.kinds:
        table = Table("is and would be", "calls")
        for kind, calls in sorted(state.kinds.items(), key=lambda item: -item[1]):
            table.add_row(kind, f"{calls:,}")
        console.print(table)
    if state.last:
        table = Table(
            "decision", "caller", "callee", "was", "would be", title="The last of them", title_justify="left"
        )
        for call in state.last:
            table.add_row(call.decision_id, call.caller, call.callee, call.was, call.would_be)
        console.print(table)
