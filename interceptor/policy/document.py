"""A policy file's YAML as a tree that knows where everything stands. Plain YAML only: what surprises is an error."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.scanner import Scanner

from interceptor.policy.errors import PolicyError, Problem, Source

#: characters of a policy file, and how deep its YAML may nest
MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 32

#: characters of a number; what is longer is a text
MAX_DIGITS = 1000

_INT = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_DOUBLE = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True)
class Node:
    """A YAML value and where it stands: `start` and `end` are offsets into the file's text."""

    start: int
    end: int
    value: Any = None  #: of a scalar: str, int, float, bool or None
    text: str = ""  #: of a scalar: its characters
    style: str | None = None  #: of a scalar: None when plain, else ' " | >
    kind: str = "scalar"  #: scalar, mapping or sequence
    entries: dict[str, "Node"] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)  #: offsets of a mapping's keys
    items: tuple["Node", ...] = ()

    def is_text(self) -> bool:
        return isinstance(self.value, str) and not self.value.isspace() and self.value != ""

    def data(self) -> Any:
        """The value as plain Python objects."""
        if self.kind == "mapping":
            return {key: entry.data() for key, entry in self.entries.items()}
        if self.kind == "sequence":
            return [item.data() for item in self.items]
        return self.value

    def find(self, path: tuple[str | int, ...]) -> "Node":
        """The node at a path, or the nearest one above it."""
        node = self
        for part in path:
            if isinstance(part, str) and part in node.entries:
                node = node.entries[part]
            elif isinstance(part, int) and part < len(node.items):
                node = node.items[part]
            else:
                break
        return node

    def section(self, name: str) -> "Node":
        """What stands under a key; an empty node when there is none."""
        return self.entries.get(name) or Node(self.start, self.start)

    def key_offset(self, path: tuple[str | int, ...]) -> int:
        """Where the key (or list item) at a path stands; where the nearest thing above it starts if it is not there."""
        parent = self.find(path[:-1])
        if path and isinstance(path[-1], str) and path[-1] in parent.keys:
            return parent.keys[path[-1]]
        return self.find(path).start


class _Loader(Reader, Scanner, Parser, Composer):
    """PyYAML's scanner, parser and composer, without tags, aliases or deep nesting."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        wrong = ""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            wrong = "anchors and aliases are left out: write the value"
        elif getattr(event, "tag", None) is not None:
            wrong = "YAML tags are left out; put a condition that starts with ! in quotes"
        elif self.depth == MAX_DEPTH:
            wrong = f"nested deeper than {MAX_DEPTH} levels"
        if wrong:
            raise yaml.MarkedYAMLError(problem=wrong, problem_mark=event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return ""

    def descend_resolver(self, parent: Any, index: Any) -> None:
        """Nothing to resolve on the way down: tags are left out."""

    def ascend_resolver(self) -> None:
        """See descend_resolver."""


def read_document(source: Source) -> tuple[Node, list[Problem]]:
    """The YAML of a policy file, and the keys that stand in it twice.

    Raises
    ------
    PolicyError
        It is no YAML, or more than one document, or larger than MAX_CHARACTERS.
    """
    if len(source.text) > MAX_CHARACTERS:
        raise PolicyError(
            [source.problem(0, f"larger than {MAX_CHARACTERS} characters: put numbers into list files")]
        )
    try:
        root = _Loader(source.text).get_single_node()
    except ReaderError as error:
        message = f"character U+{ord_of(error.character):04X} cannot stand in a policy file"
        raise PolicyError([source.problem(error.position, message)]) from None
    except yaml.MarkedYAMLError as error:
        raise PolicyError([_problem_of(source, error)]) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise PolicyError([source.problem(0, f"cannot be read as YAML: {error}")]) from None
    if root is None:
        raise PolicyError([source.problem(0, "the policy is empty: it starts with `version: 1`")])
    problems: list[Problem] = []
    return _node(source, root, problems), problems


def ord_of(character: Any) -> int:
    return character if isinstance(character, int) else ord(character)


def _problem_of(source: Source, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return source.problem(mark.index if mark else 0, what or "cannot be read as YAML")


def _node(source: Source, node: yaml.Node, problems: list[Problem]) -> Node:
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.SequenceNode):
        return Node(
            start, end, kind="sequence", items=tuple(_node(source, item, problems) for item in node.value)
        )
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Node] = {}
        keys: dict[str, int] = {}
        for key, value in node.value:
            offset = key.start_mark.index
            if not isinstance(key, yaml.ScalarNode):
                problems.append(source.problem(offset, "a key must be a plain text"))
            elif key.value in keys:
                first, _ = source.position(keys[key.value])
                problems.append(
                    source.problem(offset, f"`{key.value}` stands here twice; first in line {first}")
                )
            else:
                keys[key.value] = offset
                entries[key.value] = _node(source, value, problems)
        return Node(start, end, kind="mapping", entries=entries, keys=keys)
    assert isinstance(node, yaml.ScalarNode)
    return Node(start, end, value=scalar_value(node.value, node.style), text=node.value, style=node.style)


def scalar_value(text: str, style: str | None) -> str | int | float | bool | None:
    """A scalar's value by YAML 1.2's core schema: `yes` and `12:30` are texts."""
    if style is not None:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if len(text) <= MAX_DIGITS:
        if _INT.fullmatch(text):
            return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
        if _DOUBLE.fullmatch(text):
            return float(text)
    return text


def offsets_of(source: Source, node: Node) -> list[int]:
    """Where each character of a scalar's text stands in the file, and where the scalar ends.

    Folding, stripped indentation and escapes make the text differ from the file. What is not white space stands in
    both in the same order, so the two are walked side by side.
    """
    raw, text = source.text, node.text
    at = node.start
    if node.style in ("|", ">"):
        at = next((i for i in range(at, node.end) if raw[i] in "\n\r\x85\u2028\u2029"), node.end)
    elif node.style is not None:
        at += 1
    offsets = []
    for char in text:
        if node.style == '"' and raw[at : at + 1] == "\\":
            at = _skip_folded_escapes(raw, at)
        if not char.isspace():
            while at < node.end and raw[at].isspace():
                at += 1
            if node.style == '"' and raw[at : at + 1] == "\\":
                at = _skip_folded_escapes(raw, at)
        offsets.append(min(at, node.end))
        if node.style == '"' and raw[at : at + 1] == "\\":
            at += _ESCAPE_LENGTH.get(raw[at + 1], 2)
        elif node.style == "'" and raw[at : at + 2] == "''":
            at += 2
        elif not char.isspace() or raw[at : at + 1].isspace():
            at += 1
    offsets.append(min(at, node.end))
    return offsets


_ESCAPE_LENGTH = {"x": 4, "u": 6, "U": 10}


def _skip_folded_escapes(raw: str, at: int) -> int:
    """Past every backslash that only hides a line break."""
    while raw[at : at + 1] == "\\" and raw[at + 1 : at + 2] in ("\n", "\r", "\x85", "\u2028", "\u2029"):
        at += 2
        while raw[at : at + 1].isspace():
            at += 1
    return at
