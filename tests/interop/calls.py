"""Calls that tests ask about, and streams whose messages are sent when a test says so."""

import queue
from collections.abc import Iterator

from interceptor.pb.v1 import interception_pb2 as pb
from service.running import CALLEE, POLICY

#: the test policy, and before all else a rule that one switch alone meets
MINE = "  - {id: mine, when: call.switch == 'switch-1.example', verdict: warn, reason: mine}\n"
BY_SWITCH = POLICY.replace("rules:\n", "rules:\n" + MINE)


def call(number: int, **fields: str) -> pb.DecideRequest:
    """A call of the caller `number`: the sixth within an hour is blocked."""
    return pb.DecideRequest(caller=f"+8613{number:09}", callee=CALLEE, **fields)


def messages(first: int, n: int) -> Iterator[pb.DecideStreamRequest]:
    """Calls of `n` callers from `first` on; ids count from 0."""
    return (pb.DecideStreamRequest(id=i, call=call(first + i)) for i in range(n))


class Turns:
    """Messages of a stream that a test sends one by one; iterated by grpcio's thread."""

    def __init__(self) -> None:
        self._said: queue.SimpleQueue[pb.DecideStreamRequest | None] = queue.SimpleQueue()

    def say(self, *said: pb.DecideStreamRequest) -> None:
        for message in said:
            self._said.put(message)

    def end(self) -> None:
        """No more messages."""
        self._said.put(None)

    def __iter__(self) -> Iterator[pb.DecideStreamRequest]:
        return iter(self._said.get, None)
