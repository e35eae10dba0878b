"""The world's numbering plan: E.164 digits -> valid, region, type; and how each region dials."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

TYPE_NAMES: tuple[str, ...]

class NumberType(IntEnum):
    """libphonenumber's types of number; the last two are ours."""

    TYPE_UNKNOWN = 0
    TYPE_FIXED_LINE = 1
    TYPE_MOBILE = 2
    TYPE_FIXED_LINE_OR_MOBILE = 3
    TYPE_TOLL_FREE = 4
    TYPE_PREMIUM_RATE = 5
    TYPE_SHARED_COST = 6
    TYPE_VOIP = 7
    TYPE_PERSONAL = 8
    TYPE_PAGER = 9
    TYPE_UAN = 10
    TYPE_VOICEMAIL = 11
    TYPE_SHORT = 12
    TYPE_WITHHELD = 13

class NumberingPlan:
    """The plan's tables; immutable. `interceptor.numbering.load_plan` makes one.

    Raises
    ------
    ValueError
        A table is of another version, or points outside another.
    """

    def __new__(cls, tables: Mapping[str, npt.NDArray[Any]]) -> NumberingPlan: ...
    @property
    def regions(self) -> tuple[str, ...]:
        """ISO 3166 codes by region index; [0] is "ZZ" (unknown), "001" the codes of no geography."""
    @property
    def type_names(self) -> tuple[str, ...]:
        """The names policies use, by NumberType."""
    @property
    def nbytes(self) -> int:
        """Bytes of all tables."""
    def region_index(self, name: str) -> int:
        """Index of a region; raises ValueError when `name` is none."""
    def classify(self, digits: bytes) -> tuple[bool, str, NumberType]:
        """(valid, region, type) of an E.164 number without "+", of 1 to 15 digits.

        As `is_valid_number`, `region_code_for_number` ("ZZ" for None) and `number_type` of phonenumbers say.
        """
    def classify_many(
        self, numbers: npt.NDArray[np.bytes_]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
        """The same for an array of dtype S16: valid, region index and NumberType, each of shape (n,)."""
    def classify_in_turn(self, numbers: npt.NDArray[np.bytes_]) -> int:
        """How many of the numbers are valid, none begun before the one ahead is answered: shows the latency."""
    def is_emergency(self, region: str, digits: bytes) -> bool:
        """Whether digits exactly as dialled in `region` reach an emergency service (112 and 911 always do)."""
    def is_known_short(self, region: str, digits: bytes) -> bool:
        """Whether the region's short number data, or its emergency numbers, have these digits."""

    def is_short(self, region: str, digits: bytes) -> bool:
        """Whether digits dialled in `region` are a short or service number rather than a national one."""
    def to_e164(self, region: str, digits: bytes) -> bytes:
        """National or IDD-prefixed digits dialled in `region` as E.164 digits; b"" when they are none."""
