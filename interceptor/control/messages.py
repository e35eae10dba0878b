"""The engine's answers as the contract's messages."""

from interceptor.engine.engine import Decision, Explanation, ListTrace
from interceptor.engine.types import BlockClass, Verdict
from interceptor.pb.v1 import admin_pb2
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.runtime.loader import Loaded
from interceptor.runtime.outcomes import RecentOutcomes

VERDICTS: dict[Verdict, pb.Verdict] = {
    Verdict.PASS: pb.VERDICT_PASS,
    Verdict.WARN: pb.VERDICT_WARN,
    Verdict.BLOCK: pb.VERDICT_BLOCK,
}
CLASSES: dict[BlockClass, pb.BlockClass] = {
    BlockClass.CLASS_NONE: pb.BLOCK_CLASS_UNSPECIFIED,
    BlockClass.CLASS_LIST: pb.BLOCK_CLASS_LIST,
    BlockClass.CLASS_ANALYTICS: pb.BLOCK_CLASS_ANALYTICS,
    BlockClass.CLASS_INVALID: pb.BLOCK_CLASS_INVALID,
    BlockClass.CLASS_SUBSCRIBER: pb.BLOCK_CLASS_SUBSCRIBER,
}
#: by the names that policies give them
VERDICT_NAMES = {each.name: message for each, message in VERDICTS.items()}
CLASS_NAMES = {each.name.removeprefix("CLASS_").lower(): message for each, message in CLASSES.items()} | {
    "": pb.BLOCK_CLASS_UNSPECIFIED
}
OUTCOMES = {
    "match": admin_pb2.RULE_OUTCOME_MATCH,
    "no match": admin_pb2.RULE_OUTCOME_NO_MATCH,
    "absent": admin_pb2.RULE_OUTCOME_ABSENT,
    "error": admin_pb2.RULE_OUTCOME_ERROR,
    "grace": admin_pb2.RULE_OUTCOME_GRACED,
    "not reached": admin_pb2.RULE_OUTCOME_NOT_REACHED,
}


def answer(decision: Decision, outcomes: RecentOutcomes) -> pb.DecideResponse:
    """What a switch is told."""
    outcome = outcomes[decision.revision].at(decision.rule_index)
    response = pb.DecideResponse(
        verdict=VERDICTS[decision.verdict],
        rule=outcome.rule,
        reason=outcome.reason,
        block_class=CLASSES[decision.block_class],
        decision_id=decision.id,
        policy_revision=decision.revision,
        shadow_rules=decision.shadow,
    )
    if decision.verdict == Verdict.BLOCK:
        response.sip_code = outcome.sip_code
        response.sip_reason = outcome.sip_reason
    return response


def explanation(found: Explanation, loaded: Loaded, outcomes: RecentOutcomes) -> admin_pb2.ExplainResponse:
    """What an operator is told: the answer and everything it rests on."""
    response = admin_pb2.ExplainResponse(
        decision=answer(found.decision, outcomes), emergency=found.emergency, graced=found.graced
    )
    response.decision.decision_id = ""
    sources = {rule.id: rule for rule in loaded.spec.rules}
    for tried in found.rules:
        source = sources.get(tried.rule)
        response.rules.add(
            rule=tried.rule,
            outcome=OUTCOMES[tried.outcome],
            shadow=tried.shadow,
            decides=tried.decides,
            condition=source.source if source else "",
            line=source.line if source else 0,
        )
    counters = {counter.name: counter for counter in loaded.spec.counters}
    for read in found.counters:
        counter = counters.get(read.counter)
        trace = response.counters.add(counter=read.counter, counted=read.counted)
        if read.readable:
            trace.value = read.value
        if counter is not None:
            trace.per, trace.window_ms = counter.entity, counter.window_ms
    for entry in found.lists:
        response.lists.append(list_trace(entry, loaded))
    for number in found.numbers:
        response.numbers.add(
            field=number.field,
            status=number.status,
            text=number.text,
            valid=number.valid,
            region=number.region,
            type=number.type,
        )
    return response


def list_trace(entry: ListTrace, loaded: Loaded) -> admin_pb2.ListTrace:
    """A matching entry, with what the list's file says about it."""
    trace = admin_pb2.ListTrace(list=entry.list, field=entry.field, entry=entry.entry)
    if entry.until_ms is not None:
        trace.source, trace.valid_until_ms = "rule", entry.until_ms
        return trace
    listed = loaded.lists.get(entry.list)
    note = listed.annotation(entry.entry) if listed is not None else None
    if note is not None:
        trace.reason, trace.source = note.reason, note.source
        if note.valid_until_ms is not None:
            trace.valid_until_ms = note.valid_until_ms
    return trace


def reloaded(loaded: Loaded) -> admin_pb2.ReloadResponse:
    """What is in force after a reload."""
    response = admin_pb2.ReloadResponse(
        policy_revision=loaded.revision, policy_digest=loaded.spec.digest, rules=len(loaded.spec.rules)
    )
    for entry in loaded.spec.lists:
        listed = loaded.lists.get(entry.name)
        response.lists.add(
            list=entry.name,
            entries=len(listed.content) if listed else 0,
            bad_rows=listed.bad if listed else 0,
        )
    return response
