"""What a person reads whose call was warned about: once a day and category, not at night, and never the fraudster."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import structlog
import yaml
from hypothesis import given
from hypothesis import strategies as st

from interceptor.delivery.settings import RemindersEntry
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.types import BlockClass, NumberStatus, RuleIndex, Verdict
from interceptor.policy import load_policy
from interceptor.runtime.loader import SHIPPED as POLICIES
from interceptor.runtime.once import FEW, PERIOD, Once
from interceptor.runtime.reminders import SHIPPED, Reminders, Wording
from interceptor.store.store import Store
from interceptor.store.words import StoreUnavailableError
from runtime.events import CALLEE, CALLER, DAY, HOUR, NOON, batch, outcomes, warned

SECRET = b"sixteen bytes of"
LOG = structlog.get_logger()


@pytest.fixture
def store(tmp_path: Path, plan: NumberingPlan) -> Iterator[Store]:
    made = Store.open(tmp_path, None, plan=plan, home="CN", clock=lambda: NOON)
    yield made
    made.close()


def reminding(store: Store, plan: NumberingPlan, **said: Any) -> Reminders:
    entry = RemindersEntry.model_validate(said)
    return Reminders(entry, outcomes(), Once(store.sent, SECRET, LOG), plan, "Asia/Shanghai")


def sent(reminders: Reminders, *events: npt.NDArray[np.void]) -> list[dict[str, Any]]:
    """What of a batch goes to the spool, and is there."""
    records = reminders.made(batch(*events))
    reminders.spooled()
    assert all(record.kind == "reminder" for record in records)
    return [json.loads(record.body) for record in records]


def test_who_was_called_is_told_what_the_call_may_have_been(store: Store, plan: NumberingPlan) -> None:
    reminders = reminding(store, plan)
    (event,) = sent(reminders, warned("loan"))
    text = event["data"].pop("text")
    assert "虚假贷款" in text
    assert "11-22 12:00" in text
    assert CALLER in text
    assert event["time"] == "2026-11-22T04:00:00.000Z"
    assert event["data"] == {
        "to": CALLEE,
        "callee": CALLEE,
        "caller": CALLER,
        "category": "false-loan",
        "language": "zh",
        "decision_id": "0000000000000abc",
        "rule": "loan",
    }
    assert dict(reminders.counts) == {("false-loan", "made"): 1}


def test_it_is_told_in_the_operators_language(store: Store, plan: NumberingPlan) -> None:
    (event,) = sent(reminding(store, plan, language="en"), warned("loan"))
    assert event["data"]["text"].startswith(
        f"Fraud warning: the call from {CALLER} at 11-22 12:00 may offer a false loan"
    )
    assert event["data"]["language"] == "en"


def test_a_second_call_of_the_day_tells_nothing_new(store: Store, plan: NumberingPlan) -> None:
    reminders = reminding(store, plan)
    assert len(sent(reminders, warned(), warned(caller="+8613800138001"), warned(at=NOON + 60_000))) == 1
    assert sent(reminders, warned(at=NOON + 9 * HOUR)) == []
    assert dict(reminders.counts) == {
        ("fake-ecommerce-service", "made"): 1,
        ("fake-ecommerce-service", "repeated"): 3,
    }


def test_each_category_and_each_person_is_another_matter(store: Store, plan: NumberingPlan) -> None:
    events = sent(
        reminding(store, plan), warned("shop"), warned("loan"), warned("shop", callee="+8613900139001")
    )
    assert [(event["data"]["category"], event["data"]["callee"]) for event in events] == [
        ("fake-ecommerce-service", CALLEE),
        ("false-loan", CALLEE),
        ("fake-ecommerce-service", "+8613900139001"),
    ]
    assert len({event["id"] for event in events}) == 3


def test_the_next_day_it_is_told_again(store: Store, plan: NumberingPlan) -> None:
    reminders = reminding(store, plan, quiet_hours=None)
    midnight = NOON + 12 * HOUR
    today, *more = sent(reminders, warned(at=midnight - 1), warned(at=midnight))
    (tomorrow,) = more
    assert today["id"] != tomorrow["id"]
    assert sent(reminders, warned(at=midnight + DAY - 1)) == []


def test_days_are_those_of_the_zone_of_time(store: Store, plan: NumberingPlan) -> None:
    reminders = reminding(store, plan, quiet_hours=None, timezone="America/New_York")  # NOON is 23:00 there
    assert len(sent(reminders, warned(at=NOON), warned(at=NOON + HOUR))) == 2


def test_at_night_it_is_for_the_morning(store: Store, plan: NumberingPlan) -> None:
    reminders = reminding(store, plan, quiet_hours="21:30-08:00")
    (evening,) = sent(reminders, warned(at=NOON))
    (night,) = sent(reminders, warned(at=NOON + 11 * HOUR))
    assert "not_before" not in evening["data"]
    assert night["data"]["not_before"] == "2026-11-23T00:00:00.000Z"
    assert "11-22 23:00" in night["data"]["text"]


def test_who_reads_one_in_the_morning_reads_no_second_that_day(store: Store, plan: NumberingPlan) -> None:
    reminders = reminding(store, plan, quiet_hours="21:30-08:00")
    night, small_hours, next_noon, next_night = (
        NOON + 11 * HOUR,
        NOON + 14 * HOUR,
        NOON + DAY,
        NOON + DAY + 11 * HOUR,
    )
    assert len(sent(reminders, warned(at=night))) == 1
    assert sent(reminders, warned(at=small_hours), warned(at=next_noon)) == []
    assert len(sent(reminders, warned(at=next_night))) == 1


def test_it_is_not_told_again_after_a_restart(store: Store, plan: NumberingPlan) -> None:
    sent(reminding(store, plan), warned("shop"))
    (event,) = sent(reminding(store, plan), warned("shop"), warned("loan"))
    assert event["data"]["category"] == "false-loan"


def test_a_crash_before_it_is_remembered_sends_it_again_under_its_id(
    store: Store, plan: NumberingPlan
) -> None:
    (record,) = reminding(store, plan).made(warned())
    (event,) = sent(reminding(store, plan), warned(at=NOON + HOUR))
    assert event["id"] == json.loads(record.body)["id"]


def test_what_did_not_get_into_the_spool_is_not_taken_for_sent(store: Store, plan: NumberingPlan) -> None:
    reminders = reminding(store, plan)
    assert len(reminders.made(warned())) == 1
    assert len(reminders.made(warned())) == 1
    assert dict(reminders.counts) == {}


def test_ids_of_another_installation_are_others(store: Store, plan: NumberingPlan) -> None:
    ids = set()
    for secret in (SECRET, b"another secret.."):
        once = Once(store.sent, secret, LOG)
        (record,) = Reminders(RemindersEntry(), outcomes(), once, plan, "UTC").made(warned())
        ids.add(json.loads(record.body)["id"])
    assert len(ids) == 2
    assert all(len(each) == 32 for each in ids)


def test_what_is_remembered_has_no_number_in_it(store: Store, plan: NumberingPlan, tmp_path: Path) -> None:
    sent(reminding(store, plan), warned())
    with store.database.write() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM sent").scalar() == 1
    for file in tmp_path.iterdir():
        if file.is_file():
            data = file.read_bytes()
            assert not any(number.strip("+").encode() in data for number in (CALLER, CALLEE)), file


@pytest.mark.parametrize(
    "fields",
    [
        {"repeated": 1},
        {"trial": 1},
        {"emergency": 1},
        {"verdict": Verdict.BLOCK},
        {"verdict": Verdict.PASS},
        {"rule": RuleIndex.RULE_DEFAULT},
        {"rule": RuleIndex.RULE_EMERGENCY},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_nobody_is_told_of_what_no_rule_warned_of(
    fields: dict[str, int], store: Store, plan: NumberingPlan
) -> None:
    reminders = reminding(store, plan)
    assert sent(reminders, warned(**fields)) == []
    assert dict(reminders.counts) == {}


def test_a_rule_that_only_warns_now_because_it_blocked_too_much_reminds_too(
    store: Store, plan: NumberingPlan
) -> None:
    (event,) = sent(reminding(store, plan), warned("dialler", block_class=BlockClass.CLASS_ANALYTICS))
    assert event["data"]["category"] == "dialler"


def test_without_words_nothing_is_sent_and_it_is_counted(store: Store, plan: NumberingPlan) -> None:
    reminders = reminding(store, plan, templates={"false-loan": None})
    assert sent(reminders, warned("odd"), warned("mute"), warned("loan"), warned("loan")) == []
    assert dict(reminders.counts) == {
        ("as-nobody-wrote-words-for", "no_template"): 1,
        ("none", "no_template"): 1,
        ("false-loan", "no_template"): 2,
    }


def test_words_in_another_language_are_none_in_this_one(store: Store, plan: NumberingPlan) -> None:
    assert sent(reminding(store, plan, language="fr"), warned()) == []


def test_the_operators_words_come_before_the_shipped_ones(store: Store, plan: NumberingPlan) -> None:
    words = {
        "false-loan": {"zh": "小心贷款 {number}"},
        "as-nobody-wrote-words-for": {"zh": "小心"},
        "none": {"zh": "{{{time}}}"},
    }
    events = sent(
        reminding(store, plan, templates=words), warned("loan"), warned("odd"), warned("mute"), warned("shop")
    )
    texts = [event["data"]["text"] for event in events]
    assert texts[:3] == [f"小心贷款 {CALLER}", "小心", "{11-22 12:00}"]
    assert "客服" in texts[3]


def test_who_calls_a_fraudster_back_is_told_and_not_the_fraudster(store: Store, plan: NumberingPlan) -> None:
    (event,) = sent(reminding(store, plan), warned("back"))
    assert event["data"]["to"] == CALLER
    assert CALLEE in event["data"]["text"]
    assert CALLER not in event["data"]["text"]


def test_the_operator_says_in_which_categories_the_caller_is_in_danger(
    store: Store, plan: NumberingPlan
) -> None:
    events = sent(
        reminding(store, plan, to_caller=["false-loan"]), warned("loan"), warned("back"), warned("shop")
    )
    assert [event["data"]["to"] for event in events] == [CALLER, CALLER, CALLEE]


@pytest.mark.parametrize(
    ("callee", "status"),
    [
        ("+862112345678", NumberStatus.NUMBER_E164),  # a line in Shanghai
        ("+864008123123", NumberStatus.NUMBER_E164),
        ("10086", NumberStatus.NUMBER_SHORT),
        ("", NumberStatus.NUMBER_ABSENT),
        ("anonymous", NumberStatus.NUMBER_WITHHELD),
        ("sip:desk@example.com", NumberStatus.NUMBER_UNPARSEABLE),
    ],
)
def test_where_nobody_reads_messages_none_is_sent(
    callee: str, status: int, store: Store, plan: NumberingPlan
) -> None:
    reminders = reminding(store, plan)
    assert sent(reminders, warned(callee=callee, callee_status=status)) == []
    assert dict(reminders.counts) == {("fake-ecommerce-service", "unreachable"): 1}


def test_a_callers_own_words_are_never_part_of_a_message(store: Store, plan: NumberingPlan) -> None:
    for status in (NumberStatus.NUMBER_WITHHELD, NumberStatus.NUMBER_UNPARSEABLE):
        callee = f"+86139001390{status:02}"
        (event,) = sent(
            reminding(store, plan), warned(caller="see evil.example/pay", caller_status=status, callee=callee)
        )
        assert "evil" not in json.dumps(event)
        assert "未显示号码" in event["data"]["text"]
    (event,) = sent(reminding(store, plan), warned(caller="95588", caller_status=NumberStatus.NUMBER_SHORT))
    assert "来电95588" in event["data"]["text"]


class Away:
    """A store's memory that can be out of reach."""

    def __init__(self, store: Store) -> None:
        self._sent = store.sent
        self.away = False
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        self.asked += 1
        if self.away:
            raise StoreUnavailableError("the database is away")
        return getattr(self._sent, name)


def test_while_the_store_is_away_everybody_is_told_once(store: Store, plan: NumberingPlan) -> None:
    memory, now = Away(store), [100.0]
    once = Once(memory, SECRET, LOG, monotonic=lambda: now[0])  # type: ignore[arg-type]
    reminders = Reminders(RemindersEntry(), outcomes(), once, plan, "Asia/Shanghai")
    memory.away = True
    assert len(sent(reminders, warned("shop"))) == 1
    assert sent(reminders, warned("shop")) == []
    asked = memory.asked
    assert len(sent(reminders, warned("loan"))) == 1
    assert memory.asked == asked  # events behind do not wait for a database that does not answer
    memory.away = False
    now[0] += 60
    assert sent(reminders, warned("shop")) == []
    assert sent(reminding(store, plan), warned("shop"), warned("loan")) == []


def test_what_is_sent_while_another_process_has_the_store_is_left_to_it(
    store: Store, plan: NumberingPlan
) -> None:
    once = Once(store.sent, SECRET, LOG)
    reminders = Reminders(RemindersEntry(), outcomes(), once, plan, "Asia/Shanghai")
    assert len(sent(reminders, warned("shop"))) == 1
    store.database.freeze(1)
    assert len(sent(reminders, warned("loan"))) == 1
    assert sent(reminders, warned("shop"), warned("loan")) == []
    assert len(once.waiting) == 1


def test_many_reminders_wait_a_moment_until_they_are_remembered_and_nobody_is_told_twice_meanwhile(
    store: Store, plan: NumberingPlan
) -> None:
    """Some thousands at once cost the store half. The end of the service is no such moment."""
    memory, now = Away(store), [100.0]
    once = Once(memory, SECRET, LOG, monotonic=lambda: now[0])  # type: ignore[arg-type]
    reminders = Reminders(RemindersEntry(), outcomes(), once, plan, "Asia/Shanghai")
    calls = [warned(callee=f"+8613900139{i:03}") for i in range(FEW + 1)]
    assert len(sent(reminders, *calls)) == FEW + 1
    assert sent(reminders, *calls) == []
    reminders.look()
    assert len(once.waiting) == FEW + 1
    now[0] += PERIOD
    reminders.look()
    assert not once.waiting
    more = [warned("loan", callee=f"+8613900139{i:03}") for i in range(FEW + 1)]
    assert len(sent(reminders, *more)) == FEW + 1
    reminders.stop()
    assert not once.waiting
    assert sent(reminding(store, plan), *calls, *more) == []


CALLS = st.tuples(
    st.sampled_from(["shop", "loan"]),
    st.sampled_from([CALLEE, "+8613900139001", "+8613900139002"]),
    st.integers(0, 4 * DAY),
)


@given(
    st.lists(st.lists(CALLS, max_size=12), max_size=8), st.sampled_from([None, "22:00-07:00", "12:00-14:30"])
)
def test_nobody_reads_two_of_a_category_on_one_day(
    plan: NumberingPlan, batches: list[list[tuple[str, str, int]]], quiet: str | None
) -> None:
    """Whatever the order of calls; and who is called is told within a day."""
    remembered: dict[tuple[int, bytes], None] = {}

    class Memory:
        def known(self, until: int, keys: list[bytes]) -> set[bytes]:
            return {key for key in keys if (until, key) in remembered}

        def remember(self, until: int, keys: list[bytes]) -> None:
            remembered.update(dict.fromkeys((until, key) for key in keys))

    once = Once(Memory(), SECRET, LOG)  # type: ignore[arg-type]
    reminders = Reminders(RemindersEntry(quiet_hours=quiet), outcomes(), once, plan, "Asia/Shanghai")
    events = [
        event
        for calls in batches
        for event in sent(reminders, *(warned(rule, NOON + at, callee=callee) for rule, callee, at in calls))
    ]
    read = [
        (
            event["data"]["category"],
            event["data"]["to"],
            str(np.datetime64(event["data"].get("not_before", event["time"])[:-1]) + np.timedelta64(8, "h"))[
                :10
            ],
        )
        for event in events
    ]
    assert len(read) == len(set(read)) == len({event["id"] for event in events})
    called = {(rule, callee) for calls in batches for rule, callee, _ in calls}
    assert {(event["data"]["rule"], event["data"]["to"]) for event in events} == called


# ---- the shipped words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["antifraud-cn.yaml", "default.yaml"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_there_are_words_for_whatever_a_shipped_policy_warns_of(policy: str, language: str) -> None:
    wording = Wording(RemindersEntry(language=language))
    missing = [
        rule.id
        for rule in load_policy(POLICIES / policy).rules
        if rule.verdict == Verdict.WARN
        or (rule.verdict == Verdict.BLOCK and rule.block_class == BlockClass.CLASS_ANALYTICS)  # when demoted
        if not wording.has(rule.reason)
    ]
    assert missing == []


@pytest.mark.parametrize("policy", ["antifraud-cn.yaml", "default.yaml"])
def test_rules_of_whom_somebody_calls_have_their_words_for_the_caller(policy: str) -> None:
    wording = Wording(RemindersEntry())
    for rule in load_policy(POLICIES / policy).rules:
        if rule.verdict == Verdict.WARN:
            assert (rule.reason in wording.to_caller) == ("call.callee in lists." in rule.source), rule.id


def test_shipped_words_fit_into_two_parts_of_a_message() -> None:
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    number, time = "+8613800138000", "11-22 23:10"
    for category, texts in shipped["templates"].items():
        assert set(texts) == {"zh", "en"}, category
        assert len(texts["zh"].format(number=number, time=time)) <= 2 * 67, category
        english = texts["en"].format(number=number, time=time)
        assert english.isascii(), category
        assert len(english) <= 2 * 153, category
    RemindersEntry(templates=shipped["templates"], to_caller=shipped["to_caller"])
