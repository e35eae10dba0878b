"""Emergency calls, known to the client itself: whatever becomes of the service, none of them is stopped.

It reads the called number as the engine does, and knows what the engine knows of each region; tests hold both equal.
"""

import re
from collections.abc import Collection, Iterable

from interceptor.client.emergency_numbers import EVERYWHERE, GROUPS

LONGEST = 1024  # bytes of a number as signalled that are read
DIALLED = 32  # its digits
CONTEXT = 15  # digits of a phone-context

NUMBERS = {region: frozenset(numbers.split()) for numbers, regions in GROUPS for region in regions.split()}

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
SCHEME = re.compile(r"sips?:|tel:", re.IGNORECASE)
SOS = re.compile(r"urn:service:sos(?:$|[.;])", re.IGNORECASE)  # RFC 5031
PERCENT = re.compile(r"%([0-7][0-9a-fA-F])")
SEPARATORS = str.maketrans("", "", "-.() ")  # "visual-separator" of RFC 3966, and the space
DIGITS = re.compile(r"\+?[0-9]+")


class EmergencyNumbers:
    """What is dialled for help in some regions.

    Parameters
    ----------
    regions
        ISO 3166-1. ValueError: one that no numbering plan knows.
    more
        Further numbers, digits as dialled.
    """

    def __init__(self, regions: Iterable[str], more: Collection[str]) -> None:
        wrong = [number for number in more if not re.fullmatch(r"[0-9]{1,13}", number)]
        if wrong:
            raise ValueError(f"emergency: give 1 to 13 digits as dialled, not {wrong[0]!r}")
        self._numbers = {*EVERYWHERE.split(), *more}
        for region in regions:
            if region not in NUMBERS:
                raise ValueError(f"home: no numbering plan has the region {region!r}")
            self._numbers |= NUMBERS[region]

    def reach(self, callee: str) -> bool:
        """Whether a call to `callee`, as dialled or signalled, is an emergency call."""
        return dialled(callee) in self._numbers or is_sos(callee)


def is_sos(callee: str) -> bool:
    """Whether it names emergency services by URN (RFC 5031)."""
    return SOS.match(address(callee) or "") is not None


def dialled(callee: str) -> str:
    """The digits of a number in national or short form, "" of any other: bare, tel: (RFC 3966), sip: (RFC 3261)."""
    text = address(callee)
    if text is None or callee.startswith("+"):
        return ""
    scheme = SCHEME.match(text)
    tel = scheme is not None and scheme[0].lower() == "tel:"
    rest = text[scheme.end() :] if scheme else text
    user, at, _ = (rest, "", "") if tel else rest.partition("@")
    if scheme and not tel and not at:  # "sip:112" has no user part; what has a dot is a host
        user = re.split(r"[;?:]", rest, maxsplit=1)[0]
        if "." in user:
            return ""
    end = re.search(";" if tel else "[;:]", user)
    digits = read_digits(user[: end.start()] if end else user, DIALLED)
    if digits.startswith("+"):
        return ""
    if end and end[0] == ";" and not readable_context(user[end.end() :]):
        return ""
    return digits


def address(text: str) -> str | None:
    """Without display name and brackets; None where that cannot be read."""
    if CONTROL.search(text) or len(text.encode("utf-8", "replace")) > LONGEST:
        return None
    text = text.strip(" ")
    name = QUOTED.match(text)
    if text.startswith('"') and not name:
        return None
    _, opened, inside = text[name.end() if name else 0 :].partition("<")
    if opened:
        text, closed, _ = inside.partition(">")
        if not closed:
            return None
        text = text.strip(" ")
    return text if text.isascii() else None


def read_digits(text: str, most: int) -> str:
    """Digits, behind a "+" where one stands first; "" where there is anything else, or more of them."""
    plain = PERCENT.sub(lambda found: chr(int(found[1], 16)), text).translate(SEPARATORS)
    return plain if DIGITS.fullmatch(plain) and len(plain.lstrip("+")) <= most else ""


def readable_context(parameters: str) -> bool:
    """Whether a phone-context among them (RFC 3966 section 5.1.5) is a domain, or an international number."""
    for parameter in parameters.split(";"):
        if parameter[:14].lower() == "phone-context=":
            context = parameter[14:]
            number = context.startswith(("+", "%"))
            return read_digits(context, CONTEXT).startswith("+") if number else context != ""
    return True
