"""What Kamailio's app_python3 loads: it asks about each call, makes SIP of the answer, and reports how the call went.

kamailio.cfg beside this file calls the methods of `Switch` by name. Nothing here may cost a call: whatever goes wrong
is logged, counted, and the call goes on.

A process of Kamailio keeps Python's lock while it is idle, and whatever threads there are stand still until a message
comes and the script waits for something. Nothing here that matters is left to a thread of a process that takes calls.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import KSR  # type: ignore[import-not-found]  # there inside Kamailio alone, and has no types

from interceptor.client import Answer, Cause, Screening, Verdict
from interceptor.integrations.kamailio import answering, settings, signalling

#: What python_exec leaves in $rc.
GO_ON, REFUSED = 1, -2

#: Seconds that a worker has to connect before it takes its first call.
CONNECTING = 0.5
#: Seconds that a call nobody can be asked about gives to the client's thread that looks whether a service is back.
TURN = 0.002
#: Seconds that the process for reports looks after its queue before it returns to Kamailio, and between two looks.
ROUND, PAUSE = 1.0, 0.05
#: Reports that wait for a service to take them.
REPORTS = 100_000
#: The queue of reports, as kamailio.cfg names it.
QUEUE = "interceptor"
#: What a dialog keeps: what the service knows the call by, and when it was answered.
CALL, ANSWERED_AT = "$dlg_var(interceptor_call)", "$dlg_var(interceptor_answered)"


def mod_init() -> "Switch":
    """Kamailio calls this before it forks: what is wrong with the settings is said now, and it does not start."""
    path = Path(os.environ.get("INTERCEPTOR_KAMAILIO", Path(__file__).with_name("interceptor.toml")))
    return Switch(settings.load(path))


class Switch:
    """Kamailio's side. Its methods get the message, and give what python_exec leaves in ``$rc``."""

    def __init__(self, said: settings.Settings) -> None:
        self._said = said
        self._trouble = ""
        # Made before the fork, and used after it: each process connects by itself, and what one finds out about a
        # service all know.
        self._screening = Screening(
            said.targets,
            tls=said.tls,
            deadline_ms=said.deadline_ms,
            otherwise=said.otherwise,
            home=said.home,
            emergency=said.emergency,
            reports=REPORTS,
        )

    def child_init(self, rank: int) -> int:
        """A process begins."""
        if rank > 0:  # it takes calls
            self._screening.connect(CONNECTING)
        return 0

    def screen(self, _: Any) -> int:
        """Asks about the INVITE at hand. REFUSED: it was answered, and that was it."""
        try:
            call = signalling.call_of(_read, self._said.trunk(_read("$si")))
            KSR.pv.sets(CALL, call["call_id"])  # the dialog, which is to be, will have it
            answer = self._screening.decide(call)
            if answer.cause == Cause.OPEN:
                time.sleep(TURN)
            self._note(answer)
            if answer.verdict is Verdict.BLOCK:
                return _refuse(answering.refusal(answer, self._said.refusing))
            KSR.hdr.remove("X-Interceptor")  # this one is ours: nobody else's is believed
            if answer.verdict is Verdict.WARN:
                _warn(answer, answering.label(answer, self._said.warning))
        except Exception as error:
            KSR.err(f"interceptor: a call goes on unscreened: {type(error).__name__}: {error}\n")
            _count("failed")
        return GO_ON

    def answered(self, _: Any) -> int:
        """The called party answered: the dialog has started."""
        now = _now()
        KSR.pv.sets(ANSWERED_AT, str(now))
        return _report(event="answered", time_ms=now)

    def ended(self, _: Any) -> int:
        """A call that was answered is over."""
        now, since = _now(), _read(ANSWERED_AT)
        duration = {"duration_ms": max(now - int(since), 0)} if since.isdecimal() else {}
        return _report(
            event="ended", time_ms=now, cause=answering.cause(200, _read("$hdr(Reason)")), **duration
        )

    def failed(self, _: Any) -> int:
        """A call that was never answered is over: refused, cancelled, or nobody was there."""
        status = _read("$rs")  # there is none where the time ran out
        cause = answering.cause(int(status) if status.isdecimal() else 408, _read("$hdr(Reason)"))
        return _report(event="ended", time_ms=_now(), cause=cause)

    def deliver(self, _: Any) -> int:
        """Sends what is in the queue, for a while. It has a process of its own: no call waits for a report."""
        until = time.monotonic() + ROUND
        while time.monotonic() < until:
            while KSR.mqueue.mq_fetch(QUEUE) > 0:
                try:
                    self._screening.report_call(json.loads(_read(f"$mqv({QUEUE})")))
                except (ValueError, TypeError) as error:
                    KSR.err(f"interceptor: a report is lost: {error}\n")
            time.sleep(PAUSE)  # here the client's thread runs, and sends
        return GO_ON

    def _note(self, answer: Answer) -> None:
        """Counts the answer, and logs what is not a plain pass; telephone numbers stay out of the log."""
        _count({Verdict.WARN: "warned", Verdict.BLOCK: "blocked"}.get(answer.verdict, "passed"))
        if not answer.decided and answer.rule != "emergency":
            _count("undecided")
        if answer.verdict is not Verdict.PASS:
            KSR.info(
                f"interceptor: {answer.verdict.name} rule={answer.rule} reason={answer.reason}"
                f" decision={answer.decision_id} call_id={_read('$ci')}\n"
            )
        if answer.cause != self._trouble:  # once, not for every call
            self._trouble = answer.cause
            if answer.cause:
                KSR.warn(f"interceptor: calls go undecided ({answer.cause}): {answer.detail}\n")
            else:
                KSR.info("interceptor: calls are decided again\n")


def _read(name: str) -> str:
    """A pseudo-variable as text; "" where it is not there."""
    try:
        value = KSR.pv.get(name)
    except UnicodeDecodeError:  # nobody is to get through by sending bytes that are no UTF-8
        inside = name[2:-1] if name.startswith("$(") else name[1:]
        value = bytes.fromhex(KSR.pv.get(f"$({inside}{{s.encode.hexa}})") or "").decode("utf-8", "replace")
    return "" if value is None else str(value)


def _now() -> int:
    return int(time.time() * 1000)


def _count(name: str) -> None:
    KSR.statistics.update_stat(f"interceptor_{name}", 1)


def _refuse(refusal: answering.Refusal) -> int:
    for header in refusal.headers:
        KSR.hdr.append_to_reply(f"{header}\r\n")
    KSR.sl.send_reply(refusal.code, refusal.phrase)
    return REFUSED


def _warn(answer: Answer, label: str) -> None:
    """Marks the INVITE: a header field, and the label in place of what the caller calls himself."""
    KSR.hdr.append(f"X-Interceptor: {answering.mark(answer)}\r\n")
    if not label:
        return
    KSR.uac.uac_replace_from(label, "")
    asserted = signalling.values(_read("$(hdr(P-Asserted-Identity)[*])"))
    KSR.hdr.remove("P-Asserted-Identity")
    for value in asserted:
        uri = "".join(filter(str.isprintable, signalling.address(value).uri))
        if uri:
            KSR.hdr.append(f"P-Asserted-Identity: {label} <{uri}>\r\n")


def _report(**report: Any) -> int:
    """Queues what became of the dialog at hand."""
    report["call_id"] = _read(CALL)
    if report["call_id"]:
        KSR.mqueue.mq_add(QUEUE, report["call_id"], json.dumps(report))
    return GO_ON
