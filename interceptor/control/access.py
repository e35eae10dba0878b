"""Methods of AdminService about who is let in, and in which role."""

from collections.abc import Callable, Mapping

from interceptor.control.answering import Method
from interceptor.control.authorising import Caller, Role
from interceptor.control.lists import invalid
from interceptor.pb.v1 import access_pb2 as pb
from interceptor.store.credentials import Credentials
from interceptor.store.words import Credential


class Access:
    """Grants."""

    def __init__(self, credentials: Credentials, now_ms: Callable[[], int]) -> None:
        self._credentials = credentials
        self._now_ms = now_ms

    def methods(self) -> Mapping[str, Method]:
        return {
            "GrantAccess": Method(self.grant, pb.GrantAccessRequest),
            "RevokeAccess": Method(self.revoke, pb.RevokeAccessRequest),
            "ListAccess": Method(self.grants, pb.ListAccessRequest),
        }

    def grant(self, request: pb.GrantAccessRequest, caller: Caller) -> pb.GrantAccessResponse:
        if request.role not in {int(role) for role in Role}:
            raise invalid("role: say viewer, operator or admin")
        token = self._credentials.grant(
            request.name,
            "token" if request.token else "certificate",
            Role(request.role).name.lower(),
            actor=caller.name,
            now_ms=self._now_ms(),
            valid_until_ms=request.valid_until_ms if request.HasField("valid_until_ms") else None,
        )
        return pb.GrantAccessResponse(token=token)

    def revoke(self, request: pb.RevokeAccessRequest, caller: Caller) -> pb.RevokeAccessResponse:
        self._credentials.revoke(request.name, actor=caller.name, now_ms=self._now_ms())
        return pb.RevokeAccessResponse()

    def grants(self, _request: pb.ListAccessRequest, _caller: Caller) -> pb.ListAccessResponse:
        return pb.ListAccessResponse(grants=[grant_of(each) for each in self._credentials.all()])


def grant_of(credential: Credential) -> pb.Grant:
    return pb.Grant(
        name=credential.name,
        kind=credential.kind,
        role=f"ROLE_{credential.role.upper()}",
        granted_by=credential.actor,
        granted_ms=credential.at_ms,
        valid_until_ms=credential.valid_until_ms,
    )
