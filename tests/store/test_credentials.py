"""Who is let in: roles, tokens and certificates, and that there is always an admin."""

import json

import pytest
from sqlalchemy import select

from interceptor.store.schema import audit, credentials
from interceptor.store.store import Store
from interceptor.store.words import StoreRefusedError
from store.conftest import NOW


def grant(store: Store, name: str, role: str, kind: str = "token", until: int | None = None) -> str:
    return store.credentials.grant(name, kind, role, actor="local", now_ms=NOW, valid_until_ms=until)


def roles(store: Store) -> dict[str, str]:
    return {each.name: each.role for each in store.credentials.all()}


def test_a_token_lets_in_whoever_has_it(store: Store) -> None:
    token = grant(store, "wang", "admin")
    other = grant(store, "li", "viewer")
    found = store.credentials.check_token(token, NOW)
    assert found is not None
    assert (found.name, found.role, found.kind, found.actor) == ("wang", "admin", "token", "local")
    for wrong in ("", token[:-1], token + "x", other.lower(), "wang"):
        assert store.credentials.check_token(wrong, NOW) is None
    assert len(token) >= 43  # 256 bits


def test_a_token_is_neither_stored_nor_recorded(sqlite_store: Store) -> None:
    token = grant(sqlite_store, "wang", "admin")
    with sqlite_store.database.read() as conn:
        everything = json.dumps(
            [str(row) for table in (credentials, audit) for row in conn.execute(select(table))]
        )
    assert token not in everything


def test_a_certificate_lets_in_by_its_name(store: Store) -> None:
    assert grant(store, "noc.example", "admin", "certificate") == ""
    found = store.credentials.of_certificate("noc.example", NOW)
    assert found is not None
    assert found.role == "admin"
    assert store.credentials.of_certificate("other.example", NOW) is None


def test_the_name_of_a_token_is_no_certificates(sqlite_store: Store) -> None:
    grant(sqlite_store, "wang", "admin")
    assert sqlite_store.credentials.of_certificate("wang", NOW) is None


def test_access_ends_when_it_was_said_to(sqlite_store: Store) -> None:
    grant(sqlite_store, "admin", "admin")
    token = grant(sqlite_store, "guest", "viewer", until=NOW + 10)
    grant(sqlite_store, "gate", "operator", "certificate", until=NOW + 10)
    assert sqlite_store.credentials.check_token(token, NOW + 9) is not None
    assert sqlite_store.credentials.check_token(token, NOW + 10) is None
    assert sqlite_store.credentials.of_certificate("gate", NOW + 9) is not None
    assert sqlite_store.credentials.of_certificate("gate", NOW + 10) is None


def test_a_new_grant_takes_the_place_of_the_one_before(sqlite_store: Store) -> None:
    grant(sqlite_store, "boss", "admin")
    old = grant(sqlite_store, "wang", "viewer")
    new = grant(sqlite_store, "wang", "operator")
    assert sqlite_store.credentials.check_token(old, NOW) is None
    assert sqlite_store.credentials.check_token(new, NOW) is not None
    assert roles(sqlite_store) == {"boss": "admin", "wang": "operator"}


def test_who_is_revoked_is_let_in_no_longer(sqlite_store: Store) -> None:
    grant(sqlite_store, "boss", "admin")
    token = grant(sqlite_store, "wang", "viewer")
    sqlite_store.credentials.revoke("wang", actor="token:boss", now_ms=NOW)
    assert sqlite_store.credentials.check_token(token, NOW) is None
    with pytest.raises(StoreRefusedError, match="nobody is let in as 'wang'"):
        sqlite_store.credentials.revoke("wang", actor="token:boss", now_ms=NOW)


def test_the_first_one_is_an_admin_without_an_end(sqlite_store: Store) -> None:
    for role, until in ("viewer", None), ("operator", None), ("admin", NOW + 10):
        with pytest.raises(StoreRefusedError, match="grant the role admin first"):
            grant(sqlite_store, "wang", role, until=until)
    assert roles(sqlite_store) == {}
    assert sqlite_store.audit.log() == []


def test_the_last_admin_stays(store: Store) -> None:
    grant(store, "boss", "admin")
    grant(store, "wang", "operator")
    grant(store, "guest", "admin", until=NOW + 10)
    with pytest.raises(StoreRefusedError, match="'boss' is the last admin"):
        store.credentials.revoke("boss", actor="token:boss", now_ms=NOW)
    with pytest.raises(StoreRefusedError, match="'boss' is not let in as viewer"):
        grant(store, "boss", "viewer")
    assert roles(store) == {"boss": "admin", "guest": "admin", "wang": "operator"}
    grant(store, "li", "admin")
    store.credentials.revoke("boss", actor="token:li", now_ms=NOW)
    assert roles(store) == {"guest": "admin", "li": "admin", "wang": "operator"}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (("", "admin", "token", None), "no name"),
        (("x" * 129, "admin", "token", None), "no name"),
        (("a\nb", "admin", "token", None), "no name"),
        (("wang", "admin", "password", None), "no kind of credential"),
        (("wang", "root", "token", None), "no role"),
        (("wang", "admin", "token", NOW), "ended already"),
    ],
)
def test_words_that_are_none_are_refused(
    sqlite_store: Store, asked: tuple[str, str, str, int | None], why: str
) -> None:
    with pytest.raises(StoreRefusedError, match=why):
        grant(sqlite_store, *asked)
    assert roles(sqlite_store) == {}


def test_grants_and_revocations_are_in_the_audit_trail(sqlite_store: Store) -> None:
    grant(sqlite_store, "boss", "admin")
    grant(sqlite_store, "wang", "viewer", until=NOW + 10)
    sqlite_store.credentials.revoke("wang", actor="token:boss", now_ms=NOW + 1)
    assert [(r.action, r.actor, r.subject, r.detail, r.revision) for r in sqlite_store.audit.log()[::-1]] == [
        ("grant", "local", "boss", {"kind": "token", "role": "admin", "valid_until_ms": None}, None),
        ("grant", "local", "wang", {"kind": "token", "role": "viewer", "valid_until_ms": NOW + 10}, None),
        ("revoke", "token:boss", "wang", {}, None),
    ]
    assert sqlite_store.audit.verify(deep=True).problems == ()
