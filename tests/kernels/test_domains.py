"""Listed domains: a domain covers what is below it, however the name is written; an address only itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.domains import domain_key_of, find, matches
from interceptor.engine.keys import KeyKind
from interceptor.engine.lists import ListTable

SECRET = b"0123456789abcdef"


def listed(*names: bytes) -> ListTable:
    table = ListTable(len(names), 1)
    for index, name in enumerate(names):
        key = domain_key_of(SECRET, name)
        assert key >> 58 == KeyKind.KEY_DOMAIN
        table.add(key, index)
    return table


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        (b"evil.com", True),
        (b"www.evil.com", True),
        (b"a.b.c.evil.com", True),
        (b"EVIL.Com", True),
        (b"evil.com.", True),
        (b"evil.com:5060", True),
        (b"WWW.evil.com.:5061", True),
        (b"notevil.com", False),
        (b"evil.com.cn", False),
        (b"com", False),
        (b"evil", False),
        (b"", False),
    ],
)
def test_a_listed_domain_covers_itself_and_what_is_below_it(name: bytes, covered: bool) -> None:
    assert find(listed(b"evil.com"), SECRET, name) == covered


def test_a_name_is_on_the_lists_of_all_its_parents() -> None:
    table = listed(b"evil.com", b"sip.evil.com", b"other.com")
    assert find(table, SECRET, b"a.sip.evil.com") == 0b011
    assert matches(table, SECRET, b"A.sip.evil.com.:5060") == [(b"sip.evil.com", 0b010), (b"evil.com", 0b001)]
    assert matches(table, SECRET, b"nowhere.com") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"192.0.2.7", b"192.0.2.7:5060"),
        (b"192.0.2.7", b"[::ffff:192.0.2.7]"),
        (b"2001:db8::1", b"[2001:db8::1]"),
        (b"2001:db8::1", b"[2001:0DB8:0:0:0:0:0:1]:5061"),
    ],
)
def test_an_address_is_the_same_however_it_is_written(one: bytes, other: bytes) -> None:
    assert domain_key_of(SECRET, one) == domain_key_of(SECRET, other) != 0
    assert matches(listed(one), SECRET, other) == [(one, 1)]


def test_an_address_has_no_parents() -> None:
    table = listed(b"192.0.2.7", b"2001:db8::")
    assert find(table, SECRET, b"1.192.0.2.7") == 0
    assert find(table, SECRET, b"192.0.2.8") == 0
    assert find(table, SECRET, b"2001:db8::1") == 0


@pytest.mark.parametrize(
    "name",
    [
        b"", b".", b"..", b"a..b", b".com", b"evil.com..", b"evil .com", b"ev\x00il.com", "évil.com".encode(),
        b"evil.com:", b"evil.com:50a", b"evil.com:505050", b":5060", b"[]", b"[::1", b"[::1]x", b"[evil.com]",
        b"[192.0.2.7]", b"1.2.3", b"1.2.3.256", b"01.2.3.4", b"10", b"a.7", b"::1::", b"fe80::1%eth0",
        b"a" * 64 + b".com", b"a." * 126 + b"ab", b"a" * 5000, b"192.0.2.7\x00", b"@", b"[",
    ],
)  # fmt: skip
def test_what_is_no_domain_has_no_key_and_is_on_no_list(name: bytes) -> None:
    assert domain_key_of(SECRET, name) == 0
    assert find(listed(b"evil.com"), SECRET, name) == 0
    assert matches(listed(b"evil.com"), SECRET, name) == []


@pytest.mark.parametrize(
    "name", [b"a." * 126 + b"a", b"a" * 63 + b".com", b"xn--80ak6aa92e.com", b"_sip._udp.a-b.c1"]
)
def test_names_up_to_the_limits_of_the_dns_have_a_key(name: bytes) -> None:
    assert domain_key_of(SECRET, name) != 0
    assert domain_key_of(SECRET, name + b".:65535") == domain_key_of(SECRET, name)


labels = st.text("abz09-_", min_size=1, max_size=5).map(str.encode)
domains = st.lists(labels, min_size=1, max_size=5).map(lambda parts: b".".join([*parts, b"cn"]))


@given(st.lists(domains, max_size=8), st.lists(domains, max_size=8))
def test_a_name_is_listed_exactly_when_it_or_a_parent_is(names: list[bytes], asked: list[bytes]) -> None:
    table = listed(*names)
    for name in [*asked, *names, *(b"www." + n for n in names), *(n.partition(b".")[2] for n in names)]:
        expected = [entry == name or name.endswith(b"." + entry) for entry in names]
        assert find(table, SECRET, name) == sum(1 << i for i, yes in enumerate(expected) if yes)
        assert {entry for entry, _ in matches(table, SECRET, name)} == {
            entry for entry, yes in zip(names, expected, strict=True) if yes
        }


@given(st.binary(max_size=300))
def test_any_bytes_give_an_answer(name: bytes) -> None:
    table = listed(b"evil.com")
    assert (find(table, SECRET, name) != 0) == bool(matches(table, SECRET, name))


def test_another_secret_gives_other_keys() -> None:
    assert domain_key_of(SECRET, b"evil.com") != domain_key_of(b"x" * 16, b"evil.com")
    with pytest.raises(ValueError, match="16 bytes"):
        domain_key_of(b"short", b"evil.com")
