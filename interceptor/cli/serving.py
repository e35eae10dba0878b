"""What `interceptor serve` does: starts the service, follows signals, stops it."""

import gc
import os
import signal
import ssl
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interceptor.cli.failing import EXIT_USAGE, Failure
from interceptor.cli.serve import MOST_THREADS, SIGNALS, STOPPING
from interceptor.cli.supervisor import Watchdog, tell
from interceptor.cli.takeover import (
    OPERATORS,
    Succession,
    bind_again,
    control_of,
    listening,
    metrics_socket,
    zone_sockets,
)
from interceptor.cli.zones import Zones
from interceptor.control.server import ControlServer, Tls
from interceptor.dataplane.listeners import Listener
from interceptor.dataplane.server import DataPlane
from interceptor.dataplane.tls import TlsServer
from interceptor.engine.memory import take_at_once
from interceptor.engine.state import StateError
from interceptor.runtime.addresses import ListenError, endpoint, guard, local
from interceptor.runtime.certificates import ends_of, ends_of_sinks
from interceptor.runtime.handover import HandoverError, Predecessor, Sockets
from interceptor.runtime.loader import Loaded, LoadError, Progress, policy_path
from interceptor.runtime.logs import LEVELS, Log, open_log
from interceptor.runtime.niceness import step_forward
from interceptor.runtime.page import Page, open_page, paths_of
from interceptor.runtime.service import Service, Settings, state_directory
from interceptor.store.words import StoreError

if TYPE_CHECKING:
    from interceptor.control.zone import ZoneServer
    from interceptor.delivery.settings import Sinks

PATIENCE = 0.02  # seconds between looks for a signal while lists load


@dataclass(frozen=True)
class Options:
    """The command line of `interceptor serve`."""

    policy: str | None
    data: Path | None
    store: str | None
    state: str | None
    state_copy: float
    listen: tuple[str, ...]
    threads: int | None
    spin: float
    max_connections: int
    idle: float
    max_age: float
    control: str
    metrics: str
    home: str
    decision_log: Path | None
    show_numbers: bool
    sinks: Path | None
    pass_sample: int
    calls_in_flight: int
    allow_bad_rows: bool
    cache: Path | None
    grace: float
    tls_cert: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    tls_allow: tuple[str, ...]
    insecure: bool
    zones: Zones
    takeover: bool
    log_level: str

    def settings(self) -> Settings:
        """Raises Failure when there is no such policy, or the sinks file is none."""
        try:
            path = None if self.policy is None else policy_path(self.policy)
        except FileNotFoundError as error:
            raise Failure(f"--policy {error}") from None
        return Settings(
            policy=path,
            data=self.data or state_directory(),
            store_url=self.store,
            copy_s=60 * self.state_copy,
            state=None if self.state == "none" else Path(self.state) if self.state else "default",
            home=self.home,
            cache=self.cache,
            decision_log=self.decision_log,
            show_numbers=self.show_numbers,
            sinks=None if self.sinks is None else self._sinks(self.sinks),
            pass_sample=self.pass_sample,
            calls_in_flight=self.calls_in_flight,
            allow_bad=self.allow_bad_rows,
        )

    def _sinks(self, path: Path) -> "Sinks":
        from interceptor.delivery.settings import SinksError, read_settings  # noqa: PLC0415 - where there are sinks

        try:
            return read_settings(path)
        except SinksError as error:
            raise Failure(str(error)) from None

    def tls(self) -> Tls | None:
        """The files of TLS, or None for plain text."""
        if self.tls_allow and self.tls_client_ca is None:
            raise Failure("--tls-allow needs --tls-client-ca, the CA of the clients it names", EXIT_USAGE)
        if self.tls_cert is None and self.tls_key is None and self.tls_client_ca is None:
            return None
        if self.tls_cert is None or self.tls_key is None:
            raise Failure("--tls-cert and --tls-key go together", EXIT_USAGE)
        return Tls(self.tls_cert, self.tls_key, self.tls_client_ca)


@dataclass(frozen=True)
class Fronts:
    """The service and all its sockets, bound."""

    service: Service
    plane: DataPlane
    tls: Tls | None  #: the files of TLS, or plain text
    control: ControlServer
    page: Page | None
    zones: "ZoneServer | None"

    def close(self, grace: float, succession: Succession) -> None:
        """Both planes stop at once: each has the whole of `grace`, in seconds.

        A process that takes over goes on with the sockets, and waits for the control port. It alone says what is ready
        and how much was counted, from then on: two that answered by turns would have counters go back and forth.
        """
        with ThreadPoolExecutor(1, "stop") as other:
            if succession.left:
                self.plane.own(False)
                closing = other.submit(self._leave, grace, succession)
            else:
                if self.page is not None:
                    self.page.paths.stopping = True
                closing = other.submit(self.control.close, grace)
            self.plane.close(grace)
            closing.result()

    def _leave(self, grace: float, succession: Succession) -> None:
        if self.page is not None:
            self.page.close()
        self.control.close(min(grace, OPERATORS))
        succession.control_closed()
        if self.zones is not None:
            self.zones.shared = True
            self.zones.stop()


def serve(options: Options) -> None:
    """Runs the service until SIGTERM or SIGINT."""
    begun = time.monotonic()
    if options.log_level not in LEVELS:
        raise Failure(f"--log-level {options.log_level}: say {', '.join(LEVELS)}", EXIT_USAGE)
    log = open_log(options.log_level)
    succession = Succession(log)
    with ExitStack() as stopping:
        stopping.callback(succession.finish)
        predecessor = succession.ask(options) if options.takeover else None
        fronts = assemble(options, log, stopping, None if predecessor is None else predecessor.given)
        if predecessor is None:
            stopping.callback(fronts.close, options.grace, succession)
            fronts.plane.start()
            fronts.control.start()
            fronts.service.open(load(fronts.service))
            fronts.plane.open()
        else:
            follow_on(fronts, predecessor, log)
            succession.inherit(fronts.service)
            stopping.callback(succession.settle)
            stopping.callback(fronts.close, options.grace, succession)
            fronts.control.start()
        fronts.control.open()
        if fronts.zones is not None:
            fronts.zones.start()
        succession.wait(fronts, options)
        stopping.callback(succession.stop)
        watchdog = Watchdog(fronts.service.engine.stats)
        watchdog.start()
        stopping.callback(watchdog.stop)
        gc.freeze()
        gc.enable()
        tell("READY=1")
        log.info(
            "serving",
            listen=list(fronts.plane.addresses),
            control=fronts.control.address,
            metrics=None if fronts.page is None else fronts.page.address,
            zones=None if fronts.zones is None else fronts.zones.port,
            ready_seconds=round(time.monotonic() - begun, 3),
            pid=os.getpid(),
        )
        follow(fronts, succession, log)
        step_forward()
        if not succession.left:
            tell("STOPPING=1")
        log.info("stopping", grace_seconds=options.grace)
    log.info("stopped")


def assemble(options: Options, log: Log, stopping: ExitStack, given: Sockets | None) -> Fronts:
    """Makes the service and takes every address before anything is loaded; what has to end is told to `stopping`.

    given: by the process before, which goes on with them. Its control port is the one address that is not taken yet.
    """
    settings, tls = options.settings(), options.tls()
    take_at_once()  # the first calls are not to wait for memory
    try:
        for address in (*options.listen, options.control, *filter(None, [options.metrics])):
            guard(address, tls is not None, options.insecure)
        service = Service(settings, log, beside=given is not None)
        stopping.callback(service.stop)
        plane = data_plane(
            options, service, tls, options.listen if given is None else listening(options.listen, given)
        )
        stopping.callback(plane.close, 0)
        where = options.control if given is None else control_of(options.control, given)
        control = ControlServer(
            service, where, log, tls=tls, allowed=options.tls_allow, insecure=options.insecure
        )
        if given is None or where != given.control:
            control.bind()
        if tls is not None:
            service.tally.certificate_ends |= ends_of(tls.certificate, tls.clients)
        if settings.sinks is not None:
            service.tally.certificate_ends |= ends_of_sinks(settings.sinks.authorities)
        page = metrics_page(options, service, plane, tls, stopping, given=given)
        had = None if given is None else zone_sockets(options.zones.listen, given)
        zones = options.zones.served(service, log, had)
        if zones is not None:
            zones.shared = given is not None
            stopping.callback(zones.stop)
    except (ListenError, StateError, StoreError, ValueError, ssl.SSLError) as error:
        raise Failure(str(error)) from None
    return Fronts(service, plane, tls, control, page, zones)


def follow_on(fronts: Fronts, predecessor: Predecessor, log: Log) -> None:
    """Answers calls beside the process that runs, has it leave, and takes the rest of its ports.

    Up to then that one decides, whatever becomes of this process.
    """
    fronts.service.open(load(fronts.service))
    fronts.plane.start(opened=True)
    answering = time.monotonic()
    try:
        predecessor.leave()
        fronts.plane.own(True)
        predecessor.wait("control")
        if fronts.control.address == predecessor.given.control:
            bind_again(fronts.control)
    except (HandoverError, ListenError) as error:
        raise Failure(str(error)) from None
    if fronts.page is not None:
        fronts.page.start()
    if fronts.zones is not None:
        fronts.zones.shared = False
    log.info("took over", pid=predecessor.pid, control_gap_seconds=round(time.monotonic() - answering, 3))


def data_plane(
    options: Options, service: Service, tls: Tls | None, listen: Sequence[str | Listener]
) -> DataPlane:
    """The compiled front, bound. Raises Failure, ValueError for a bad setting or file."""
    try:
        return DataPlane(
            service.engine,
            listen=listen,
            threads=options.threads or min(len(os.sched_getaffinity(0)), MOST_THREADS),
            clock_offset_ns=service.clock.offset_ns,
            tls=None if tls is None else TlsServer(tls.certificate, tls.key, tls.clients),
            client_names=frozenset(options.tls_allow) if options.tls_allow else None,
            spin_us=options.spin,
            max_connections=options.max_connections,
            idle_s=options.idle,
            age_s=options.max_age,
        )
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise Failure(f"{where}{error.strerror or error}") from None


def metrics_page(
    options: Options,
    service: Service,
    plane: DataPlane,
    tls: Tls | None,
    stopping: ExitStack,
    *,
    given: Sockets | None,
) -> Page | None:
    """The page of metrics and readiness, if there is to be one: it answers, unless it is to do so in its turn."""
    if not options.metrics:
        return None
    # Where only this machine listens, the page is plain; to others it is as guarded as the rest.
    pem = None if tls is None or local(options.metrics) else (str(tls.certificate), str(tls.key))
    try:
        bound = None if given is None else metrics_socket(options.metrics, given)
        page = open_page(paths_of(service, plane), *endpoint(options.metrics), pem=pem, bound=bound)
    except OSError as error:
        raise Failure(f"--metrics {options.metrics}: {error.strerror or error}") from None
    stopping.callback(page.close)
    if given is None:
        page.start()
    return page


def load(service: Service) -> Loaded:
    """Loads policy and lists, under a progress bar on a terminal. Ctrl-C and SIGTERM end the process meanwhile."""
    bars: AbstractContextManager[Progress | None] = nullcontext()
    if sys.stderr.isatty():
        from interceptor.cli.loading import progress_bar  # noqa: PLC0415 - rich: not for a service without a terminal

        bars = progress_bar()
    with bars as progress, ThreadPoolExecutor(1, "start") as starter:
        loading = starter.submit(service.load, progress)
        while not loading.done():
            received = signal.sigtimedwait(STOPPING, PATIENCE)
            if received is not None:
                os._exit(128 + received.si_signo)
    try:
        return loading.result()
    except (LoadError, StoreError) as error:
        raise Failure(str(error)) from None


def follow(fronts: Fronts, succession: Succession, log: Log) -> None:
    """Reloads on SIGHUP, has a new process take over on SIGUSR2; returns on SIGTERM and SIGINT."""
    while (received := signal.sigwait(SIGNALS)) not in STOPPING:
        if received == signal.SIGUSR2:
            succession.spawn()
            continue
        log.info("reload asked for by SIGHUP")
        tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        if fronts.tls is not None:
            read_certificate(fronts, fronts.tls, log)
        # What goes wrong is logged and counted; the last good policy stays, and whatever it is, calls are decided.
        with suppress(Exception):
            fronts.service.reload()
        tell("READY=1")


def read_certificate(fronts: Fronts, tls: Tls, log: Log) -> None:
    """Reads the certificate again, for connections that begin from now on; one that is not good changes nothing.

    The data plane reads it first: it looks at what the files hold, and gRPC at no more than that they are there.
    """
    try:
        fronts.plane.reload_tls()
        fronts.control.reload_tls()
        if fronts.page is not None:
            fronts.page.reload_tls()
        ends = ends_of(tls.certificate, tls.clients)
    except (ListenError, OSError, ValueError) as error:
        log.error("certificate not taken, the last good one stays", problem=str(error))
        fronts.service.tally.certificates_read(good=False)
    else:
        log.info("certificate read")
        fronts.service.tally.certificate_ends |= ends
        fronts.service.tally.certificates_read(good=True)
