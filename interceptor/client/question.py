"""What a switch says about a call or a card, as the message the service reads."""

import re
import time
from collections.abc import Mapping
from typing import Any

from interceptor.pb.v1 import interception_pb2 as pb

LONGEST = 1024  # bytes of a text that the service takes
REDIRECTING = 4  # numbers that it looks at
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Given = Mapping[str, Any] | None

CALL_EVENTS = {"answered": pb.CALL_EVENT_ANSWERED, "ended": pb.CALL_EVENT_ENDED}
SUBSCRIPTION_EVENTS = {
    "activated": pb.SUBSCRIPTION_EVENT_ACTIVATED,
    "reactivated": pb.SUBSCRIPTION_EVENT_REACTIVATED,
    "attached": pb.SUBSCRIPTION_EVENT_ATTACHED,
    "sms_received": pb.SUBSCRIPTION_EVENT_SMS_RECEIVED,
}


def question(call: pb.DecideRequest | Given, fields: Mapping[str, Any]) -> pb.DecideRequest:
    """A call to ask about. TypeError, ValueError: no such field, or not of its kind."""
    if isinstance(call, pb.DecideRequest):
        if fields:
            raise TypeError(f"give a DecideRequest or fields, not both: {', '.join(sorted(fields))}")
        return call
    return pb.DecideRequest(**known({**(call or {}), **fields}))


def call_report(report: pb.ReportCallRequest | Given, fields: Mapping[str, Any]) -> pb.ReportCallRequest:
    """How a call went on; `event` in a word, `call` as fields or as a message."""
    if isinstance(report, pb.ReportCallRequest):
        return report
    given = dated(report, fields, CALL_EVENTS)
    if given.get("call") is not None:
        given["call"] = question(given["call"], {})
    return pb.ReportCallRequest(**known(given))


def subscription_report(
    report: pb.ReportSubscriptionRequest | Given, fields: Mapping[str, Any]
) -> pb.ReportSubscriptionRequest:
    """What happened to a card; `event` in a word."""
    if isinstance(report, pb.ReportSubscriptionRequest):
        return report
    return pb.ReportSubscriptionRequest(**known(dated(report, fields, SUBSCRIPTION_EVENTS)))


def dated(report: Given, fields: Mapping[str, Any], events: Mapping[str, int]) -> dict[str, Any]:
    """With the time, where it is not given, and with the event's number."""
    given = {"time_ms": int(time.time() * 1000), **(report or {}), **fields}
    event = given.get("event")
    if isinstance(event, str):
        if event not in events:
            raise ValueError(f"event: {event!r} is none; give one of {', '.join(events)}")
        given["event"] = events[event]
    return given


def known(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is not None, cleaned: the service refuses a malformed call, and then a header that a caller made up would
    get his call past the screening."""
    return {name: cleaned(value) for name, value in given.items() if value is not None}


def cleaned(value: Any) -> Any:
    """Texts without control characters and what is not UTF-8, and as long as is taken."""
    if isinstance(value, str):
        text = CONTROL.sub("", value).encode("utf-8", "replace")[:LONGEST]
        return text.decode("utf-8", "ignore")
    if isinstance(value, (list, tuple)):
        return [cleaned(each) for each in value[:REDIRECTING]]
    if isinstance(value, Mapping):
        return {name: cleaned(each) for name, each in value.items()}
    return value
