"""The options of `interceptor serve`."""

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

STOPPING = {signal.SIGTERM, signal.SIGINT}
SIGNALS = {*STOPPING, signal.SIGHUP, signal.SIGUSR2}
SECURITY = "Who may reach it"
STORE = "What it keeps"
SWITCHES = "The port for switches"
ZONES = "The zones for resolvers"
LISTEN = ("127.0.0.1:50051",)
MOST_THREADS = 56  # of the 64 an engine decides with: the others are the control plane's


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command("serve")(serve)


def serve(
    *,
    policy: Annotated[
        str | None,
        typer.Option(
            help="A policy file to follow, or the name of a shipped policy: default, antifraud-cn. `interceptor policy "
            "put` is for a service without this option.",
            show_default="the store's; at first the shipped one called default",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Directory of what must outlive the service: lists, policies, audit trail. Of one service at a time.",
            show_default="the user's state directory",
            rich_help_panel=STORE,
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Keep lists, policies and audit trail in this PostgreSQL database: postgresql://USER@HOST/NAME.",
            show_default="SQLite in --data",
            envvar="INTERCEPTOR_STORE",
            rich_help_panel=STORE,
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|none",
            help="Keep counters in this directory of a file system in memory, so that they outlive the process. none: "
            "they end with it.",
            show_default="one under /dev/shm",
            envvar="INTERCEPTOR_STATE",
            rich_help_panel=STORE,
        ),
    ] = None,
    state_copy: Annotated[
        float,
        typer.Option(
            metavar="MINUTES",
            help="How often counters are copied to --data, for when memory is gone after a reboot. 0: never.",
            min=0,
            rich_help_panel=STORE,
        ),
    ] = 10.0,
    listen: Annotated[
        list[str],
        typer.Option(
            help="Where switches ask over gRPC: HOST:PORT or unix:PATH; repeat it for more. "
            "Port 0: the system chooses, the log says.",
            rich_help_panel=SWITCHES,
        ),
    ] = list(LISTEN),  # noqa: B006 - typer copies it
    threads: Annotated[
        int | None,
        typer.Option(
            help="Threads that answer switches.",
            min=1,
            max=MOST_THREADS,
            show_default="one a core",
            rich_help_panel=SWITCHES,
        ),
    ] = None,
    spin: Annotated[
        float,
        typer.Option(
            metavar="MICROSECONDS",
            help="How long a thread looks for requests before it sleeps: lower latency for a busy core. 0: not at all.",
            min=0,
            rich_help_panel=SWITCHES,
        ),
    ] = 0.0,
    max_connections: Annotated[
        int,
        typer.Option(
            help="Connections open at once; one more is turned away.", min=1, rich_help_panel=SWITCHES
        ),
    ] = 16384,
    idle: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Close a connection on which nothing was asked for so long. 0: never.",
            min=0,
            rich_help_panel=SWITCHES,
        ),
    ] = 0.0,
    max_age: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Ask a client to connect anew after so long, so that load spreads over new nodes. 0: never.",
            min=0,
            rich_help_panel=SWITCHES,
        ),
    ] = 0.0,
    control: Annotated[
        str,
        typer.Option(
            help="Where operators ask over gRPC: lists, policies, audit trail. HOST:PORT or unix:PATH; port 0: any."
        ),
    ] = "127.0.0.1:50052",
    metrics: Annotated[
        str, typer.Option(help="Where Prometheus metrics are served, at /metrics. Empty: nowhere.")
    ] = "127.0.0.1:9464",
    home: Annotated[
        str,
        typer.Option(
            help="Region (ISO 3166-1) whose dial plan reads numbers where the policy's trunks say none."
        ),
    ] = "CN",
    decision_log: Annotated[
        Path | None,
        typer.Option(
            help="Appends warned, blocked and shadow-matched calls, and a sample of the passed ones, as JSON lines; "
            "rotates at 100 MB and keeps ten.",
            show_default=False,
        ),
    ] = None,
    show_numbers: Annotated[
        bool,
        typer.Option("--show-numbers", help="Whole telephone numbers in the decision log; masked otherwise."),
    ] = False,
    sinks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Send warned and blocked calls to where this file says: files, webhooks, Valkey, Kafka, "
            "OpenTelemetry. It is read at the start.",
            show_default=False,
        ),
    ] = None,
    pass_sample: Annotated[
        int, typer.Option(help="Every how many passed calls one goes to the decision log; 0: none.", min=0)
    ] = 1000,
    calls_in_flight: Annotated[
        int,
        typer.Option(
            help="Calls whose answer and end can be joined to their decision; 137 bytes each, taken when a policy "
            "counts answers, ends or calls in progress.",
            min=1,
            max=1 << 32,
        ),
    ] = 1 << 20,
    allow_bad_rows: Annotated[
        bool,
        typer.Option(
            "--allow-bad-rows", help="Take list files of which more than 1 % of the rows are bad, too."
        ),
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Directory that keeps the numbering plan between starts.", show_default="the user's cache"
        ),
    ] = None,
    grace: Annotated[
        float, typer.Option(help="Seconds calls in flight and open streams have left after SIGTERM.", min=0)
    ] = 5.0,
    tls_cert: Annotated[
        Path | None, typer.Option(help="The service's certificate chain (PEM).", rich_help_panel=SECURITY)
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).", rich_help_panel=SECURITY)] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(
            help="Clients must show a certificate of this CA (PEM); their name is call.switch.",
            rich_help_panel=SECURITY,
        ),
    ] = None,
    tls_allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only clients whose certificate has this name are answered; repeat it for more.",
            rich_help_panel=SECURITY,
            show_default=False,
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Serve other machines without TLS: anyone who reaches the port may ask.",
            rich_help_panel=SECURITY,
        ),
    ] = False,
    zone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LIST",
            help="Serve a list of domains to resolvers as the DNS response policy zone NAME; repeat it for more.",
            rich_help_panel=ZONES,
            show_default=False,
        ),
    ] = None,
    zone_listen: Annotated[
        str,
        typer.Option(
            help="Where resolvers ask for zones, over TCP and UDP: HOST:PORT.", rich_help_panel=ZONES
        ),
    ] = "127.0.0.1:5354",
    zone_key: Annotated[
        Path | None,
        typer.Option(
            help="File with the key that resolvers sign with, as tsig-keygen writes it; needed for other machines.",
            rich_help_panel=ZONES,
            show_default=False,
        ),
    ] = None,
    zone_notify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT",
            help="A resolver that is told of each change at once; repeat it for more.",
            rich_help_panel=ZONES,
            show_default=False,
        ),
    ] = None,
    takeover: Annotated[
        bool,
        typer.Option(
            "--takeover",
            help="Take over from the service that runs on the same --data, and refuse no call: its sockets and "
            "counters, once policy and lists are loaded. It ends then. Without one: an ordinary start.",
        ),
    ] = False,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Runs the service until SIGTERM or Ctrl-C. SIGHUP reads policy file, list files and certificates again; SIGUSR2
    starts the program as it is installed by now, and lets it take over.

    Policy and lists are loaded first; then health says SERVING. A policy with problems ends the start, and on a reload
    leaves the last good one in force. Logs go to stderr: readable on a terminal, JSON lines elsewhere.
    """
    # Blocked before any library starts a thread, so in every thread: none is interrupted, and a signal that arrives at
    # any moment waits for sigwait. A Python handler would run on the main thread alone, which may not be woken for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    gc.disable()  # what is loaded now stays: to look through it for garbage takes a tenth of a start
    from interceptor.cli import serving  # noqa: PLC0415 - the engine: not for the other commands
    from interceptor.cli.zones import Zones  # noqa: PLC0415

    serving.serve(
        serving.Options(
            policy=policy,
            data=data,
            store=store,
            state=state,
            state_copy=state_copy,
            listen=tuple(listen),
            threads=threads,
            spin=spin,
            max_connections=max_connections,
            idle=idle,
            max_age=max_age,
            control=control,
            metrics=metrics,
            home=home,
            decision_log=decision_log,
            show_numbers=show_numbers,
            sinks=sinks,
            pass_sample=pass_sample,
            calls_in_flight=calls_in_flight,
            allow_bad_rows=allow_bad_rows,
            cache=cache,
            grace=grace,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_client_ca=tls_client_ca,
            tls_allow=tuple(tls_allow or ()),
            insecure=insecure,
            zones=Zones(tuple(zone or ()), zone_listen, zone_key, tuple(zone_notify or ())),
            takeover=takeover,
            log_level=log_level,
        )
    )
    sys.stdout.flush()
    sys.stderr.flush()
    # All is ended and written: to take apart what was loaded costs a quarter of a second of a core.
    os._exit(0)
