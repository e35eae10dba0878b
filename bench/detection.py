"""What the shipped policy catches on simulated days, and whom it hits by mistake: by kind of traffic, a seed a day.

    python bench/detection.py --days 101 102 --json bench/results/detection.json --plot bench/results/detection.svg

A day is simulated (`interceptor simulate`), replayed under the policy (`interceptor replay`), and compared with its
labels. Thresholds were chosen on days of seeds below 100; report days of other seeds.

Of those who defraud, an instance is a device, a farm, a pair or a gang. It is caught at its n-th call when that is its
first one that was warned about, or blocked; the two are told apart. Recall is the share of instances caught within
their first 50 calls. Of everybody else it is counted how many of those who called were ever warned about or blocked.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from _report import ROOT, Report, arguments

from interceptor.policy import load_policy
from interceptor.replay.play import Replay, Side
from interceptor.replay.recording import Recording
from interceptor.replay.scoring import NEVER, WANTED, KindScore, Score, Scoring
from interceptor.simulation.scenario import load
from interceptor.simulation.simulate import simulate

#: calls within which an instance is to be caught
FIRST = 50
#: kinds that are to be blocked within these, and what share of their instances
TO_BLOCK = {"sim-box": 0.95, "card-farm": 0.95}
#: of those who called, how many may be blocked by mistake; of call centres and couriers none
MISTAKES = {"ordinary": 0.0001, "business": 0.0001}


def scored(path: Path, policy: Path) -> Score:
    """Replays a day and scores it."""
    spec = load_policy(policy)
    replay = Replay(Recording(path), [Side(spec)], wanted=WANTED)
    scoring = Scoring(spec)
    for played in replay:
        scoring.add(played.columns, played.answers[0])
    score = scoring.score()
    assert score is not None
    return score


def forms_of(path: Path) -> dict[str, list[str]]:
    """By kind: the form of instance i is forms[i % len(forms)]."""
    told = (pq.read_schema(path).metadata or {}).get(b"simulated", b"{}")
    return dict(json.loads(told).get("forms", {}))


def share(until: npt.NDArray[np.int64], within: int = FIRST) -> float:
    """Per cent of instances that were caught within so many calls."""
    return 100 * float(np.mean((until != NEVER) & (until <= within))) if len(until) else float("nan")


def by_kind(scores: Sequence[Score]) -> Iterator[tuple[str, list[KindScore]]]:
    """Each kind with what was said to it day by day, honest ones first."""
    for label in dict.fromkeys(kind.label for score in scores for kind in score.kinds):
        yield label, [kind for score in scores for kind in score.kinds if kind.label == label]


def show(report: Report, scores: Sequence[Score], forms: dict[str, list[str]]) -> None:
    """Prints what was caught and who was hit, all days together."""
    report.section(f"Caught within their first {FIRST} calls, of each kind's instances")
    for label, days in by_kind(scores):
        if not days[0].fraud:
            continue
        report.figure(f"{label}: instances", sum(day.instances for day in days), "")
        warned = np.concatenate([day.until_warned for day in days])
        blocked = np.concatenate([day.until_blocked for day in days])
        report.figure(f"{label}: warned about or blocked", share(warned), "%")
        if label in TO_BLOCK:
            report.rate(f"{label}: blocked", share(blocked), 100 * TO_BLOCK[label], "%")
        else:
            report.figure(f"{label}: blocked", share(blocked), "%")
        named = forms.get(label, ())
        for i, form in enumerate(named if len(named) > 1 else ()):
            theirs = [np.concatenate([day_until[i :: len(named)] for day_until in untils]) for untils in (
                [day.until_warned for day in days], [day.until_blocked for day in days]
            )]  # fmt: skip
            report.figure(f"  {form}: warned about or blocked", share(theirs[0]), "%")
            report.figure(f"  {form}: blocked", share(theirs[1]), "%")
    report.section("Hit by mistake: callers to whom it ever happened, of those who called")
    for label, days in by_kind(scores):
        if days[0].fraud:
            continue
        callers = sum(day.callers for day in days)
        report.figure(
            f"{label}: warned about or blocked, of {callers:,}",
            sum(d.callers_warned for d in days),
            "callers",
        )
        report.promise(
            f"{label}: blocked, of {callers:,}",
            sum(day.callers_blocked for day in days),
            int(MISTAKES.get(label, 0) * callers),
            "callers",
        )
    report.section("Precision, by call")
    for blocked, name in ((False, "warned about or blocked"), (True, "blocked")):
        report.figure(name, 100 * float(np.mean([score.precision(blocked=blocked) for score in scores])), "%")
    report.section("Rules: calls of those who defraud, and of others")
    for rule in sorted(scores[0].rules, key=lambda each: -each.right):
        honest = {
            label: n
            for label, n in rule.by_label.items()
            if label in {"ordinary", "business", "courier", "call-centre"}
        }
        shadow = " (shadow)" if rule.shadow else ""
        report.note(f"{rule.rule + shadow:<34} {rule.right:>8,} {rule.wrong:>8,}   {honest}")


def draw(scores: Sequence[Score], path: Path) -> None:
    """The share of each kind's instances that is caught by their n-th call."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an optional extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    kinds = [(label, days) for label, days in by_kind(scores) if days[0].fraud]
    rows = -(-len(kinds) // 3)
    figure = Figure(figsize=(11, 2.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 3, sharex=True, sharey=True, squeeze=False).ravel()
    n = range(1, 4 * FIRST + 1)
    for ax, (label, days) in zip(axes, kinds, strict=False):
        for untils, name, colour in (
            ([day.until_warned for day in days], "warned or blocked", "#bf8700"),
            ([day.until_blocked for day in days], "blocked", "#b42318"),
        ):
            until = np.concatenate(untils)
            ax.plot(n, [share(until, at) for at in n], colour, label=name)
        ax.axvline(FIRST, color="#8c959f", linewidth=0.8, linestyle=":")
        ax.set_title(f"{label} ({sum(day.instances for day in days)})", fontsize=10)
        ax.set_ylim(-3, 103)
    for ax in axes[len(kinds) :]:
        ax.set_axis_off()
    axes[0].legend(loc="lower right", fontsize=8)
    figure.supxlabel("calls made")
    figure.supylabel("% of instances caught")
    figure.savefig(path)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=int, nargs="+", default=[101, 102], help="seeds (default: 101 102)")
    parser.add_argument("--subscribers", type=int, default=1_000_000)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--policy", type=Path, default=ROOT / "interceptor/policies/antifraud-cn.yaml")
    parser.add_argument(
        "--keep", type=Path, help="directory where the simulated days are kept and found again"
    )
    parser.add_argument("--plot", type=Path, help="draw how many are caught by their n-th call (SVG, PNG)")


def main() -> None:
    args = arguments(__doc__, options)
    subscribers = min(args.subscribers, 50_000) if args.quick else args.subscribers
    report = Report(
        "detection", args, subscribers=subscribers, hours=args.hours, days=args.days, policy=args.policy.name
    )
    scores, forms = [], {}
    with TemporaryDirectory() as scratch:
        for seed in args.days:
            path = (args.keep or Path(scratch)) / f"day-{subscribers}-{args.hours}-{seed}.parquet"
            if not path.exists():
                simulate(load("day"), path, subscribers=subscribers, hours=args.hours, seed=seed)
            scores.append(scored(path, args.policy))
            forms = forms_of(path)
            report.note(f"seed {seed}: {sum(kind.calls for kind in scores[-1].kinds):,} calls")
    show(report, scores, forms)
    if args.plot is not None:
        draw(scores, args.plot)
    report.close()


if __name__ == "__main__":
    main()
