"""The settings file of the Kamailio integration: whom to ask, how to refuse or mark a call, which trunks there are."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from interceptor.client import Tls, Verdict


class SettingsError(Exception):
    """The file says something that cannot be done: what, where, and what it may say."""


@dataclass(frozen=True)
class Trunk:
    """What is known of calls by where they come from."""

    name: str = ""  #: as the policy's `trunks` name it
    sources: tuple[IPv4Network | IPv6Network, ...] = ()
    international: bool | None = None  #: whether an international gateway is behind it
    verified: bool = False  #: whether verstat and attestation in its calls are to be believed


@dataclass(frozen=True)
class Refusing:
    """How calls are refused that were blocked for what was counted of them (RFC 8688, ATIS-1000099)."""

    #: 608 Rejected, or 603 Network Blocked; a rule with a code of its own has the last word
    analytics: int = 608
    #: 608: where the signed jCard lies that says whom to complain to (RFC 8688 section 3.2)
    jcard_url: str = ""
    redress_url: str = ""  #: 603: the page where a blocked caller may complain
    location: str = ""  #: 603: who blocked, such as RLN, the remote local network (RFC 8606)


@dataclass(frozen=True)
class Warning:
    """What the called party sees of a warning."""

    label: str = "Suspected fraud"  #: in place of the caller's display name; empty: that is left alone
    labels: Mapping[str, str] = field(default_factory=dict)  #: by a rule's reason


@dataclass(frozen=True)
class Settings:
    """All of it."""

    targets: tuple[str, ...] = ("127.0.0.1:50051",)
    deadline_ms: int = 50
    otherwise: Verdict = Verdict.PASS  #: what holds for a call nobody decided; emergency calls pass
    home: str = "CN"
    emergency: tuple[str, ...] = ()
    tls: Tls | None = None
    refusing: Refusing = Refusing()
    warning: Warning = Warning()
    trunks: tuple[Trunk, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "trunk", lru_cache(4096)(self.trunk))

    def trunk(self, source: str) -> Trunk:
        """The trunk of an address: of several networks that have it, the narrowest one's. Else one without a name."""
        try:
            address = ip_address(source.strip("[]"))
        except ValueError:
            return Trunk()
        found = [
            (network.prefixlen, trunk)
            for trunk in self.trunks
            for network in trunk.sources
            if network.version == address.version and address in network
        ]
        return max(found, key=lambda one: one[0])[1] if found else Trunk()


def load(path: Path) -> Settings:
    """Reads the file. SettingsError names the file and the key."""
    try:
        return read(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def read(said: dict[str, Any]) -> Settings:
    """Settings of a parsed file."""
    top = _Table(said, "")
    made = Settings(
        targets=top.texts("targets", Settings.targets),
        deadline_ms=top.number("deadline_ms", Settings.deadline_ms, least=1, most=5_000),
        otherwise=Verdict[top.one_of("otherwise", "pass", ("pass", "warn", "block")).upper()],
        home=top.text("home", Settings.home),
        emergency=top.texts("emergency", ()),
        tls=_tls(top.table("tls")),
        refusing=_refusing(top.table("refusing")),
        warning=_warning(top.table("warning")),
        trunks=tuple(_trunk(table) for table in top.tables("trunks")),
    )
    top.finish()
    if not made.targets:
        raise SettingsError("targets: name at least one, HOST:PORT or unix:PATH")
    return made


class _Table:
    """A table of the file, whose keys are taken one by one; what is left over is a mistake."""

    def __init__(self, said: dict[str, Any], where: str) -> None:
        self._left = dict(said)
        self.given = bool(said)
        self._where = where

    def take(self, key: str, kind: type, default: Any, what: str) -> Any:
        value = self._left.pop(key, default)
        if value is not default and type(value) is not kind:
            raise SettingsError(f"{self._where}{key}: {value!r} is not {what}")
        return value

    def text(self, key: str, default: str = "") -> str:
        value: str = self.take(key, str, default, "a text")
        if not value.isprintable():
            raise SettingsError(f"{self._where}{key}: {value!r} has characters that no SIP header may have")
        return value

    def number(self, key: str, default: int, *, least: int, most: int) -> int:
        value: int = self.take(key, int, default, "a whole number")
        if not least <= value <= most:
            raise SettingsError(f"{self._where}{key}: {value} is not from {least} to {most}")
        return value

    def flag(self, key: str) -> bool | None:
        value: bool | None = self.take(key, bool, None, "true or false")
        return value

    def one_of(self, key: str, default: str, words: tuple[str, ...]) -> str:
        value = self.text(key, default)
        if value not in words:
            raise SettingsError(f"{self._where}{key}: {value!r} is none of {', '.join(words)}")
        return value

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        values = self.take(key, list, default, "a list of texts")
        if not all(isinstance(value, str) for value in values):
            raise SettingsError(f"{self._where}{key}: {values!r} is not a list of texts")
        return tuple(values)

    def table(self, key: str) -> "_Table":
        return _Table(self.take(key, dict, {}, "a table"), f"{self._where}{key}.")

    def tables(self, key: str) -> "list[_Table]":
        found = self.take(key, list, [], "a list of tables")
        if not all(isinstance(one, dict) for one in found):
            raise SettingsError(f"{self._where}{key}: {found!r} is not a list of tables: write [[{key}]]")
        return [_Table(one, f"{self._where}{key}[{place}].") for place, one in enumerate(found)]

    def words(self) -> dict[str, str]:
        return {key: self.text(key) for key in list(self._left)}

    def finish(self) -> None:
        for key in self._left:
            raise SettingsError(f"{self._where}{key}: there is no such setting")

    def wrong(self, key: str, what: str) -> SettingsError:
        return SettingsError(f"{self._where}{key}: {what}")


def _tls(table: _Table) -> Tls | None:
    if not table.given:
        return None
    ca, certificate, key = table.text("ca"), table.text("certificate"), table.text("key")
    name = table.text("server_name")
    table.finish()
    if not ca:
        raise table.wrong("ca", "whose certificates are good for the service?")
    try:
        return Tls(ca, certificate or None, key or None, name or None)
    except ValueError as error:
        raise table.wrong("key", str(error)) from None


def _refusing(table: _Table) -> Refusing:
    made = Refusing(
        analytics=table.number("analytics", Refusing.analytics, least=603, most=608),
        jcard_url=table.text("jcard_url"),
        redress_url=table.text("redress_url"),
        location=table.text("location"),
    )
    table.finish()
    if made.analytics not in (603, 608):
        raise table.wrong("analytics", f"{made.analytics} is neither 603 nor 608")
    return made


def _warning(table: _Table) -> Warning:
    made = Warning(table.text("label", Warning.label), table.table("labels").words())
    table.finish()
    return made


def _trunk(table: _Table) -> Trunk:
    sources = table.texts("sources", ())
    try:
        networks = tuple(ip_network(source) for source in sources)
    except ValueError as error:
        raise table.wrong("sources", str(error)) from None
    made = Trunk(
        name=table.text("name"),
        sources=networks,
        international=table.flag("international"),
        verified=table.flag("verified") or False,
    )
    table.finish()
    if not made.name or not networks:
        raise table.wrong("name", "a trunk needs a name, and sources: addresses or networks")
    return made
