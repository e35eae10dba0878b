"""An evidence pack as a page for people, to be read or printed. The pack is in it, and the page follows from it."""

import html
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interceptor.runtime.evidence import EvidenceError, Pack, verified

_OPEN, _CLOSE = '<pre id="pack">', "</pre>"
_HIDDEN = {"kind", "n", "previous", "hash", "by_hour"}
#: of an item: shown in this order before the rest
_FIRST = ("time", "verdict", "rule", "caller", "callee", "value", "name", "list", "entry", "calls")

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72em;margin:2em auto;padding:0 1em;color:#1b1f24;background:#fff}
h1{font-size:1.6em}h2{font-size:1.15em;margin-top:2em;border-bottom:1px solid #d0d7de}
table{border-collapse:collapse;width:100%;font-size:.86em}th,td{text-align:left;vertical-align:top;padding:.3em .6em}
th{border-bottom:2px solid #d0d7de}tr{border-bottom:1px solid #eaeef2;break-inside:avoid}
code,pre,.ids{font:12px/1.4 ui-monospace,monospace}pre{white-space:pre-wrap;word-break:break-all}
.ids{color:#57606a;word-break:break-all}.BLOCK{color:#b42318;font-weight:600}.WARN{color:#9a6700;font-weight:600}
svg{max-width:100%}@media print{details{display:none}}
"""

_TITLES = {
    "seen": "What was seen",
    "rule": "Rules that decided",
    "counter": "Counters now",
    "associated number": "Numbers these calls have in common",
    "associated device": "Devices",
    "associated card": "Cards",
    "associated cell": "Cells",
    "list entry": "History on lists",
    "decision": "Every call",
}


def page(pack: bytes) -> bytes:
    """The page of a pack. Raises EvidenceError when the pack is not whole."""
    return _page(pack, verified(pack)).encode()


def verified_page(data: bytes) -> Pack:
    """Reads a page: its pack is whole, and it says nothing else. Raises EvidenceError."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise EvidenceError("the page is no UTF-8 text: it was changed") from None
    _, opened, rest = text.partition(_OPEN)
    inner, closed, _ = rest.partition(_CLOSE)
    if not (opened and closed):
        raise EvidenceError("there is no evidence pack in this page")
    raw = html.unescape(inner).encode()
    pack = verified(raw)
    if _page(raw, pack) != text:
        raise EvidenceError(
            "the pack in this page is whole, but the page is not what follows from it: it was changed, or another "
            "version wrote it; go by the pack"
        )
    return pack


def _page(raw: bytes, pack: Pack) -> str:
    head = pack.items[0]
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for item in pack.items[1:]:
        groups[item["kind"]].append(item)
    sections = [_section(title, groups[kind]) for kind, title in _TITLES.items() if groups[kind]]
    title = f"Clue: {head['subject']} {head['text']}"
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>',
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{html.escape(title)}</h1>",
            f"<p>{html.escape(head['words'])}</p>",
            "<p>Numbers of called parties, and of callers none of whose calls was blocked, are masked; a called party "
            "has the same number throughout.</p>",
            f"<p>Made at {head['until']} by {html.escape(head['made_by'])}, policy revision {head['policy_revision']}, "
            f"service <code>{html.escape(head['service'])}</code>. Seal <code>{pack.hash}</code>: check it with "
            "<code>interceptor clue --verify FILE</code>.</p>",
            *sections,
            "<details><summary>The pack: what this page follows from</summary>",
            f"{_OPEN}{html.escape(raw.decode(), quote=False)}{_CLOSE}",
            "</details></body></html>\n",
        ]
    )


def _section(title: str, items: Sequence[Mapping[str, Any]]) -> str:
    parts = [f"<h2>{html.escape(title)}</h2>"]
    if items[0]["kind"] == "seen":
        parts += [f"<p>{html.escape(items[0]['words'])}</p>", _bars(items[0]["by_hour"])]
    else:
        parts.append(_table(items))
    return "\n".join(parts)


def _table(items: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for item in items for name in item if name not in _HIDDEN))
    used = [name for name in names if any(item.get(name) not in ("", None, []) for item in items)]
    used.sort(
        key=lambda name: (name == "decision_ids", _FIRST.index(name) if name in _FIRST else len(_FIRST))
    )
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in used)
    rows = "".join(f"<tr>{''.join(_cell(name, item.get(name)) for name in used)}</tr>" for item in items)
    return f"<table><tr>{head}</tr>{rows}</table>"


def _cell(name: str, value: object) -> str:
    if name == "decision_ids" and isinstance(value, list):
        return f'<td class="ids">{" ".join(html.escape(str(each)) for each in value)}</td>'
    style = f' class="{html.escape(str(value))}"' if name == "verdict" else ""
    return f"<td{style}>{'' if value is None else html.escape(str(value))}</td>"


def _bars(by_hour: Mapping[str, int]) -> str:
    """Calls by hour, as bars."""
    width, height = 26, 120
    most = max(by_hour.values())
    drawn: Iterable[str] = (
        f'<rect x="{i * width + 4}" y="{height - round(100 * n / most)}" width="{width - 8}" '
        f'height="{round(100 * n / most)}" fill="#b42318"><title>{html.escape(hour)}: {n}</title></rect>'
        f'<text x="{i * width + width / 2}" y="{height + 14}" font-size="10" text-anchor="middle">{hour[11:13]}</text>'
        for i, (hour, n) in enumerate(by_hour.items())
    )
    size = f'width="{len(by_hour) * width}" height="{height + 20}"'
    return f'<svg {size} role="img" aria-label="calls by hour, UTC">{"".join(drawn)}</svg>'
