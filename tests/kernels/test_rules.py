"""Rules that begin by asking the like are passed over together: what they say is what each says by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.engine import Engine, ListContent
from interceptor.engine.keys import digits_key_of
from interceptor.engine.types import Verdict
from interceptor.numbering import load_plan
from interceptor.policy import load_policy

NOW = 1_700_000_000_000
CALLER, CALLEE = "+8613800138000", "+8613900139000"
POLICY = """
version: 1
lists:
  a: {kind: number}
  b: {kind: number}
  c: {kind: number}
rules:
  - {id: from-a, when: call.caller in lists.a, verdict: block, class: list}
  - {id: from-b-abroad, when: call.caller in lists.b && call.international_ingress, verdict: warn}
  - {id: from-c, when: call.caller in lists.c, verdict: block, class: list}
  - {id: to-c, when: call.callee in lists.c, verdict: warn}
  - {id: abroad-roaming, when: call.international_ingress && call.roaming, verdict: warn}
  - {id: abroad-new, when: call.international_ingress && call.sim_age_days < 9, verdict: warn}
default: pass
"""


def engine(listed: str = "") -> Engine:
    made = Engine(load_plan(), secret=bytes(16), pass_sample=0)
    caller = ListContent(np.array([digits_key_of(1, CALLER.removeprefix("+").encode())], dtype=np.uint64))
    made.publish(load_policy("policy.yaml", POLICY), {listed: caller} if listed else {}, revision=1)
    return made


ENGINES = {listed: engine(listed) for listed in ("", "a", "b", "c")}


@given(
    listed=st.sampled_from(sorted(ENGINES)),
    caller=st.sampled_from([CALLER, "anonymous"]),
    callee=st.sampled_from([CALLEE, CALLER]),
    flags=st.fixed_dictionaries(
        {}, optional={"international_ingress": st.booleans(), "roaming": st.booleans()}
    ),
    age=st.none() | st.sampled_from([3, 30]),
)
def test_they_decide_and_fail_one_by_one(
    listed: str, caller: str, callee: str, flags: dict[str, bool], age: int | None
) -> None:
    asked = {"caller": caller, "callee": callee, **flags} | ({} if age is None else {"sim_age_days": age})
    explained = ENGINES[listed].explain(asked, NOW).decision  # asks each rule by itself
    decided = ENGINES[listed].decide(asked, NOW)
    assert (decided.verdict, decided.rule, decided.errors) == (
        explained.verdict,
        explained.rule,
        explained.errors,
    )


@pytest.mark.parametrize(("listed", "rule"), [("", "default"), ("a", "from-a"), ("c", "from-c")])
def test_one_of_them_that_holds_decides(listed: str, rule: str) -> None:
    assert ENGINES[listed].decide({"caller": CALLER, "callee": CALLEE}, NOW).rule == rule


def test_each_that_lacks_what_it_asks_for_is_an_error_of_its_own() -> None:
    decided = ENGINES[""].decide({"caller": "anonymous", "callee": CALLEE}, NOW)
    assert (decided.verdict, decided.errors) == (Verdict.PASS, 5)
