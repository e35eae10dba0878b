"""The names a condition may use: what a policy declares, by name, as the engine numbers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interceptor.engine.spec import ListKind
from interceptor.policy.resolved import Constant


@dataclass(frozen=True)
class Environment:
    """`broken` holds names such as ``lists.fraud`` whose own entry is wrong: they are not reported again."""

    counters: Mapping[str, int] = field(default_factory=dict)
    lists: Mapping[str, tuple[int, ListKind]] = field(default_factory=dict)
    thresholds: Mapping[str, Constant] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    broken: frozenset[str] = frozenset()
    in_where: bool = False  #: a counter's `where`: counters cannot be read

    def names(self, root: str) -> Mapping[str, object]:
        """What `counters`, `lists` or `thresholds` holds."""
        return {"counters": self.counters, "lists": self.lists, "thresholds": self.thresholds}[root]
