"""AdminService on grpcio: Explain and Reload."""

from typing import Any, NoReturn

import grpc

from interceptor.control import border
from interceptor.control.border import Call, Unreadable
from interceptor.control.messages import explanation, reloaded
from interceptor.control.refusing import refuse
from interceptor.engine.engine import CallError
from interceptor.pb.v1 import admin_pb2
from interceptor.runtime.loader import Fault, LoadError
from interceptor.runtime.service import NotReadyError, Service

NAME = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name


class Admin:
    """Handlers of AdminService."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def handlers(self) -> "grpc.GenericRpcHandler[Any, Any]":
        """To be added to a server."""
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                "Explain": grpc.unary_unary_rpc_method_handler(
                    self.explain, border.read_explain, admin_pb2.ExplainResponse.SerializeToString
                ),
                "Reload": grpc.unary_unary_rpc_method_handler(
                    self.reload, border.read_reload, admin_pb2.ReloadResponse.SerializeToString
                ),
            },
        )

    def explain(self, call: Call | Unreadable, context: grpc.ServicerContext) -> admin_pb2.ExplainResponse:
        """What a call would be answered, and why."""
        if isinstance(call, Unreadable):
            self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, call.message)
        try:
            found, loaded = self._service.explain(call)
        except CallError as error:
            self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"call.{error}")
        except NotReadyError as error:
            self._refuse(context, grpc.StatusCode.UNAVAILABLE, str(error))
        return explanation(found, loaded, self._service.outcomes)

    def reload(
        self, request: admin_pb2.ReloadRequest | Unreadable, context: grpc.ServicerContext
    ) -> admin_pb2.ReloadResponse:
        """Puts the policy and list files into force as they are now."""
        if isinstance(request, Unreadable):
            self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, request.message)
        try:
            return reloaded(self._service.reload())
        except LoadError as error:
            wrong = error.fault == Fault.POLICY
            code = grpc.StatusCode.INVALID_ARGUMENT if wrong else grpc.StatusCode.FAILED_PRECONDITION
            self._refuse(context, code, f"the last good policy stays in force: {error}")
        except NotReadyError as error:
            self._refuse(context, grpc.StatusCode.UNAVAILABLE, str(error))

    def _refuse(self, context: grpc.ServicerContext, code: grpc.StatusCode, message: str) -> NoReturn:
        refuse(context, self._service.tally, code, message)
