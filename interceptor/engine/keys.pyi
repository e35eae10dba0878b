"""Keys: what lists and entities are found by. 64 bits, laid out as `keys.pxd` says."""

from enum import IntEnum

class KeyKind(IntEnum):
    """What a key stands for: its six highest bits."""

    KEY_NONE = 0
    KEY_NUMBER = 1
    KEY_SHORT = 2
    KEY_IMEI = 3
    KEY_IMSI = 4
    KEY_PREFIX = 5
    KEY_DOMAIN = 6
    KEY_TEXT = 8

def digits_key_of(kind: int, digits: bytes) -> int:
    """The exact key of 1 to 15 ASCII digits; 0 when they are none, more, or no digits.

    Raises
    ------
    ValueError
        `kind` is not in 1..63.
    """

def short_key_of(digits: bytes, region: int) -> int:
    """The exact key of a short number (1 to 12 digits) of a region (index below 1024); else 0."""

def text_key_of(secret: bytes, kind: int, data: bytes) -> int:
    """`kind` and 58 bits of SipHash-2-4 of `data`; 0 for an empty text.

    Parameters
    ----------
    secret
        The installation's 16 secret bytes, little-endian k0 and k1.

    Raises
    ------
    ValueError
        The secret has not 16 bytes, or `kind` is not in 1..63.
    """

def key_digits_of(key: int) -> bytes:
    """The digits an exact key was made of; meaningless for a short number's and a text's."""

def siphash_of(secret: bytes, data: bytes) -> int:
    """SipHash-2-4 (Aumasson and Bernstein, 2012), 64 bits."""

def siphash_128_of(secret: bytes, data: bytes) -> tuple[int, int]:
    """SipHash-2-4 with 128 bits, as its two halves."""

def mix_of(key: int, seed: int) -> int:
    """A bijection of 64 bits, different for each seed: spreads keys over a table."""

def scale_of(hash: int, n: int) -> int:
    """Maps a 64-bit hash to [0, n) without a division; 0 when n is 0."""
