"""What a decision means, statement by statement, and the case or test that shows each."""

import ast
from pathlib import Path

import pytest

from tests.conformance.case import all_cases

TESTS = Path(__file__).parent.parent

#: statement -> cases (folders) and tests (file::function) that show it
STATEMENTS = {
    "Presence: every field with a meaningful zero is optional; zero is a value": [
        "presence-reading-what-is-absent-is-an-error",
    ],
    "Presence: a rule that reads an absent field ends in an error, does not match, and is counted": [
        "presence-reading-what-is-absent-is-an-error",
        "conformance/test_decision_statements.py::test_rules_that_end_in_an_error_are_counted",
    ],
    "Presence: has() asks": ["presence-has-asks"],
    "Presence: a counter without its key is neither touched nor readable; withheld callers share no entity": [
        "presence-callers-without-a-key-share-no-counter",
    ],
    "Presence: a list cannot be asked about what has no key": ["lists-read-without-a-key-is-an-error"],
    "Order: emergency first, whatever else is malformed": [
        "order-emergency-before-everything",
        "conformance/test_emergency.py::test_an_emergency_call_passes_whatever_else_is_malformed",
    ],
    "Order: then all counters bump": ["counting-includes-the-present-call-blocked-or-not"],
    "Order: rules top to bottom, the first enforced match decides, the default if none": [
        "order-first-match-decides"
    ],
    "Counting: the present call is included, blocked or not": [
        "counting-includes-the-present-call-blocked-or-not"
    ],
    "Counting: emergency calls are not counted": ["counting-leaves-out-emergency-calls"],
    "Counting: the same call within 32 s gets the first answer again and counts nothing; it has the same switch, "
    "call_id, caller and callee": [
        "counting-a-repeated-call-once",
    ],
    "Counting: calls of one batch see each other in order": [
        "counting-calls-of-one-batch-see-each-other-in-order"
    ],
    "Counting: a counter may have a `where`": ["counting-where-it-is-asked-for"],
    "Counting: by any field, a pair, a prefix, a tag": ["counting-by-pair-prefix-and-tag"],
    "Counting: for one number of a call, to be read for another": ["counting-for-whom-it-is-read"],
    "Counting: sets of any size": ["counting-large-sets"],
    "Counting: how long ago an entity was first seen, and the time before": ["counting-first-and-last-seen"],
    "Counting: answers, ends and durations, when they are reported": ["counting-answers-and-ends"],
    "Counting: calls in progress; a blocked one never is": ["counting-what-is-in-progress"],
    "Counting: what happens to cards without a call": ["counting-what-happens-to-cards"],
    "Counting: two subscribers' calls that go together": ["counting-calls-that-go-together"],
    "Shadow: evaluated on every call, also behind the deciding rule; reported, never decides": [
        "shadow-rules-look-at-every-call",
        "conformance/test_decision_statements.py::test_shadow_matches_are_counted",
    ],
    "Shadow: never executes add_to": ["shadow-rules-never-add"],
    "Explain: answers as if the call were counted, and touches nothing": [
        "explain-answers-as-if-counted-and-touches-nothing",
        "conformance/test_conformance.py::test_explaining_every_call_first_changes_no_answer",
        "conformance/test_decision_statements.py::test_explaining_leaves_no_trace_in_totals_or_events",
    ],
    "Time: windows slide by sub-buckets": ["time-a-window-slides-by-sub-buckets"],
    "Time: a step of the clock moves no window": ["time-a-step-back-loses-nothing"],
    "Time: now is the time where the call's trunk is, summer time included": ["time-where-the-call-is"],
    "Time: event_time_ms is a field like any other to a policy": ["time-of-the-event-moves-no-window"],
    "Unparseable: the call is still decided, number functions are errors, the raw text is there": [
        "unparseable-numbers-are-decided-and-readable-raw",
    ],
    "Unparseable: what is no call at all is refused": ["malformed-calls-are-refused-and-count-nothing"],
    "Valid: a statement about numbers in international form; short, service and withheld are never invalid": [
        "valid-speaks-of-international-numbers-only",
    ],
    "Emergency: on the digits as dialled, in the trunk's region or the home region, exactly, plus 112 and 911": [
        "emergency-as-dialled-in-the-trunks-region",
        "conformance/test_emergency.py::test_emergency_numbers_of_every_region",
    ],
    "Emergency: plus the operator's additions": ["emergency-numbers-an-operator-adds"],
    "Emergency: who dialled one is not blocked by analytics rules in the grace time; lists still block": [
        "emergency-grace-for-who-dialled-one",
        "emergency-grace-can-be-none",
    ],
    "Emergency: no policy can switch the layer off": ["order-emergency-before-everything"],
    "Caller: P-Asserted-Identity when the trunk is trusted, else From; both are kept and comparable": [
        "caller-is-asserted-on-a-trusted-trunk-only",
    ],
    "Privacy: what the engine counts and names for metrics carries no number": [
        "conformance/test_decision_statements.py::test_totals_for_metrics_carry_no_number",
    ],
    "add_to: holds for its time, never extends its own entry": [
        "add-to-holds-for-its-time-and-extends-nothing"
    ],
    "add_to: bounded in rate": ["add-to-is-bounded-in-rate"],
    "add_to: bounded in entries": [
        "conformance/test_decision_statements.py::test_add_to_is_bounded_in_entries"
    ],
    "add_to: feeds a list that blocks only for a verified caller": [
        "add-to-a-list-that-blocks-needs-a-verified-caller",
    ],
    "Reload: unchanged counters lose nothing": ["reload-keeps-what-did-not-change"],
    "Reload: an answer given before it is repeated as it was": ["reload-repeats-the-first-answer"],
    "Reload: at any moment, between any two policies": [
        "conformance/test_random_calls.py::test_random_reloads_between_random_calls",
    ],
}

CASES = {case.name for case in all_cases()}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_every_statement_has_its_case(statement: str) -> None:
    for shown in STATEMENTS[statement]:
        if "::" not in shown:
            assert shown in CASES
            continue
        file, function = shown.split("::")
        tree = ast.parse((TESTS / file).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_case_says_what_it_shows() -> None:
    for case in all_cases():
        assert len(case.document.get("statement", "")) > 20, case.name
        assert case.steps, case.name


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 25
