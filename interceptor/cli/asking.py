"""What `interceptor decide` and `interceptor explain` do: ask a running service about a call."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from interceptor.cli.failing import EXIT_UNREACHABLE, EXIT_USAGE, Failure
from interceptor.cli.tables import show_explanation
from interceptor.pb.v1 import admin_pb2
from interceptor.pb.v1 import interception_pb2 as pb

Response = TypeVar("Response", bound=Message)
FIELDS = frozenset(pb.DecideRequest.DESCRIPTOR.fields_by_name)


@dataclass(frozen=True)
class Connection:
    """Where the service is, and how to speak to it."""

    server: str
    timeout: float  #: seconds
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def ask(self, method: str, request: Message, kind: type[Response]) -> Response:
        """The answer to a request; what goes wrong becomes a Failure."""
        with self._channel() as channel:
            send = channel.unary_unary(
                f"/interceptor.v1.{method}",
                request_serializer=type(request).SerializeToString,
                response_deserializer=kind.FromString,
            )
            try:
                answer: Response = send(request, timeout=self.timeout)
            except grpc.RpcError as error:
                raise self._failure(error) from None
            return answer

    def _channel(self) -> grpc.Channel:
        if self.ca is None:
            if self.certificate or self.key:
                message = "--tls-cert and --tls-key need --tls-ca, the CA of the service's certificate"
                raise Failure(message, EXIT_USAGE)
            return grpc.insecure_channel(self.server)
        credentials = grpc.ssl_channel_credentials(
            self.ca.read_bytes(),
            self.key.read_bytes() if self.key else None,
            self.certificate.read_bytes() if self.certificate else None,
        )
        return grpc.secure_channel(self.server, credentials)

    def _failure(self, error: grpc.RpcError) -> Failure:
        status = error.code()
        if status == grpc.StatusCode.UNAVAILABLE:
            return Failure(
                f"no service answers at {self.server}: start one with `interceptor serve`, or say where with --server",
                EXIT_UNREACHABLE,
            )
        if status == grpc.StatusCode.DEADLINE_EXCEEDED:
            return Failure(f"no answer within {self.timeout:g} s; --timeout waits longer", EXIT_UNREACHABLE)
        return Failure(f"the service says {status.name}: {error.details()}")


def decide(service: Connection, call: Mapping[str, Any], tags: Iterable[str]) -> None:
    """Prints the answer to a call."""
    show(service.ask("InterceptionService/Decide", request(call, tags), pb.DecideResponse))


def explain(service: Connection, call: Mapping[str, Any], tags: Iterable[str]) -> None:
    """Prints the answer to a call and all it rests on."""
    asked = admin_pb2.ExplainRequest(call=request(call, tags))
    found = service.ask("AdminService/Explain", asked, admin_pb2.ExplainResponse)
    if sys.stdout.isatty():
        show_explanation(found)
    else:
        show(found)


def request(call: Mapping[str, Any], tags: Iterable[str]) -> pb.DecideRequest:
    """The call as a message: of `call` what is a field of one, and given."""
    fields = {name: value for name, value in call.items() if name in FIELDS and value not in ("", None)}
    try:
        return pb.DecideRequest(**fields, tags=dict(tag_of(each) for each in tags))
    except ValueError as error:  # a text that is no text, a number beyond 64 bits
        raise Failure(f"the call cannot be asked about: {error}", EXIT_USAGE) from None


def tag_of(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise Failure(f"--tag {text}: write NAME=VALUE", EXIT_USAGE)
    return name, value


def show(message: Message) -> None:
    """Prints a message as JSON, with the contract's names in its order, zeros and empty texts included."""
    plain = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    print(json.dumps(in_order(message, plain), ensure_ascii=False, indent=2))


def in_order(message: Message, plain: dict[str, Any]) -> dict[str, Any]:
    """`plain` with its fields in the order the contract lists them."""
    ordered: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = plain.get(field.name)
        if field.type == FieldDescriptor.TYPE_MESSAGE and isinstance(value, dict):
            ordered[field.name] = in_order(getattr(message, field.name), value)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and isinstance(value, list):
            parts = getattr(message, field.name)
            ordered[field.name] = [in_order(part, each) for part, each in zip(parts, value, strict=True)]
        elif value is not None:
            ordered[field.name] = value
    return ordered
