"""What `interceptor why`, `feedback`, `audit`, `privacy` and `access` do, and what they show."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interceptor.cli import listtables as tables
from interceptor.cli.connection import Connection
from interceptor.cli.failing import EXIT_USAGE, Failure
from interceptor.cli.listing import told
from interceptor.cli.printing import show, to_person
from interceptor.cli.tables import STYLES
from interceptor.cli.times import shown
from interceptor.pb.v1 import access_pb2, policies_pb2
from interceptor.pb.v1 import interception_pb2 as calls


def why(service: Connection, decision_id: str) -> None:
    request = policies_pb2.ExplainDecisionRequest(decision_id=decision_id)
    found = service.ask("AdminService/ExplainDecision", request, policies_pb2.ExplainDecisionResponse)
    told(found, show_why)


def feedback(
    service: Connection, decision_id: str, *, right: bool, release_ms: int | None, comment: str
) -> None:
    if right and release_ms is not None:
        raise Failure("--for goes with a wrong block: a confirmed one releases nobody", EXIT_USAGE)
    request = policies_pb2.GiveFeedbackRequest(
        decision_id=decision_id, right=right, comment=comment, release_ms=release_ms
    )
    told(service.ask("AdminService/GiveFeedback", request, policies_pb2.GiveFeedbackResponse), show_feedback)


def log(service: Connection, limit: int, before: int, action: str, actor: str) -> None:
    request = access_pb2.ListAuditRequest(limit=limit, before=before, action=action, actor=actor)
    told(service.ask("AdminService/ListAudit", request, access_pb2.ListAuditResponse), show_log)


def verify(service: Connection, deep: bool) -> None:
    """Raises Failure when it is not whole."""
    request = access_pb2.VerifyAuditRequest(deep=deep)
    found = service.ask("AdminService/VerifyAudit", request, access_pb2.VerifyAuditResponse)
    told(found, show_verified)
    if not found.whole:
        raise Failure("the audit trail is not whole: keep the store as it is, and compare with a backup")


def erase(service: Connection, number: str, comment: str, yes: bool) -> None:
    if not yes:
        if not (to_person() and sys.stdin.isatty()):
            raise Failure("there is no way back: say --yes", EXIT_USAGE)
        answer = input(f"Erase all that is known of {number}? There is no way back. Type yes: ")
        if answer.strip().lower() != "yes":
            raise Failure("nothing was erased")
    request = access_pb2.EraseNumberRequest(number=number, comment=comment)
    show(service.ask("AdminService/EraseNumber", request, access_pb2.EraseNumberResponse))


def grant(service: Connection, name: str, role: str, *, token: bool, until_ms: int | None) -> None:
    """Prints the token alone, for a file; what to do with it goes to the terminal."""
    request = access_pb2.GrantAccessRequest(
        name=name, role=f"ROLE_{role.upper()}", token=token, valid_until_ms=until_ms
    )
    answer = service.ask("AdminService/GrantAccess", request, access_pb2.GrantAccessResponse)
    if not answer.token:
        return
    if to_person():
        print(
            f"The token of {name}, told this once; keep it in a file only you can read (--token-file):",
            file=sys.stderr,
        )
    print(answer.token)


def revoke(service: Connection, name: str) -> None:
    service.ask(
        "AdminService/RevokeAccess",
        access_pb2.RevokeAccessRequest(name=name),
        access_pb2.RevokeAccessResponse,
    )


def grants(service: Connection) -> None:
    found = service.ask(
        "AdminService/ListAccess", access_pb2.ListAccessRequest(), access_pb2.ListAccessResponse
    )
    told(found, show_grants)


def show_why(found: policies_pb2.ExplainDecisionResponse) -> None:
    console = Console(highlight=False)
    decision = found.decision
    line = Text(
        calls.Verdict.Name(decision.verdict).removeprefix("VERDICT_"), STYLES.get(decision.verdict, "")
    )
    line.append(f"  {shown(found.time_ms)}, {found.caller} to {found.callee}", "default")
    console.print(line)
    for sentence in found.words:
        console.print(sentence, markup=False)
    if found.entries:
        console.print(tables.entries(found.entries))
    for command in found.undo:
        console.print(f"to undo it: {command}", markup=False, style="bold")
    if found.feedback:
        console.print(f"people said: {found.feedback}")


def show_feedback(found: policies_pb2.GiveFeedbackResponse) -> None:
    if found.released:
        until = f" until {shown(found.released_until_ms)}" if found.released_until_ms else ""
        print(f"noted; the caller is let through{until} (revision {found.revision})")
    else:
        print("noted")


def show_log(found: access_pb2.ListAuditResponse) -> None:
    table = Table("sequence", "when", "who", "what", "on what", "revision", "more")
    for record in found.records:
        revision = str(record.revision) if record.HasField("revision") else ""
        detail = "" if record.detail == "{}" else record.detail
        cells = (
            str(record.sequence),
            shown(record.at_ms),
            record.actor,
            record.action,
            record.subject,
            revision,
            detail,
        )
        table.add_row(*(Text(cell) for cell in cells))
    Console(highlight=False).print(table)


def show_verified(found: access_pb2.VerifyAuditResponse) -> None:
    for problem in found.problems:
        print(problem)
    print(
        f"{found.records:,} records, {'whole' if found.whole else 'NOT WHOLE'}; the last hash: {found.last_hash}"
    )


def show_grants(found: access_pb2.ListAccessResponse) -> None:
    table = Table("name", "kind", "role", "granted by", "granted", "until")
    for each in found.grants:
        until = shown(each.valid_until_ms) if each.HasField("valid_until_ms") else ""
        role = access_pb2.Role.Name(each.role).removeprefix("ROLE_").lower()
        table.add_row(each.name, each.kind, role, each.granted_by, shown(each.granted_ms), until)
    Console(highlight=False).print(table)
