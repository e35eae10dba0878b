"""What `interceptor serve` does: starts the service, follows signals, stops it."""

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from interceptor.cli.failing import EXIT_USAGE, Failure
from interceptor.cli.loading import progress_bar
from interceptor.cli.serve import SIGNALS, STOPPING
from interceptor.control.server import ControlServer, Tls
from interceptor.runtime.addresses import ListenError, endpoint, guard, local
from interceptor.runtime.loader import Loaded, LoadError, policy_path
from interceptor.runtime.logs import LEVELS, Log, open_log
from interceptor.runtime.metrics import MetricsServer, serve_metrics
from interceptor.runtime.service import Service, Settings

PATIENCE = 0.02  # seconds between looks for a signal while lists load


@dataclass(frozen=True)
class Options:
    """The command line of `interceptor serve`."""

    policy: str
    control: str
    metrics: str
    home: str
    decision_log: Path | None
    show_numbers: bool
    pass_sample: int
    allow_bad_rows: bool
    cache: Path | None
    grace: float
    tls_cert: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    insecure: bool
    log_level: str

    def settings(self) -> Settings:
        """Raises Failure when there is no such policy."""
        try:
            path = policy_path(self.policy)
        except FileNotFoundError as error:
            raise Failure(f"--policy {error}") from None
        return Settings(
            policy=path,
            home=self.home,
            cache=self.cache,
            decision_log=self.decision_log,
            show_numbers=self.show_numbers,
            pass_sample=self.pass_sample,
            allow_bad=self.allow_bad_rows,
        )

    def tls(self) -> Tls | None:
        """The files of TLS, or None for plain text."""
        if self.tls_cert is None and self.tls_key is None and self.tls_client_ca is None:
            return None
        if self.tls_cert is None or self.tls_key is None:
            raise Failure("--tls-cert and --tls-key go together", EXIT_USAGE)
        return Tls(self.tls_cert, self.tls_key, self.tls_client_ca)


def serve(options: Options) -> None:
    """Runs the service until SIGTERM or SIGINT."""
    begun = time.monotonic()
    if options.log_level not in LEVELS:
        raise Failure(f"--log-level {options.log_level}: say {', '.join(LEVELS)}", EXIT_USAGE)
    log = open_log(options.log_level)
    with ExitStack() as stopping:
        service, server, page = assemble(options, log)
        stopping.callback(service.stop)
        if page is not None:
            stopping.callback(page.close)
        stopping.callback(server.close, options.grace)
        server.start()
        service.open(load(service))
        server.open()
        log.info(
            "serving",
            control=server.address,
            metrics=page.address if page else None,
            ready_seconds=round(time.monotonic() - begun, 3),
            pid=os.getpid(),
        )
        follow(service, log)
        log.info("stopping", grace_seconds=options.grace)
    log.info("stopped")


def assemble(options: Options, log: Log) -> tuple[Service, ControlServer, MetricsServer | None]:
    """Makes service, server and metrics page; every address is bound before anything is loaded."""
    settings, tls = options.settings(), options.tls()
    try:
        guard(options.control, tls is not None, options.insecure)
        if options.metrics:
            guard(options.metrics, tls is not None, options.insecure)
        service = Service(settings, log)
        server = ControlServer(service, options.control, tls=tls, insecure=options.insecure)
        if not options.metrics:
            return service, server, None
        host, port = endpoint(options.metrics)
    except (ListenError, ValueError) as error:
        raise Failure(str(error)) from None
    # Where only this machine listens, the page is plain; to others it is as guarded as the rest.
    pem = (None, None) if tls is None or local(options.metrics) else (str(tls.certificate), str(tls.key))
    try:
        return service, server, serve_metrics(service, host, port, *pem)
    except OSError as error:
        raise Failure(f"--metrics {options.metrics}: {error.strerror or error}") from None


def load(service: Service) -> Loaded:
    """Loads policy and lists, under a progress bar on a terminal. Ctrl-C and SIGTERM end the process meanwhile."""
    bars = progress_bar() if sys.stderr.isatty() else nullcontext()
    with bars as progress, ThreadPoolExecutor(1, "start") as starter:
        loading = starter.submit(service.load, progress)
        while not loading.done():
            received = signal.sigtimedwait(STOPPING, PATIENCE)
            if received is not None:
                os._exit(128 + received.si_signo)
    try:
        return loading.result()
    except LoadError as error:
        raise Failure(str(error)) from None


def follow(service: Service, log: Log) -> None:
    """Reloads on SIGHUP; returns on SIGTERM and SIGINT."""
    while signal.sigwait(SIGNALS) == signal.SIGHUP:
        log.info("reload asked for by SIGHUP")
        try:
            service.reload()
        except LoadError:
            continue  # logged and counted; the last good policy stays
