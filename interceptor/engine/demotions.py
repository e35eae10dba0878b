"""Which rules warn where their policy says block: demoted by hand or by the service, until somebody promotes them."""

from interceptor.engine.meanings import Meaning, condition
from interceptor.engine.spec import Rule, Spec
from interceptor.engine.types import BlockClass, Verdict


class Demotions:
    """The demoted rules by id, each with what it asked when it was demoted."""

    def __init__(self) -> None:
        self._asked: dict[str, Meaning] = {}  # replaced, never changed: others read it meanwhile

    def add(self, spec: Spec, rule: str) -> int:
        """Demotes a rule and returns its index. Raises KeyError, ValueError."""
        index = index_of(spec, rule)
        demoted = spec.rules[index]
        if not _blocks(demoted):
            raise ValueError(f"rule {rule}: it does not block, there is nothing to demote")
        if demoted.block_class == BlockClass.CLASS_LIST:
            raise ValueError(f"rule {rule}: a rule of class list blocks until its entries go")
        self._asked = {**self._asked, rule: condition(spec, demoted)}
        return index

    def remove(self, spec: Spec, rule: str) -> int | None:
        """Promotes a rule; its index if it was demoted. Raises KeyError."""
        index = index_of(spec, rule)
        if rule not in self._asked:
            return None
        self._asked = {other: asked for other, asked in self._asked.items() if other != rule}
        return index

    def of(self, spec: Spec) -> dict[str, int]:
        """The rules of a policy that warn, id -> index: they ask what the demoted ones asked, and would block."""
        asked = self._asked
        return {
            rule.id: i
            for i, rule in enumerate(spec.rules)
            if rule.id in asked
            and _blocks(rule)
            and rule.block_class != BlockClass.CLASS_LIST
            and condition(spec, rule) == asked[rule.id]
        }

    def beside(self, spec: Spec, live: Spec) -> dict[str, int]:
        """The rules that warn of a policy beside another: those that warn there too."""
        kept = self.of(live)
        return {rule: i for rule, i in self.of(spec).items() if rule in kept}

    def keep(self, spec: Spec) -> dict[str, int]:
        """As `of`, and forgets the others: the policy is in force."""
        kept = self.of(spec)
        self._asked = {rule: self._asked[rule] for rule in kept}
        return kept


def index_of(spec: Spec, rule: str) -> int:
    """Index of a rule by its id. Raises KeyError."""
    for i, known in enumerate(spec.rules):
        if known.id == rule:
            return i
    raise KeyError(
        f"no rule {rule!r}; the policy has {', '.join(known.id for known in spec.rules) or 'none'}"
    )


def _blocks(rule: Rule) -> bool:
    return rule.verdict == Verdict.BLOCK and not rule.shadow
