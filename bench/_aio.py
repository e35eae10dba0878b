"""The service on grpcio's asyncio server, for bench/servers.py: the same Service and engine behind another shell.

python bench/_aio.py POLICY [HOST:PORT]
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from interceptor.control import border
from interceptor.control.border import Call, Streamed, Unreadable
from interceptor.control.interception import NAME
from interceptor.control.messages import answer
from interceptor.control.server import LARGEST
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.runtime.logs import Log, open_log
from interceptor.runtime.service import Service, Settings


class Interception:
    """Decide and DecideStream, for calls that are well-formed: a benchmark sends no others."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def decide(
        self, call: Call | Unreadable, _: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.DecideResponse:
        return self._answer(call)

    async def decide_stream(
        self, messages: AsyncIterator[Streamed], _: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[pb.DecideStreamResponse]:
        async for message in messages:
            yield pb.DecideStreamResponse(id=message.id, decision=self._answer(message.call))

    def _answer(self, call: Call | Unreadable) -> pb.DecideResponse:
        assert not isinstance(call, Unreadable)
        return answer(self._service.decide(call), self._service.outcomes)

    def handlers(self) -> "grpc.GenericRpcHandler[Any, Any]":
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                "Decide": grpc.unary_unary_rpc_method_handler(
                    self.decide, border.read_call, pb.DecideResponse.SerializeToString
                ),
                "DecideStream": grpc.stream_stream_rpc_method_handler(
                    self.decide_stream, border.read_streamed, pb.DecideStreamResponse.SerializeToString
                ),
            },
        )


async def main(policy: Path, address: str) -> None:
    log = open_log("info")
    with tempfile.TemporaryDirectory() as data:
        await serve(Service(Settings(policy, Path(data)), log), address, log)


async def serve(service: Service, address: str, log: Log) -> None:
    service.open(service.load())
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", LARGEST)])
    server.add_generic_rpc_handlers((Interception(service).handlers(),))
    port = server.add_insecure_port(address)
    await server.start()
    log.info("serving", control=f"{address.rpartition(':')[0]}:{port}", metrics="")
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:0"))
