"""What is read out of an INVITE: every field, and what strangers write into it."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.client import DecideRequest
from interceptor.integrations.kamailio import signalling
from interceptor.integrations.kamailio.settings import Trunk
from kamailio.world import passport

VERIFIED = Trunk("own", verified=True)
INVITE = {
    "$ci": "a84b4c76e66710",
    "$ru": "sip:10086@192.0.2.1;user=phone",
    "$fu": "sip:+8613800138000@example.net;user=phone",
    "$fd": "example.net",
    "$hdr(From)": '"Bob" <sip:+8613800138000@example.net;user=phone>;tag=1',
    "$si": "192.0.2.7",
}


def read(trunk: Trunk = VERIFIED, **headers: str) -> dict[str, Any]:
    """The call of an INVITE with these header fields more, ``_`` for ``-``."""
    asked = {**INVITE, **{place(name): value for name, value in headers.items()}}
    return signalling.call_of(lambda name: asked.get(name, ""), trunk)


def place(name: str) -> str:
    name = name.replace("_", "-")
    return f"$hdr({name})" if name in {"Contact", "Attestation-Info", "From"} else f"$(hdr({name})[*])"


def test_what_every_invite_says() -> None:
    assert read(Trunk()) == {
        "call_id": "a84b4c76e66710",
        "caller": "sip:+8613800138000@example.net;user=phone",
        "callee": "10086",
        "domain": "example.net",
        "source_ip": "192.0.2.7",
    }


def test_what_a_trunk_says() -> None:
    assert read(Trunk("abroad", international=True)).items() >= {
        ("trunk", "abroad"),
        ("international_ingress", True),
    }
    assert read(Trunk("home", international=False))["international_ingress"] is False


@pytest.mark.parametrize(
    ("uri", "callee"),
    [
        ("sip:+8613800138000@192.0.2.1", "+8613800138000"),
        ("sips:010-12345678:secret@192.0.2.1:5061", "010-12345678"),
        ("sip:1234;phone-context=+86@192.0.2.1;user=phone", "1234"),
        ("tel:110;phone-context=+86", "tel:110;phone-context=+86"),
        ("urn:service:sos.fire", "urn:service:sos.fire"),
        ("sip:192.0.2.1", "sip:192.0.2.1"),
    ],
)
def test_whom_a_call_is_for(uri: str, callee: str) -> None:
    assert signalling.callee(uri) == callee


@pytest.mark.parametrize(
    ("header", "asserted"),
    [
        ("<sip:+8613800138000@example.net>", "sip:+8613800138000@example.net"),
        ('"Bob, of \\"<x>\\"" <tel:+8613800138000>', "tel:+8613800138000"),
        ("<sip:bob@example.net>, <tel:+8613800138000>", "tel:+8613800138000"),
        ("<sip:bob@example.net>,<sip:bob@example.org>", "sip:bob@example.net"),
        ("tel:+8613800138000;verstat=No-TN-Validation", "tel:+8613800138000;verstat=No-TN-Validation"),
        ("", None),
    ],
)
def test_who_is_asserted_to_call(header: str, asserted: str | None) -> None:
    assert read(P_Asserted_Identity=header).get("asserted_identity") == asserted


@pytest.mark.parametrize(
    "headers",
    [
        {"P_Asserted_Identity": "<tel:+8613800138000;verstat=TN-Validation-Failed>"},
        {"P_Asserted_Identity": "<sip:+8613800138000;verstat=TN-Validation-Failed@example.net;user=phone>"},
        {"P_Asserted_Identity": "<sip:+8613800138000@example.net;verstat=TN-Validation-Failed>"},
        {"From": "<sip:+8613800138000@example.net;verstat=TN-Validation-Failed>;tag=1"},
        {"From": "<tel:+8613800138000>;verstat=TN-Validation-Failed;tag=1"},
    ],
)
def test_where_the_result_of_verification_is(headers: dict[str, str]) -> None:
    assert read(**headers)["verstat"] == "TN-Validation-Failed"
    assert "verstat" not in read(Trunk("stranger"), **headers), "whoever sends it may have written it"


PASSED = "<tel:+8613800138000;verstat=TN-Validation-Passed>"


def token(header: Mapping[str, object], claims: object) -> str:
    parts = (urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims))
    return ".".join([*parts, "c2ln"])


@pytest.mark.parametrize(
    ("headers", "level"),
    [
        ({"Identity": passport("A")}, "A"),
        ({"Identity": f"{token({'ppt': 'div'}, {'attest': 'A'})};ppt=div, {passport('B')}"}, "B"),
        ({"P_Asserted_Identity": "<tel:+8613800138000;verstat=TN-Validation-Passed-C>"}, "C"),
        ({"Attestation_Info": "b"}, "B"),
        ({"P_Asserted_Identity": PASSED.replace(">", ";attest=A>")}, "A"),
        ({"Identity": passport("Z")}, None),
        ({"Identity": "..c2ln;info=<https://certificates.example>;ppt=shaken"}, None),
        ({"Identity": "a.b"}, None),
        ({"Identity": "!.!.!"}, None),
        ({"Identity": token({"ppt": "shaken"}, ["attest"])}, None),
        ({"Identity": "W10.W10.c2ln"}, None),
        ({"Identity": f"{'W' * 4000}.{urlsafe_b64encode(b'[' * 3000).decode()}.c2ln"}, None),
        ({}, None),
    ],
)
def test_what_the_originating_carrier_vouches_for(headers: dict[str, str], level: str | None) -> None:
    said = {"P_Asserted_Identity": PASSED, **headers}
    assert read(**said).get("attestation") == level
    assert "attestation" not in read(Trunk("stranger"), **said)


@pytest.mark.parametrize("verstat", ["TN-Validation-Failed", "No-TN-Validation", ""])
def test_a_token_whose_signature_did_not_verify_vouches_for_nothing(verstat: str) -> None:
    header = f"<tel:+8613800138000;verstat={verstat}>"
    assert "attestation" not in read(P_Asserted_Identity=header, Identity=passport("A"))


def test_who_diverted_a_call_most_recent_first() -> None:
    header = (
        '"A, B" <sip:+8613700000001@example.net;x=1>;reason=unconditional, <tel:+8613700000002>;counter=1'
    )
    assert read(Diversion=header)["redirecting"] == [
        "sip:+8613700000001@example.net;x=1",
        "tel:+8613700000002",
    ]


@pytest.mark.parametrize(
    ("header", "redirecting"),
    [
        ("<sip:a@x>;index=1, <sip:b@x;cause=302>;index=1.1", ["sip:a@x"]),
        ("<sip:a@x>;index=1, <sip:b@x;cause=302>;index=1.1;mp=1, <sip:c@x;cause=486>;index=1.2;mp=1.1",
         ["sip:b@x;cause=302", "sip:a@x"]),
        ("<sip:a@x?Reason=SIP%3Bcause%3D302>;index=1, <sip:b@x>;index=1.1", ["sip:a@x"]),
        ("<sip:a@x>;index=1, <sip:a@10.0.0.1>;index=1.1;rc=1", None),
        ("<sip:b@x;cause=302>;index=1.1", None),
    ],
)  # fmt: skip
def test_who_diverted_a_call_by_its_history(header: str, redirecting: list[str] | None) -> None:
    assert read(History_Info=header).get("redirecting") == redirecting


def test_handset_and_cell() -> None:
    call = read(
        Contact='<sip:c@192.0.2.7>;+sip.instance="<urn:gsma:imei:86123456-123456-0>"',
        P_Access_Network_Info="3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=ue, "
        '3GPP-E-UTRAN-FDD;utran-cell-id-3gpp="460001234";np',
    )
    assert (call["imei"], call["cell"]) == ("86123456123456", "460001234")


def test_a_call_id_is_cut_to_what_a_log_can_show() -> None:
    call = signalling.call_of(
        lambda name: {**INVITE, "$ci": "a b\x07\ufffd" + "c" * 3000}.get(name, ""), VERIFIED
    )
    assert call["call_id"].startswith("abc")
    assert len(call["call_id"]) == 200


@given(header=st.text(alphabet='"<>\\,;=@:?a1.', max_size=60), verified=st.booleans())
def test_nothing_a_stranger_writes_is_an_error(header: str, verified: bool) -> None:
    DecideRequest(**signalling.call_of(lambda _: header, Trunk(verified=verified)))


@given(
    st.lists(
        st.sampled_from(['"a, b" <sip:x@y;a="1,2">', "<tel:1>", "sip:x@y", '"\\"," <tel:2>']), max_size=6
    )
)
def test_values_are_parted_where_they_were_joined(parts: list[str]) -> None:
    assert signalling.values(", ".join(parts)) == parts
