"""The keys of entities that somebody asks for by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from interceptor.engine.snapshot import SnapshotHolder
from interceptor.engine.spec import KeyPart

def part_keys(snapshot: SnapshotHolder, call: Mapping[str, Any], parts: Sequence[KeyPart]) -> list[int]:
    """What a call with those fields would be counted under, part by part; 0: under nothing.

    Raises CallError for a field that cannot be.
    """
