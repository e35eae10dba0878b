"""What came of a replay as plain data: the JSON that is written, and what the page and the tables show."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from interceptor.engine.answers import Answer
from interceptor.replay.scoring import NEVER, KindScore, Score
from interceptor.replay.study import Findings, Study, Tried
from interceptor.replay.tally import HOUR_MS, VERDICTS, Tally
from interceptor.runtime.masking import masked

Document = dict[str, Any]
#: calls within which an offender is to be caught, as they are told
WITHIN = (1, 5, 10, 20, 50, 100, 200, 500)


def document(study: Study, *, show_numbers: bool = False) -> Document:
    """All that came of it. Numbers of callers are masked unless `show_numbers`."""
    name: Callable[[str], str] = str if show_numbers else masked
    made: Document = {
        "recording": {
            "file": str(study.recording.path),
            "rows": study.rows,
            "calls": study.candidate.tally.calls,
            "skipped": study.skipped,
            "bad": [{"row": bad.row, "column": bad.column, "problem": bad.problem} for bad in study.bad],
            "begin_ms": study.begin_ms,
            "end_ms": study.end_ms,
        },
        "seconds": round(study.seconds, 3),
        "calls_per_second": round(study.candidate.tally.calls / study.seconds) if study.seconds else None,
        "cores": study.cores,
        "candidate": _findings(study.candidate, name),
    }
    if study.against is not None and study.flips is not None:
        made["against"] = _findings(study.against, name)
        made["flips"] = {
            "calls": study.flips.calls,
            "kinds": [
                {"before": _answer(kind.was), "after": _answer(kind.would), "calls": calls}
                for kind, calls in study.flips.kinds()
            ],
        }
    if study.swept:
        made["sweep"] = [_tried(tried) for tried in study.swept]
    return made


def _answer(answer: Answer) -> Document:
    return {"verdict": VERDICTS[answer.verdict], "rule": answer.rule}


def _findings(found: Findings, name: Callable[[str], str]) -> Document:
    tally = found.tally
    made: Document = {
        "policy": found.side.spec.source,
        "digest": found.side.spec.digest,
        "calls_without_reports": found.lost,
        "one_core_because": found.together or None,
        "verdicts": dict(tally.verdicts),
        "repeated": tally.repeated,
        "errors": tally.errors,
        "hours": hours(tally),
        "rules": [
            {
                "rule": rule.rule,
                "verdict": rule.verdict,
                "calls": rule.calls,
                "shadow": rule.shadow,
                "hours": [
                    {"begin_ms": hour * HOUR_MS, "calls": n} for hour, n in sorted(rule.by_hour.items())
                ],
            }
            for rule in tally.rules()
        ],
        "hit_hardest": [
            {"caller": name(hit.caller), "warned": hit.warned, "blocked": hit.blocked}
            for hit in tally.hit_hardest()
        ],
    }
    if found.score is not None:
        made["score"] = _score(found.score)
    return made


def hours(tally: Tally) -> list[Document]:
    """Every hour from the first call to the last, and its verdicts."""
    seen = [hour for counts in tally.hours.values() for hour in counts]
    if not seen:
        return []
    return [
        {"begin_ms": hour * HOUR_MS} | {verdict: counts[hour] for verdict, counts in tally.hours.items()}
        for hour in range(min(seen), max(seen) + 1)
    ]


def _score(score: Score) -> Document:
    return {
        "warned_or_blocked": _rates(score, blocked=False),
        "blocked": _rates(score, blocked=True),
        "kinds": [_kind(kind) for kind in score.kinds],
        "rules": [
            {
                "rule": rule.rule,
                "shadow": rule.shadow,
                "precision": _number(rule.precision),
                "right": rule.right,
                "wrong": rule.wrong,
                "labels": dict(rule.by_label),
            }
            for rule in score.rules
        ],
    }


def _rates(score: Score, *, blocked: bool) -> Document:
    return {
        "precision": _number(score.precision(blocked=blocked)),
        "recall": _number(score.recall(blocked=blocked)),
    }


def _kind(kind: KindScore) -> Document:
    made: Document = {
        name: getattr(kind, name)
        for name in (
            "label", "fraud", "calls", "warned", "blocked", "callers", "callers_warned", "callers_blocked", "instances"
        )
    }  # fmt: skip
    if kind.fraud and kind.instances:
        for name, until in (("warned", kind.until_warned), ("blocked", kind.until_blocked)):
            caught = np.sort(until[until != NEVER])
            made[f"caught_{name}"] = {
                "instances": len(caught),
                "within": {str(n): _number(kind.caught(n, blocked=name == "blocked")) for n in WITHIN},
                "calls_until": caught.tolist(),
            }
    return made


def _tried(tried: Tried) -> Document:
    made: Document = {"thresholds": dict(tried.setting), "verdicts": dict(tried.tally.verdicts)}
    if tried.score is not None:
        made["score"] = _score(tried.score)
    return made


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
