"""Progress on a terminal while list files load."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from interceptor.runtime.loader import Progress as Report


@contextmanager
def progress_bar() -> Iterator[Report]:
    """A bar for each list that takes a while; gone when all is loaded."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(name: str, rows: int, done: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(f"list {name}", total=size, rows=0)
            bars.update(tasks[name], completed=done, total=size, rows=rows)

        yield report
