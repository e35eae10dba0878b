"""What `interceptor decide` and `interceptor explain` do: ask a running service about a call."""

from collections.abc import Iterable, Mapping
from typing import Any

from interceptor.cli.connection import Connection
from interceptor.cli.failing import EXIT_USAGE, Failure
from interceptor.cli.printing import show, to_person
from interceptor.cli.tables import show_explanation
from interceptor.pb.v1 import admin_pb2
from interceptor.pb.v1 import interception_pb2 as pb

FIELDS = frozenset(pb.DecideRequest.DESCRIPTOR.fields_by_name)


def decide(service: Connection, call: Mapping[str, Any], tags: Iterable[str]) -> None:
    """Prints the answer to a call."""
    show(service.ask("InterceptionService/Decide", request(call, tags), pb.DecideResponse))


def explain(service: Connection, call: Mapping[str, Any], tags: Iterable[str]) -> None:
    """Prints the answer to a call and all it rests on."""
    asked = admin_pb2.ExplainRequest(call=request(call, tags))
    found = service.ask("AdminService/Explain", asked, admin_pb2.ExplainResponse)
    if to_person():
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
