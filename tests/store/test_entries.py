"""What entries are read as: pairs, networks and ranges of numbers, and the one text each entry is shown as."""

from ipaddress import IPv6Address, IPv6Network, ip_network

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.domains import domain_key_of
from interceptor.engine.keys import KeyKind, text_key_of
from interceptor.engine.number import parse
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListKind
from interceptor.engine.types import Field
from interceptor.numbering import load_plan
from interceptor.store.canonical import NAMED, text_of
from interceptor.store.entries import Entry, Judged, Reader
from interceptor.store.networks import network_text, packed_network
from interceptor.store.ranges import decomposed
from tests.model import ranges

SECRET = b"0123456789abcdef"
PLAN = load_plan()


def reader(kind: ListKind, home: str = "CN") -> Reader:
    return Reader(kind, PLAN, home, SECRET)


def key(text: bytes, plan: NumberingPlan = PLAN) -> int:
    return parse(plan, "CN", text).key


def refusal(kind: ListKind, text: str) -> str:
    """Why a text is refused, alone as among others."""
    with pytest.raises(ValueError, match=r".") as caught:
        reader(kind).read(text)
    judged = reader(kind).keys(pa.array([text], pa.large_string()))
    assert judged.bad.tolist() == [True]
    assert judged.why(0) == str(caught.value)
    return str(caught.value)


# ---- ranges --------------------------------------------------------------------------------------------------


@given(st.integers(1, 4).flatmap(lambda n: st.tuples(st.just(n), *[st.integers(0, 10**n - 1)] * 2)))
def test_a_range_is_the_fewest_prefixes_that_cover_it_exactly(drawn: tuple[int, int, int]) -> None:
    length, first, last = drawn[0], min(drawn[1:]), max(drawn[1:])
    prefixes = decomposed(f"{first:0{length}d}", f"{last:0{length}d}")
    assert ranges.covered(prefixes, length) == list(range(first, last + 1))
    assert prefixes == sorted(prefixes)
    # All numbers of so many digits would be the empty prefix, which is none.
    whole = (first, last) == (0, 10**length - 1)
    assert len(prefixes) == (10 if whole else ranges.fewest(first, last, length))


@given(st.integers(0, 10**15 - 1), st.integers(0, 10**15 - 1))
def test_a_long_range_has_few_prefixes_that_leave_nothing_out(one: int, other: int) -> None:
    first, last = sorted((one, other))
    prefixes = decomposed(f"{first:015d}", f"{last:015d}")
    begins = [int(prefix.ljust(15, "0")) for prefix in prefixes]
    ends = [int(prefix.ljust(15, "9")) for prefix in prefixes]
    assert (begins[0], ends[-1]) == (first, last)
    assert begins[1:] == [end + 1 for end in ends[:-1]]
    assert len(prefixes) <= 2 * 9 * 15


@pytest.mark.parametrize(
    ("text", "prefixes"),
    [
        ("+331620000..+331629999", ["+33162*"]),
        ("0033 162 00 00 .. +33-162-99-99", ["+33162*"]),
        (
            "+33162000098..+33162000112",
            [
                "+33162000098*",
                "+33162000099*",
                "+3316200010*",
                "+33162000110*",
                "+33162000111*",
                "+33162000112*",
            ],
        ),
        ("+3316200..+3316200", ["+3316200*"]),
    ],
)
def test_a_range_of_numbers_is_listed_as_prefixes(text: str, prefixes: list[str]) -> None:
    assert [entry.text for entry in reader(ListKind.PREFIX).read(text)] == prefixes


def test_what_is_said_of_ranges_that_are_refused() -> None:
    country = "covers all of +33; a list holds what is known to be bad, not a country"
    assert refusal(ListKind.PREFIX, "+330..+339") == f"'+330..+339' {country}"
    assert refusal(ListKind.PREFIX, "+33..+33") == f"'+33' {country}"
    assert "covers all of +34" in refusal(ListKind.PREFIX, "+339..+349")
    assert "covers every number" in refusal(ListKind.PREFIX, "+0..+9")
    assert refusal(ListKind.PREFIX, "+331620..+33163") == (
        "'+331620..+33163': the ends of a range have the same number of digits; these have 6 and 5"
    )
    assert refusal(ListKind.PREFIX, "+33163..+33162").endswith(
        "the range ends before it begins; write +33162..+33163"
    )
    for text in ("..", "+33162..", "..+33162", "+33162..+33163..+33164"):
        assert refusal(ListKind.PREFIX, text).endswith("write a range like +331620000..+331629999")
    assert refusal(ListKind.PREFIX, "+33162*..+33163").endswith("write the ends of a range without '*'")
    assert "international form" in refusal(ListKind.PREFIX, "33162..33163")
    assert "is no prefix of numbers" in refusal(ListKind.PREFIX, "+33162..+3316x")
    assert "at most 15 digits" in refusal(ListKind.PREFIX, "+3316200000000000..+3316200000000001")
    assert "a list of kind prefix holds ranges" in refusal(ListKind.NUMBER, "+331620000..+331629999")


# ---- pairs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["+8613800138000:+861069445566", "13800138000:01069445566", " 0086 138-0013-8000 : +86 10 6944 5566 "],
)
def test_a_pair_is_the_same_however_its_numbers_are_written(text: str) -> None:
    callee, caller = key(b"+8613800138000"), key(b"+861069445566")
    assert reader(ListKind.PAIR).read(text.strip()) == [Entry(callee, caller, "+8613800138000:+861069445566")]


def test_short_numbers_stand_in_pairs() -> None:
    assert reader(ListKind.PAIR).canonical("10086:95588") == "10086:95588"
    (entry,) = reader(ListKind.PAIR).read("+8613800138000:96110")
    assert (entry.key, entry.key2) == (key(b"+8613800138000"), key(b"96110"))


def test_what_is_said_of_pairs_that_are_refused() -> None:
    for text in ("+8613800138000", "+8613800138000:", ":95588", "a:b:c", "tel:+8613800138000:95588"):
        assert refusal(ListKind.PAIR, text).endswith("write CALLEE:CALLER, like +8613800138000:+861069445566")
    assert refusal(ListKind.PAIR, "robot:95588").startswith("callee 'robot' is no telephone number of CN")
    assert refusal(ListKind.PAIR, "95588:+86") == (
        "caller '+86' covers all of +86; a list holds what is known to be bad, not a country"
    )
    assert "caller 'anonymous' stands for a withheld number" in refusal(ListKind.PAIR, "95588:anonymous")


# ---- networks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical", "mapped"),
    [
        ("192.0.2.0/24", "192.0.2.0/24", "::ffff:192.0.2.0/120"),
        ("192.0.2.7", "192.0.2.7", "::ffff:192.0.2.7/128"),
        ("192.0.2.7/32", "192.0.2.7", "::ffff:192.0.2.7/128"),
        ("192.0.2.0/255.255.255.0", "192.0.2.0/24", "::ffff:192.0.2.0/120"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24", "::ffff:192.0.2.0/120"),
        ("2001:0DB8:0:0::/32", "2001:db8::/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::1/128"),
        ("2001:db8::1/128", "2001:db8::1", "2001:db8::1/128"),
        ("::1", "::1", "::1/128"),
    ],
)
def test_a_network_has_one_text_and_one_place(text: str, canonical: str, mapped: str) -> None:
    secret_key = text_key_of(SECRET, KeyKind.KEY_TEXT + Field.F_SOURCE_IP, canonical.encode())
    assert reader(ListKind.NETWORK).read(text) == [Entry(secret_key, 0, canonical)]
    network = IPv6Network(mapped)
    assert packed_network(canonical) == (network.network_address.packed, network.prefixlen)


def test_what_is_said_of_networks_that_are_refused() -> None:
    assert refusal(ListKind.NETWORK, "192.0.2.7/24") == (
        "'192.0.2.7/24' has bits set behind its prefix: write 192.0.2.0/24, or 192.0.2.7 for that address alone"
    )
    assert "2001:db8::/32, or 2001:db8::1" in refusal(ListKind.NETWORK, "2001:db8::1/32")
    assert refusal(ListKind.NETWORK, "fe80::1%eth0").endswith("write an address without a zone")
    assert refusal(ListKind.NETWORK, "[2001:db8::1]:5060").endswith("without brackets and port")
    for text in ("192.0.2.7:5060", "192.0.2", "192.0.2.0/33", "192.0.02.1", "carrier", "1", "/24"):
        assert refusal(ListKind.NETWORK, text).endswith("write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")
    assert "covers 2^32 addresses; a list holds networks of at least /8" in refusal(
        ListKind.NETWORK, "0.0.0.0/0"
    )
    assert "covers 2^25 addresses" in refusal(ListKind.NETWORK, "10.0.0.0/7")
    assert "at least /16" in refusal(ListKind.NETWORK, "2000::/3")
    for text in ("::/16", "::/80", "::ffff:0:0/96", "::/0"):
        assert "covers" in refusal(ListKind.NETWORK, text)


@given(st.integers(0, 2**128 - 1), st.integers(16, 128))
def test_every_network_is_read_from_its_own_text(address: int, length: int) -> None:
    network = IPv6Network((address, length), strict=False)
    text = network_text(str(network)) if network.network_address != IPv6Address(0) else "::1"
    assert network_text(text) == text
    packed, bits = packed_network(text)
    assert ip_network(text).num_addresses == 2 ** (128 - bits)
    assert int.from_bytes(packed) % 2 ** (128 - bits) == 0


# ---- what entries are shown as -------------------------------------------------------------------------------

WRITTEN = {
    ListKind.NUMBER: ["13800138000", "+86 10 6944 5566", "10086", "tel:+442079460123", "0086 95588"],
    ListKind.PREFIX: ["+33 162", "0033162*", "+331620..+331629", "+8617"],
    ListKind.DEVICE: ["35-209900-176148-1", "urn:gsma:imei:35209900-176150-0", "35209901", "3520990212*"],
    ListKind.SUBSCRIBER: ["460001234567890", "46000", "310-410", "2620112*"],
    ListKind.DOMAIN: ["Evil.Example.", "[2001:DB8::1]:5060", "::ffff:192.0.2.7", "192.0.2.7"],
    ListKind.TRUNK: ["Carrier A", "igw-2"],
    ListKind.PAIR: ["13800138000:95588", "10086:+12025550123"],
    ListKind.NETWORK: ["2001:DB8::/32", "192.0.2.7/32"],
}


@pytest.mark.parametrize("kind", ListKind)
def test_what_is_shown_of_an_entry_is_read_as_that_entry(kind: ListKind) -> None:
    for written in WRITTEN[kind]:
        (entry,) = reader(kind).read(written)
        assert reader(kind).canonical(written) == entry.text
        assert reader(kind).read(entry.text) == [entry]
        signed = [key - (1 << 64) if key >= 1 << 63 else key for key in (entry.key, entry.key2)]
        name = entry.text if kind in NAMED else ""
        assert text_of(kind, *signed, name) == text_of(kind, entry.key, entry.key2, name) == entry.text


def test_entries_are_shown_in_one_way() -> None:
    shown = {kind: [reader(kind).canonical(text) for text in texts] for kind, texts in WRITTEN.items()}
    assert shown == {
        ListKind.NUMBER: ["+8613800138000", "+861069445566", "10086", "+442079460123", "95588"],
        ListKind.PREFIX: ["+33162*", "+33162*", "+33162*", "+8617*"],
        ListKind.DEVICE: ["35209900176148", "35209900176150", "35209901", "3520990212*"],
        ListKind.SUBSCRIBER: ["460001234567890", "46000", "310410", "2620112*"],
        ListKind.DOMAIN: ["evil.example", "2001:db8::1", "192.0.2.7", "192.0.2.7"],
        ListKind.TRUNK: ["Carrier A", "igw-2"],
        ListKind.PAIR: ["+8613800138000:95588", "10086:+12025550123"],
        ListKind.NETWORK: ["2001:db8::/32", "192.0.2.7"],
    }
    assert reader(ListKind.PREFIX).canonical("+33 162 00 .. 0033 162 05") == "+3316200..+3316205"
    assert reader(ListKind.DOMAIN).read("Evil.Example.")[0].key == domain_key_of(SECRET, b"evil.example")


@pytest.mark.parametrize("kind", ListKind)
def test_many_texts_are_read_as_each_of_them(kind: ListKind) -> None:
    texts = [*WRITTEN[kind], "?", "", "+3316200..+3316205", *WRITTEN[kind]]
    judged: Judged = reader(kind).keys(pa.array(texts, pa.large_string()))
    found = []
    for i, text in enumerate(texts):
        try:
            found += [(i, entry) for entry in reader(kind).read(text)]
            assert not judged.bad[i]
        except ValueError as error:
            assert judged.bad[i]
            assert judged.why(i) == str(error)
    assert judged.row.tolist() == [i for i, _ in found]
    assert judged.key.tolist() == [entry.key for _, entry in found]
    assert judged.key2.tolist() == [entry.key2 for _, entry in found]
    assert judged.names == ([entry.text for _, entry in found] if kind in NAMED else None)


def test_none_of_no_texts_is_refused() -> None:
    for kind in ListKind:
        judged = reader(kind).keys(pa.array([], pa.large_string()))
        assert (len(judged.key), len(judged.key2), len(judged.row), len(judged.bad)) == (0, 0, 0, 0)
