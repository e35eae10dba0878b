"""The options of `interceptor doctor`, `probe`, `backup` and `restore`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from interceptor.cli.connecting import DATA_PORT, connected

Data = Annotated[
    Path | None,
    typer.Option("--data", help="The service's directory.", show_default="the user's state directory"),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Target = Annotated[Path, typer.Argument(metavar="DIR", show_default=False)]
Pem = Annotated[Path | None, typer.Option(help="As of `serve` (PEM).", show_default=False)]


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    app.command("doctor")(doctor)
    app.command("probe")(connected(probe, server=DATA_PORT, timeout=2.0, token=False))
    app.command("backup")(backup)
    app.command("restore")(restore)


def doctor(
    *,
    data: Data = None,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="As of `serve`.", envvar="INTERCEPTOR_STORE")
    ] = None,
    listen: Annotated[str, typer.Option(help="As of `serve`.")] = DATA_PORT,
    control: Annotated[str, typer.Option(help="As of `serve`.")] = "127.0.0.1:50052",
    metrics: Annotated[str, typer.Option(help="As of `serve`.")] = "127.0.0.1:9464",
    policy: Annotated[
        str | None, typer.Option(help="A policy file or a shipped policy, whose memory is reckoned.")
    ] = None,
    tls_cert: Pem = None,
    tls_key: Pem = None,
    tls_client_ca: Pem = None,
    name: Annotated[
        str | None, typer.Option(help="What switches call the service: to be in its certificate.")
    ] = None,
    sinks: Annotated[Path | None, typer.Option(help="As of `serve`.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Looks at what a service needs: ports, certificates, store, memory, clock, files. Each finding says what to do.

    Exit code 1 when something is wrong, 0 when it is well or only worth a look. It changes nothing, running or not.
    """
    from interceptor.cli import examining  # noqa: PLC0415
    from interceptor.runtime.service import state_directory  # noqa: PLC0415

    where = examining.Where(
        data or state_directory(),
        store,
        (listen, control, metrics),
        policy,
        tls_cert,
        tls_key,
        tls_client_ca,
        name,
        sinks,
    )
    sys.exit(examining.doctor(where, as_json=as_json))


def probe(
    service: Any,
    *,
    expect: Annotated[
        str | None, typer.Option(help="The verdict it must be: pass, warn or block.", show_default="any")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Asks the port for switches about a call of a withheld number, and checks that it is decided.

    No caller, no callee, no trunk, no call_id: so no counter is touched, and nothing is remembered. It counts as one
    decision of whatever rule decides such a call.
    """
    from interceptor.cli import examining  # noqa: PLC0415

    examining.probe(service, expect, as_json=as_json)


def backup(
    target: Target,
    *,
    data: Data = None,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="As of `serve`.", envvar="INTERCEPTOR_STORE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copies what a service keeps into a new directory, and verifies it; the service may run, and change things.

    Lists, policies, access, audit trail with its key, remembered decisions. Keep it as you keep the service's --data.
    """
    from interceptor.cli.failing import EXIT_USAGE, Failure  # noqa: PLC0415
    from interceptor.runtime.service import state_directory  # noqa: PLC0415
    from interceptor.store import backup as backups  # noqa: PLC0415

    if store is not None:
        raise Failure(
            "a store in PostgreSQL is backed up by its own tools: pg_dump --format=custom --file=FILE URL, and put "
            "back by pg_restore --clean --if-exists --dbname=URL FILE; then `interceptor audit verify --deep`",
            EXIT_USAGE,
        )
    _told(lambda: backups.make(data or state_directory(), target), as_json, f"backed up to {target}")


def restore(target: Target, *, data: Data = None, as_json: AsJson = False) -> None:
    """Puts a backup into a directory that has no store yet, and verifies it. For a service that does not run."""
    from interceptor.runtime.service import state_directory  # noqa: PLC0415
    from interceptor.store import backup as backups  # noqa: PLC0415

    where = data or state_directory()
    _told(lambda: backups.restore(target, where), as_json, f"restored to {where}")


def _told(work: Any, as_json: bool, done: str) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from interceptor.cli.failing import Failure  # noqa: PLC0415
    from interceptor.store.words import StoreError  # noqa: PLC0415

    try:
        found = work()
    except StoreError as error:
        raise Failure(str(error)) from None
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        print(
            f"{done}: revision {found.revision}, {found.entries:,} entries, {found.policies} policies, "
            f"{found.records:,} audit records, the last {found.last_hash[:16]}; verified"
        )
