"""A policy file becomes what the engine runs."""

from interceptor.engine.program import CompiledProgram, Outcome
from interceptor.engine.spec import AddTo, Appeals, Guard, KeyPart, Trunk
from interceptor.engine.types import BlockClass, Field, Verdict
from interceptor.policy import load_document, load_policy
from interceptor.policy.cost import policy_cost

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


HEAD = "version: 1\ntrunks: {default: {region: CN}}\n"


def test_the_cost_of_a_policy_is_the_longest_path_through_every_condition() -> None:
    spec = load_policy("policy.yaml", EXAMPLE)
    assert [rule.cost for rule in spec.rules] == [2, 2, 14]
    assert policy_cost(spec) == 20  # and 2 for the one counter's `where`
    text = HEAD + "rules: [{id: a, when: 'call.roaming ? true : call.sim_age_days > 3', verdict: warn}]"
    assert load_policy("p", text).rules[0].cost == 7  # the flag, two jumps, the longer answer (3), the return


def test_what_feeds_a_list_that_blocks_needs_a_verified_caller() -> None:
    text = (
        HEAD
        + """\
lists: {held: {kind: number}, seen: {kind: number}, tried: {kind: number}}
rules:
  - {id: a, when: call.caller in lists.held || call.callee in lists.held, verdict: block, class: list}
  - {id: b, when: call.caller in lists.tried, verdict: block, class: list, mode: shadow}
  - {id: c, when: call.caller in lists.seen, verdict: warn, add_to: {list: held, key: caller, for: 1h}}
  - {id: d, when: call.roaming, verdict: warn, add_to: {list: seen, key: caller, for: 1h}}
  - {id: e, when: call.roaming, verdict: warn, add_to: {list: tried, key: "redirecting[1]", for: 1d}}
"""
    )
    added = [rule.add_to for rule in load_policy("policy.yaml", text).rules if rule.add_to]
    assert [(entry.list, entry.needs_verified) for entry in added] == [(0, True), (1, False), (2, False)]
    assert added[2].field == Field.F_REDIRECTING + 1
    assert added[2].for_ms == 24 * 3600 * 1000


def test_everything_a_policy_may_say_arrives() -> None:
    text = """\
version: 1
trunks:
  default: {region: CN}
  gateway-1: {trusted: true}
  our.sims: {region: HK, own_subscribers: true}
tags: [dealer, zone]
thresholds: {n: 0x1F, half: 0.5, on: true, off: false, word: abc, yes: yes, wait: 1h30m, days: 2d, minus: -3}
lists: {ranges: {kind: prefix, file: /srv/ranges.csv, allow_bad: true}}
counters:
  by_dealer: {distinct: "redirecting[0]", per: [tags.dealer, "prefix(callee, 6)"], window: 31d}
entities: {"tags.dealer+prefix(callee, 6)": 5000}
emergency: {add: {CN: ["12395"], HK: ["992"]}, grace: 90m}
rules:
  - id: a
    when: thresholds.on && !thresholds.off && thresholds.word == "abc" && thresholds.yes == 'yes'
          && thresholds.n == 31 && thresholds.half < 1.0 && thresholds.wait < thresholds.days && thresholds.minus < 0
    verdict: block
    class: analytics
    sip_code: 608
    sip_reason: 'SIP;cause=608;text="Rejected"'
  - {id: b, when: true, verdict: block, class: subscriber, mode: shadow}
default: warn
"""
    spec = load_policy("/etc/policy.yaml", text)
    assert spec.trunks == {
        "default": Trunk("CN"), "gateway-1": Trunk("CN", trusted=True), "our.sims": Trunk("HK", own_subscribers=True),
    }  # fmt: skip
    assert spec.tags == ("dealer", "zone")
    assert (spec.lists[0].file, spec.lists[0].allow_bad) == ("/srv/ranges.csv", True)
    counter = spec.counters[0]
    assert (counter.element, counter.per) == (
        Field.F_REDIRECTING,
        (KeyPart(Field.F_TAG), KeyPart(Field.F_CALLEE, 6)),
    )
    assert spec.entities == {counter.entity: 5000}
    assert spec.emergency == {"CN": ("12395",), "HK": ("992",)}
    assert spec.emergency_grace_ms == 90 * 60 * 1000
    assert [(rule.sip_code, rule.shadow) for rule in spec.rules] == [(608, False), (607, True)]
    assert spec.rules[0].sip_reason == 'SIP;cause=608;text="Rejected"'
    assert spec.default == Verdict.WARN
    code = CompiledProgram(spec.code, [rule.when for rule in spec.rules], 1, 1)
    assert code.evaluate_with(spec.rules[0].when) == Outcome.MATCH
    document = load_document("/etc/policy.yaml", text)
    assert document.counters["by_dealer"].window == 31 * 24 * 3600 * 1000
    assert document.rules[0].block_class == "analytics"


def test_without_a_region_a_trunk_is_read_by_the_service_s_home_plan() -> None:
    assert load_policy("p", "version: 1").trunks == {"default": Trunk("")}


def test_guard_and_appeals_have_their_defaults() -> None:
    lists = "version: 1\nlists: {own: {kind: prefix}, allowed: {kind: number}}\n"
    assert load_policy("policy.yaml", lists).guard == Guard(0.001, 10, 100, ())
    assert load_policy("policy.yaml", lists).appeals is None
    spec = load_policy(
        "policy.yaml", lists + "guard: {factor: 3, protected: [own]}\nappeals: {list: allowed}\n"
    )
    assert spec.guard == Guard(0.001, 3, 100, ("own",))
    assert spec.appeals == Appeals("allowed", 30 * 24 * 3600 * 1000)
