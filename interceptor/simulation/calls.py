"""Calls as they are simulated: one row each, sorted, and nobody in two calls at once."""

from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.void]
Whole = npt.NDArray[np.int64]

EVENTS = ("call", "activated", "reactivated", "attached", "sms")
SETUP, ACTIVATED, REACTIVATED, ATTACHED, SMS = range(len(EVENTS))
LABELS = (
    "ordinary", "business", "courier", "call-centre", "sim-box", "card-farm", "relay-phone", "relay-app", "robocall",
    "wangiri", "tdos", "scan", "spoofed",
)  # fmt: skip
#: The first label of those who defraud.
FIRST_OFFENDER = LABELS.index("sim-box")

#: Q.850: unallocated, normal clearing, busy, no user responding, no answer, absent, rejected.
UNALLOCATED, CLEARED, BUSY, NO_RESPONSE, NO_ANSWER, ABSENT, REJECTED = 1, 16, 17, 18, 19, 20, 21

#: `line` and `to`: caller and callee as places among the lines; -1: no telephone that one call makes busy, `to` -2: a
#: number that nobody has. Times and lengths in ms. Of the rest 0, or -1 where 0 says something, is: not known.
ROW = np.dtype(
    [
        ("time", "i8"), ("ring", "i4"), ("talk", "i4"), ("cause", "i2"), ("event", "i1"), ("label", "i1"),
        ("instance", "i4"), ("line", "i4"), ("to", "i4"), ("caller", "i8"), ("callee", "i8"), ("trunk", "i1"),
        ("cell", "i4"), ("imei", "i8"), ("imsi", "i8"), ("activated", "i8"), ("dealer", "i4"), ("document", "i8"),
        ("international", "i1"), ("roaming", "i1"), ("forwarded", "i8"), ("fraud", "?"),
    ]
)  # fmt: skip


def empty(n: int) -> Rows:
    """`n` calls of which nothing is known yet."""
    rows = np.zeros(n, ROW)
    for name in ("instance", "line", "to", "cell", "dealer", "international", "roaming"):
        rows[name] = -1
    return rows


def joined(parts: list[Rows]) -> Rows:
    """All rows, sorted by time; rows of one time in the order of the parts."""
    rows = np.concatenate(parts) if parts else empty(0)
    return rows[np.argsort(rows["time"], kind="stable")]


def one_at_a_time(rows: Rows, busy: Whole) -> Rows:
    """What is left of sorted calls when a telephone makes and takes one at a time.

    A call whose caller is in another call is not made; one whose callee is, finds it busy; to nobody's number it fails.

    Parameters
    ----------
    rows
        Sorted by time. Changed: calls that fail.
    busy
        Until when each telephone is in a call, ms. Changed.
    """
    call = rows["event"] == SETUP
    nobody = call & (rows["to"] == -2)
    rows["ring"][nobody], rows["talk"][nobody], rows["cause"][nobody] = 900, 0, UNALLOCATED
    line = np.where(call, rows["line"], -1)
    to = np.where(call & ~nobody, rows["to"], -1)
    start, talk = rows["time"], rows["talk"]
    end = start + rows["ring"] + talk
    # Most telephones are in one call of a slice: only the others need to be gone through one after the other.
    seen, places = np.unique(np.concatenate([line, to]), return_inverse=True)
    often = (np.bincount(places) > 1) & (seen >= 0)
    n = len(rows)
    held = np.append(busy, -1)  # place -1: nobody
    tricky = often[places[:n]] | often[places[n:]] | (held[line] > start) | (held[to] > start)
    plain = ~tricky
    _occupy(busy, line[plain], end[plain])
    answered = plain & (talk > 0)
    _occupy(busy, to[answered], end[answered])
    keep = np.ones(n, bool)
    found_busy = []
    where = np.flatnonzero(tricky)
    columns = (where, line[where], to[where], start[where], end[where], talk[where])
    until: dict[int, int] = {}
    for row, caller, callee, begins, ends, talks in zip(*(c.tolist() for c in columns), strict=True):
        if caller >= 0 and until.setdefault(caller, int(busy[caller])) > begins:
            keep[row] = False
            continue
        if callee >= 0 and until.setdefault(callee, int(busy[callee])) > begins:
            found_busy.append(row)
            ends = begins + 2_000
        elif callee >= 0 and talks:
            until[callee] = ends
        if caller >= 0:
            until[caller] = ends
    if until:
        busy[np.fromiter(until.keys(), np.int64)] = np.fromiter(until.values(), np.int64)
    rows["talk"][found_busy] = 0
    rows["ring"][found_busy] = 2_000
    rows["cause"][found_busy] = BUSY
    return rows if keep.all() else rows[keep]


def _occupy(busy: Whole, lines: Any, until: Any) -> None:
    known = lines >= 0
    busy[lines[known]] = until[known]
