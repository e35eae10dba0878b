"""The service's own log, on stderr: readable on a terminal, JSON lines elsewhere. No telephone number goes here."""

import json
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, cast

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    Log: TypeAlias = FilteringBoundLogger
else:
    Log = Any

LEVELS = ("debug", "info", "warning", "error")


class JsonLines:
    """What structlog says where a machine reads, without it: it would load all that a terminal is written with."""

    def __init__(self, level: str, out: TextIO) -> None:
        self._least = LEVELS.index(level)
        self._out = out
        self._turn = threading.Lock()

    def debug(self, event: str, **told: Any) -> None:
        self._write("debug", event, told)

    def info(self, event: str, **told: Any) -> None:
        self._write("info", event, told)

    def warning(self, event: str, **told: Any) -> None:
        self._write("warning", event, told)

    def error(self, event: str, **told: Any) -> None:
        self._write("error", event, told)

    def exception(self, event: str, **told: Any) -> None:
        self._write("error", event, {"exc_info": True, **told})

    def _write(self, level: str, event: str, told: dict[str, Any]) -> None:
        if LEVELS.index(level) < self._least:
            return
        when = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        said = {**told, "event": event, "level": level, "timestamp": when}
        if told.get("exc_info"):
            from structlog.processors import ExceptionRenderer  # noqa: PLC0415
            from structlog.tracebacks import ExceptionDictTransformer  # noqa: PLC0415

            # what variables held may be telephone numbers
            said = dict(ExceptionRenderer(ExceptionDictTransformer(show_locals=False))(None, level, said))
        said.pop("exc_info", None)
        line = json.dumps(said, ensure_ascii=False, default=repr)
        with self._turn:
            self._out.write(line + "\n")
            self._out.flush()


def open_log(level: str = "info") -> Log:
    """The service's logger.

    Parameters
    ----------
    level : str
        One of LEVELS: the least that is shown.
    """
    if not sys.stderr.isatty():
        return cast("Log", JsonLines(level, sys.stderr))
    import structlog  # noqa: PLC0415

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # another formatter would show what variables held, which may be telephone numbers
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    log: Log = structlog.get_logger()
    return log
