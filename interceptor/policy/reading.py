"""A policy file -> `Policy`: what pydantic finds wrong is said at its line and column, in a policy's own words."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from interceptor.policy.document import Node, read_document
from interceptor.policy.errors import PolicyError, Problem, Source, near
from interceptor.policy.schema import (
    AddToEntry,
    AppealsEntry,
    CounterEntry,
    EmergencyEntry,
    GuardEntry,
    ListEntry,
    Policy,
    RuleEntry,
    TrunkEntry,
)

#: a place in a policy file: keys, and indices of list items
Place: TypeAlias = tuple[str | int, ...]


def load_document(path: Path | str, text: str | None = None) -> Policy:
    """Reads a policy file without resolving its names or reading its conditions.

    Raises
    ------
    PolicyError
        It is not of a policy's shape.
    """
    reading = read_policy(read_source(path, text))
    if reading.problems or reading.policy is None:
        raise PolicyError(reading.problems)
    return reading.policy


def read_source(path: Path | str, text: str | None = None) -> Source:
    """The text of a policy file; PolicyError when it cannot be read or is no UTF-8."""
    name = str(path)
    if text is None:
        try:
            raw = Path(path).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise PolicyError([Problem(name, 1, 1, f"cannot be read: {reason}")]) from None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            good = Source(name, raw[: error.start].decode("utf-8"))
            line, column = good.position(error.start and len(good.text))
            message = f"byte 0x{raw[error.start]:02X} is no UTF-8: save the file as UTF-8"
            raise PolicyError([Problem(name, line, column, message, good.line(line))]) from None
    return Source(name, text.removeprefix("\ufeff"))


#: pydantic's name for the key of a mapping's entry
KEY = "[key]"

#: stands for a rule that is taken out
CUT = object()

#: each round takes out what is wrong, or what cannot stand without it: a key, its entry, its section
MAX_ROUNDS = 8


@dataclass
class Reading:
    """As much of a policy file as could be read."""

    source: Source
    root: Node
    problems: list[Problem]
    policy: Policy | None = None
    rules: list[int] = field(
        default_factory=list
    )  #: where in the file's `rules` each of the policy's rules stands

    def place(self, loc: Place) -> Place:
        """Where in the file stands what pydantic names: it counts only the rules that are left."""
        return ("rules", self.rules[int(loc[1])], *loc[2:]) if loc[:1] == ("rules",) and len(loc) > 1 else loc

    def problem(self, path: Place, message: str) -> None:
        """Notes what is wrong with the value at a path of the file."""
        self.problems.append(self.source.problem(self.root.find(path).start, message))

    def problem_at_key(self, path: Place, message: str) -> None:
        self.problems.append(self.source.problem(self.root.key_offset(path), message))


def read_policy(source: Source) -> Reading:
    """Reads what can be read of a policy and notes what is wrong with the rest.

    What is wrong is cut out, entry by entry, so that everything else can still be checked in the same go.
    """
    root, problems = read_document(source)
    if root.kind != "mapping":
        raise PolicyError([source.problem(root.start, "a policy is a mapping: it starts with `version: 1`")])
    reading = Reading(source, root, problems)
    data = root.data()
    if isinstance(data.get("rules"), list):
        reading.rules = list(range(len(data["rules"])))
    removed: set[Place] = set()
    for _ in range(MAX_ROUNDS):
        try:
            reading.policy = Policy.model_validate(data)
            break
        except ValidationError as error:
            wrong = []
            for details in error.errors(include_url=False):
                loc = tuple(details["loc"])
                if (place := reading.place(loc)) not in removed:
                    problems.append(source.problem(_offset(root, place, details), _message(place, details)))
                wrong.append(loc[:-1] if details["type"] == "missing" or loc[-1:] == (KEY,) else loc)
            removed.update([reading.place(_cut(data, loc)) for loc in wrong])
            if isinstance(data.get("rules"), list):
                reading.rules = [at for at in reading.rules if ("rules", at) not in removed]
                data["rules"] = [rule for rule in data["rules"] if rule is not CUT]
    return reading


def _offset(root: Node, place: Place, details: ErrorDetails) -> int:
    if details["type"] == "extra_forbidden" or KEY in place:
        return root.key_offset(tuple(part for part in place if part != KEY))
    if details["type"] == "missing":
        parent = place[:-1]
        return root.key_offset(parent) if parent and isinstance(parent[-1], str) else root.find(parent).start
    return root.find(place).start


_KEYS: dict[str, type[BaseModel]] = {
    "trunks": TrunkEntry,
    "lists": ListEntry,
    "counters": CounterEntry,
    "rules": RuleEntry,
    "emergency": EmergencyEntry,
    "guard": GuardEntry,
    "appeals": AppealsEntry,
}


def _keys_at(path: Place) -> list[str]:
    """The keys that may stand beside the one at `path`."""
    model: type[BaseModel] = Policy
    if len(path) > 1:
        model = AddToEntry if path[-2] == "add_to" else _KEYS.get(str(path[0]), Policy)
    return [info.alias or name for name, info in model.model_fields.items()]


def _message(path: Place, details: ErrorDetails) -> str:
    name = str(path[-1]) if path else "policy"
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing":
        return f"`{name}` is missing"
    if kind == "extra_forbidden":
        keys = _keys_at(path)
        return f"unknown key `{name}`{near(name, keys) or '; there are ' + ', '.join(keys)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        if "or" not in context["expected"]:
            return f"`{name}` must be {context['expected']}"
        return f"{str(details['input'])[:80]!r} is not one of {context['expected']}"
    said = {
        "bool_type": "must be true or false",
        "string_type": "must be a text",
        "int_type": "must be a whole number",
        "dict_type": "must be a mapping (`name: ...`)",
        "model_type": "must be a mapping (`key: value`)",
        "model_attributes_type": "must be a mapping (`key: value`)",
        "tuple_type": "must be a list (`- ...` or [...])",
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "less_than_equal": f"must be at most {context.get('le')}",
    }.get(kind, details["msg"])
    return f"`{name}` {said}" if not name.isdigit() else said


def _cut(data: dict[str, Any], loc: Place) -> Place:
    """Takes what stands at a place out of `data`: a key, a rule, or the whole list an item is wrong in."""
    if loc in ((), ("version",)):
        data["version"] = 1
        return ("version",)
    parent: Any = data
    depth = 0
    while depth + 1 < len(loc):
        inner: Any = parent[int(loc[depth])] if isinstance(parent, list) else parent.get(loc[depth])
        if not isinstance(inner, dict) and not (
            isinstance(inner, list) and loc[depth] == "rules" and depth == 0
        ):
            break
        parent, depth = inner, depth + 1
    if isinstance(parent, list):
        parent[int(loc[depth])] = CUT
    else:
        parent.pop(loc[depth], None)
    return loc[: depth + 1]
