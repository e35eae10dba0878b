"""The syntax of libphonenumber's patterns: digits, classes, groups, alternation, bounded repetition, a final `$`.

Anything else is an error that names the pattern, so that new metadata is never half understood.
"""

import re
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

ALL_DIGITS = (1 << 10) - 1


@dataclass(frozen=True)
class Digits:
    """One digit: bit d of `mask` says that digit d fits."""

    mask: int


@dataclass(frozen=True)
class Sequence:
    parts: "tuple[Pattern, ...]"


@dataclass(frozen=True)
class Alternation:
    branches: "tuple[Pattern, ...]"


@dataclass(frozen=True)
class Repeat:
    part: "Pattern"
    low: int
    high: int


@dataclass(frozen=True)
class Group:
    index: int
    part: "Pattern"


@dataclass(frozen=True)
class End:
    """`$`: the number ends here."""


Pattern: TypeAlias = Digits | Sequence | Alternation | Repeat | Group | End

_TOKEN = re.compile(r"\\d|\[[\d-]+\]|\d|\(\?:|\(|\)|\||\?|\{\d+(?:,\d+)?\}|\$")
_RANGE = re.compile(r"(\d)(?:-(\d))?")


class PatternError(ValueError):
    """A pattern with syntax this package does not know."""


def parse_pattern(text: str) -> Pattern:
    """Read a pattern; raises PatternError where its syntax is not libphonenumber's."""
    tokens: list[str] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise PatternError(f"numbering plan: cannot read {text[at:]!r} in the pattern {text!r}")
        tokens.append(token.group())
        at = token.end()
    reader = _Reader(text, tokens)
    pattern = reader.alternation()
    if reader.tokens:
        raise PatternError(f"numbering plan: unbalanced ')' in the pattern {text!r}")
    return pattern


class _Reader:
    def __init__(self, text: str, tokens: list[str]) -> None:
        self.text = text
        self.tokens = tokens[::-1]
        self.groups = 0

    def alternation(self) -> Pattern:
        branches = [self.sequence()]
        while self.tokens and self.tokens[-1] == "|":
            self.tokens.pop()
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else Alternation(tuple(branches))

    def sequence(self) -> Pattern:
        parts: list[Pattern] = []
        while self.tokens and self.tokens[-1] not in ("|", ")"):
            parts.append(self.repeated(self.atom(self.tokens.pop())))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def atom(self, token: str) -> Pattern:
        if token == "\\d":
            return Digits(ALL_DIGITS)
        if token.isdigit():
            return Digits(1 << int(token))
        if token[0] == "[":
            mask = 0
            for first, last in _RANGE.findall(token):
                for digit in range(int(first), int(last or first) + 1):
                    mask |= 1 << digit
            return Digits(mask)
        if token == "$":
            return End()
        if token[0] == "(":
            index = 0
            if token == "(":
                self.groups += 1
                index = self.groups
            inner = self.alternation()
            if not self.tokens or self.tokens.pop() != ")":
                raise PatternError(f"numbering plan: unbalanced '(' in the pattern {self.text!r}")
            return Group(index, inner) if index else inner
        raise PatternError(f"numbering plan: {token!r} repeats nothing in the pattern {self.text!r}")

    def repeated(self, part: Pattern) -> Pattern:
        if self.tokens and self.tokens[-1] == "?":
            self.tokens.pop()
            return Repeat(part, 0, 1)
        if self.tokens and self.tokens[-1][0] == "{":
            low, _, high = self.tokens.pop()[1:-1].partition(",")
            return Repeat(part, int(low), int(high or low))
        return part


def fixed_length(pattern: Pattern) -> int | None:
    """Digits every word of `pattern` has; None when they differ."""
    match pattern:
        case Digits():
            return 1
        case Sequence(parts):
            lengths = [fixed_length(p) for p in parts]
            return None if None in lengths else sum(n or 0 for n in lengths)
        case Alternation(branches):
            choices = {fixed_length(b) for b in branches}
            return choices.pop() if len(choices) == 1 else None
        case Repeat(part, low, high):
            length = fixed_length(part)
            return None if length is None or low != high else length * low
        case Group(_, part):
            return fixed_length(part)
        case End():
            return 0


def has_group(pattern: Pattern, index: int) -> bool:
    match pattern:
        case Sequence(parts) | Alternation(parts):
            return any(has_group(p, index) for p in parts)
        case Repeat(part, _, _):
            return has_group(part, index)
        case Group(own, part):
            return own == index or has_group(part, index)
        case _:
            return False


def has_end(pattern: Pattern) -> bool:
    match pattern:
        case Sequence(parts) | Alternation(parts):
            return any(map(has_end, parts))
        case Repeat(part, _, _) | Group(_, part):
            return has_end(part)
        case _:
            return isinstance(pattern, End)


def paths(pattern: Pattern, group: int) -> list[tuple[Pattern, ...]]:
    """The ways through `pattern` in the order a backtracking matcher tries them.

    What has one length and not the group inside stays whole; so does the group itself. Along a path, then, the
    group begins at a fixed place.
    """
    if isinstance(pattern, Group) and pattern.index == group:
        return [(pattern,)]
    if not has_group(pattern, group) and fixed_length(pattern) is not None:
        return [(pattern,)]
    match pattern:
        case Sequence(parts):
            return [sum(choice, ()) for choice in product(*(paths(p, group) for p in parts))]
        case Alternation(branches):
            return [path for b in branches for path in paths(b, group)]
        case Repeat(part, low, high):
            once = paths(part, group)
            return [
                sum(choice, ())
                for times in range(high, low - 1, -1)
                for choice in product(once, repeat=times)
            ]
        case Group(_, part):
            return paths(part, group)
        case _:
            return [(pattern,)]
