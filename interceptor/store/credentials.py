"""Who may ask what of the control plane: names of certificates, and tokens of which the store has the hash alone."""

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from interceptor.store.audit import append
from interceptor.store.prepared import Prepared
from interceptor.store.schema import credentials
from interceptor.store.words import Action, Credential, StoreRefusedError

if TYPE_CHECKING:
    from interceptor.store.database import Database

#: each may do what the one before may
ROLES = ("viewer", "operator", "admin")
KINDS = ("token", "certificate")
#: bytes of a token that nobody can guess
TOKEN_BYTES = 32
MAX_NAME = 128

_ANY = Prepared(select(credentials.c.name).limit(1))


class Credentials:
    """`Store.credentials`. Any number of threads."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    def grant(
        self, name: str, kind: str, role: str, *, actor: str, now_ms: int, valid_until_ms: int | None = None
    ) -> str:
        """Lets somebody in, in a role, in place of the one he had. Returns the token: told here and never again.

        Parameters
        ----------
        name
            Of a certificate, its subject alternative name; of a token, whatever tells whose it is.
        kind
            "token" or "certificate", for which "" is returned.

        Raises
        ------
        StoreRefusedError
            A word is none of those above, or there would be no admin any more whose access does not end.
        """
        _check(name, kind, role, valid_until_ms, now_ms)
        token = secrets.token_urlsafe(TOKEN_BYTES) if kind == "token" else ""
        with self._database.write() as conn:
            conn.execute(delete(credentials).where(credentials.c.name == name))
            conn.execute(
                insert(credentials).values(
                    name=name,
                    kind=kind,
                    role=role,
                    hash=_hash(token) if token else None,
                    actor=actor,
                    at_ms=now_ms,
                    valid_until_ms=valid_until_ms,
                )
            )
            if not _lasting_admins(conn):
                raise StoreRefusedError(
                    f"{name!r} is not let in as {role}: nobody else is an admin without an end, and one must stay; "
                    "grant the role admin first, without an end"
                )
            detail = {"kind": kind, "role": role, "valid_until_ms": valid_until_ms}
            append(conn, at_ms=now_ms, actor=actor, action=Action.GRANT, subject=name, detail=detail)
        return token

    def revoke(self, name: str, *, actor: str, now_ms: int) -> None:
        """Lets somebody in no longer. StoreRefusedError: he is not, or he is the last admin without an end."""
        with self._database.write() as conn:
            if not conn.execute(delete(credentials).where(credentials.c.name == name)).rowcount:
                raise StoreRefusedError(
                    f"nobody is let in as {name!r}; `interceptor access list` shows who is"
                )
            if not _lasting_admins(conn):
                raise StoreRefusedError(
                    f"{name!r} is the last admin whose access does not end, and stays; grant another one first"
                )
            append(conn, at_ms=now_ms, actor=actor, action=Action.REVOKE, subject=name)

    def any(self) -> bool:
        """Whether somebody was let in, though his access may have ended."""
        with self._database.read() as conn:
            return _ANY.first(conn) is not None

    def all(self) -> list[Credential]:
        """In order of their names; also those whose access has ended."""
        with self._database.read() as conn:
            return [_told(row) for row in conn.execute(select(credentials).order_by(credentials.c.name))]

    def check_token(self, token: str, now_ms: int) -> Credential | None:
        """Whose token it is; None: nobody's, or his access has ended."""
        wanted = _hash(token)
        found = None
        with self._database.read() as conn:
            for row in conn.execute(select(credentials).where(credentials.c.kind == "token")):
                if hmac.compare_digest(row.hash, wanted):  # every one is compared, and each in the same time
                    found = row
        return _told(found) if found is not None and _lasts(found, now_ms) else None

    def of_certificate(self, name: str, now_ms: int) -> Credential | None:
        """What the certificate of that name may; None: nothing, or its access has ended."""
        row_is = (credentials.c.name == name) & (credentials.c.kind == "certificate")
        with self._database.read() as conn:
            row = conn.execute(select(credentials).where(row_is)).first()
        return _told(row) if row is not None and _lasts(row, now_ms) else None


def _check(name: str, kind: str, role: str, valid_until_ms: int | None, now_ms: int) -> None:
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise StoreRefusedError(f"{name[:40]!r} is no name: 1 to {MAX_NAME} printable characters")
    if kind not in KINDS:
        raise StoreRefusedError(f"{kind[:40]!r} is no kind of credential; there are {' and '.join(KINDS)}")
    if role not in ROLES:
        raise StoreRefusedError(f"{role[:40]!r} is no role; there are {', '.join(ROLES)}")
    if valid_until_ms is not None and valid_until_ms <= now_ms:
        raise StoreRefusedError(f"the access of {name!r} would have ended already")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _lasts(row: Row[Any], now_ms: int) -> bool:
    return row.valid_until_ms is None or now_ms < row.valid_until_ms


def _lasting_admins(conn: Connection) -> int:
    lasting = (credentials.c.role == "admin") & credentials.c.valid_until_ms.is_(None)
    return int(conn.execute(select(func.count()).select_from(credentials).where(lasting)).scalar_one())


def _told(row: Row[Any]) -> Credential:
    values = dict(row._mapping)
    values.pop("hash")
    return Credential(**values)
