"""MACs of keys: the kernel and the model say the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.macs import macs_of
from model.siphash import siphash_128

WORDS = st.integers(0, 2**64 - 1)

#: vectors_sip128 of the authors' code: key 00..0f, messages of 0 and 1 bytes 00, 01, ...
VECTORS = {
    0: "a3817f04ba25a8e66df67214c7550293",
    1: "da87c1d86b99af44347659119b22fc45",
}


@pytest.mark.parametrize("length", VECTORS)
def test_the_model_is_the_authors_siphash(length: int) -> None:
    assert siphash_128(bytes(range(16)), bytes(range(length))).hex() == VECTORS[length]


@given(st.binary(min_size=16, max_size=16), st.lists(st.tuples(WORDS, WORDS), max_size=8))
def test_the_mac_of_two_keys_is_their_siphash(secret: bytes, pairs: list[tuple[int, int]]) -> None:
    keys = np.array([key for key, _ in pairs], dtype=np.uint64)
    keys2 = np.array([key2 for _, key2 in pairs], dtype=np.uint64)
    macs = macs_of(secret, keys, keys2)
    assert macs.shape == (len(pairs), 16)
    assert [mac.tobytes() for mac in macs] == [
        siphash_128(secret, key.to_bytes(8, "little") + key2.to_bytes(8, "little")) for key, key2 in pairs
    ]


def test_keys_that_do_not_pair_up_are_refused() -> None:
    two, three = np.zeros(2, dtype=np.uint64), np.zeros(3, dtype=np.uint64)
    with pytest.raises(ValueError, match="2 keys with 3 second keys"):
        macs_of(bytes(16), two, three)
    with pytest.raises(ValueError, match="16 bytes, not 15"):
        macs_of(bytes(15), two, two)
