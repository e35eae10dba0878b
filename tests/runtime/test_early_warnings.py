"""A number that newly becomes highly suspected is told of once in its time; what a passing rule notes is none."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import structlog

from interceptor.delivery.settings import EarlyWarningsEntry
from interceptor.engine.keys import KeyKind, digits_key_of
from interceptor.engine.number import imei_key_of
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.types import BlockClass, NumberStatus, RuleIndex, Verdict
from interceptor.runtime.earlywarnings import EarlyWarnings
from interceptor.runtime.once import Once
from interceptor.store.store import Store
from runtime.events import CALLEE, CALLER, DAY, HOUR, NOON, batch, outcomes, warned

SECRET = b"sixteen bytes of"
BLOCKED = {"rule": "dialler", "verdict": Verdict.BLOCK, "block_class": BlockClass.CLASS_ANALYTICS}
LISTED = {
    "rule": "ring",
    "block_class": BlockClass.CLASS_ANALYTICS,
    "added": 1,
    "added_key": digits_key_of(KeyKind.KEY_NUMBER, CALLER[1:].encode()),
    "added_text": CALLER,
}


@pytest.fixture
def store(tmp_path: Path, plan: NumberingPlan) -> Iterator[Store]:
    made = Store.open(tmp_path, None, plan=plan, home="CN", clock=lambda: NOON)
    yield made
    made.close()


def warning(store: Store, **said: Any) -> EarlyWarnings:
    once = Once(store.sent, SECRET, structlog.get_logger())
    return EarlyWarnings(EarlyWarningsEntry.model_validate(said), outcomes(), once, "Asia/Shanghai")


def told(warnings: EarlyWarnings, *events: npt.NDArray[np.void]) -> list[dict[str, Any]]:
    """What of a batch goes to the spool, and is there."""
    records = warnings.made(batch(*events))
    warnings.spooled()
    assert all(record.kind == "early-warning" for record in records)
    return [json.loads(record.body) for record in records]


def test_a_number_that_an_analytics_rule_blocks_is_told_of(store: Store) -> None:
    warnings = warning(store)
    (event,) = told(warnings, warned(**BLOCKED, verified=1))
    assert event["data"] == {
        "caller": CALLER,
        "since": "2026-11-22T04:00:00.000Z",
        "rule": "dialler",
        "reason": "dialler",
        "why": "analytics-block",
        "verified": True,
        "decision_id": "0000000000000abc",
    }
    assert len(event["id"]) == 32
    assert dict(warnings.counts) == {("dialler", "made"): 1}


def test_a_number_that_a_rule_puts_on_a_list_is_told_of(store: Store) -> None:
    (event,) = told(warning(store), warned(**LISTED))
    assert (event["data"]["why"], event["data"]["rule"], event["data"]["verified"]) == (
        "rule-listed",
        "ring",
        False,
    )


def test_so_is_the_number_whose_device_is_put_on_a_list(store: Store) -> None:
    device = LISTED | {"added_key": imei_key_of(b"356938035643809"), "added_text": "35693803564380"}
    (event,) = told(warning(store), warned(**device))
    assert event["data"]["caller"] == CALLER


def test_once_a_day_whatever_it_does(store: Store) -> None:
    warnings = warning(store)
    assert len(told(warnings, warned(**BLOCKED), warned(**BLOCKED), warned(**LISTED))) == 1
    assert told(warnings, warned(**BLOCKED, at=NOON + HOUR)) == []
    assert told(warning(store), warned(**BLOCKED, at=NOON + HOUR)) == []  # after a restart
    assert dict(warnings.counts) == {
        ("dialler", "made"): 1,
        ("dialler", "repeated"): 2,
        ("wangiri", "repeated"): 1,
    }
    assert len(told(warnings, warned(**BLOCKED, at=NOON + DAY))) == 1


def test_the_time_in_which_it_is_not_told_of_again_can_be_longer(store: Store) -> None:
    warnings = warning(store, days=7)
    days = [day for day in range(28) if told(warnings, warned(**BLOCKED, at=NOON + day * DAY))]
    assert len(days) in (4, 5)
    assert {later - earlier for earlier, later in pairwise(days[1:])} == {7}


def test_a_crash_before_it_is_remembered_tells_it_again_under_its_id(store: Store) -> None:
    (record,) = warning(store).made(warned(**BLOCKED))
    (event,) = told(warning(store), warned(**LISTED, at=NOON + HOUR))
    assert event["id"] == json.loads(record.body)["id"]


@pytest.mark.parametrize(
    "fields",
    [
        BLOCKED | {"repeated": 1},
        BLOCKED | {"trial": 1},
        BLOCKED | {"emergency": 1},
        BLOCKED | {"block_class": BlockClass.CLASS_LIST},  # somebody put it on a list: no news
        BLOCKED | {"verdict": Verdict.WARN},
        BLOCKED | {"rule": RuleIndex.RULE_DEFAULT},
        BLOCKED | {"caller_status": NumberStatus.NUMBER_WITHHELD, "caller": "anonymous"},
        BLOCKED | {"caller_status": NumberStatus.NUMBER_UNPARSEABLE, "caller": "evil.example"},
        LISTED | {"rule": "noted", "verdict": Verdict.PASS},
        LISTED | {"added_key": digits_key_of(KeyKind.KEY_NUMBER, CALLEE[1:].encode()), "added_text": CALLEE},
        LISTED | {"added": 0},
    ],
    ids=[
        "a repeated answer",
        "a trial",
        "an emergency call",
        "a list's block",
        "a warning",
        "the default",
        "a withheld number",
        "no number",
        "a passing rule's note",
        "the called party listed",
        "nothing listed",
    ],
)
def test_what_makes_nobody_newly_suspected(fields: dict[str, Any], store: Store) -> None:
    assert told(warning(store), warned(**fields)) == []
