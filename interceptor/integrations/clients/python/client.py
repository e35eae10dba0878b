"""Asks about one call: `python client.py SERVICE[,SERVICE...] CALLER CALLEE`. Needs `interceptor.client`."""

import sys

from interceptor.client import Screening, Verdict

targets, caller, callee = sys.argv[1].split(","), sys.argv[2], sys.argv[3]

# One for the whole process; threads and forked workers share it. Of several services the first that is well is asked.
with Screening(targets, deadline_ms=50, otherwise=Verdict.PASS) as screening:
    screening.connect(1.0)  # not at the first call's expense
    answer = screening.decide(caller=caller, callee=callee)
    if answer.verdict is Verdict.BLOCK:
        print(answer.verdict.name, answer.rule, answer.sip_code, answer.sip_reason)
    else:
        print(answer.verdict.name, answer.rule)
