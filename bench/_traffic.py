"""Calls for benchmarks: a network's subscribers, each with a number, a SIM and a handset, and calls from abroad."""

import numpy as np
import numpy.typing as npt

from interceptor.engine.engine import CALL_DTYPE
from interceptor.engine.keys import KeyKind
from interceptor.engine.types import Scalar

Rows = npt.NDArray[np.void]
Whole = npt.NDArray[np.int64]

#: calls a second, which decides how fast the clock of the calls goes
RATE = 100_000
START_MS = 1_750_000_000_000
#: shares of the calls
ABROAD, INTERCONNECT, LISTED, WITH_DOMAIN = 0.10, 0.20, 0.01, 0.30

# A stride through the 10^9 numbers of a mobile range that meets each once: no two indices share a number.
_STRIDE = 382_913_477


def mobile(index: Whole, leading: int) -> Whole:
    """The index-th number of the range 86 `leading` xxxxxxxxx, as an integer."""
    return leading * 10**9 + index * _STRIDE % 10**9


def listed_keys(n: int) -> npt.NDArray[np.uint64]:
    """Keys of `n` listed numbers, all different, none of which is a subscriber's."""
    numbers = mobile(np.arange(n, dtype=np.int64), 8617).astype(np.uint64)
    return numbers | np.uint64(KeyKind.KEY_NUMBER << 58 | 13 << 54)


class Traffic:
    """Calls of `callers` subscribers (86 13x) to as many others (86 18x), in order of time.

    Parameters
    ----------
    callers
        Subscribers that call, and as many more that are called.
    listed
        How many numbers are listed; one call in a hundred comes from one of them.
    seed
        Of the random generator.
    """

    def __init__(self, callers: int, listed: int, seed: int) -> None:
        self.callers, self.listed = callers, listed
        self.rng = np.random.default_rng(seed)
        self.calls = 0

    def everybody(self, first: int, count: int) -> tuple[Rows, Whole]:
        """One call each of subscribers first..first+count, from their own handsets."""
        return self._calls(np.arange(first, first + count, dtype=np.int64), plain=True)

    def some(self, count: int) -> tuple[Rows, Whole]:
        """Calls of random subscribers, with the shares above from elsewhere."""
        return self._calls(self.rng.integers(0, self.callers, count), plain=False)

    def _calls(self, caller: Whole, *, plain: bool) -> tuple[Rows, Whole]:
        n = len(caller)
        rows = np.zeros(n, dtype=CALL_DTYPE)
        serial = np.arange(self.calls, self.calls + n, dtype=np.int64)
        now = START_MS + serial * 1000 // RATE
        self.calls += n
        where = self.rng.random(n)
        abroad = (where < ABROAD) & (not plain)
        own = (where >= ABROAD + INTERCONNECT) | plain
        number = mobile(caller, 8613)
        if self.listed and not plain:
            bad = self.rng.random(n) < LISTED
            number[bad] = mobile(self.rng.integers(0, self.listed, int(bad.sum())), 8617)
        _digits(rows, "caller", number, 13, b"+")
        foreign = 447_400_000_000 + caller[abroad] % 99_000_000
        _digits(rows, "caller", foreign, 12, b"+", at=np.flatnonzero(abroad))
        callee = mobile(
            self.rng.integers(0, self.callers, n) if not plain else (caller * 7 + 3) % self.callers, 8615
        )
        _digits(rows, "callee", callee - 86 * 10**11, 11, b"")
        _digits(rows, "call_id", serial, 16, b"f81d4fae-")
        rows["switch"] = np.array([b"msc-1", b"msc-2", b"msc-3", b"msc-4"])[serial % 4]
        rows["trunk"] = np.where(own, b"own-access", np.where(abroad, b"gateway", b"interconnect"))
        rows["source_ip"] = b"10.20.30.40"
        rows["user_agent"] = b"IMS-AS/7.3"
        _digits(rows, "imsi", 460_000_000_000_000 + caller[own], 15, b"", at=np.flatnonzero(own))
        _digits(rows, "imei", 350_000_000_000_000 + caller[own] * 10, 15, b"", at=np.flatnonzero(own))
        _digits(rows, "cell", 4_600_000_000 + caller[own] % 50_000, 10, b"", at=np.flatnonzero(own))
        rows["domain"] = np.where(self.rng.random(n) < WITH_DOMAIN, b"ims.mnc000.mcc460.3gppnetwork.org", b"")
        rows["scalar"][:, Scalar.S_INTERNATIONAL_INGRESS] = abroad
        rows["scalar"][:, Scalar.S_SIM_AGE_DAYS] = 40 + caller % 2000
        rows["present"] = 1 << Scalar.S_INTERNATIONAL_INGRESS
        rows["present"] |= np.where(own, 1 << Scalar.S_SIM_AGE_DAYS, 0).astype(np.uint32)
        return rows, now


def _digits(
    rows: Rows, name: str, values: Whole, width: int, lead: bytes, *, at: npt.NDArray[np.intp] | None = None
) -> None:
    """Writes `lead` and the values as `width` digits into a text column, for the rows `at` (all of them)."""
    text = np.empty((len(values), len(lead) + width), dtype=np.uint8)
    text[:, : len(lead)] = np.frombuffer(lead, dtype=np.uint8)
    rest = values.copy()
    for column in range(len(lead) + width - 1, len(lead) - 1, -1):
        text[:, column] = rest % 10 + ord("0")
        rest //= 10
    column_dtype, offset = rows.dtype.fields[name][:2] if rows.dtype.fields else (np.dtype("S0"), 0)
    whole = rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
    part = whole[:, offset : offset + column_dtype.itemsize]
    if at is None:
        part[:, : text.shape[1]] = text
    else:
        filled = np.zeros((len(at), column_dtype.itemsize), dtype=np.uint8)
        filled[:, : text.shape[1]] = text
        part[at] = filled
