"""One call's way through the services: which is asked next, for how long, and what comes of it."""

import time
from collections.abc import Iterator, Sequence

from interceptor.client.answer import Answer, Cause, decided
from interceptor.client.endpoint import Endpoint
from interceptor.client.undecided import Undecided
from interceptor.pb.v1 import interception_pb2 as pb

#: What says nothing against a service.
BLAMELESS = {Cause.FORKING, Cause.CLOSED}
OPEN = Undecided(Cause.OPEN, "every service failed a moment ago")
CLOSED = Undecided(Cause.CLOSED, "the client is closed")
TORN = Undecided(
    Cause.FORKING,
    "this process was forked while its parent was asking, which gRPC does not outlive: fork before the first question, "
    "by os.fork, or with PyOS_BeforeFork called before",
)


class Asking:
    """Iterated, it gives the services worth asking, each with the seconds it may take: of the time that is left, an
    equal share for each that could still be asked, so that one which hangs leaves the next one time to answer."""

    def __init__(self, endpoints: Sequence[Endpoint], seconds: float, why: Undecided = OPEN) -> None:
        """`why` holds where there is no service worth asking."""
        self.began = time.monotonic()
        self.why = why
        self._ends = self.began + seconds
        self._endpoints = [each for each in endpoints if each.worth_asking()]

    def __iter__(self) -> Iterator[tuple[Endpoint, float]]:
        left = len(self._endpoints)
        for endpoint in self._endpoints:
            seconds = self._ends - time.monotonic()
            if seconds <= 0 or self.why.refused:
                return
            yield endpoint, seconds / left
            left -= 1

    def decided(self, endpoint: Endpoint, response: pb.DecideResponse) -> Answer:
        """The answer that came. Raises Undecided where this client cannot read it."""
        try:
            answer = decided(response)
        except ValueError as unknown:
            raise Undecided(Cause.REFUSED, f"{unknown}: the service is newer than this client") from None
        endpoint.breaker.answered()
        return answer

    def failed(self, endpoint: Endpoint, why: Undecided) -> None:
        """It gave no decision."""
        self.why = why
        if why.refused:
            endpoint.breaker.answered()
        elif why.cause not in BLAMELESS:
            endpoint.failed()
