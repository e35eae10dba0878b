"""The numbers of a simulated network: telephone numbers, IMSI, IMEI with check digits, names of cells and trunks.

Every Chinese mobile number is somebody's or may be tomorrow: none is kept free for fiction. The blocks below are ranges
that the numbering plan opens for mobiles; whose they are in truth has no meaning here.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]

#: Three digits that open a range of 10^8 mobile numbers (GB: YD/T numbering of mobiles; libphonenumber CN, mobile).
OWN_RANGES = (138, 139, 150, 151, 188)
OTHER_RANGES = (130, 131, 133, 153, 155, 186, 189)
#: Numbers of a block that share their first seven digits: they were opened in one city.
BLOCK = 10_000
#: Of these, how many ordinary subscribers hold at most; the rest are free for what comes later.
FILLED = 6_000
#: Area code and first digits of fixed lines: Beijing, Shanghai, Guangzhou, Shenzhen, Chengdu (eight digits follow).
AREAS = ((10, 5), (21, 5), (20, 3), (755, 2), (28, 6))
#: Country code, first digits, how many follow: mobile ranges of the country.
COUNTRIES: dict[str, tuple[int, int, int]] = {
    "US": (1, 213, 7),
    "HK": (852, 61, 6),
    "JP": (81, 90, 8),
    "KR": (82, 103, 7),
    "GB": (44, 74, 8),
    "SG": (65, 8, 7),
    "MM": (95, 925, 7),
    "KH": (855, 12, 6),
    "PH": (63, 917, 7),
    "TH": (66, 81, 7),
    "TN": (216, 2, 7),
    "KM": (269, 3, 6),
    "CU": (53, 5, 7),
    "LV": (371, 29, 6),
    "MV": (960, 7, 6),
}
#: The least of China's mobile numbers, and more than any service number.
MOBILES = 86_130_0000_0000
TRUNKS = ("own-access", "interconnect", "international", "enterprise-sip", "voip-transit")
OWN_ACCESS, INTERCONNECT, INTERNATIONAL, ENTERPRISE, VOIP = range(len(TRUNKS))

_STRIDE = 7_919  # no common factor with 10^n: neighbours get numbers that have nothing in common
_MSIN_STRIDE = 6_364_136_223


def blocks_for(subscribers: int, cards: int) -> int:
    """How many blocks hold the subscribers and, in what is left of each, the cards."""
    return max(-(-subscribers // FILLED), -(-cards // ((BLOCK - FILLED) // 2)), 1)


def mobile(block: Whole, place: Whole, ranges: tuple[int, ...]) -> Whole:
    """The number at a place (0..9999) of a block, in E.164 without the plus."""
    first = np.asarray(ranges, np.int64)[block % len(ranges)]
    middle = (block // len(ranges) * 37 + 1_203) % 10_000
    last = (place * _STRIDE + block * 331) % BLOCK
    return 86_000_0000_0000 + first * 100_000_000 + middle * BLOCK + last


def fixed_line(index: Whole) -> Whole:
    """Fixed lines of five cities."""
    area, first = (np.asarray(column, np.int64)[index % len(AREAS)] for column in zip(*AREAS, strict=True))
    local = first * 10_000_000 + (index * 48_271 + 1_234_567) % 10_000_000
    digits = np.where(area < 100, 10**10, 10**11)
    return 86 * digits + area * 10**8 + local


def foreign(country: str, index: Whole) -> Whole:
    """Mobile numbers abroad."""
    code, first, digits = COUNTRIES[country]
    start = code * 10 ** len(str(first)) + first
    low = 2 * 10 ** (digits - 1)  # subscriber numbers begin with 2..9, which every one of these plans takes
    number: Whole = (
        start * 10**digits + low + (index * _STRIDE * 1_000_003 + 20_011) % (6 * 10 ** (digits - 1))
    )
    return number


def imsi(index: Whole) -> Whole:
    """IMSI of China's mobile country code 460 and network 00 (ITU-T E.212), one for each index below 10^10."""
    return 460_00_0000000000 + (index * _MSIN_STRIDE + 1_357_911) % 10_000_000_000


def imei(tac: Whole, serial: Whole) -> Whole:
    """IMEI: type allocation code, serial number, and the check digit of 3GPP TS 23.003 annex B (Luhn)."""
    device = tac * 1_000_000 + serial
    rest, total = device.copy(), np.zeros_like(device)
    for place in range(14):
        digit = rest % 10
        if place % 2 == 0:
            digit = digit * 2
            digit -= 9 * (digit > 9)
        total += digit
        rest //= 10
    whole: Whole = device * 10 + (10 - total % 10) % 10
    return whole


def power(number: Whole) -> Whole:
    """The power of ten above each number: what a prefix is multiplied with."""
    above: Whole = 10 ** np.char.str_len(number.astype("U20")).astype(np.int64)
    return above


def cell_name(cell: int) -> str:
    """Cell global identity (3GPP TS 23.003 section 4.3.1): MCC-MNC-LAC-CI, some 200 cells a location area."""
    return f"460-00-{4_096 + cell // 200}-{10_000 + (cell * _STRIDE) % 50_000}"


def switch_name(trunk: Any, cell: Any) -> Any:
    """Which of eight switches serves a cell, or 8: the gateway, as an index into `SWITCHES`."""
    return np.where((trunk == OWN_ACCESS) & (cell >= 0), cell // 200 % 8, 8)


SWITCHES = (*(f"mss-{n}" for n in range(1, 9)), "gateway-1")
