"""The client for asyncio: the same, awaited."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from interceptor.client.answer import Answer
from interceptor.client.screening import Screening
from interceptor.pb.v1 import interception_pb2 as pb


class AsyncScreening:
    """As `Screening`, with the same parameters, to be awaited; of any event loop, also in a forked process."""

    def __init__(self, *targets: Any, **settings: Any) -> None:
        self._screening = Screening(*targets, **settings)

    async def decide(
        self, call: pb.DecideRequest | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> Answer:
        """As `Screening.decide`. Cancelling it cancels the question."""
        return await asyncio.to_thread(self._screening.decide, call, **fields)

    def report_call(
        self, report: pb.ReportCallRequest | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> bool:
        """As `Screening.report_call`; it does not wait, so there is nothing to await."""
        return self._screening.report_call(report, **fields)

    def report_subscription(
        self, report: pb.ReportSubscriptionRequest | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> bool:
        """As `Screening.report_subscription`."""
        return self._screening.report_subscription(report, **fields)

    async def close(self) -> None:
        """As `Screening.close`."""
        await asyncio.to_thread(self._screening.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
