"""How a request is turned down: status, a message that says what to do, and a count."""

from typing import NoReturn
from urllib.parse import quote

import grpc

from interceptor.control.impacts import impact_of
from interceptor.engine.engine import CallError
from interceptor.runtime.guard import GuardRefusedError, Impact
from interceptor.runtime.loader import Fault, LoadError
from interceptor.runtime.service import NotReadyError
from interceptor.runtime.tally import Tally
from interceptor.store.words import (
    StaleRevisionError,
    StoreRefusedError,
    StoreUnavailableError,
    StoreUnknownError,
)

#: A status message travels percent-encoded in a trailer; peers take 8 KiB of trailers in all.
LONGEST = 6000
REST = "\n... and more: the service's log has all of it"
#: What a refused change would have meant, as a message: a trailer beside the status, in bytes before base64.
IMPACT = "interceptor-impact-bin"
LARGEST_IMPACT = 2400
#: Beside UNAVAILABLE: the service answers, and something it needs is away.
UNAVAILABLE = "interceptor-unavailable"
BESIDES_IMPACT = 2400  # of the message then


class Refusal(Exception):
    """A request that is turned down."""

    def __init__(self, code: grpc.StatusCode, message: str, impact: Impact | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.impact = code, message, impact


def refusal(error: Exception) -> Refusal | None:
    """What the caller is told of an error; None: it is none of his."""
    code = grpc.StatusCode
    if isinstance(error, Refusal):
        return error
    if isinstance(error, GuardRefusedError):
        return Refusal(code.FAILED_PRECONDITION, str(error), error.impact)
    if isinstance(error, StaleRevisionError):
        return Refusal(code.ABORTED, str(error))
    if isinstance(error, StoreUnavailableError | NotReadyError):
        return Refusal(code.UNAVAILABLE, str(error))
    if isinstance(error, StoreUnknownError):
        return Refusal(code.NOT_FOUND, str(error))
    if isinstance(error, StoreRefusedError):
        return Refusal(code.INVALID_ARGUMENT, str(error))
    if isinstance(error, LoadError):
        return Refusal(
            code.INVALID_ARGUMENT if error.fault == Fault.POLICY else code.FAILED_PRECONDITION, str(error)
        )
    if isinstance(error, CallError):
        return Refusal(code.INVALID_ARGUMENT, f"call.{error}")
    return None


def turn_down(context: grpc.ServicerContext, tally: Tally, told: Refusal) -> NoReturn:
    """Ends the request as `told` says."""
    longest = LONGEST
    if told.impact is not None:
        message = impact_of(told.impact)
        while message.ByteSize() > LARGEST_IMPACT and message.first:
            message.first.pop()
        while message.ByteSize() > LARGEST_IMPACT and message.protected_numbers:
            message.protected_numbers.pop()
        if message.ByteSize() <= LARGEST_IMPACT:
            context.set_trailing_metadata(((IMPACT, message.SerializeToString()),))
        longest = BESIDES_IMPACT
    elif told.code == grpc.StatusCode.UNAVAILABLE:
        context.set_trailing_metadata(((UNAVAILABLE, "1"),))
    refuse(context, tally, told.code, told.message, longest)


def refuse(
    context: grpc.ServicerContext, tally: Tally, code: grpc.StatusCode, message: str, longest: int = LONGEST
) -> NoReturn:
    """Ends the request with `code`, counted."""
    tally.request_refused(code.name)
    context.abort(code, fitting(message, longest))
    raise AssertionError("abort returns to nobody")


def fitting(message: str, longest: int = LONGEST) -> str:
    """`message`, cut at a line's end where it would be too long for a trailer."""
    if encoded(message) <= longest:
        return message
    kept: list[str] = []
    left = longest - encoded(REST)
    for line in message.splitlines():
        left -= encoded(line + "\n")
        if left < 0:
            break
        kept.append(line)
    if not kept:
        return message[: longest // 13] + REST  # 12 bytes for a character of four
    return "\n".join(kept) + REST


def encoded(text: str) -> int:
    """Bytes of `text` in a grpc-message trailer (gRPC over HTTP/2, "Status-Message")."""
    return len(quote(text, safe=PRINTABLE))


PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
