"""Who asks, and whether he may: every request of an operator passes here before anything looks at what it says."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

import grpc

from interceptor.control.allowing import name_of
from interceptor.control.refusing import Refusal
from interceptor.control.tries import Tries
from interceptor.store.credentials import Credentials


class Role(IntEnum):
    """What somebody may do; each may do what the ones before it may. The values are the contract's."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


#: Method of AdminService -> the role it takes; a test holds it against the contract.
ROLES: Mapping[str, Role] = {
    "Explain": Role.VIEWER,
    "ShowEntry": Role.VIEWER,
    "SearchEntries": Role.VIEWER,
    "GetListStats": Role.VIEWER,
    "CheckDomain": Role.VIEWER,
    "GetPolicy": Role.VIEWER,
    "ListPolicies": Role.VIEWER,
    "GetTrial": Role.VIEWER,
    "ExplainDecision": Role.VIEWER,
    "WatchDecisions": Role.VIEWER,
    "CheckClue": Role.VIEWER,
    "ShowEntity": Role.VIEWER,
    "ListAudit": Role.VIEWER,
    "VerifyAudit": Role.VIEWER,
    "Reload": Role.OPERATOR,
    "ImportList": Role.OPERATOR,
    "AddEntries": Role.OPERATOR,
    "RemoveEntries": Role.OPERATOR,
    "UndoChange": Role.OPERATOR,
    "ExportList": Role.OPERATOR,  # every number at once
    "PutPolicy": Role.OPERATOR,
    "RollbackPolicy": Role.OPERATOR,
    "StartTrial": Role.OPERATOR,
    "StopTrial": Role.OPERATOR,
    "PromoteRule": Role.OPERATOR,
    "GiveFeedback": Role.OPERATOR,
    "GatherClue": Role.OPERATOR,  # who called whom
    "ResetEntity": Role.OPERATOR,
    "SetRetention": Role.ADMIN,  # lets go of entries without a further word
    "EraseNumber": Role.ADMIN,
    "GrantAccess": Role.ADMIN,
    "RevokeAccess": Role.ADMIN,
    "ListAccess": Role.ADMIN,
}

LOCAL = "local"  #: whoever reaches a port of this machine while nobody has been given access
BEARER = "bearer "
LONGEST_TOKEN = 256
#: peers, as gRPC writes them, whose bytes leave this machine nowhere
OF_THIS_MACHINE = ("unix:", "unix-abstract:", "ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D")
SLOWED = 0.25  # seconds that the answer to a wrong token takes
SLOW_AT_ONCE = 2  # threads that may be held by this; a token has 256 bits, so more speed finds none either


@dataclass(frozen=True)
class Caller:
    """Somebody who was let in."""

    name: str  #: as the audit trail has it: "token:NAME", "cert:NAME" or "local"
    role: Role


class Gate:
    """Knows callers by bearer token, else by their certificate.

    Parameters
    ----------
    credentials
        The store's.
    now_ms
        The clock, in milliseconds since the Unix epoch.
    tries
        Where refusals are counted and audited.
    trusted
        Whether reaching the port is enough while nobody has been given access: only this machine reaches it, or only
        the clients that were named when the service was started.
    """

    def __init__(
        self, credentials: Credentials, now_ms: Callable[[], int], tries: Tries, *, trusted: bool
    ) -> None:
        self._credentials = credentials
        self._now_ms = now_ms
        self._tries = tries
        self._trusted = trusted
        # whether anybody was given access: an admin without an end stays then, whatever is revoked
        self._any = False
        self._slow = threading.BoundedSemaphore(SLOW_AT_ONCE)

    def admit(self, method: str, context: grpc.ServicerContext) -> Caller:
        """Who asks for `method`. Raises Refusal when nobody we know, or one that may not."""
        self._tries.settle()
        caller = self._known(context)
        needed = ROLES[method]
        if caller.role < needed:
            self._tries.refused(caller.name, method)
            raise Refusal(
                grpc.StatusCode.PERMISSION_DENIED,
                f"{method} takes the role {needed.name.lower()}, and {caller.name} is {caller.role.name.lower()}: "
                "an admin gives it with `interceptor access grant`",
            )
        return caller

    def _known(self, context: grpc.ServicerContext) -> Caller:
        sent = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
        if sent:
            return self._by_token(sent, context)
        name = name_of(context)
        if not self._granted():
            if self._trusted:
                return Caller(f"cert:{name}" if name else LOCAL, Role.ADMIN)
            raise Refusal(
                grpc.StatusCode.UNAUTHENTICATED,
                "nobody has been given access yet, and other machines reach this port: start the service with "
                "--control on 127.0.0.1 and let an admin in with `interceptor access grant NAME --role admin`",
            )
        held = self._credentials.of_certificate(name, self._now_ms()) if name else None
        if held is None:
            self._tries.refused(f"cert:{name}" if name else host_of(context), "no credential")
            raise Refusal(
                grpc.StatusCode.UNAUTHENTICATED,
                f'the certificate of "{name}" gives no access here: an admin grants it, or use a token (--token-file)'
                if name
                else "say who asks: --token-file FILE or INTERCEPTOR_TOKEN, or a certificate (--tls-cert, --tls-key)",
            )
        return Caller(f"cert:{held.name}", Role[held.role.upper()])

    def _granted(self) -> bool:
        self._any = self._any or self._credentials.any()
        return self._any

    def _by_token(self, sent: list[str | bytes], context: grpc.ServicerContext) -> Caller:
        if not (encrypted(context) or context.peer().startswith(OF_THIS_MACHINE)):
            raise Refusal(
                grpc.StatusCode.UNAUTHENTICATED,
                "no token is taken over an unencrypted connection from another machine: it must be held for stolen "
                "now. Revoke it, and use TLS",
            )
        text = sent[0] if len(sent) == 1 and isinstance(sent[0], str) else ""
        token = text[len(BEARER) :].strip() if text[: len(BEARER)].lower() == BEARER else ""
        held = None
        if token and len(token) <= LONGEST_TOKEN and token.isascii():
            held = self._credentials.check_token(token, self._now_ms())
        if held is None:
            self._tries.refused(host_of(context), "wrong token")
            if self._slow.acquire(blocking=False):
                try:
                    time.sleep(SLOWED)
                finally:
                    self._slow.release()
            raise Refusal(
                grpc.StatusCode.UNAUTHENTICATED,
                "this token gives no access here: it is wrong, has ended, or was revoked",
            )
        return Caller(f"token:{held.name}", Role[held.role.upper()])


def encrypted(context: grpc.ServicerContext) -> bool:
    return bytes(next(iter(context.auth_context().get("transport_security_type", ())), b"")) == b"ssl"


def host_of(context: grpc.ServicerContext) -> str:
    """The peer without its port, which changes with each connection: ``ipv4:192.0.2.1``."""
    peer = context.peer()
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer.partition(":")[0]
