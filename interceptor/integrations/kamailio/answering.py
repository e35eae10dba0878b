"""What becomes of a call in SIP: an Answer -> status line and header fields of a refusal, or the marks of a warning."""

import re
from typing import NamedTuple

from interceptor.client import Answer, BlockClass
from interceptor.integrations.kamailio.settings import Refusing, Warning

#: Reason phrases: RFC 3261 section 21, RFC 8197, RFC 8688.
PHRASES = {
    403: "Forbidden",
    404: "Not Found",
    410: "Gone",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}
DECLINE, REJECTED = 603, 608
#: What makes of a 603 one that says "by analysis" (ATIS-1000099): this phrase, and this in its Reason.
BLOCKED_PHRASE, BLOCKED_TEXT = "Network Blocked", "v=analytics1"

#: ISDN cause of a call that SIP ended with a status (RFC 3398 section 8.2.6.1), where it is not interworking, 127.
#: A BYE, and 487 where the caller hung up: normal clearing.
CAUSES = {
    200: 16, 400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 415: 79,
    480: 18, 481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17, 487: 16, 500: 41, 501: 79, 502: 38,
    503: 41, 504: 102, 600: 17, 603: 21, 604: 1, 607: 21, 608: 21,
}  # fmt: skip


Q850 = re.compile(r"Q\.850\s*;\s*cause\s*=\s*(\d{1,3})", re.IGNORECASE)


class Refusal(NamedTuple):
    """A final answer."""

    code: int
    phrase: str
    headers: tuple[str, ...]  #: whole header fields, without line ends


def refusal(answer: Answer, refusing: Refusing) -> Refusal:
    """How a blocked call is refused.

    The decision's code and Reason are sent as they are, but for one thing: where the installation refuses by 603+, the
    608 that the policy gives to what analysis blocked becomes one. A code that a rule chose for itself stays.
    """
    code, reason = answer.sip_code or DECLINE, answer.sip_reason
    if code == REJECTED and answer.block_class == BlockClass.ANALYTICS and refusing.analytics == DECLINE:
        code, reason = DECLINE, f'SIP;cause={DECLINE};text="{BLOCKED_TEXT}"'
    by_analysis = code == DECLINE and BLOCKED_TEXT in reason
    if reason.endswith(f'text="{BLOCKED_TEXT}"'):  # nobody has said yet where to complain
        url = f";url={refusing.redress_url}" if refusing.redress_url else ""
        place = f";location={refusing.location}" if refusing.location else ""
        reason = f'SIP;cause={DECLINE};text="{BLOCKED_TEXT}{url}"{place}'
    headers = [f"Reason: {reason}"] if reason else []
    if code == REJECTED and refusing.jcard_url:
        headers.append(f"Call-Info: <{refusing.jcard_url}>;purpose=jwscard")
    return Refusal(
        code, BLOCKED_PHRASE if by_analysis else PHRASES.get(code, "Call Rejected"), tuple(headers)
    )


def label(answer: Answer, warning: Warning) -> str:
    """What a warned call's display name says, in the quotes it is sent in; empty: what the caller says."""
    text = warning.labels.get(answer.reason, warning.label)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if text else ""


def mark(answer: Answer) -> str:
    """Value of the X-Interceptor header field of a warned call: reason, rule, and the decision to complain about."""
    said = (("reason", answer.reason), ("rule", answer.rule), ("decision", answer.decision_id))
    return ";".join(["warn", *(f"{name}={value}" for name, value in said if value)])


def cause(status: int, reason: str) -> int:
    """The ISDN cause (ITU-T Q.850) of a call's end: of its Reason header field (RFC 3326), else of its status."""
    said = Q850.search(reason)
    if said and 1 <= int(said[1]) <= 127:
        return int(said[1])
    return CAUSES.get(status, 127)
