"""A connection to a running service: asks, streams, and turns what goes wrong into a line that says what to do."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from interceptor.cli.failing import EXIT_UNREACHABLE, EXIT_USAGE, Failure
from interceptor.pb.v1 import lists_pb2
from interceptor.runtime.addresses import ListenError, local

#: A connection that died in silence (power was cut, a firewall forgot it) is noticed within 20 s, however long one
#: listens. gRPC goes by its ping timeout (grpc/grpc#39239), a minute if not told.
WATCHED = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)
Response = TypeVar("Response", bound=Message)

TOKEN = "INTERCEPTOR_TOKEN"
IMPACT, UNAVAILABLE = "interceptor-impact-bin", "interceptor-unavailable"
#: statuses after which the same file sent again goes on where it stopped
CUT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
}


class CutError(Exception):
    """The connection broke before the answer was there; or the service said that it cannot go on now.

    said: whether it was the service that said so.
    """

    def __init__(self, message: str, *, said: bool = False) -> None:
        super().__init__(message)
        self.said = said


class PassingError(Failure):
    """The service is not there, ends, or is not ready: it may be when it is asked again."""


class RefusedError(Failure):
    """A change that must be confirmed, with what it would have meant."""

    def __init__(self, message: str, impact: lists_pb2.Impact) -> None:
        super().__init__(message)
        self.impact = impact


@dataclass(frozen=True)
class Connection:
    """Where the service is, and how to speak to it."""

    server: str
    timeout: float  #: seconds
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token_file: Path | None = None
    with_token: bool = True  #: of switches' questions: nobody asks for a token there

    def ask(self, method: str, request: Message, kind: type[Response]) -> Response:
        """The answer to a request; what goes wrong becomes a Failure."""
        with self._channel() as channel:
            send = channel.unary_unary(
                f"/interceptor.v1.{method}",
                request_serializer=type(request).SerializeToString,
                response_deserializer=kind.FromString,
            )
            try:
                answer: Response = send(request, timeout=self.timeout, metadata=self._metadata())
            except grpc.RpcError as error:
                raise self._failure(error) from None
            return answer

    def take(self, method: str, request: Message, kind: type[Response]) -> Iterator[Response]:
        """The answers to a request, as they come."""
        with self.follow(method, request, kind) as (answers, _):
            yield from answers

    @contextmanager
    def follow(
        self, method: str, request: Message, kind: type[Response]
    ) -> Iterator[tuple[Iterable[Response], Callable[[], object]]]:
        """The answers to a request, as they come, and what ends them from another thread."""
        with self._channel() as channel:
            call = channel.unary_stream(
                f"/interceptor.v1.{method}",
                request_serializer=type(request).SerializeToString,
                response_deserializer=kind.FromString,
            )(request, metadata=self._metadata())
            try:
                yield call, call.cancel
            except grpc.RpcError as error:
                failure = self._failure(error)
                if error.code() in CUT:
                    raise PassingError(str(failure), failure.code) from None
                raise failure from None

    @contextmanager
    def exchange(
        self, method: str, requests: Iterator[Message], kind: type[Response]
    ) -> Iterator[Iterable[Response]]:
        """Answers to a stream of requests. Raises CutError when the connection breaks, Failure when it is refused."""
        with self._channel() as channel:
            call = channel.stream_stream(
                f"/interceptor.v1.{method}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=kind.FromString,
            )(requests, metadata=self._metadata())
            try:
                yield call
            except grpc.RpcError as error:
                if error.code() in CUT:
                    raise CutError(str(self._failure(error)), said=from_the_service(error)) from None
                raise self._failure(error) from None
            finally:
                call.cancel()  # type: ignore[no-untyped-call]  # a gap of its stubs

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        token = self._token() if self.with_token else ""
        if not token:
            return ()
        if self.ca is None and not on_this_machine(self.server):
            raise Failure(
                f"the token is not sent to {self.server} in the clear: speak TLS with --tls-ca", EXIT_USAGE
            )
        return (("authorization", f"Bearer {token}"),)

    def _token(self) -> str:
        if self.token_file is None:
            text, where = os.environ.get(TOKEN, "").strip(), TOKEN
        else:
            text, where = self.token_file.read_text(errors="replace").strip(), str(self.token_file)
            if not text:
                raise Failure(f"{where}: is empty, and should hold a token", EXIT_USAGE)
        if not all("!" <= character <= "~" for character in text):
            raise Failure(f"{where}: holds no token: that is one word of printable characters", EXIT_USAGE)
        return text

    def _channel(self) -> grpc.Channel:
        if self.ca is None:
            if self.certificate or self.key:
                message = "--tls-cert and --tls-key need --tls-ca, the CA of the service's certificate"
                raise Failure(message, EXIT_USAGE)
            return grpc.insecure_channel(self.server, WATCHED)
        credentials = grpc.ssl_channel_credentials(
            self.ca.read_bytes(),
            self.key.read_bytes() if self.key else None,
            self.certificate.read_bytes() if self.certificate else None,
        )
        return grpc.secure_channel(self.server, credentials, WATCHED)

    def _failure(self, error: Any) -> Failure:
        status, details = error.code(), error.details() or ""
        if status == grpc.StatusCode.UNAVAILABLE and not from_the_service(error):
            return Failure(
                f"no service answers at {self.server}: start one with `interceptor serve`, or say where with --server",
                EXIT_UNREACHABLE,
            )
        if status == grpc.StatusCode.DEADLINE_EXCEEDED:
            return Failure(f"no answer within {self.timeout:g} s; --timeout waits longer", EXIT_UNREACHABLE)
        if status == grpc.StatusCode.FAILED_PRECONDITION:
            impact = impact_in(error)
            if impact is not None:
                return RefusedError(details, impact)
        return Failure(f"the service says {status.name}: {details}")


def on_this_machine(server: str) -> bool:
    """Whether a token may be sent there as it is; not where the address is none of ours to judge."""
    try:
        return local(server)
    except ListenError:
        return False


def from_the_service(error: Any) -> bool:
    """Whether the service itself says it is unavailable (its database is away), and not gRPC that there is none."""
    return any(key == UNAVAILABLE for key, _ in error.trailing_metadata() or ())


def impact_in(error: Any) -> lists_pb2.Impact | None:
    """What a refused change would have meant, out of the trailer it comes in."""
    for key, value in error.trailing_metadata() or ():
        if key == IMPACT and isinstance(value, bytes):
            try:
                return lists_pb2.Impact.FromString(value)
            except DecodeError:
                return None
    return None
