"""A number as signalled -> E.164 or short number -> key."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from _typeshed import ReadableBuffer

from interceptor.engine.plan import NumberingPlan, NumberType
from interceptor.engine.types import NumberStatus

class ParsedNumber(NamedTuple):
    """What was read of a number.

    `text` is normalised ("+8613800138000", "10086") and empty unless `status` is E164 or SHORT; so is `key` 0.
    """

    status: NumberStatus
    text: str
    valid: bool
    region: str
    type: NumberType
    key: int

def parse(plan: NumberingPlan, region: str, raw: bytes) -> ParsedNumber:
    """Read a number signalled on a trunk of `region`: bare, tel: (RFC 3966) or sip: (RFC 3261)."""

def dialled(raw: bytes) -> tuple[bytes, bool]:
    """The digits as dialled, b"" for "+..." and what is no number; whether it is urn:service:sos (RFC 5031)."""

def imei_key_of(raw: bytes) -> int:
    """Key of the device (the first 14 digits) of an IMEI, IMEISV or IMEI URN (RFC 7254); 0 when malformed."""

def imsi_key_of(raw: bytes) -> int:
    """Key of an IMSI, 6 to 15 digits (ITU-T E.212); 0 when malformed."""

def keys_of(
    plan: NumberingPlan, region: str, data: ReadableBuffer, offsets: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """Keys and NumberStatus of many numbers, number i being data[offsets[i]:offsets[i + 1]]; without the GIL.

    Raises
    ------
    ValueError
        The offsets do not rise, or leave the data.
    """
