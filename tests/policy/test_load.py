"""A policy file becomes what the engine runs."""

from interceptor.engine.program import CompiledProgram
from interceptor.engine.spec import AddTo, KeyPart, Trunk
from interceptor.engine.types import BlockClass, Field, Verdict
from interceptor.policy import load_policy

EXAMPLE = """\
version: 1
trunks:
  default: {region: CN, trusted: false}
tags: [dealer]
thresholds: {fan_out: 60, sims: 3}
lists:
  fraud: {kind: number, file: fraud.csv}
  watch: {kind: number}
  vip:   {kind: number}
counters:
  caller_calls_1m:    {count: call,       per: caller, window: 1m}
  caller_callees_1h:  {distinct: callee,  per: caller, window: 1h}
  device_sims_1d:     {distinct: imsi,    per: imei,   window: 24h}
  pair_calls_1h:      {count: call,       per: [caller, callee], window: 1h}
  pool_callers_5m:    {distinct: caller,  per: "prefix(caller, 7)", window: 5m, where: call.international_ingress}
rules:
  - {id: vip, when: call.caller in lists.vip, verdict: pass}
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: listed-fraud}
  - id: sim-box
    when: counters.device_sims_1d > thresholds.sims
          || (counters.caller_callees_1h > thresholds.fan_out && call.sim_age_days < 30)
    verdict: warn
    class: analytics
    reason: sim-box
    add_to: {list: watch, key: caller, for: 1h}
default: pass
"""


def test_the_example_of_the_design_becomes_a_spec_the_engine_accepts() -> None:
    spec = load_policy("/etc/policy.yaml", EXAMPLE)
    spans = [rule.when for rule in spec.rules] + [counter.where for counter in spec.counters if counter.where]
    CompiledProgram(spec.code, spans, len(spec.counters), len(spec.lists))
    assert [rule.id for rule in spec.rules] == ["vip", "listed", "sim-box"]
    assert [rule.verdict for rule in spec.rules] == [Verdict.PASS, Verdict.BLOCK, Verdict.WARN]
    assert spec.rules[1].block_class == BlockClass.CLASS_LIST
    assert spec.rules[1].sip_code == 603
    assert spec.rules[2].add_to == AddTo(1, Field.F_CALLER, 3_600_000, needs_verified=False)
    assert spec.rules[2].line == 19
    assert spec.lists[0].file == "/etc/fraud.csv"
    assert spec.trunks == {"default": Trunk("CN")}
    assert spec.counters[3].per == (KeyPart(Field.F_CALLER), KeyPart(Field.F_CALLEE))
    assert spec.entities == dict.fromkeys(["caller", "caller+callee", "imei", "prefix(caller,7)"], 1_000_000)


def test_true_and_false_may_begin_a_condition() -> None:
    for when in ("true || call.roaming", "(false && call.roaming) == false", "false ? call.roaming : true"):
        text = (
            f"version: 1\ntrunks: {{default: {{}}}}\nrules:\n  - {{id: a, when: '{when}', verdict: warn}}\n"
        )
        assert load_policy("policy.yaml", text).rules[0].source == when
