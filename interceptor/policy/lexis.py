"""The texts, bools and comments of a condition, read before its grammar is.

The parser, and cel-python's that tests hold it to, are given a text in which every such literal is a placeholder, a
plain text of the same length: cel-python's lexer takes unknown escapes and raw texts that end in a backslash
differently from the specification, and forgets where `true` and `false` stand.
"""

import re
from dataclasses import dataclass

from interceptor.policy.syntax import ConditionError

#: characters of one condition, and how deep its brackets may nest
MAX_CONDITION = 16 * 1024
MAX_NESTING = 48

_COMMENT = re.compile(r"//[^\r\n]*")
_QUOTE = re.compile(r"([bB]?)([rR]?)(\"\"\"|'''|\"|')")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9][0-9A-Za-z_.]*")
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7][0-7]))"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOOLS = {"true": True, "false": False}
_SHORT_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True)
class Scanned:
    """A condition with placeholders for its literals, and the values of those by their offset."""

    text: str
    literals: dict[int, str | bool]


def scan(condition: str) -> Scanned:
    """Raises ConditionError for what is no CEL text, for bytes, for deep nesting and for overlong conditions."""
    if len(condition) > MAX_CONDITION:
        raise ConditionError(0, f"longer than {MAX_CONDITION} characters: use lists, or several rules")
    if surrogate := _SURROGATE.search(condition):
        raise ConditionError(
            surrogate.start(), "half a character (a lone surrogate) cannot stand in a condition"
        )
    parts: list[str] = []
    literals: dict[int, str | bool] = {}
    at, nesting = 0, 0
    while at < len(condition):
        if quote := _QUOTE.match(condition, at):
            end, literals[at] = _literal(condition, at, quote)
            parts.append(_placeholder(end - at))
        elif comment := _COMMENT.match(condition, at):
            end = comment.end()
            parts.append(" " * (end - at))
        elif word := _WORD.match(condition, at):
            end = word.end()
            if word[0] in _BOOLS:
                literals[at] = _BOOLS[word[0]]
                parts.append(_placeholder(end - at))
            else:
                parts.append(word[0])
        else:
            char, end = condition[at], at + 1
            nesting += (char in "([{") - (char in ")]}")
            if nesting > MAX_NESTING:
                raise ConditionError(at, f"brackets nest deeper than {MAX_NESTING} levels")
            parts.append(char)
        at = end
    return Scanned("".join(parts), literals)


def _placeholder(length: int) -> str:
    return '"' + "x" * (length - 2) + '"'


def _literal(condition: str, at: int, quote: re.Match[str]) -> tuple[int, str]:
    """The text that starts at `at` -> where it ends, and its value."""
    is_bytes, raw, mark = quote.groups()
    if is_bytes:
        raise ConditionError(at, "bytes are left out of a policy's CEL: write a text without the b")
    start = end = quote.end()
    while not condition.startswith(mark, end):
        char = condition[end : end + 1]
        if not char:
            raise ConditionError(at, f"the text that starts here never ends: {mark} is missing")
        if len(mark) == 1 and char in "\r\n":
            raise ConditionError(at, "a text ends in its line; write \\n, or three quotes around the text")
        if char == "\\" and not raw:
            end += len(_escape(condition, end)[0])
        else:
            end += 1
    inside = condition[start:end]
    value = inside if raw else _unescape(inside)
    return end + len(mark), value


def _escape(condition: str, at: int) -> re.Match[str]:
    match = _ESCAPE.match(condition, at)
    if not match:
        raise ConditionError(at, f"{condition[at : at + 2]!r} is no CEL escape: for a backslash write \\\\")
    _, _, short, long, _ = match.groups()
    if short or long:
        code = int(short or long, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise ConditionError(at, f"{match[0]} is no Unicode character")
    return match


def _unescape(inside: str) -> str:
    def value(match: re.Match[str]) -> str:
        letter, byte, short, long, octal = match.groups()
        if letter:
            return _SHORT_ESCAPES.get(letter, letter)
        return chr(int(octal, 8) if octal else int(byte or short or long, 16))

    return _ESCAPE.sub(value, inside)
