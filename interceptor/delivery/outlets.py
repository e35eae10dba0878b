"""All sinks of a service: one spool, and for each a place in it and a thread that delivers."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from interceptor.delivery.courier import STOPPING, Courier
from interceptor.delivery.rotation import RotatingFile
from interceptor.delivery.selection import Selection
from interceptor.delivery.settings import (
    AnySink,
    FileEntry,
    KafkaEntry,
    Sinks,
    SinksError,
    ValkeyEntry,
    WebhookEntry,
    trusted,
)
from interceptor.delivery.sink import Sink
from interceptor.delivery.spool import Spool, SpoolError

#: of what a receiver refused for good: bytes of a file, and how many older ones stay
REFUSED_BYTES, REFUSED_FILES = 10_000_000, 2
#: of an IMEI, as it is kept
DEVICE_DIGITS = 14
#: package -> what installs it
MISSING = "pip install 'call-interceptor[sinks]'"


class Outlets:
    """The spool and its sinks.

    Parameters
    ----------
    settings
        The sinks file.
    directory
        Of the spool, where the file names none.
    source
        Of all events: the installation.
    masked
        Hides whom the numbers in a text belong to.
    key
        Of the hashes that stand for callers, at most 64 bytes.
    begin
        Called first on each sink's thread.
    clock
        Milliseconds since the Unix epoch.

    Raises
    ------
    SinksError, SpoolError
        The message says which sink, and what to do.
    """

    def __init__(
        self,
        settings: Sinks,
        *,
        directory: Path,
        source: str,
        masked: Callable[[str], str],
        key: bytes,
        begin: Callable[[], None],
        clock: Callable[[], int],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        directory = settings.spool.directory or directory
        self.spool = Spool.open(
            directory,
            megabytes=settings.spool.megabytes,
            told=lambda what: log.warning("spool is damaged, what is whole is delivered", problem=what),
            clock=clock,
        )
        try:
            self.couriers = tuple(
                Courier(
                    entry,
                    opened(entry, masked),
                    self.spool.reader(entry.name),
                    Selection(entry, source=source, masked=masked, key=key),
                    set_aside=RotatingFile(
                        directory / f"{entry.name}.refused", limit=REFUSED_BYTES, keep=REFUSED_FILES
                    ),
                    begin=begin,
                    clock=clock,
                    log=log,
                )
                for entry in settings.sinks
            )
        except OSError as error:
            self.spool.close()
            raise SpoolError(f"{error.filename or directory}: {error.strerror}") from None
        except SinksError:
            self.spool.close()
            raise

    def erase(self, number: str) -> int:
        """Takes events out of the spool that name a telephone number, IMEI or IMSI; how many. Raises OSError.

        A device's number may have its check digit, or its version, behind it.
        """
        digits = number.removeprefix("+")
        more = rb"\d{0,2}" if len(digits) == DEVICE_DIGITS and not number.startswith("+") else b""
        text = digits.encode()
        return self.spool.erase(text, re.compile(rb"(?<!\d)(?:00)?" + text + more + rb"(?!\d)"))

    def start(self) -> None:
        for courier in self.couriers:
            courier.start()

    def stop(self) -> None:
        """Ends the threads; one that waits for a receiver is left, and with it the spool, which needs no end."""
        for courier in self.couriers:
            courier.stop()
        end = time.monotonic() + 2 * STOPPING
        if all(courier.ended(max(end - time.monotonic(), 0)) for courier in self.couriers):
            self.spool.close()


def try_out(settings: Sinks) -> None:
    """Loads what the sinks speak with, and opens each, while another process delivers. Raises SinksError."""
    for entry in settings.sinks:
        opened(entry, str).close()


def opened(entry: AnySink, masked: Callable[[str], str]) -> Sink:
    """The sink of an entry. Raises SinksError."""
    try:
        if (ca_file := getattr(entry, "ca_file", None)) is not None:
            trusted(ca_file)  # some libraries look at it no sooner than when they connect
        return _sink(entry, masked)
    except ModuleNotFoundError as error:
        raise SinksError(f"sink {entry.name}: needs the package {error.name}: {MISSING}") from None
    except SinksError as error:
        raise SinksError(f"sink {entry.name}: {error}") from None


def _sink(entry: AnySink, masked: Callable[[str], str]) -> Sink:
    # Each kind's library is loaded where it is used, and nowhere else.
    if isinstance(entry, FileEntry):
        from interceptor.delivery.files import FileSink  # noqa: PLC0415

        return FileSink(entry)
    if isinstance(entry, WebhookEntry):
        from interceptor.delivery.webhook import Webhook  # noqa: PLC0415

        return Webhook(entry, masked=masked)
    if isinstance(entry, ValkeyEntry):
        from interceptor.delivery.stream import StreamSink  # noqa: PLC0415

        return StreamSink(entry)
    if isinstance(entry, KafkaEntry):
        from interceptor.delivery.kafka import KafkaSink  # noqa: PLC0415

        return KafkaSink(entry)
    from interceptor.delivery.traces import TraceSink  # noqa: PLC0415

    return TraceSink(entry, masked=masked)
