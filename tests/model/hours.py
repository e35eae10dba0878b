"""Local days and quiet hours by the clock on the wall: `runtime.hours`, where no clock is put forward or back."""

from datetime import datetime, timedelta


def is_quiet(at: datetime, begins: str, ends: str) -> bool:
    """Whether a clock on the wall shows quiet hours; `begins` and `ends` as HH:MM."""
    shown = at.strftime("%H:%M")
    return begins <= shown < ends if begins < ends else shown >= begins or shown < ends


def sent_at(at: datetime, begins: str, ends: str) -> datetime:
    """When something of that moment may be sent: at once, or after the quiet hours. Local times, without zone."""
    if not is_quiet(at, begins, ends):
        return at
    at = at.replace(second=0, microsecond=0)
    while is_quiet(at, begins, ends):
        at += timedelta(minutes=1)
    return at
