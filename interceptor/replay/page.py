"""What came of a replay as a page: one HTML file that holds its plots and needs nothing else."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from interceptor.replay.document import Document
from interceptor.replay.drawing import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Curve,
    curves,
    hour_bars,
    shares,
    strips,
)

LOOKS = ("pass", "warn", "block")
#: curves told apart by colour: Okabe and Ito's palette, for all kinds of colour vision
SERIES = 8
PLOT = 260.0

STYLE = """
:root{--ink:#1d2733;--dim:#667484;--paper:#fff;--card:#f5f7f9;--rule:#dde3e9;--pass:#9fb3c4;--warn:#e6a000;--block:#c43a3a}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ee;--dim:#98a6b3;--paper:#151b21;--card:#1e262e;--rule:#313c47;
--pass:#587086;--warn:#e0a526;--block:#df5b57}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1000px;padding:28px 20px 60px;background:var(--paper);
color:var(--ink);font:15px/1.5 system-ui,sans-serif}h1{font-size:24px;margin:0 0 2px}
h2{font-size:17px;margin:38px 0 6px}p{margin:4px 0 10px;color:var(--dim)}
.cards{display:flex;flex-wrap:wrap;gap:12px;margin:18px 0}.card{background:var(--card);border-radius:8px;
padding:10px 16px;min-width:130px}.card b{display:block;font-size:22px;font-variant-numeric:tabular-nums}
.card span{color:var(--dim);font-size:13px}svg{width:100%;height:auto;display:block}
svg text{fill:var(--ink);font-size:12px}svg .tick{fill:var(--dim);font-size:11px}
.grid{stroke:var(--rule)}.axis{stroke:var(--dim)}.pass{fill:var(--pass)}.warn{fill:var(--warn)}
.block{fill:var(--block)}.calls{fill:var(--pass)}.empty{fill:var(--card)}
.curve{fill:none;stroke-width:2}path.warn{stroke:var(--warn)}path.block{stroke:var(--block)}
.dashed{stroke-dasharray:5 4}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:4px 10px 4px 0;
border-bottom:1px solid var(--rule)}th{color:var(--dim);font-weight:500}td.n,th.n{text-align:right}
.key{font-size:13px;color:var(--dim)}.key i{display:inline-block;width:12px;height:12px;border-radius:2px;
margin:0 5px -1px 12px}
"""
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f")


def page(found: Document) -> str:
    """The page of a document.document."""
    recording, candidate = found["recording"], found["candidate"]
    body = "".join(
        itertools.chain(
            _head(found), _by_hour(candidate), _rules(candidate), _flipped(found), _scored(candidate),
            _swept(found.get("sweep", [])), _hit_hardest(candidate), _unreported(candidate),
            _bad(recording),
        )
    )  # fmt: skip
    series = "".join(
        f".s{i}{{fill:{colour}}}path.s{i}{{stroke:{colour};fill:none}}.key .s{i}{{background:{colour}}}"
        for i, colour in enumerate(_COLOURS)
    )
    series += "".join(f".key .{look}{{background:var(--{look})}}" for look in LOOKS)
    title = f"Replay of {recording['file']}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{series}</style></head><body>{body}</body></html>\n"
    )


def _head(found: Document) -> Iterator[str]:
    recording, candidate = found["recording"], found["candidate"]
    yield f"<h1>Replay of {escape(recording['file'])}</h1>"
    against = f", held against {escape(found['against']['policy'])}" if "against" in found else ""
    span = (
        f", {_moment(recording['begin_ms'])} to {_moment(recording['end_ms'])}" if recording["calls"] else ""
    )
    yield f"<p>Under {escape(candidate['policy'])}{against}{span}</p>"
    calls = max(recording["calls"], 1)
    cards = [("calls", f"{recording['calls']:,}")]
    cards += [
        (f"{name}, {candidate['verdicts'][verdict] / calls:.3%}", f"{candidate['verdicts'][verdict]:,}")
        for name, verdict in (("warned", "warn"), ("blocked", "block"))
    ]
    if "flips" in found:
        cards.append(("with another verdict", f"{found['flips']['calls']:,}"))
    if "score" in candidate:
        for name, rates in (("warned or blocked", "warned_or_blocked"), ("blocked", "blocked")):
            rate = candidate["score"][rates]
            cards.append((f"precision, {name}", _percent(rate["precision"])))
            cards.append((f"of offenders' calls {name}", _percent(rate["recall"])))
    if recording["skipped"]:
        cards.append(("rows passed over", f"{recording['skipped']:,}"))
    if found["calls_per_second"]:
        cards.append(("calls a second", f"{found['calls_per_second']:,}"))
    inside = "".join(
        f'<div class="card"><b>{value}</b><span>{escape(name)}</span></div>' for name, value in cards
    )
    yield f'<div class="cards">{inside}</div>'


def _by_hour(candidate: Document) -> Iterator[str]:
    hours = candidate["hours"]
    if not hours:
        return
    names = _hour_names(hours)
    yield "<h2>By the hour</h2><p>Calls, and the share of them that was warned about or blocked. Times are UTC.</p>"
    totals = [(name, [sum(hour[look] for look in LOOKS)]) for name, hour in zip(names, hours, strict=True)]
    yield hour_bars(totals, ("calls",), 170, "calls by hour")
    parts = []
    for name, hour in zip(names, hours, strict=True):
        calls = sum(hour[look] for look in LOOKS) or 1
        parts.append((name, [100 * hour["block"] / calls, 100 * hour["warn"] / calls]))
    yield hour_bars(parts, ("block", "warn"), 200, "share of calls warned about and blocked by hour", " %")
    yield _key([("block", "blocked"), ("warn", "warned")])


def _rules(candidate: Document) -> Iterator[str]:
    hours = candidate["hours"]
    deciding = [rule for rule in candidate["rules"] if rule["calls"] and rule["rule"] != "default"]
    if deciding:
        names = _hour_names(hours)
        rows = []
        for rule in sorted(deciding, key=lambda rule: -rule["calls"])[:30]:
            counts = {hour["begin_ms"]: hour["calls"] for hour in rule["hours"]}
            look = rule["verdict"].split(",")[0]
            rows.append((rule["rule"], look, [counts.get(hour["begin_ms"], 0) for hour in hours]))
        yield "<h2>Rules by the hour</h2><p>Each row is as dark as its busiest hour; at the end all its calls.</p>"
        yield strips(rows, names, "calls decided by each rule and hour")
        yield _key([(look, name) for look, name in (("block", "block"), ("warn", "warn"), ("pass", "pass"))])
    silent = [rule["rule"] for rule in candidate["rules"] if not rule["calls"] and not rule["shadow"]]
    if silent:
        yield f"<p>Never decided: {escape(', '.join(silent))}.</p>"
    shadow = [rule for rule in candidate["rules"] if rule["shadow"]]
    if shadow:
        yield "<h2>Shadow rules</h2>"
        yield _table(("rule", "matched"), [(rule["rule"], rule["shadow"]) for rule in shadow])


def _flipped(found: Document) -> Iterator[str]:
    if "flips" not in found:
        return
    flips = found["flips"]
    yield "<h2>Calls with another verdict</h2>"
    if not flips["kinds"]:
        yield "<p>None: both policies answer every call alike.</p>"
        return
    yield "<p>What the policy it is held against answers, and what this one does.</p>"
    rows = [
        (_said(kind["before"]), _said(kind["after"]), kind["calls"], f"{kind['calls'] / flips['calls']:.1%}")
        for kind in flips["kinds"][:40]
    ]
    yield _table(("before", "now", "calls", "share"), rows)


def _scored(candidate: Document) -> Iterator[str]:
    if "score" not in candidate:
        return
    score = candidate["score"]
    yield "<h2>Who was stopped</h2><p>Calls of each kind by what was said to them; honest kinds first.</p>"
    rows = [
        (kind["label"], [kind["block"], kind["warn"], kind["pass"]], f"{kind['calls']:,} calls")
        for kind in (
            each | {"block": each["blocked"], "warn": each["warned"],
                    "pass": each["calls"] - each["blocked"] - each["warned"]}
            for each in score["kinds"]
        )
    ]  # fmt: skip
    yield shares(rows, ("block", "warn", "pass"), "calls by kind and verdict")
    yield _key([("block", "blocked"), ("warn", "warned"), ("pass", "passed")])
    yield _table(
        ("kind", "calls", "warned", "blocked", "callers", "of them warned", "of them blocked", "offenders",
         "warned by call 50", "blocked by call 50"),
        [
            (kind["label"], kind["calls"], kind["warned"], kind["blocked"], kind["callers"], kind["callers_warned"],
             kind["callers_blocked"], kind["instances"] if kind["fraud"] else "", *_caught_by(kind, "50"))
            for kind in score["kinds"]
        ],
    )  # fmt: skip
    yield from _until(score["kinds"])
    if score["rules"]:
        yield "<h2>Rules by whom they hit</h2>"
        yield _table(
            ("rule", "precision", "offenders' calls", "others'", "kinds"),
            [
                (rule["rule"] + (", shadow" if rule["shadow"] else ""), _percent(rule["precision"]), rule["right"],
                 rule["wrong"], ", ".join(f"{label} {n:,}" for label, n in rule["labels"].items()))
                for rule in score["rules"]
            ],
        )  # fmt: skip


def _caught_by(kind: Document, calls: str) -> tuple[str, str]:
    if "caught_warned" not in kind:
        return "", ""
    return tuple(_percent(kind[name]["within"][calls]) for name in ("caught_warned", "caught_blocked"))  # type: ignore[return-value]


def _until(kinds: Sequence[Document]) -> Iterator[str]:
    found, names = [], []
    x = Axis(1, 1000, LEFT, WIDTH - RIGHT, logarithmic=True)
    for i, kind in enumerate(each for each in kinds if "caught_warned" in each):
        look = f"s{i % SERIES}"
        names.append((look, kind["label"]))
        for name, dashed in (("caught_warned", ""), ("caught_blocked", " dashed")):
            calls, n = kind[name]["calls_until"], kind["instances"]
            points = [(1.0, 0.0), *((float(at), 100 * (k + 1) / n) for k, at in enumerate(calls))]
            points.append((x.high, points[-1][1]))
            found.append(
                Curve(f"{kind['label']}: {name.removeprefix('caught_')}", points, look + dashed, stepped=True)
            )
    if not found:
        return
    yield (
        "<h2>Calls until caught</h2><p>Share of the offenders (devices, gangs) warned about (dashed: blocked) "
        "by the time they had made so many calls.</p>"
    )
    y = Axis(0, 100, PLOT - BOTTOM, TOP)
    yield curves(found, x, y, ("calls made", "", " %"), "share of offenders caught by calls made")
    yield _key(names)


def _swept(tried: Sequence[Document]) -> Iterator[str]:
    if not tried:
        return
    yield "<h2>Thresholds</h2>"
    names = list(tried[0]["thresholds"])
    if all("score" in each for each in tried):
        yield (
            "<p>Each point is a setting: how much of the offenders' calls it warns about or blocks, and of how many "
            "honest callers it does so wrongly. Up and to the left is better.</p>"
        )
        found = []
        for look, rates, hit in (
            ("warn", "warned_or_blocked", "callers_warned"),
            ("block", "blocked", "callers_blocked"),
        ):
            points = sorted(
                (wrongly(each, hit), 100 * (each["score"][rates]["recall"] or 0), _setting(each))
                for each in tried
            )
            found.append(
                Curve(
                    look,
                    [(a, b) for a, b, _ in points],
                    look,
                    [f"{note}: {b:.2f} %, wrongly {a:.4f} %" for a, b, note in points],
                )
            )
        most = max(a for curve in found for a, _ in curve.points) or 1
        yield curves(
            found, Axis(0, most * 1.03, LEFT, WIDTH - RIGHT), Axis(0, 100, PLOT - BOTTOM, TOP),
            ("honest callers hit wrongly", " %", " %"), "offenders' calls stopped against honest callers hit",
        )  # fmt: skip
        yield _key([("warn", "warned or blocked"), ("block", "blocked")])
    elif len(names) == 1:
        found = [
            Curve(verdict, [(each["thresholds"][names[0]], each["verdicts"][verdict]) for each in tried], verdict,
                  [f"{_setting(each)}: {each['verdicts'][verdict]:,}" for each in tried])
            for verdict in ("warn", "block")
        ]  # fmt: skip
        values = [each["thresholds"][names[0]] for each in tried]
        most = max((b for curve in found for _, b in curve.points), default=0) or 1
        yield curves(
            found, Axis(min(values), max(values), LEFT, WIDTH - RIGHT), Axis(0, most, PLOT - BOTTOM, TOP),
            (names[0], "", ""), f"calls warned about and blocked by {names[0]}",
        )  # fmt: skip
        yield _key([("warn", "warned"), ("block", "blocked")])
    yield _table(
        (*names, "warned", "blocked", "stopped of offenders' calls", "honest callers warned", "honest callers blocked"),
        [
            (*each["thresholds"].values(), each["verdicts"]["warn"], each["verdicts"]["block"],
             *((_percent(each["score"]["warned_or_blocked"]["recall"]), f"{wrongly(each, 'callers_warned'):.4f} %",
                f"{wrongly(each, 'callers_blocked'):.4f} %") if "score" in each else ("", "", "")))
            for each in tried
        ],
    )  # fmt: skip


def wrongly(each: Document, hit: str) -> float:
    """Percent of the callers of honest kinds that were hit: `callers_warned` or `callers_blocked`."""
    honest = [kind for kind in each["score"]["kinds"] if not kind["fraud"]]
    callers = sum(kind["callers"] for kind in honest)
    return 100 * float(sum(kind[hit] for kind in honest)) / callers if callers else 0.0


def _hit_hardest(candidate: Document) -> Iterator[str]:
    if candidate["hit_hardest"]:
        yield "<h2>Hit hardest</h2>"
        rows = [
            (hit["caller"] or "withheld", hit["blocked"], hit["warned"]) for hit in candidate["hit_hardest"]
        ]
        yield _table(("caller", "blocked", "warned"), rows)


def _unreported(candidate: Document) -> Iterator[str]:
    if candidate["calls_without_reports"]:
        yield "<h2>Too many calls in progress</h2>"
        yield (
            f"<p>Of {candidate['calls_without_reports']:,} calls the policy was not told answer and end: what it "
            "counts of them is too low.</p>"
        )


def _bad(recording: Document) -> Iterator[str]:
    if recording["bad"]:
        yield f"<h2>Rows passed over</h2><p>{recording['skipped']:,} in all; the first:</p>"
        rows = [(bad["row"], bad["column"], bad["problem"]) for bad in recording["bad"]]
        yield _table(("row", "column", "problem"), rows)


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    kept = list(rows)
    numeric = [all(isinstance(row[i], int) for row in kept) for i in range(len(names))]

    def cell(tag: str, i: int, said: object) -> str:
        shown = f"{said:,}" if isinstance(said, int) else str(said)
        return f"<{tag}{' class=n' if numeric[i] else ''}>{escape(shown)}</{tag}>"

    head = "".join(cell("th", i, name) for i, name in enumerate(names))
    body = "".join(
        "<tr>" + "".join(cell("td", i, said) for i, said in enumerate(row)) + "</tr>" for row in kept
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _key(names: Iterable[tuple[str, str]]) -> str:
    return (
        '<p class="key">' + "".join(f'<i class="{look}"></i>{escape(name)}' for look, name in names) + "</p>"
    )


def _hour_names(hours: Sequence[Document]) -> list[str]:
    days = hours[-1]["begin_ms"] - hours[0]["begin_ms"] >= 24 * 3_600_000
    return [
        datetime.fromtimestamp(hour["begin_ms"] / 1000, UTC).strftime("%d. %H:00" if days else "%H:00")
        for hour in hours
    ]


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _said(answer: Document) -> str:
    return f"{answer['verdict']} by {answer['rule']}"


def _setting(each: Document) -> str:
    return ", ".join(f"{name} {value}" for name, value in each["thresholds"].items())


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.2%}"
