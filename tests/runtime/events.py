"""Events as the engine's ring gives them, of calls that a test thinks up."""

from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.events import EVENT_DTYPE
from interceptor.engine.types import NumberStatus, Verdict
from interceptor.policy import load_policy
from interceptor.runtime.outcomes import RecentOutcomes

#: 2026-11-22 12:00 in Shanghai
NOON = 1_795_320_000_000
HOUR, DAY = 3_600_000, 86_400_000
CALLER, CALLEE = "+8613800138000", "+8613900139000"
POLICY = """
version: 1
lists: {watched: {kind: number}, devices: {kind: device}, called: {kind: number}}
rules:
  - {id: shop, when: call.caller.endsWith("1"), verdict: warn, reason: fake-ecommerce-service}
  - {id: loan, when: call.caller.endsWith("2"), verdict: warn, reason: false-loan}
  - {id: odd, when: call.caller.endsWith("3"), verdict: warn, reason: as-nobody-wrote-words-for}
  - {id: mute, when: call.caller.endsWith("4"), verdict: warn}
  - {id: back, when: call.callee.endsWith("5"), verdict: warn, class: list, reason: victim-callback}
  - {id: dialler, when: call.caller.endsWith("6"), verdict: block, class: analytics, reason: dialler}
  - {id: ring, when: call.caller.endsWith("7"), verdict: warn, class: analytics, reason: wangiri,
     add_to: {list: watched, key: caller, for: 1h}}
  - {id: noted, when: call.caller.endsWith("8"), verdict: pass, reason: quiet,
     add_to: {list: watched, key: caller, for: 1h}}
  - {id: listed, when: call.caller in lists.watched, verdict: block, class: list, reason: listed-fraud}
"""
RULES = {rule.id: i for i, rule in enumerate(load_policy("policy.yaml", POLICY).rules)}


def outcomes() -> RecentOutcomes:
    """Of POLICY, which is revision 1."""
    made = RecentOutcomes()
    made.record(1, load_policy("policy.yaml", POLICY))
    return made


def warned(rule: str = "shop", at: int = NOON, **fields: Any) -> npt.NDArray[np.void]:
    """One event: a first answer, in which a rule warned of a call of CALLER to CALLEE."""
    event = np.zeros(1, EVENT_DTYPE)
    said = {
        "time_ms": at,
        "decision": 0xABC,
        "revision": 1,
        "rule": RULES.get(rule, rule),
        "verdict": Verdict.WARN,
        "caller": CALLER,
        "caller_status": NumberStatus.NUMBER_E164,
        "callee": CALLEE,
        "callee_status": NumberStatus.NUMBER_E164,
    }
    for name, value in (said | fields).items():
        event[name] = value.encode() if isinstance(value, str) else value
    return event


def batch(*events: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    return np.concatenate([np.zeros(0, EVENT_DTYPE), *events])
