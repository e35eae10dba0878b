"""A call as obvious Python: what the switch sent, and what its numbers, names and trunk mean. Knows no policy's rules.

A number is identified by its normalised text, a short number by its digits and the region it is dialled in, a device by
the first 14 digits of its IMEI, a domain by its lower-case name. Two things are the same thing when their identities
are equal; what has no identity (absent, withheld, unparseable, malformed) is on no list and has no counter.
"""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberType, shortnumberinfo

from interceptor.engine.types import Limits, NumberStatus
from tests.model.number import Sos, Unreadable, Withheld, dialled, signalled

#: fields of a call that are numbers, by their names in a policy
NUMBERS = (
    "caller",
    "callee",
    "from",
    "asserted",
    *(f"redirecting[{i}]" for i in range(Limits.MAX_REDIRECTING)),
)
#: the names under which the switch sends texts; `caller` is the From, who the caller is depends on the trunk
SIGNALLED = {"caller": "from", "asserted_identity": "asserted"}
FLAGS = ("international_ingress", "roaming")
INTEGERS = ("sim_age_days", "event_time_ms")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: emergency numbers beside those that libphonenumber knows: everywhere, and in China
EVERYWHERE = {"112", "911"}
CHINA = {"110", "119", "120", "122", "12110"}


_TYPES = {
    PhoneNumberType.FIXED_LINE: "fixed-line",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed-line-or-mobile",
    PhoneNumberType.TOLL_FREE: "toll-free",
    PhoneNumberType.PREMIUM_RATE: "premium-rate",
    PhoneNumberType.SHARED_COST: "shared-cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
    PhoneNumberType.UNKNOWN: "unknown",
}


@dataclass(frozen=True)
class Number:
    """How a number of the call was read."""

    status: NumberStatus
    text: str = ""  #: "+8613800138000", "10086"; nothing when withheld or unparseable
    valid: bool = False
    region: str = "ZZ"  #: of a short number: where it is dialled
    type: str = "unknown"


@dataclass(frozen=True)
class Trunk:
    """What the policy says about the calls of a trunk."""

    region: str
    zone: str = "UTC"
    trusted: bool = False
    own_subscribers: bool = False


@dataclass(frozen=True)
class Call:
    """A call whose trunk, caller and numbers are settled."""

    texts: Mapping[str, str]  #: as signalled, by field name; only those that are there
    numbers: Mapping[str, Number]
    scalars: Mapping[str, int | bool]  #: only those that are there
    redirections: int
    trunk: Trunk
    emergency: bool
    verified: bool  #: the network vouches for the caller's identity
    identities: Mapping[str, Hashable] = field(default_factory=dict)  #: by field; only of what has one


def resolve(
    sent: Mapping[str, Any], trunks: Mapping[str, Trunk], home: str, additions: Mapping[str, Any]
) -> Call:
    """What a call means under a policy's trunks: who calls whom, whether it is an emergency call."""
    texts = _texts(sent)
    trunk = trunks.get(texts.get("trunk", "default")) or trunks.get("default") or Trunk(home)

    # Who calls: the asserted identity if the trunk is believed and there is one, else From.
    caller = texts.get("asserted") if trunk.trusted else None
    caller = caller or texts.get("from")
    if caller:
        texts["caller"] = caller

    numbers = {name: read_number(texts[name], trunk.region) for name in NUMBERS if name in texts}
    dialled_here = {
        digits for region, several in additions.items() if region == trunk.region for digits in several
    }
    return Call(
        texts=texts,
        numbers=numbers,
        scalars={name: sent[name] for name in (*FLAGS, *INTEGERS) if sent.get(name) is not None},
        redirections=sum(f"redirecting[{i}]" in texts for i in range(Limits.MAX_REDIRECTING)),
        trunk=trunk,
        emergency=is_emergency(texts.get("callee", ""), trunk.region, dialled_here),
        verified=trunk.own_subscribers or texts.get("attestation") == "A",
        identities=_identities(texts, numbers),
    )


def _texts(sent: Mapping[str, Any]) -> dict[str, str]:
    """Every text that is there (empty is absent), by its field's name."""
    texts: dict[str, Any] = {}
    for name, value in sent.items():
        if name == "redirecting":
            texts |= {f"redirecting[{i}]": one for i, one in enumerate(value[: Limits.MAX_REDIRECTING])}
        elif name == "tags":
            texts |= {f"tags.{tag}": one for tag, one in value.items()}
        elif name not in (*FLAGS, *INTEGERS) and value is not None:
            texts[SIGNALLED.get(name, name)] = value
    return {
        name: value.decode() if isinstance(value, bytes) else value for name, value in texts.items() if value
    }


def _identities(texts: Mapping[str, str], numbers: Mapping[str, Number]) -> dict[str, Hashable]:
    found: dict[str, Hashable | None] = {name: identity_of_number(n) for name, n in numbers.items()}
    for name, text in texts.items():
        if name == "imei":
            found[name] = device(text)
        elif name == "imsi":
            found[name] = subscriber(text)
        elif name == "domain":
            found[name] = domain(text)
        elif name not in NUMBERS:
            found[name] = ("text", name, text)
    return {name: identity for name, identity in found.items() if identity is not None}


def identity_of_number(number: Number) -> Hashable | None:
    if number.status == NumberStatus.NUMBER_E164:
        return "number", number.text
    if number.status == NumberStatus.NUMBER_SHORT:
        return "short", number.region, number.text
    return None


def device(imei: str) -> Hashable | None:
    """14 to 16 digits, also as a URN; the first 14 are the device."""
    digits = imei_digits(imei)
    return ("imei", digits[:14]) if 14 <= len(digits) <= 16 else None


def imei_digits(text: str) -> str:
    written = re.fullmatch(r"(?i:urn:gsma:imei:)?([-0-9 ]*)(;.*)?", text)
    return re.sub("[- ]", "", written[1]) if written else ""


def subscriber(imsi: str) -> Hashable | None:
    return ("imsi", imsi) if re.fullmatch(r"[0-9]{6,15}", imsi) else None


def domain(name: str) -> Hashable | None:
    labels = domain_labels(name)
    return ("domain", labels) if labels else None


def domain_labels(name: str) -> tuple[str, ...]:
    """The labels of a domain, lower case; none when it is no domain name."""
    name = (
        re.sub(r":[0-9]+$", "", name.strip("[]") if name.startswith("[") else name).removesuffix(".").lower()
    )
    labels = tuple(name.split("."))
    return labels if name and all(labels) else ()


def digits_of(call: Call, name: str) -> str:
    """The digits whose first ones a prefix may match; none of a short number or what is no number."""
    if name == "imei":
        return imei_digits(call.texts[name])
    if name == "imsi":
        return call.texts[name]
    number = call.numbers.get(name)
    return number.text[1:] if number and number.status == NumberStatus.NUMBER_E164 else ""


def parents(labels: Sequence[str]) -> list[tuple[str, ...]]:
    """A domain and every domain above it."""
    return [tuple(labels[i:]) for i in range(len(labels))]


@cache
def read_number(raw: str, region: str) -> Number:
    """A number as signalled on a trunk of a region."""
    try:
        said = signalled(raw.encode())
    except Withheld:
        return Number(NumberStatus.NUMBER_WITHHELD, valid=True, type="withheld")
    except (Unreadable, Sos):
        return Number(NumberStatus.NUMBER_UNPARSEABLE)
    digits = said.digits.decode()
    if said.plus:
        return international(digits, region)
    if said.context:
        # Dialled in another country, or behind an area: `;phone-context=+44` and the like.
        code = said.context.decode()
        home, region = region, home_of(code, region)
        if not region:
            return international(code + digits, home)
    if is_short(digits, region):
        return Number(NumberStatus.NUMBER_SHORT, digits, True, region, "short")
    plan = PhoneMetadata.metadata_for_region(region)
    prefix = re.match((plan and plan.international_prefix) or "(?!)", digits)
    if prefix and digits[prefix.end() :][:1] != "0":
        abroad = digits[prefix.end() :]
        return international(abroad, region) if len(abroad) > 2 else Number(NumberStatus.NUMBER_UNPARSEABLE)
    try:
        national = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return Number(NumberStatus.NUMBER_UNPARSEABLE)
    return international(
        phonenumbers.format_number(national, phonenumbers.PhoneNumberFormat.E164)[1:], region
    )


def home_of(code: str, region: str) -> str:
    """The region whose dial plan holds behind a country code; "" when it is more than a country code."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code), ()) if len(code) <= 3 else ()
    return region if region in regions else next((r for r in regions if r != "001"), "")


def international(digits: str, home: str) -> Number:
    """What the numbering plan of the world says about a number in international form, its digits as they are.

    A short number stays one behind its country code, in the home region where the code is its own: +8695588 is 95588.
    """
    if not 1 <= len(digits) <= Limits.MAX_DIGITS:
        return Number(NumberStatus.NUMBER_UNPARSEABLE)
    code = next((digits[:n] for n in (1, 2, 3) if int(digits[:n]) in COUNTRY_CODE_TO_REGION_CODE), "")
    number = as_parsed(code, digits.removeprefix(code))
    if not code or number is None:
        return Number(NumberStatus.NUMBER_E164, "+" + digits)
    region, short = home_of(code, home), digits.removeprefix(code)
    if not phonenumbers.is_valid_number(number) and region and short and is_known_short(short, region):
        return Number(NumberStatus.NUMBER_SHORT, short, True, region, "short")
    return Number(
        NumberStatus.NUMBER_E164,
        "+" + digits,
        phonenumbers.is_valid_number(number),
        phonenumbers.region_code_for_number(number) or "ZZ",
        _TYPES[phonenumbers.number_type(number)],
    )


def as_parsed(code: str, national: str) -> phonenumbers.PhoneNumber | None:
    """A phonenumbers number with these very digits: its own parser would take a trunk prefix off."""
    if not code or code.startswith("0"):
        return None
    zeros = len(national) - len(national.lstrip("0"))
    return phonenumbers.PhoneNumber(
        country_code=int(code),
        national_number=int(national or 0),
        italian_leading_zero=zeros > 0,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )


def is_short(digits: str, region: str) -> bool:
    """A short or service number of the region, or what is too short to be anything else."""
    if is_known_short(digits, region):
        return True
    return len(digits) < 7 and not phonenumbers.is_valid_number(dialled_in(digits, region))


def is_known_short(digits: str, region: str) -> bool:
    """A short, service or emergency number that the data of the region has."""
    number = dialled_in(digits, region)
    return shortnumberinfo.is_valid_short_number_for_region(number, region) or is_emergency(
        digits, region, set()
    )


def dialled_in(digits: str, region: str) -> phonenumbers.PhoneNumber:
    """Digits of a region as a phonenumbers number, no prefix taken off."""
    number = phonenumbers.PhoneNumber(country_code=phonenumbers.country_code_for_region(region))
    number.national_number, number.italian_leading_zero = int(digits), digits.startswith("0")
    return number


def is_emergency(callee: str, region: str, additions: set[str]) -> bool:
    """Decided on the digits as dialled, and never on a number in international form."""
    bare, sos = dialled(callee.encode())
    digits = bare.decode()
    return sos or (
        digits != ""
        and (
            digits in EVERYWHERE
            or (region == "CN" and digits in CHINA)
            or digits in additions
            or shortnumberinfo.is_emergency_number(digits, region)
        )
    )
