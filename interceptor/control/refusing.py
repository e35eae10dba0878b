"""How a request is turned down: status, a message that says what to do, and a count."""

from typing import NoReturn
from urllib.parse import quote

import grpc

from interceptor.runtime.tally import Tally

#: A status message travels percent-encoded in a trailer; peers take 8 KiB of trailers in all.
LONGEST = 6000
REST = "\n... and more: the service's log has all of it"


def refuse(context: grpc.ServicerContext, tally: Tally, code: grpc.StatusCode, message: str) -> NoReturn:
    """Ends the request with `code`, counted."""
    tally.request_refused(code.name)
    context.abort(code, fitting(message))
    raise AssertionError("abort returns to nobody")


def fitting(message: str) -> str:
    """`message`, cut at a line's end where it would be too long for a trailer."""
    if encoded(message) <= LONGEST:
        return message
    kept: list[str] = []
    left = LONGEST - encoded(REST)
    for line in message.splitlines():
        left -= encoded(line + "\n")
        if left < 0:
            break
        kept.append(line)
    if not kept:
        return message[: LONGEST // 13] + REST  # 12 bytes for a character of four
    return "\n".join(kept) + REST


def encoded(text: str) -> int:
    """Bytes of `text` in a grpc-message trailer (gRPC over HTTP/2, "Status-Message")."""
    return len(quote(text, safe=PRINTABLE))


PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
