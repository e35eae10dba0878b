"""Numbers and keys as obvious Python: the model the kernels are held to."""

import re
from dataclasses import dataclass

from interceptor.engine.keys import KeyKind, digits_key_of, short_key_of
from interceptor.engine.number import ParsedNumber
from interceptor.engine.plan import NumberingPlan, NumberType
from interceptor.engine.types import NumberStatus

WITHHELD_WORDS = {b"anonymous", b"restricted", b"unavailable", b"private"}
SEPARATORS = b"-.() "
MAX_FIELD = 1024
MAX_DIALLED = 32

NAME_ADDR = re.compile(rb'("(?:\\.|[^"\\])*")?[^<]*<([^>]*)>.*', re.DOTALL)
SCHEME = re.compile(rb"(sip|sips|tel):", re.IGNORECASE)
SOS = re.compile(rb"urn:service:sos([.;].*)?", re.IGNORECASE)


def decode_key(key: int) -> tuple[KeyKind, bytes, int | None]:
    """Kind, digits and (of a short number) region an exact key was built from."""
    kind, length, value = KeyKind(key >> 58), key >> 54 & 15, key & (1 << 54) - 1
    if kind == KeyKind.KEY_SHORT:
        return kind, b"%0*d" % (length, value >> 10), value & 1023
    return kind, b"%0*d" % (length, value), None


@dataclass(frozen=True)
class Signalled:
    """Digits of a telephone subscriber, and the country or area they are dialled in, if that is said."""

    plus: bool
    digits: bytes
    context: bytes = b""


class Unreadable(Exception):
    """No number can be read."""


class Withheld(Exception):
    """The number is there and not shown."""


class Sos(Exception):
    """urn:service:sos."""


def read_digits(text: bytes) -> tuple[bool, bytes]:
    """Whether it begins with +, and the digits."""
    if re.search(rb"%(?![0-7][0-9a-fA-F])", text):
        raise Unreadable
    decoded = re.sub(rb"%(..)", lambda m: bytes([int(m[1], 16)]), text)
    bare = bytes(c for c in decoded if c not in SEPARATORS)
    match = re.fullmatch(rb"(\+?)([0-9]+)", bare)
    if not match:
        raise Unreadable
    return bool(match[1]), match[2]


def phone_context(parameters: list[bytes]) -> bytes:
    """The digits of a global phone-context, b"" when there is none or it is a domain."""
    for parameter in parameters:
        if parameter.lower().startswith(b"phone-context="):
            value = parameter[14:]
            if not value:
                raise Unreadable
            if value[:1] not in (b"+", b"%"):
                return b""
            plus, digits = read_digits(value)
            if not plus or len(digits) > 15:
                raise Unreadable
            return digits
    return b""


def signalled(raw: bytes) -> Signalled:
    """Read the text; raises Unreadable, Withheld or Sos."""
    if len(raw) > MAX_FIELD or any(c < 32 or c == 127 for c in raw):
        raise Unreadable
    text = raw.strip(b" ")
    if text.startswith(b'"') or b"<" in text:
        address = NAME_ADDR.fullmatch(text)
        # An open quotation swallows what looks like an address.
        if not address or (text.startswith(b'"') and not address[1]):
            raise Unreadable
        text = address[2].strip(b" ")
    if not text.isascii():
        raise Unreadable
    if SOS.fullmatch(text):
        raise Sos
    if text.lower().startswith(b"urn:"):
        raise Unreadable
    scheme = SCHEME.match(text)
    name = scheme[1].lower() if scheme else b""
    rest = text[scheme.end() :] if scheme else text

    if name == b"tel":
        subscriber, host = rest, b""
    elif b"@" in rest:
        subscriber, after = rest.split(b"@", 1)
        host = re.split(rb"[;?:]", after)[0].lower()
    elif name:  # sip: without a user part
        subscriber, host = re.split(rb"[;?:]", rest)[0], b""
        if subscriber.lower() == b"anonymous.invalid":
            raise Withheld
        if b"." in subscriber:
            raise Unreadable
    else:
        subscriber, host = rest, b""

    number, *parameters = subscriber.split(b";")
    if name != b"tel" and b":" in number:  # user:password
        number, parameters = number.split(b":")[0], []
    if number.lower() in WITHHELD_WORDS:
        raise Withheld
    try:
        plus, digits = read_digits(number)
        if len(digits) > MAX_DIALLED:
            raise Unreadable
    except Unreadable:
        if host == b"anonymous.invalid":
            raise Withheld from None
        raise
    return Signalled(plus, digits, b"" if plus else phone_context(parameters))


def region_of_code(plan: NumberingPlan, home: str, code: bytes) -> str | None:
    """The region whose national numbers stand behind this country code: the home region where it is its own."""
    import phonenumbers  # noqa: PLC0415

    if len(code) > 3 or code.startswith(b"0"):
        return None
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code), ("001",))
    if regions == ("001",):
        return None
    return home if home in regions else regions[0]


def parse(plan: NumberingPlan, region: str, raw: bytes) -> ParsedNumber:
    """What `engine.number.parse` says."""
    nothing = ParsedNumber(NumberStatus.NUMBER_UNPARSEABLE, "", False, "ZZ", NumberType.TYPE_UNKNOWN, 0)
    if not raw:
        return nothing._replace(status=NumberStatus.NUMBER_ABSENT)
    try:
        said = signalled(raw)
    except Withheld:
        return ParsedNumber(NumberStatus.NUMBER_WITHHELD, "", True, "ZZ", NumberType.TYPE_WITHHELD, 0)
    except (Unreadable, Sos):
        return nothing

    if said.plus:
        e164 = said.digits
    else:
        dialled_in: str | None = region
        if said.context:
            dialled_in = region_of_code(plan, region, said.context)
        if dialled_in is None:
            e164 = said.context + said.digits
        elif plan.is_short(dialled_in, said.digits):
            return short_number(plan, dialled_in, said.digits)
        else:
            e164 = plan.to_e164(dialled_in, said.digits)
    if not 0 < len(e164) <= 15:
        return nothing
    if not plan.classify(e164)[0]:
        # A short number stays one behind its country code: +8695588 is 95588.
        behind = [(region_of_code(plan, region, e164[:n]), e164[n:]) for n in (1, 2, 3)]
        code_of, short = next(((r, rest) for r, rest in behind if r is not None), (None, b""))
        if code_of is not None and short and plan.is_known_short(code_of, short):
            return short_number(plan, code_of, short)
    return ParsedNumber(
        NumberStatus.NUMBER_E164,
        "+" + e164.decode(),
        *plan.classify(e164),
        digits_key_of(KeyKind.KEY_NUMBER, e164),
    )


def short_number(plan: NumberingPlan, region: str, digits: bytes) -> ParsedNumber:
    """A short number of a region."""
    key = short_key_of(digits, plan.region_index(region))
    return ParsedNumber(NumberStatus.NUMBER_SHORT, digits.decode(), True, region, NumberType.TYPE_SHORT, key)


def dialled(raw: bytes) -> tuple[bytes, bool]:
    """What `engine.number.dialled` says."""
    try:
        said = signalled(raw)
    except Sos:
        return b"", True
    except (Unreadable, Withheld):
        return b"", False
    return b"" if said.plus else said.digits, False


def imei_key(raw: bytes) -> int:
    """What `engine.number.imei_key_of` says."""
    match = re.fullmatch(rb"(?i:urn:gsma:imei:)?([-0-9 ]*)(;.*)?", raw, re.DOTALL)
    digits = re.sub(rb"[- ]", b"", match[1]) if match else b""
    fits = len(raw) <= MAX_FIELD and 14 <= len(digits) <= 16
    return digits_key_of(KeyKind.KEY_IMEI, digits[:14]) if fits else 0


def imsi_key(raw: bytes) -> int:
    """What `engine.number.imsi_key_of` says."""
    return digits_key_of(KeyKind.KEY_IMSI, raw) if re.fullmatch(rb"[0-9]{6,15}", raw) else 0
