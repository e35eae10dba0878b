"""`load_policy`: a policy file -> the engine's Spec, or every problem of the file at once."""

import hashlib
from pathlib import Path

from interceptor.engine.pairs import PairLimits
from interceptor.engine.spec import Appeals, Guard, ListKind, ListSpec, Spec
from interceptor.engine.types import Limits
from interceptor.numbering.regions import region_names
from interceptor.policy.compiler import Compiler
from interceptor.policy.cost import MAX_COST, policy_cost
from interceptor.policy.counters import check_kept, read_counters
from interceptor.policy.declarations import Declarations
from interceptor.policy.errors import PolicyError, near
from interceptor.policy.reading import Place, Reading, read_policy, read_source
from interceptor.policy.rules import VERDICTS, finished, read_rules
from interceptor.policy.schema import Policy
from interceptor.policy.zones import Clocks, asks_the_time

#: rules of a policy: a rule's index is 16 bits wide and the last ones are taken
MAX_RULES = 65_000


def load_policy(path: Path | str, text: str | None = None, folder: Path | None = None) -> Spec:
    """Loads a policy file, or `text` in its place.

    Parameters
    ----------
    path
        The policy file.
    text
        Its content, when it was read already; `path` then only names it.
    folder
        Where list files are looked up; None: where the policy file is.

    Raises
    ------
    PolicyError
        With every problem found.
    """
    reading = read_policy(read_source(path, text))
    if reading.policy is None:
        raise PolicyError(reading.problems)
    spec = _spec(reading, reading.policy, folder)
    if reading.problems:
        raise PolicyError(reading.problems)
    return spec


def _spec(reading: Reading, policy: Policy, folder: Path | None) -> Spec:
    compiler = Compiler()
    declared = Declarations(reading, policy, compiler)
    counters = read_counters(declared)
    rules = read_rules(declared)
    _check_limits(reading, policy)
    _check_regions(reading, policy)
    _check_guard(reading, policy)
    code = compiler.code()
    folder = (folder or Path(reading.source.file).parent).absolute()
    spec = Spec(
        code=code,
        rules=finished(rules, code),
        counters=counters,
        lists=tuple(
            ListSpec(name, ListKind(entry.kind), entry.file and str(folder / entry.file), entry.allow_bad)
            for name, entry in policy.lists.items()
        ),
        trunks=declared.trunks(),
        tags=policy.tags,
        default=VERDICTS[policy.default],
        entities=declared.entities(counters),
        emergency=dict(policy.emergency.add),
        emergency_grace_ms=policy.emergency.grace,
        guard=Guard(**dict(policy.guard)),
        appeals=(
            None if policy.appeals is None else Appeals(policy.appeals.list_name, policy.appeals.for_ms)
        ),
        clocks=Clocks() if asks_the_time(code) else {},
        source=reading.source.file,
        digest=hashlib.sha256(reading.source.text.encode()).hexdigest(),
    )
    if not reading.problems:
        check_kept(declared, spec)
    cost = policy_cost(spec)
    if cost > MAX_COST:
        message = f"a call can cost {cost} instructions; at most {MAX_COST} are allowed: use lists"
        reading.problem_at_key(("rules",), message)
    return spec


def _check_regions(reading: Reading, policy: Policy) -> None:
    asked = policy.emergency.add or any(trunk.region for trunk in policy.trunks.values())
    known = region_names()[2:] if asked else ()  # without the unknown region and the world
    for name, trunk in policy.trunks.items():
        if trunk.region is not None and trunk.region not in known:
            reading.problem(("trunks", name, "region"), f"no numbering plan has the region `{trunk.region}`")
    for region in policy.emergency.add:
        if region not in known:
            reading.problem_at_key(
                ("emergency", "add", region), f"no numbering plan has the region `{region}`"
            )


def _check_guard(reading: Reading, policy: Policy) -> None:
    for at, name in enumerate(policy.guard.protected):
        _check_list(reading, policy, ("guard", "protected", at), name, ("number", "prefix"))
    if policy.appeals is not None:
        place, name = ("appeals", "list"), policy.appeals.list_name
        if _check_list(reading, policy, place, name, ("number",)) and policy.lists[name].file is not None:
            reading.problem(place, f"lists.{name} is read from a file: appeals need a list without `file`")


def _check_list(reading: Reading, policy: Policy, place: Place, name: str, kinds: tuple[str, ...]) -> bool:
    if name not in policy.lists:
        if name not in reading.root.section("lists").entries:  # or it is wrong itself, which was said
            reading.problem(place, f"unknown list `{name}`{near(name, policy.lists)}")
        return False
    if policy.lists[name].kind not in kinds:
        reading.problem(place, f"lists.{name} is of kind {policy.lists[name].kind}, not {' or '.join(kinds)}")
        return False
    return True


def _check_limits(reading: Reading, policy: Policy) -> None:
    problem = reading.problem_at_key
    shadow = sum(rule.mode == "shadow" for rule in policy.rules)
    pairs = sum(ListKind(entry.kind) is ListKind.PAIR for entry in policy.lists.values())
    for section, count, most, what in (
        ("tags", len(policy.tags), Limits.MAX_TAGS, "tags"),
        ("lists", len(policy.lists), Limits.MAX_LISTS, "lists"),
        ("lists", pairs, PairLimits.MAX_PAIR_LISTS, "lists of kind pair"),
        ("counters", len(policy.counters), Limits.MAX_COUNTERS, "counters"),
        ("rules", shadow, Limits.MAX_SHADOW, "shadow rules"),
        ("rules", len(policy.rules), MAX_RULES, "rules"),
    ):
        if count > most:
            problem((section,), f"{count} {what}; at most {int(most)} are allowed")
    if len(set(policy.tags)) < len(policy.tags):
        problem(("tags",), "a tag is declared twice")
