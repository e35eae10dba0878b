"""The client for asyncio: the same, awaited.

Not on grpc.aio, whose poller does not outlive a fork and belongs to one event loop: questions are sent by the same
lines as those of threads, and their answers are handed over to the loop that waits.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from interceptor.client.answer import Answer, Cause
from interceptor.client.client import Client
from interceptor.client.question import question
from interceptor.client.undecided import Undecided
from interceptor.pb.v1 import interception_pb2 as pb


class AsyncScreening(Client):
    __doc__ = Client.__doc__

    async def decide(
        self, call: pb.DecideRequest | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> Answer:
        """As `Screening.decide`. Cancelling it cancels the question."""
        request = question(call, fields)
        asking, answer = self._asking(), None
        for endpoint, seconds in asking:
            try:
                async with asyncio.timeout(seconds):
                    answer = asking.decided(
                        endpoint, await asyncio.wrap_future(endpoint.begin(request, seconds))
                    )
                break
            except TimeoutError:
                asking.failed(
                    endpoint, Undecided(Cause.DEADLINE, f"no answer within {seconds * 1000:.0f} ms")
                )
            except Undecided as why:
                asking.failed(endpoint, why)
        return self._answered(asking, request, answer)

    async def connect(self, seconds: float = 1.0) -> bool:
        """As `Screening.connect`."""
        return await asyncio.to_thread(self.lines().connect, seconds)

    async def close(self, seconds: float = 1.0) -> None:
        """As `Screening.close`."""
        await asyncio.to_thread(self._close, seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
