"""Why a service gave no decision, in one word out of gRPC's statuses."""

import grpc

from interceptor.client.answer import Cause
from interceptor.pb.v1 import interception_pb2 as pb

#: The service looked at the question and says no: another one would say the same, and it is well.
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
}
CODES = {code.value[0]: code for code in grpc.StatusCode}


class Undecided(Exception):
    """A question without a decision; `cause` is one of `Cause`."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail

    def again(self) -> "Undecided":
        """The same, to be raised in another thread."""
        return Undecided(self.cause, self.detail)

    @property
    def refused(self) -> bool:
        """Whether the service did answer."""
        return self.cause == Cause.REFUSED


def because(code: grpc.StatusCode | None, detail: str) -> Undecided:
    """Out of a status of gRPC and its message."""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Undecided(Cause.DEADLINE, detail)
    if code in REFUSALS:
        return Undecided(Cause.REFUSED, detail)
    return Undecided(Cause.UNAVAILABLE, detail)


def of_call(error: grpc.RpcError) -> Undecided:
    """Out of the error a call ended with."""
    assert isinstance(error, grpc.Call)  # whatever grpcio raises is one, too
    return because(error.code(), error.details() or "")


def of_message(error: pb.CallError) -> Undecided:
    """Out of the error that answers one message of a stream."""
    return because(CODES.get(error.code), error.message)
