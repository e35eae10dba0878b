"""What one process has open: a line to each service, its reports on their way, and what it counted.

A process that was forked has lines of its own; what is known of services, all know. It must not touch those it
inherited: gRPC's threads are not there, its locks may be held by nobody, and a connection would be written to by two.
"""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from interceptor.client.breaker import Breaker, Memory
from interceptor.client.channel import Dialler
from interceptor.client.endpoint import Endpoint
from interceptor.client.gate import Gate
from interceptor.client.reports import Reports
from interceptor.client.tally import Tally

#: How long a fork lets what is under way go on before it breaks it off.
PATIENCE_S = 0.1
#: How often it does so again.
AGAIN_S = 0.02
#: What a thread waits for in gRPC itself cannot be broken off, and lasts until its deadline; this is on top of it.
BROKEN_OFF_S = 10.0


class Lines:
    """Nothing is connected before it is used."""

    def __init__(
        self,
        targets: Sequence[str],
        dialler: Dialler,
        breakers: Sequence[Memory],
        *,
        streaming: bool,
        deadline: float,
        room: int,
        torn: bool,
    ) -> None:
        self.pid = os.getpid()
        self.tally = Tally()
        self._deadline = deadline
        self._gate = Gate()
        #: gRPC was forked with threads inside it, so that whatever it is asked here may crash or hang: nothing is.
        self.torn = torn
        self.endpoints = [
            Endpoint(target, dialler, self._gate, Breaker(memory), streaming=streaming)
            for target, memory in zip(targets, breakers, strict=True)
            if not torn
        ]
        self.reports = Reports(self.endpoints, self.tally, 0 if torn else room)

    @property
    def in_use(self) -> bool:
        """Whether somebody is inside gRPC; of lines that were inherited: was, when the process was forked."""
        return self._gate.inside > 0 or any(endpoint.streams for endpoint in self.endpoints)

    def connect(self, seconds: float) -> bool:
        """Connects to all services at once. True: one says within that time that it is serving."""
        if self.torn:
            return False
        threads = ThreadPoolExecutor(len(self.endpoints), "interceptor-connect")
        try:
            asked = [threads.submit(endpoint.healthy, seconds) for endpoint in self.endpoints]
            return any(healthy.result() for healthy in as_completed(asked))
        finally:
            threads.shutdown(wait=False)

    def before_fork(self) -> None:
        """Nobody is inside gRPC when this returns; where it hangs beyond every deadline, the worker will ask nobody.
        Connections are left alone: gRPC's own threads would be taking them down while the process forks, and a worker
        might find their locks held."""
        self._gate.shut()
        self._gate.empty(PATIENCE_S)
        ends = time.monotonic() + self._deadline + BROKEN_OFF_S
        while self.in_use and time.monotonic() < ends:
            for endpoint in self.endpoints:
                endpoint.break_off()
            self._gate.empty(AGAIN_S)  # who was inside already may have begun a stream, or a call, since

    def after_fork(self) -> None:
        """In the parent: goes on."""
        self._gate.open()

    def close(self, seconds: float) -> None:
        """Gives reports so long to be sent, and hangs up."""
        self.reports.close(seconds)
        for endpoint in self.endpoints:
            endpoint.close()
