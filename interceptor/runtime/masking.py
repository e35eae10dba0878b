"""Hides whom a number belongs to and keeps what operations need: country, network and length."""

import re

SHORT = 6  # service and emergency numbers belong to nobody
SHOWN_START = 6  # "+86138": country and network of a mobile number
SHOWN_END = 2

#: a number as people and switches write it: digits, and separators between them (RFC 3966 section 5.1.1). It is
#: `\+?\d(?:[-.() ]*\d)*`, written so that what it begins with is one set, for which `re` looks in long texts quickly
NUMBER = re.compile(r"[+\d](?<!\+(?!\d))(?:[-.() ]*\d)*")
_SEPARATORS = dict.fromkeys(map(ord, "-.() "))


def masked(text: str) -> str:
    """``+8613800138000`` as ``+86138******00``; numbers of up to six digits stay.

    A number inside a URI is masked where it stands, without its separators: ``tel:+86-138-0013-8000`` becomes
    ``tel:+86138******00``.
    """
    if text.removeprefix("+").isdecimal():  # as most are: nothing else has to be looked for
        return hidden(text)
    return NUMBER.sub(lambda found: hidden(found.group()), text)


def hidden(number: str) -> str:
    digits = number.translate(_SEPARATORS)
    if len(digits.lstrip("+")) <= SHORT:
        return number
    start = min(SHOWN_START, len(digits) // 2)
    return digits[:start] + "*" * (len(digits) - start - SHOWN_END) + digits[-SHOWN_END:]
