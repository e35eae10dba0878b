"""What a key promises: exact for digits, keyed for text, spread evenly by `mix` and `scale`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.keys import (
    KeyKind,
    digits_key_of,
    key_digits_of,
    mix_of,
    scale_of,
    short_key_of,
    siphash_128_of,
    siphash_of,
    text_key_of,
)
from tests.model.number import decode_key

SECRET = bytes(range(16))
EXACT_KINDS = [KeyKind.KEY_NUMBER, KeyKind.KEY_IMEI, KeyKind.KEY_IMSI, KeyKind.KEY_PREFIX]

digit_strings = st.text("0123456789", min_size=1, max_size=15).map(str.encode)
short_numbers = st.tuples(
    st.text("0123456789", min_size=1, max_size=12).map(str.encode), st.integers(0, 1023)
)
exact_inputs = st.one_of(
    st.tuples(st.sampled_from(EXACT_KINDS), digit_strings, st.none()),
    short_numbers.map(lambda s: (KeyKind.KEY_SHORT, s[0], s[1])),
)

# The first and the longer vectors of the reference implementation (key 00..0f, input 00, 01, ...).
VECTORS = {
    0: "310e0edd47db6f72", 1: "fd67dc93c539f874", 2: "5a4fa9d909806c0d", 3: "2d7efbd796666785",
    4: "b7877127e09427cf", 5: "8da699cd64557618", 6: "cee3fe586e46c9cb", 7: "37d1018bf50002ab",
    8: "6224939a79f5f593", 9: "b0e4a90bdf82009e", 10: "f3b9dd94c5bb5d7a", 11: "a7ad6b22462fb3f4",
    12: "fbe50e86bc8f1e75", 13: "903d84c02756ea14", 14: "eef27a8e90ca23f7", 15: "e545be4961ca29a1",
    63: "724506eb4c328a95",
}  # fmt: skip


def key_of(kind: int, digits: bytes, region: int | None) -> int:
    return digits_key_of(kind, digits) if region is None else short_key_of(digits, region)


@given(st.lists(exact_inputs, min_size=2, max_size=40, unique=True))
def test_no_two_exact_inputs_share_a_key(inputs: list[tuple[KeyKind, bytes, int | None]]) -> None:
    assert len({key_of(*each) for each in inputs}) == len(inputs)


@given(exact_inputs)
def test_a_key_tells_what_it_was_built_from(given_input: tuple[KeyKind, bytes, int | None]) -> None:
    key = key_of(*given_input)
    assert 0 < key < 2**64
    assert decode_key(key) == given_input


@given(digit_strings, st.integers(1, 14))
def test_leading_zeros_count(digits: bytes, zeros: int) -> None:
    padded = (b"0" * zeros + digits)[:15]
    if padded != digits:
        assert digits_key_of(KeyKind.KEY_NUMBER, padded) != digits_key_of(KeyKind.KEY_NUMBER, digits)


def test_a_device_is_the_first_fourteen_digits_and_no_number() -> None:
    device = b"35693803564380"
    assert decode_key(digits_key_of(KeyKind.KEY_IMEI, device)) == (KeyKind.KEY_IMEI, device, None)
    assert digits_key_of(KeyKind.KEY_IMEI, device) != digits_key_of(KeyKind.KEY_NUMBER, device)


@given(st.binary(max_size=20))
def test_what_is_no_digit_string_has_no_key(data: bytes) -> None:
    fit = data.isdigit()
    assert bool(digits_key_of(KeyKind.KEY_NUMBER, data)) == (fit and len(data) <= 15)
    assert bool(short_key_of(data, 7)) == (fit and len(data) <= 12)


def test_the_borders_of_a_key() -> None:
    assert digits_key_of(KeyKind.KEY_NUMBER, b"") == 0
    assert digits_key_of(KeyKind.KEY_NUMBER, b"9" * 15) == (1 << 58 | 15 << 54 | 10**15 - 1)
    assert digits_key_of(KeyKind.KEY_NUMBER, b"9" * 16) == 0
    assert digits_key_of(KeyKind.KEY_NUMBER, b"1" * 300) == 0
    assert short_key_of(b"9" * 12, 1023) == (2 << 58 | 12 << 54 | (10**12 - 1) * 1024 + 1023)
    assert short_key_of(b"9" * 13, 0) == 0
    assert short_key_of(b"110", 1024) == 0
    for kind in (0, 64, -1):
        with pytest.raises(ValueError, match="kind"):
            digits_key_of(kind, b"1")


@pytest.mark.parametrize("length", VECTORS)
def test_siphash_matches_its_reference(length: int) -> None:
    assert siphash_of(SECRET, bytes(range(length))).to_bytes(8, "little").hex() == VECTORS[length]


def test_siphash_of_128_bits_matches_its_reference() -> None:
    a, b = siphash_128_of(SECRET, b"")
    assert (a.to_bytes(8, "little") + b.to_bytes(8, "little")).hex() == "a3817f04ba25a8e66df67214c7550293"


@given(st.sampled_from(EXACT_KINDS), digit_strings)
def test_an_exact_key_gives_its_digits_back(kind: int, digits: bytes) -> None:
    assert key_digits_of(digits_key_of(kind, digits)) == digits


@given(st.sampled_from(EXACT_KINDS), st.binary(max_size=20))
def test_a_byte_that_is_no_digit_makes_no_key(kind: int, data: bytes) -> None:
    assert (digits_key_of(kind, data) != 0) == (data.isdigit() and len(data) <= 15)


@given(st.binary(min_size=1, max_size=100), st.integers(6, 63))
def test_a_text_key_is_the_kind_and_58_bits_of_siphash(data: bytes, kind: int) -> None:
    key = text_key_of(SECRET, kind, data)
    assert key >> 58 == kind
    assert key & (2**58 - 1) == siphash_of(SECRET, data) & (2**58 - 1)


def test_text_keys_depend_on_the_secret_and_absent_text_has_none() -> None:
    assert text_key_of(SECRET, KeyKind.KEY_DOMAIN, b"example.org") != text_key_of(
        bytes(16), KeyKind.KEY_DOMAIN, b"example.org"
    )
    assert text_key_of(SECRET, KeyKind.KEY_DOMAIN, b"") == 0
    with pytest.raises(ValueError, match="16 bytes"):
        text_key_of(b"short", KeyKind.KEY_DOMAIN, b"example.org")


words = st.integers(0, 2**64 - 1)


@given(words, st.integers(0, 2**40))
def test_scale_stays_below_n(value: int, n: int) -> None:
    expected = (((value >> 32) * n) >> 32) if n < 2**32 else value % n
    assert scale_of(value, n) == expected
    assert expected < n or n == 0


@given(words, words, words)
def test_mix_is_a_bijection_for_every_seed(a: int, b: int, seed: int) -> None:
    assert (mix_of(a, seed) == mix_of(b, seed)) == (a == b)


def test_mix_spreads_neighbouring_numbers() -> None:
    n, buckets = 100_000, 1000
    counts = [0] * buckets
    for i in range(n):
        counts[scale_of(mix_of(digits_key_of(KeyKind.KEY_NUMBER, b"86138%08d" % i), 0x1234), buckets)] += 1
    chi2 = sum((c - n / buckets) ** 2 for c in counts) / (n / buckets)
    assert chi2 < 1300  # 999 degrees of freedom: mean 999, sd 45
