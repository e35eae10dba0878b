"""What an INVITE says of a call: SIP header fields -> the fields of a DecideRequest. Nothing of Kamailio is in here."""

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any, NamedTuple

from interceptor.integrations.kamailio.settings import Trunk

#: Reads a pseudo-variable of Kamailio; "" where it is not there.
Read = Callable[[str], str]

#: What is read of a header field's values together. A caller decides how long they are, we how long we look.
LONGEST_HEADER = 8192
#: As much of a Call-ID is told.
LONGEST_CALL_ID = 200

_MARKS = re.compile(r'\\.|[",<>]')
_QUOTED = re.compile(r'\s*"(?:\\.|[^"\\])*"', re.DOTALL)
_NUMBER = re.compile(r"\+?[0-9][0-9().-]*")
_NOT_OF_A_CALL_ID = re.compile(r"[^!-~]+")
_IMEI = re.compile(r"urn:gsma:imei:(\d{8})-?(\d{6})")
_PASSED = re.compile(r"TN-Validation-Passed(?:-([ABC]))?", re.IGNORECASE)


class Address(NamedTuple):
    """A value of From, P-Asserted-Identity, Diversion, History-Info: name-addr or addr-spec (RFC 3261 section 25.1)."""

    display: str  #: as written, with its quotes
    uri: str
    parameters: dict[str, str]  #: behind the URI

    @property
    def user(self) -> str:
        """Number or name in the URI, with its parameters."""
        scheme, _, rest = self.uri.partition(":")
        return rest if scheme.lower() == "tel" else rest.rpartition("@")[0]

    @property
    def all_parameters(self) -> dict[str, str]:
        """Of the number (tel: URIs have them, and the user part of sip: URIs), of the URI, and behind it."""
        before, _, after = self.uri.rpartition("@")
        return {**self.parameters, **_parameters(after.partition("?")[0]), **_parameters(before)}


def call_of(read: Read, trunk: Trunk) -> dict[str, Any]:
    """The call as it is asked about; the client cuts its texts to what the service takes."""
    sender = address(read("$hdr(From)"))
    asserted = [address(value) for value in values(read("$(hdr(P-Asserted-Identity)[*])"))]
    believed = verification([*asserted, sender]) if trunk.verified else ""
    call: dict[str, Any] = {
        "call_id": _NOT_OF_A_CALL_ID.sub("", read("$ci"))[:LONGEST_CALL_ID],
        "caller": read("$fu"),
        "callee": callee(read("$ru")),
        "asserted_identity": next(
            (one.uri for one in asserted if _NUMBER.match(one.user)), asserted[0].uri if asserted else ""
        ),
        "privacy": read("$(hdr(Privacy)[*])"),
        "trunk": trunk.name,
        "domain": read("$fd"),
        "user_agent": read("$ua"),
        "source_ip": read("$si").strip("[]"),
        "imei": imei(read("$hdr(Contact)")),
        "cell": cell(values(read("$(hdr(P-Access-Network-Info)[*])"))),
        "verstat": believed,
        "attestation": attestation(read, [*asserted, sender], believed) if believed else "",
    }
    fields = {name: text for name, text in call.items() if text}
    diverted = diversions(values(read("$(hdr(Diversion)[*])"))) or history(
        values(read("$(hdr(History-Info)[*])"))
    )
    if diverted:
        fields["redirecting"] = diverted
    if trunk.international is not None:
        fields["international_ingress"] = trunk.international
    return fields


def values(header: str) -> list[str]:
    """The values of a header field; commas part them (RFC 3261 section 7.3.1), but not in quotes or in ``<>``."""
    header = header[:LONGEST_HEADER]
    found, start, quoted, inside = [], 0, False, False
    for mark in _MARKS.finditer(header):
        if mark[0] == '"' and not inside:
            quoted = not quoted
        elif quoted:
            continue
        elif mark[0] in "<>":
            inside = mark[0] == "<"
        elif mark[0] == "," and not inside:
            found.append(header[start : mark.start()].strip())
            start = mark.end()
    return [value for value in [*found, header[start:].strip()] if value]


def address(value: str) -> Address:
    """One value taken apart; its texts are empty where it is none."""
    value = value[:LONGEST_HEADER]
    quoted = _QUOTED.match(value)
    display, opened, rest = value[quoted.end() if quoted else 0 :].partition("<")
    if opened:
        uri, _, after = rest.partition(">")
        return Address((quoted[0] if quoted else display).strip(), uri.strip(), _parameters(after))
    uri, semicolon, after = value.strip().partition(";")
    # Without <> what follows a semicolon belongs to the header field (RFC 3261 section 20); of a tel: URI it is both.
    whole = value.strip() if uri.lower().startswith("tel:") else uri
    return Address("", whole, _parameters(semicolon + after))


def callee(uri: str) -> str:
    """Whom a Request-URI is for: a sip: URI's user, a tel: URI or a service URN whole."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() not in {"sip", "sips"}:
        return uri
    user = rest.rpartition("@")[0]
    return user.partition(";")[0].partition(":")[0] or uri


def verification(senders: list[Address]) -> str:
    """The `verstat` of who calls (3GPP TS 24.229 section 7.2A.20), wherever it is."""
    return next((found for one in senders if (found := one.all_parameters.get("verstat", ""))), "")


def attestation(read: Read, senders: list[Address], verstat: str) -> str:
    """What the originating carrier vouches for: A, B or C; "" where its signature was not verified."""
    passed = _PASSED.match(verstat)
    if passed is None:
        return ""
    said = [passed[1] or "", read("$hdr(Attestation-Info)")]
    said += [one.all_parameters.get("attest", "") for one in senders]
    said += [attest(value) for value in values(read("$(hdr(Identity)[*])"))]
    return next((level for one in said if (level := one.strip().upper()) in {"A", "B", "C"}), "")


def attest(identity: str) -> str:
    """The "attest" claim of an Identity value (RFC 8224 section 4) of type "shaken" (RFC 8588); "" without one."""
    parts = identity.partition(";")[0].strip().split(".")
    if len(parts) != 3:
        return ""
    try:
        header, claims = (json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except (ValueError, binascii.Error, RecursionError):
        return ""  # the compact form (RFC 8225 section 7) has no claims; what is no token says nothing
    if not isinstance(header, dict) or not isinstance(claims, dict) or header.get("ppt") != "shaken":
        return ""
    return str(claims.get("attest", ""))


def diversions(diverted: list[str]) -> list[str]:
    """Who diverted the call, of Diversion header fields: the most recent comes first (RFC 5806 section 4)."""
    return [uri for value in diverted if (uri := address(value).uri)]


def history(entries: list[str]) -> list[str]:
    """Who diverted the call, of History-Info (RFC 7044), the most recent first.

    An entry whose URI has a `cause` (RFC 4458) is where a call went on to; who sent it there is its `mp`, else the
    entry above it. Older ones (RFC 4244) carry a Reason in the URI of the one that diverted.
    """
    by_index: dict[str, str] = {}
    found: list[str] = []
    for entry in map(address, entries):
        index = entry.parameters.get("index", "")
        plain, _, headers = entry.uri.partition("?")
        by_index[index] = plain
        if "cause" in _parameters(plain):
            found.append(by_index.get(entry.parameters.get("mp", index.rpartition(".")[0]), ""))
        if headers.lower().startswith("reason="):
            found.append(plain)
    return [uri for uri in dict.fromkeys(reversed(found)) if uri]


def imei(contact: str) -> str:
    """The handset that says so in its Contact (RFC 7254, RFC 7255)."""
    found = _IMEI.search(contact[:LONGEST_HEADER])
    return found[1] + found[2] if found else ""


def cell(accesses: list[str]) -> str:
    """The caller's cell, of P-Access-Network-Info (RFC 7315 section 5.4); the network's word before the handset's."""
    known = [_parameters(value) for value in accesses]
    for one in sorted(known, key=lambda access: "np" not in access):
        found = one.get("utran-cell-id-3gpp") or one.get("cgi-3gpp")
        if found:
            return found
    return ""


def _parameters(text: str) -> dict[str, str]:
    """``;name=value`` behind the first semicolon of a text."""
    found = {}
    for part in text.split(";")[1:]:
        name, _, value = part.partition("=")
        found[name.strip().lower()] = value.strip().strip('"')
    return found
