"""A log that a machine reads says what structlog would say; neither it nor a terminal's shows a number."""

import io
import json
import sys
from typing import Any

import pytest
import structlog

from interceptor.runtime.logs import LEVELS, JsonLines, open_log


def of_structlog(level: str, out: io.StringIO) -> Any:
    return structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )


def speak(log: Any) -> None:
    for level in LEVELS:
        getattr(log, level)("said", text="«é»", count=1, where=("a", None), error=ValueError("x"))
    try:
        raise KeyError("lost")
    except KeyError as error:
        log.exception("failed")
        log.warning("failed", exc_info=error)
        log.warning("failed", exc_info=False)


@pytest.mark.parametrize("level", LEVELS)
def test_each_line_is_structlogs(level: str) -> None:
    ours, theirs = io.StringIO(), io.StringIO()
    speak(JsonLines(level, ours))
    speak(of_structlog(level, theirs))
    said, meant = ([json.loads(line) for line in each.getvalue().splitlines()] for each in (ours, theirs))
    for mine, its in zip(said, meant, strict=True):
        assert len(mine.pop("timestamp")) == len(its.pop("timestamp"))
        assert list(mine) == list(its)
        assert mine == its


def failing(number: str) -> None:
    raise LookupError(f"a listener failed, {len(number)}")


def test_a_terminal_shows_of_an_error_no_values_of_variables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    log = open_log()
    numbers = ["+8613800138000"]
    try:
        failing(numbers[0])
    except LookupError:
        log.exception("failed")
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "LookupError: a listener failed, 14" in said
    assert numbers[0] not in said
