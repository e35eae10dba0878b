"""MACs of keys, many at once: what the audit trail says of entries without saying them."""

import numpy as np
import numpy.typing as npt

def macs_of(
    secret: bytes, keys: npt.NDArray[np.uint64], keys2: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint8]:
    """SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012) of each pair of keys: shape (n, 16).

    Parameters
    ----------
    secret
        16 bytes, little-endian k0 and k1.
    keys, keys2
        Of the same length. A message is the 16 bytes of both, little-endian.

    Raises
    ------
    ValueError
        The secret has not 16 bytes, or the arrays differ in length.
    """
