"""Which clients are answered at all: those whose certificate has a name on the allow-list."""

import functools
from collections.abc import Callable, Collection
from typing import Any

import grpc

from interceptor.control.refusing import refuse
from interceptor.runtime.tally import Tally

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def name_of(context: grpc.ServicerContext) -> str:
    """The client's authenticated name: a subject alternative name of its certificate, else the common name."""
    return next((name.decode(errors="replace") for name in context.peer_identities() or ()), "")


class AllowList(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stub alone
    """Refuses every request of a client that is not on the list, whatever it asks for."""

    def __init__(self, names: Collection[str], tally: Tally) -> None:
        self._names = frozenset(names)
        self._tally = tally

    def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """What answers the request, behind a look at who asks."""
        handler = continuation(handler_call_details)
        for kind in KINDS:
            answer = getattr(handler, kind, None)
            if answer is not None:
                assert handler is not None
                made: grpc.RpcMethodHandler[Any, Any] = getattr(grpc, f"{kind}_rpc_method_handler")(
                    self._guarded(answer), handler.request_deserializer, handler.response_serializer
                )
                return made
        return handler

    def _guarded(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(answer)  # with its attributes: grpcio asks for one
        def guarded(request: Any, context: grpc.ServicerContext, *rest: Any) -> Any:
            name = name_of(context)
            if name not in self._names:
                refuse(context, self._tally, grpc.StatusCode.PERMISSION_DENIED, denial(name))
            return answer(request, context, *rest)

        return guarded


def denial(name: str) -> str:
    return f'client "{name}" is not on the list of clients (--tls-allow)'
