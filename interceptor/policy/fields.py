"""What a policy may say about a call: its fields, their types, and which lists they can be looked up in."""

import re

from interceptor.engine.opcodes import NowPart
from interceptor.engine.spec import KeyPart, ListKind
from interceptor.engine.types import Field, Limits, Scalar

NUMBERS = {
    "caller": Field.F_CALLER,
    "callee": Field.F_CALLEE,
    "from": Field.F_FROM,
    "asserted": Field.F_ASSERTED,
}
#: number fields as signalled
RAW = {f"{name}_raw": field for name, field in NUMBERS.items()}
TEXTS = {
    field.name.removeprefix("F_").lower(): field
    for field in Field
    if field.name.startswith("F_") and Field.F_CALL_ID <= field < Field.F_TAG
}
SCALARS = {
    "sim_age_days": Scalar.S_SIM_AGE_DAYS,
    "event_time_ms": Scalar.S_EVENT_TIME_MS,
}
FLAGS = {
    "international_ingress": Scalar.S_INTERNATIONAL_INGRESS,
    "roaming": Scalar.S_ROAMING,
}
#: the time where the call is
NOW = {"hour": NowPart.NOW_HOUR, "minute": NowPart.NOW_MINUTE, "weekday": NowPart.NOW_WEEKDAY}
REDIRECTING = "redirecting"
TAGS = "tags"

ALL = (*NUMBERS, *RAW, *TEXTS, *SCALARS, *FLAGS, REDIRECTING, TAGS)
#: fields that can key a counter or a list
KEYS = (*NUMBERS, *TEXTS, "redirecting[0]")

#: fields whose value can be looked up in a list of a kind
LISTED = {
    ListKind.NUMBER: (*NUMBERS, "redirecting[0]"),
    ListKind.PREFIX: (*NUMBERS, "redirecting[0]"),
    ListKind.DOMAIN: ("domain",),
    ListKind.DEVICE: ("imei",),
    ListKind.SUBSCRIBER: ("imsi",),
    ListKind.TRUNK: ("trunk",),
    ListKind.PAIR: ("caller",),  # the called subscriber's entries are meant, whoever that is
    ListKind.NETWORK: ("source_ip",),
}
_LISTED_IN = {
    ListKind.DOMAIN: Field.F_DOMAIN,
    ListKind.DEVICE: Field.F_IMEI,
    ListKind.SUBSCRIBER: Field.F_IMSI,
    ListKind.TRUNK: Field.F_TRUNK,
    ListKind.PAIR: Field.F_CALLER,
    ListKind.NETWORK: Field.F_SOURCE_IP,
}

_REDIRECTING = re.compile(r"redirecting\[\s*([0-9]{1,4})\s*\]")
_PREFIX = re.compile(r"prefix\(\s*([^,()]+?)\s*,\s*([0-9]{1,4})\s*\)")


def is_number(field: int) -> bool:
    return field < Limits.MAX_REDIRECTING + Field.F_REDIRECTING


def fits(kind: ListKind, field: int) -> bool:
    """Whether `field in list` makes sense for a list of this kind."""
    if kind in (ListKind.NUMBER, ListKind.PREFIX):
        return is_number(field)
    return field == _LISTED_IN[kind]


class FieldError(Exception):
    """A field that cannot key a counter or list; `name` is what was written."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message


def key_field(name: str, tags: tuple[str, ...]) -> int:
    """The Field of a name as `per`, `distinct` and `key` write it: caller, redirecting[0], imei, tags.dealer.

    Raises
    ------
    FieldError
        There is none, or it has no key.
    """
    name = name.strip().removeprefix("call.")
    if name in NUMBERS:
        return NUMBERS[name]
    if name in TEXTS:
        return TEXTS[name]
    if match := _REDIRECTING.fullmatch(name):
        if int(match[1]) >= Limits.MAX_REDIRECTING:
            raise FieldError(name, f"only redirecting[0] to [{Limits.MAX_REDIRECTING - 1}] are kept")
        return Field.F_REDIRECTING + int(match[1])
    if name.startswith("tags."):
        tag = name.removeprefix("tags.")
        if tag in tags:
            return Field.F_TAG + tags.index(tag)
        raise FieldError(name, f"tag `{tag[:80]}` is not declared: add it to the policy's `tags`")
    if name in RAW:
        raise FieldError(name, f"`{name}` has no key: write `{name.removesuffix('_raw')}`")
    if name in SCALARS or name in FLAGS:
        raise FieldError(name, f"`{name}` is no text: it can key nothing")
    if name == REDIRECTING:
        raise FieldError(name, "say which one: redirecting[0] is the most recent")
    raise FieldError(name, f"unknown field `{name[:80]}`")


def key_part(text: str, tags: tuple[str, ...]) -> KeyPart:
    """`caller` or `prefix(caller, 7)` -> a part of a counter's key. Raises FieldError."""
    if match := _PREFIX.fullmatch(text.strip()):
        field, digits = key_field(match[1], tags), int(match[2])
        if not is_number(field):
            raise FieldError(match[1], f"prefix() is of numbers; `{match[1][:80]}` is none")
        if not 1 <= digits <= Limits.MAX_DIGITS:
            raise FieldError(text, f"a prefix has 1 to {Limits.MAX_DIGITS} digits")
        return KeyPart(field, digits)
    return KeyPart(key_field(text, tags))
