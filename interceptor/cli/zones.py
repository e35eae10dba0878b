"""The zones that `interceptor serve --zone` serves to resolvers: lists of domains as DNS response policy zones."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interceptor.cli.failing import EXIT_USAGE, Failure
from interceptor.runtime.logs import Log
from interceptor.runtime.service import Service

if TYPE_CHECKING:
    from interceptor.control.zone import ZoneServer


@dataclass(frozen=True)
class Zones:
    """The options about zones."""

    zones: tuple[str, ...]  #: NAME=LIST
    listen: str
    key: Path | None
    notify: tuple[str, ...]

    def served(
        self, service: Service, log: Log, bound: tuple[socket.socket, socket.socket] | None = None
    ) -> "ZoneServer | None":
        """The server of them, bound; None: there are none. Raises Failure, ListenError."""
        if not self.zones:
            return None
        from interceptor.control.zone import ZoneServer, read_key  # noqa: PLC0415 - DNS: not where nobody asks it
        from interceptor.store.domainfeed import DomainFeed  # noqa: PLC0415 - the same

        feeds = {
            name: DomainFeed(service.store.lists, list_name, service.clock.now_ms)
            for name, list_name in named(self.zones)
        }
        key = None if self.key is None else read_key(self.key)
        return ZoneServer(self.listen, feeds, key=key, log=log, notify=self.notify, bound=bound)


def named(zones: Sequence[str]) -> list[tuple[str, str]]:
    """Name and list of each zone. Raises Failure for what is none, or is named twice."""
    found: dict[str, str] = {}
    for each in zones:
        name, equals, list_name = each.partition("=")
        if not (name and equals and list_name) or name in found:
            raise Failure(f"--zone {each}: write NAME=LIST, each NAME once", EXIT_USAGE)
        found[name] = list_name
    return list(found.items())
