"""The service's own log, on stderr: readable on a terminal, JSON lines elsewhere. No telephone number goes here."""

import sys

import structlog

LEVELS = ("debug", "info", "warning", "error")

Log = structlog.typing.FilteringBoundLogger


def open_log(level: str = "info") -> Log:
    """Sets structlog up for the process and returns the service's logger.

    Parameters
    ----------
    level : str
        One of LEVELS: the least that is shown.
    """
    terminal = sys.stderr.isatty()
    shape: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if terminal
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    log: Log = structlog.get_logger()
    return log
