"""What of recorded calls a policy looks at, and whether callers can be decided apart from each other."""

from interceptor.engine.border import TEXTS
from interceptor.engine.opcodes import Op
from interceptor.engine.spec import Counter, KeyPart, Spec
from interceptor.engine.types import Field, Happening, Limits, Scalar

#: Field -> its column
COLUMNS = {int(field): name for name, field in TEXTS.items()}
SCALARS = {
    Scalar.S_INTERNATIONAL_INGRESS: "international_ingress",
    Scalar.S_ROAMING: "roaming",
    Scalar.S_SIM_AGE_DAYS: "sim_age_days",
    Scalar.S_EVENT_TIME_MS: "event_time_ms",
}
_FIELD_OPS = frozenset(
    (
        Op.OP_FIELD,
        Op.OP_RAW,
        Op.OP_HAS_FIELD,
        Op.OP_IN_LIST,
        Op.OP_VALID,
        Op.OP_REGION,
        Op.OP_TYPE,
        Op.OP_PREFIX,
    )
)
_SCALAR_OPS = frozenset((Op.OP_SCALAR, Op.OP_FLAG, Op.OP_HAS_SCALAR))
_ALWAYS = frozenset(("event", "time_ms", "caller", "callee", "switch", "call_id"))
#: what becomes of a call; why it ended feeds no counter
REPORTED = frozenset(("answered_ms", "ended_ms"))


def columns_read(spec: Spec) -> frozenset[str]:
    """Columns of recorded calls that make a difference to a policy's answers."""
    fields: set[int] = set()
    read = set(_ALWAYS)
    for row in spec.code.instructions:
        if row["op"] in _FIELD_OPS:
            fields.add(int(row["a"]))
        elif row["op"] in _SCALAR_OPS:
            read.add(SCALARS[Scalar(int(row["a"]))])
        elif row["op"] == Op.OP_REDIRECTIONS:
            read.add("redirecting")
    for counter in spec.counters:
        fields |= {part.field for part in (*counter.per, *counter.of)}
        fields |= {counter.element} if counter.element is not None else set()
        fields |= {counter.place.field} if counter.place is not None else set()
    fields |= {rule.add_to.field for rule in spec.rules if rule.add_to is not None}
    if len(spec.trunks) > 1:
        read.add("trunk")
    if any(trunk.trusted for trunk in spec.trunks.values()):
        read.add("asserted_identity")
    if any(rule.add_to is not None and rule.add_to.needs_verified for rule in spec.rules):
        read.add("attestation")
    for field in fields:
        if Field.F_REDIRECTING <= field < Field.F_REDIRECTING + Limits.MAX_REDIRECTING:
            read.add("redirecting")
        elif field >= Field.F_TAG:
            read.add("tags." + spec.tags[field - Field.F_TAG])
        else:
            read.add(COLUMNS.get(field, "caller"))
    if follows(spec):
        read |= REPORTED
    return frozenset(read)


def follows(spec: Spec) -> bool:
    """Whether answers and ends of calls change a counter."""
    return any(
        counter.happening in (Happening.H_ANSWERED, Happening.H_ENDED) or counter.measure == "active"
        for counter in spec.counters
    )


def apart(spec: Spec) -> tuple[int | None, str]:
    """Whether callers can be decided apart, each with counters of its own, and the answers stay the same.

    They do as long as no two callers share a call_id.

    Returns how many first digits of the caller tell who must stay together, 0 for all of them; or None, and why not.
    """
    digits = 0
    for counter in spec.counters:
        own = _of_caller(counter)
        if own is None:
            return None, f"counter {counter.name} is not kept by caller but per {counter.entity}"
        if own:
            digits = min(digits or own, own)
    for rule in spec.rules:
        if rule.add_to is not None:
            return None, f"rule {rule.id} puts callers on a list that others are held against"
    return digits, ""


def _of_caller(counter: Counter) -> int | None:
    """How many digits of the caller are part of the counter's key, 0 for all; None: the caller is none of it."""
    if (counter.of and counter.of != counter.per) or counter.place is not None:
        return None
    parts: list[KeyPart] = [part for part in counter.per if part.field == Field.F_CALLER]
    if not parts:
        return None
    return 0 if any(part.prefix == 0 for part in parts) else max(part.prefix for part in parts)
