"""An evidence pack: lines of JSON, each covering the hash of the one before, so that no byte changes unseen.

A line has one spelling: keys sorted, no blanks, no escapes beyond what JSON wants. Whoever reads a pack writes each
line again and compares. The last line, the seal, says how many there are; its hash stands on the audit trail of the
service that made the pack, which is what a pack that was forged as a whole lacks.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: of a pack's form
VERSION = 1
SEAL = "seal"


class EvidenceError(Exception):
    """A pack that is not as it was made; the message says where and how."""


@dataclass(frozen=True)
class Pack:
    """A pack that was found whole."""

    items: tuple[Mapping[str, Any], ...]  #: the head first, the seal left out
    hash: str  #: of the seal


def packed(items: Iterable[Mapping[str, Any]]) -> tuple[bytes, str]:
    """A pack of these items, and the hash of its seal. None may have the keys `n`, `previous` and `hash`."""
    lines = []
    last, n = "", 0
    for n, item in enumerate(items, 1):
        line, last = _line({**item, "n": n}, last)
        lines.append(line)
    line, last = _line({"kind": SEAL, "n": n + 1, "items": n}, last)
    return b"".join([*lines, line]), last


def verified(data: bytes) -> Pack:
    """Reads a pack. Raises EvidenceError at the first line that is not as it was made."""
    lines = data.split(b"\n")
    if lines.pop() != b"":
        raise EvidenceError("the last line is cut off")
    items: list[Mapping[str, Any]] = []
    last = ""
    for n, line in enumerate(lines, 1):
        try:
            item = json.loads(line)
        except ValueError:
            raise EvidenceError(f"line {n}: is no JSON") from None
        if not isinstance(item, dict) or "hash" not in item:
            raise EvidenceError(f"line {n}: is no item of a pack")
        again, found = _line({key: value for key, value in item.items() if key != "hash"}, last)
        if item.get("previous") != last:
            raise EvidenceError(
                f"line {n}: does not follow line {n - 1}: lines were changed, moved or left out"
            )
        if again != line + b"\n" or item.get("n") != n:
            raise EvidenceError(f"line {n}: was changed: its hash is of another text")
        last = found
        items.append(item)
    if not items or items[-1].get("kind") != SEAL or items[-1].get("items") != len(items) - 1:
        raise EvidenceError("the seal is missing: lines were cut off at the end")
    if any(item.get("kind") == SEAL for item in items[:-1]):
        raise EvidenceError("lines follow the seal")
    return Pack(tuple(items[:-1]), last)


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one spelling of an item."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _line(item: Mapping[str, Any], previous: str) -> tuple[bytes, str]:
    covered = {**item, "previous": previous}
    found = hashlib.sha256(canonical(covered)).hexdigest()
    return canonical({**covered, "hash": found}) + b"\n", found
