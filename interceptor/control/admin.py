"""AdminService on grpcio: its rooms put together, and the gate before all of them."""

from typing import Any

import grpc

from interceptor.control.access import Access
from interceptor.control.answering import Answering
from interceptor.control.authorising import Gate
from interceptor.control.clues import Clues
from interceptor.control.decisions import Decisions
from interceptor.control.entities import Entities
from interceptor.control.importing import Importing
from interceptor.control.lists import Lists
from interceptor.control.policies import Policies
from interceptor.control.reads import Reads
from interceptor.control.trail import Trail
from interceptor.control.tries import Tries
from interceptor.control.watching import Watch
from interceptor.pb.v1 import admin_pb2
from interceptor.runtime.logs import Log
from interceptor.runtime.service import Service
from interceptor.store.words import Action, StoreError

SERVICE = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
NAME = SERVICE.full_name


class Admin:
    """All methods of AdminService.

    Parameters
    ----------
    service
        What is looked into and steered.
    log
        Where it is said that a refusal could not be audited.
    trusted
        Whether reaching the port is enough while nobody has been given access.
    """

    def __init__(self, service: Service, log: Log, *, trusted: bool) -> None:
        self._service = service
        self._log = log
        store, now_ms = service.store, service.clock.now_ms
        self._tries = Tries(self._record, now_ms)
        gate = Gate(store.credentials, now_ms, self._tries, trusted=trusted)
        reads = Reads(store.audit, store.privacy.named, now_ms)
        self._importing = Importing(service.lists)
        rooms = (
            Lists(service.lists, reads),
            self._importing,
            Policies(service, service.policies),
            Decisions(service, service.decisions, reads),
            Watch(service, reads),
            Clues(service.clues, store.audit),
            Entities(service.entities, reads),
            Trail(store.audit, service.lists),
            Access(store.credentials, now_ms),
        )
        self.methods = {name: method for room in rooms for name, method in room.methods().items()}
        self._answering = Answering(gate, service.tally)

    def handlers(self) -> "grpc.GenericRpcHandler[Any, Any]":
        """To be added to a server."""
        return self._answering.handlers(SERVICE, self.methods)

    def close(self) -> None:
        """Writes down what was refused and not told yet. No request may be under way."""
        self._importing.close()
        self._tries.settle(all_of_them=True)

    def _record(self, who: str, what: str, times: int) -> None:
        """Puts refused tries on the audit trail; a store that is away does not make a refusal fail."""
        try:
            self._service.store.audit.note(
                at_ms=self._service.clock.now_ms(),
                actor=who,
                action=Action.REFUSED,
                subject=what,
                detail={"times": times},
            )
        except StoreError as error:
            self._log.error("refused request not audited", caller=who, asked=what, problem=str(error))
