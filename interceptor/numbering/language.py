"""Finite languages over the ten digits, each as the root of one shared minimal automaton.

libphonenumber's patterns have neither `*` nor `+`, so every one is a finite language and its minimal automaton
is acyclic. Nodes are interned bottom-up (same acceptance, same ten children: same node), which makes whatever
is built minimal as it stands: no subset construction and no separate minimisation.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from interceptor.numbering.pattern import Alternation, Digits, End, Group, Pattern, Repeat, Sequence

DEAD = 0  # accepts nothing
ANY = 1  # accepts whatever follows: what a pattern that need only match a prefix ends in

Children = tuple[int, ...]


@dataclass
class Languages:
    """An interning table of automaton nodes; a language is the number of its start node."""

    accepts: list[bool] = field(default_factory=lambda: [False, True])
    children: list[Children] = field(default_factory=lambda: [(DEAD,) * 10, (ANY,) * 10])
    _ids: dict[tuple[bool, Children], int] = field(default_factory=dict)
    _unions: dict[tuple[int, int], int] = field(default_factory=dict)
    _intersections: dict[tuple[int, int], int] = field(default_factory=dict)
    _restricted: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ids = {(a, c): i for i, (a, c) in enumerate(zip(self.accepts, self.children, strict=True))}
        self.empty_word = self.node(True, (DEAD,) * 10)

    def node(self, accept: bool, children: Children) -> int:
        key = (accept, children)
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = len(self.accepts)
            self.accepts.append(accept)
            self.children.append(children)
        return found

    def union(self, a: int, b: int) -> int:
        if b in (a, DEAD):
            return a
        if a == DEAD:
            return b
        key = (a, b) if a < b else (b, a)
        found = self._unions.get(key)
        if found is None:
            children = tuple(map(self.union, self.children[a], self.children[b]))
            found = self._unions[key] = self.node(self.accepts[a] or self.accepts[b], children)
        return found

    def intersection(self, a: int, b: int) -> int:
        if a in (b, DEAD) or b == ANY:
            return a
        if b == DEAD or a == ANY:
            return b
        key = (a, b) if a < b else (b, a)
        found = self._intersections.get(key)
        if found is None:
            children = tuple(map(self.intersection, self.children[a], self.children[b]))
            found = self._intersections[key] = self.node(self.accepts[a] and self.accepts[b], children)
        return found

    def restrict(self, root: int, lengths: int) -> int:
        """The words of `root` whose length is a bit of `lengths`."""
        if root == DEAD or not lengths:
            return DEAD
        key = (root, lengths)
        found = self._restricted.get(key)
        if found is None:
            children = tuple(self.restrict(c, lengths >> 1) for c in self.children[root])
            found = self._restricted[key] = self.node(self.accepts[root] and bool(lengths & 1), children)
        return found

    def of(self, pattern: Pattern, then: int | None = None) -> int:
        """The language of `pattern` followed by the language `then` (default: the end of the number)."""
        after = self.empty_word if then is None else then
        match pattern:
            case Digits(mask):
                return self.node(False, tuple(after if mask >> d & 1 else DEAD for d in range(10)))
            case Sequence(parts):
                for part in reversed(parts):
                    after = self.of(part, after)
                return after
            case Alternation(branches):
                result = DEAD
                for branch in branches:
                    result = self.union(result, self.of(branch, after))
                return result
            case Repeat(part, low, high):
                # Right to left: behind each optional copy come the optional copies left, or what follows.
                tail = after
                for _ in range(high - low):
                    after = self.union(self.of(part, after), tail)
                for _ in range(low):
                    after = self.of(part, after)
                return after
            case Group(_, part):
                return self.of(part, after)
            case End():
                return after
        raise TypeError(pattern)

    def words(self, words: Iterable[str]) -> int:
        """The language of exactly these digit strings."""
        result = DEAD
        for word in words:
            result = self.union(result, self.of(Sequence(tuple(Digits(1 << int(d)) for d in word))))
        return result

    def has(self, root: int, digits: str) -> bool:
        for d in digits:
            root = self.children[root][int(d)]
        return self.accepts[root]

    def reachable(self, roots: Iterable[int]) -> list[int]:
        """DEAD first, then every node `roots` lead to, children behind their parents' siblings (breadth first)."""
        order = [DEAD]
        seen = {DEAD}
        queue = list(dict.fromkeys(roots))
        while queue:
            fresh = [n for n in dict.fromkeys(queue) if n not in seen]
            seen.update(fresh)
            order += fresh
            queue = [c for n in fresh for c in self.children[n]]
        return order
