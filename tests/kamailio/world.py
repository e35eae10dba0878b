"""The calls the tests make, by kind, and the policy that is to tell them apart."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path

from kamailio.telephony import Kind

#: Calls of each kind; every one is looked at.
CALLS = 20

#: trunks by the loopback address their calls come from
OWN, INTERNATIONAL, BAD_NETWORK = "127.0.0.2", "127.0.0.3", "127.0.0.66"

SETTINGS = f"""
targets = [@TARGETS@]
deadline_ms = @DEADLINE@
otherwise = "@OTHERWISE@"

[refusing]
analytics = @ANALYTICS@
jcard_url = "https://operator.example/complain.jws"
redress_url = "https://operator.example/blocked"
location = "RLN"

[warning]
label = "疑似诈骗"
labels = {{failed-verification = "Unverified \\"number\\""}}

[[trunks]]
name = "own"
sources = ["{OWN}"]
verified = true

[[trunks]]
name = "international"
sources = ["{INTERNATIONAL}/32"]
international = true
"""

POLICY = """
version: 1
trunks:
  default: {region: CN}
  own: {region: CN, trusted: true}
  international: {region: CN}
lists:
  fraud:     {kind: number, file: fraud.csv}
  suspected: {kind: number, file: suspected.csv}
  ranges:    {kind: prefix, file: ranges.csv}
  domains:   {kind: domain, file: domains.csv}
  networks:  {kind: network, file: networks.csv}
  unwanted:  {kind: pair, file: unwanted.csv}
counters:
  device_numbers_1h: {distinct: caller, per: imei, window: 1h}
  answered:   {count: answered, per: caller, window: 1h}
  unanswered: {count: unanswered, per: caller, window: 1h}
  talked:     {sum: duration, per: caller, window: 1h}
  active:     {active: call, per: caller}
  calls:      {count: call, per: caller, window: 1h}
rules:
  - {id: unwanted, when: call.caller in lists.unwanted, verdict: block, class: subscriber, reason: unwanted}
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: listed-fraud}
  - {id: range, when: call.caller in lists.ranges, verdict: block, class: list, reason: listed-range}
  - {id: domain, when: call.domain in lists.domains, verdict: block, class: list, reason: listed-domain}
  - {id: network, when: call.source_ip in lists.networks, verdict: block, class: list, reason: bad-network}
  - {id: diverted, when: "call.redirecting[0] in lists.fraud", verdict: block, class: list, reason: bad-forwarder}
  - {id: spoofed, when: call.international_ingress && call.caller.startsWith("+86") && size(call.redirecting) == 0,
     verdict: block, class: invalid, reason: spoofed-cli}
  - {id: sim-box, when: counters.device_numbers_1h > 2, verdict: block, class: analytics, reason: sim-box}
  - {id: scanner, when: call.user_agent.startsWith("friendly-scanner"), verdict: block, class: analytics,
     reason: scanner, sip_code: 403, sip_reason: 'Q.850;cause=21;text="scanner"'}
  - {id: vouched, when: call.attestation == "A" && call.caller in lists.suspected, verdict: pass, reason: vouched}
  - {id: unverified, when: call.verstat.startsWith("TN-Validation-Failed"), verdict: warn, class: invalid,
     reason: failed-verification}
  - {id: suspected, when: call.caller in lists.suspected, verdict: warn, class: list, reason: highly-suspected}
  - {id: hidden, when: call.privacy == "id" && call.cell == "4600112345678", verdict: warn, class: list, reason: hidden}
  - id: told
    when: counters.answered + counters.unanswered + counters.talked + counters.active + counters.calls > 1000000
    verdict: warn
default: pass
"""


def settings(target: str, **said: object) -> str:
    """The settings file of a Kamailio that asks there."""
    text = SETTINGS.replace("@TARGETS@", f'"{target}"')
    for name, value in {"deadline": 5_000, "otherwise": "pass", "analytics": 608, **said}.items():
        text = text.replace(f"@{name.upper()}@", str(value))
    return text


def write_policy(directory: Path) -> Path:
    """Policy and lists; returns the policy's path."""
    numbers = {"fraud": caller("listed"), "suspected": caller("suspected")}
    lists = {name: [called_by(number, call) for call in range(CALLS)] for name, number in numbers.items()}
    lists["fraud"] += ["+8613700990000"]
    lists["ranges"] = ["+86171*"]
    lists["domains"] = ["fraud.example"]
    lists["networks"] = [f"{BAD_NETWORK}/32"]
    lists["unwanted"] = [
        f"{called_by('+86139002', call)}:{called_by(caller('unwanted'), call)}" for call in range(CALLS)
    ]
    for name, entries in lists.items():
        (directory / f"{name}.csv").write_text("\n".join([*entries, ""]))
    path = directory / "policy.yaml"
    path.write_text(POLICY)
    return path


def called_by(prefix: str, call: int) -> str:
    return f"{prefix}{call:0{14 - len(prefix)}}"


def caller(kind: str) -> str:
    """The first digits of the numbers that a kind of calls comes from."""
    return f"+86138{PREFIXES.index(kind):03}"


def calls(kind: str, callees: str = "139002", more: str = "") -> list[tuple[str, ...]]:
    """Calls of a kind, each by a number of its own to another one."""
    return [
        (called_by(caller(kind), call), f"{callees}{call:0{11 - len(callees)}}", *([more] if more else []))
        for call in range(CALLS)
    ]


def passport(attest: str) -> str:
    """An Identity header field's value that says so (RFC 8224, RFC 8588); the signature is nobody's."""
    parts = (
        {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": "https://certificates.example/a.pem"},
        {
            "attest": attest,
            "dest": {"tn": ["8613900200000"]},
            "iat": 1_795_000_000,
            "orig": {"tn": "8613800000000"},
        },
    )
    token = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{token}.c2lnbmF0dXJl;info=<https://certificates.example/a.pem>;alg=ES256;ppt=shaken"


PREFIXES = [
    "ordinary", "listed", "suspected", "unwanted", "domain", "network", "diverted", "history", "spoofed",
    "simbox", "scanner", "unverified", "hidden", "asserted", "emergency", "again", "busy", "cancelled",
    "forged", "vain", "load",
]  # fmt: skip

#: Diverted by a listed number, and by another one before.
DIVERSION = (
    "Diversion: <sip:+8613700990000@example.net>;reason=unconditional, <tel:+8613700880000>;reason=user-busy"
)
HISTORY = (
    "History-Info: <sip:+8613700880000@example.net>;index=1, "
    "<sip:+8613700990000@example.net;cause=486>;index=1.1;mp=1",
    "History-Info: <sip:[field1]@example.net;cause=302>;index=1.1.1;mp=1.1",
)

KINDS = {
    "ordinary": Kind(calls("ordinary")),
    "listed": Kind(calls("listed"), 603, "refused"),
    "listed, as a tel: URI": Kind(calls("listed"), 603, "refused", caller="tel:[field0]"),
    "prefix": Kind([(f"+861710000{call:04}", "13900200000") for call in range(CALLS)], 603, "refused"),
    "domain": Kind(calls("domain"), 603, "refused", caller="sip:[field0]@sip.fraud.example"),
    "network": Kind(calls("network"), 603, "refused", BAD_NETWORK),
    "spoofed": Kind(calls("spoofed"), 603, "refused", INTERNATIONAL),
    "simbox": Kind(
        calls("simbox")[2:] + calls("vain")[2:6], 608, "refused",
        contact=';+sip.instance="<urn:gsma:imei:86123456-123456-0>"',
    ),
    "scanner": Kind(calls("scanner"), 403, "refused", headers=("User-Agent: friendly-scanner 1.8",)),
    "subscriber": Kind(calls("unwanted"), 607, "refused"),
    "diverted": Kind(calls("diverted"), 603, "refused", headers=(DIVERSION,)),
    "diverted, by History-Info": Kind(calls("history"), 603, "refused", headers=HISTORY),
    "asserted": Kind(
        calls("asserted"), 603, "refused", OWN,
        headers=('P-Asserted-Identity: "B, ob" <sip:+8613700990000@own.example>',),
    ),
    "asserted, but not believed": Kind(
        calls("asserted"), headers=("P-Asserted-Identity: <sip:+8613700990000@own.example>",)
    ),
    "warned": Kind(
        calls("suspected"),
        headers=("P-Asserted-Identity: <tel:[field0]>", "X-Interceptor: pass;decision=forged"),
    ),
    "unverified": Kind(
        calls("unverified"), source=OWN, caller="sip:[field0];verstat=TN-Validation-Failed@example.net;user=phone"
    ),
    "vouched for": Kind(
        calls("suspected"), source=OWN,
        headers=("P-Asserted-Identity: <tel:[field0];verstat=TN-Validation-Passed>", f"Identity: {passport('A')}"),
    ),
    "vouched for by nobody": Kind(
        calls("suspected"),
        headers=("P-Asserted-Identity: <tel:[field0];verstat=TN-Validation-Passed>", f"Identity: {passport('A')}"),
    ),
    "hidden": Kind(
        calls("hidden"), display="Anonymous",
        headers=("Privacy: id", "P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=4600112345678"),
    ),
    "forged": Kind(calls("forged"), headers=("X-Interceptor: warn;reason=forged",)),
    "emergency": Kind(
        [(number, service) for number, _ in calls("listed") for service in ("110", "119", "120", "112")][:CALLS]
    ),
    "emergency, as a tel: URI": Kind([(number, "110") for number, _ in calls("listed")], callee="tel:[field1]"),
    "emergency, by its name": Kind(calls("listed"), callee="urn:service:sos.police"),
    "again": Kind(calls("again"), scenario="again"),
    "busy": Kind([(number, "13900200486") for number, _ in calls("busy")], 486, "refused"),
    "cancelled": Kind([(number, "13900200487") for number, _ in calls("cancelled")], 487, "cancelled"),
}  # fmt: skip
#: What makes the SIM box's handset known, before its burst.
FIRST_OF_SIMBOX = KINDS["simbox"]._replace(calls=calls("simbox")[:2], status=200, scenario="talks")
