"""Moments and spans of time as people write them on a command line: "30d", "2026-12-31"."""

import re
import time
from datetime import UTC, date, datetime

from interceptor.cli.failing import EXIT_USAGE, Failure

UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
SPAN = re.compile(r"(\d{1,9})([wdhms])")
DAY_MS = 86_400_000


def span_ms(option: str, text: str) -> int:
    """``1h30m`` in milliseconds; `option` is what an error names."""
    parts = SPAN.findall(text)
    total = sum(int(count) * UNITS_MS[unit] for count, unit in parts)
    if not total or "".join(count + unit for count, unit in parts) != text:
        raise Failure(f"{option} {text}: write a span of time such as 30d, 12h or 1h30m", EXIT_USAGE)
    return total


def moment_ms(option: str, text: str, *, end: bool) -> int:
    """A moment in milliseconds since the Unix epoch. A date is its end or its beginning; no zone means UTC."""
    try:
        day = date.fromisoformat(text)
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return int(at.timestamp()) * 1000 + (DAY_MS if end else 0)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Failure(
            f"{option} {text}: write a date or a time such as 2026-12-31 or 2026-12-31T18:00:00+08:00",
            EXIT_USAGE,
        ) from None


def until_ms(span: str, until: str) -> int | None:
    """The end that `--for` or `--until` says; None: neither does."""
    if span and until:
        raise Failure("--for and --until say the same thing: give one of them", EXIT_USAGE)
    if span:
        return int(time.time() * 1000) + span_ms("--for", span)
    return moment_ms("--until", until, end=True) if until else None


def shown(ms: int) -> str:
    """A moment for people, in UTC."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"
