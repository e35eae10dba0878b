"""The client as threads and worker processes of a switch use it: it asks, and waits for the answer, never too long."""

from collections.abc import Mapping
from typing import Any, Self

from interceptor.client.answer import Answer
from interceptor.client.client import Client
from interceptor.client.question import question
from interceptor.client.undecided import Undecided
from interceptor.pb.v1 import interception_pb2 as pb


class Screening(Client):
    __doc__ = Client.__doc__

    def decide(self, call: pb.DecideRequest | Mapping[str, Any] | None = None, /, **fields: Any) -> Answer:
        """What to do with a call: a DecideRequest, sent as it is; or its fields, where None is left out, texts are cut
        to what the service takes and control characters removed.

        Returns by the deadline, and never raises because of a service. TypeError, ValueError: no such field, or not of
        its kind.
        """
        request = question(call, fields)
        asking, answer = self._asking(), None
        for endpoint, seconds in asking:
            try:
                answer = asking.decided(endpoint, endpoint.decide(request, seconds))
                break
            except Undecided as why:
                asking.failed(endpoint, why)
        return self._answered(asking, request, answer)

    def connect(self, seconds: float = 1.0) -> bool:
        """Connects before the first call does. True: a service said within that time that it is serving."""
        return self.lines().connect(seconds)

    def close(self, seconds: float = 1.0) -> None:
        """Gives reports so long to be sent, and hangs up. Calls asked afterwards are not decided."""
        self._close(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
