"""What `interceptor entity` does: asks for an entity's counters, or ends them."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interceptor.cli import printing
from interceptor.cli.connection import Connection
from interceptor.cli.failing import Failure
from interceptor.cli.tables import span
from interceptor.cli.times import shown
from interceptor.pb.v1 import entities_pb2 as pb


def show(service: Connection, key: Sequence[str], kind: str) -> None:
    request = pb.ShowEntityRequest(key=key, kind=kind)
    found = service.ask("AdminService/ShowEntity", request, pb.ShowEntityResponse)
    if not printing.to_person():
        printing.show(found)
        return
    if not found.entities:
        print(f"{' '.join(key)}: nothing was counted within any window")
    for each in found.entities:
        table = Table(
            "counter",
            "value",
            "window",
            "what it counts",
            title=f"{each.kind}, last counted {shown(each.last_counted_ms)}",
            title_justify="left",
        )
        for counter in each.counters:
            value = Text(f"{counter.value:,}", "bold" if counter.value else "dim")
            table.add_row(counter.name, value, span(counter.window_ms), Text(counter.meaning, "dim"))
        Console().print(table)


def reset(service: Connection, key: Sequence[str], kind: str, comment: str) -> None:
    """Raises Failure when nothing was counted of it."""
    request = pb.ResetEntityRequest(key=key, kind=kind, comment=comment)
    done = service.ask("AdminService/ResetEntity", request, pb.ResetEntityResponse)
    if not done.kinds:
        raise Failure(f"{' '.join(key)}: nothing was counted of it")
    print(f"reset as {', '.join(done.kinds)}")
