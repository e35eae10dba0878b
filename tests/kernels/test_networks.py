"""Listed networks: the kernel's table against asking the standard library about every one of them."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interceptor.engine.networks import NetworkTable
from tests.model.networks import Networks, mapped

MAPPED = bytes(10) + b"\xff\xff"

# Few different bits, so that networks lie in one another, side by side, and at both ends of all addresses.
EDGES = [0, 2**128 - 1, 1 << 64, (1 << 64) - 1, int.from_bytes(MAPPED + bytes(4)), 0x20010DB8 << 96]
near = st.builds(lambda base, offset: (base + offset) % 2**128, st.sampled_from(EDGES), st.integers(-3, 3))
addresses = near | st.sampled_from(EDGES) | st.integers(0, 2**128 - 1)
lengths = st.integers(0, 128) | st.integers(120, 128) | st.sampled_from([0, 1, 63, 64, 65, 96, 104, 127, 128])


def network(address: int, length: int, index: int) -> tuple[bytes, int, int]:
    return IPv6Network((address, length), strict=False).network_address.packed, length, index


def table_of(entries: list[tuple[bytes, int, int]]) -> NetworkTable:
    """A table that is put together list by list, a part at a time."""
    table = NetworkTable()
    for index in {index for _, _, index in entries}:
        some = [(address, length) for address, length, on in entries if on == index]
        for part in (some[::2], some[1::2]):
            table = table.changed(index, part, True)[0]
    return table


entries = st.lists(st.builds(network, addresses, lengths, st.sampled_from([0, 1, 31, 32, 63])), max_size=40)


@given(entries, st.lists(addresses, max_size=30))
def test_an_address_is_on_the_lists_of_every_network_it_is_in(
    listed: list[tuple[bytes, int, int]], asked: list[int]
) -> None:
    table, model = table_of(listed), Networks(listed)
    for address, length, _ in listed:  # its ends, and what lies just outside
        first = int.from_bytes(address)
        behind = first + 2 ** (128 - length)
        asked += [first, (first - 1) % 2**128, behind - 1, behind % 2**128]
    for text in map(str, map(IPv6Address, asked)):
        assert table.find(text.encode()) == model.find(text), text
        assert table.matches(text.encode()) == model.matches(text), text
    for index in range(64):
        assert table.count(index) == model.count(index) == len(table.entries(index))
    assert {(*each, index) for index in range(64) for each in table.entries(index)} == set(listed)
    assert table.nbytes < 80 * len(listed) + 1024


@given(entries, entries, st.sampled_from([{}, {0: 1}, {0: 0, 1: 63, 63: 1, 32: 5}]))
def test_networks_come_and_go_and_lists_change_their_places(
    listed: list[tuple[bytes, int, int]], others: list[tuple[bytes, int, int]], kept: dict[int, int]
) -> None:
    table, left = table_of(listed), set(listed)
    for index in (0, 1, 31, 32, 63):
        gone = [(address, length) for address, length, on in others + listed[::2] if on == index]
        table, altered = table.changed(index, gone, False)
        was, left = len(left), {each for each in left if each[2] != index or each[:2] not in gone}
        assert altered == was - len(left)
        assert table.changed(index, gone, False) == (table, 0)
        assert table.changed(index, table.entries(index), True) == (table, 0)
    moved = {(address, length, kept[on]) for address, length, on in left if on in kept}
    for made, entries in ((table, left), (table.remapped(kept), moved)):
        assert {(*each, index) for index in range(64) for each in made.entries(index)} == entries
        model = Networks(entries)
        for address, length, _ in listed:
            for end in (int.from_bytes(address), int.from_bytes(address) + 2 ** (128 - length) - 1):
                text = str(IPv6Address(end))
                assert made.find(text.encode()) == model.find(text)


# what an address looks like, and what only looks like one
digits = st.text("0123456789abcdefABCDEF", max_size=5)
shaped = st.builds(
    lambda parts, seams: "".join(part + seam for part, seam in zip(parts, seams, strict=True)),
    st.lists(digits, min_size=9, max_size=9),
    st.lists(st.sampled_from([":", "::", ".", "", ""]), min_size=9, max_size=9),
)
v4 = st.integers(0, 2**32 - 1).map(IPv4Address).map(str)
v6 = addresses.map(IPv6Address)
written = st.one_of(
    v4,
    v6.map(str),
    v6.map(lambda address: address.exploded.upper()),
    v4.map("::ffff:{}".format),
    v4.map("64:ff9b::{}".format),
    shaped,
    st.text("0123456789.", max_size=17),
    st.text(max_size=20),
)


@given(written)
@example("192.0.2.7%eth0")
@example("fe80::1%eth0")
@example("[2001:db8::1]")
@example("192.0.2.07")
@example("192.0.2.7:5060")
@example("192.0.2.7\0")
@example(" 192.0.2.7")
@example("1:2:3:4:5:6:7::")
@example("1::2:3:4:5:6:7:8")
@example("0:0:0:0:0:ffff:192.0.2.7")
@example("2001:db8::" + "0" * 50)
def test_an_address_is_read_as_the_standard_library_reads_it(text: str) -> None:
    everywhere = table_of([(bytes(16), 0, 9)])
    assert everywhere.find(text.encode()) == (0 if mapped(text) is None else 1 << 9)
    address = mapped(text)
    if address is not None:
        only = table_of([(address.packed, 128, 1)])
        assert only.find(text.encode()) == only.find(str(address).encode()) == 1 << 1


def test_a_network_of_ipv4_holds_its_mapped_addresses_and_no_other() -> None:
    table = table_of([(MAPPED + bytes([192, 0, 2, 0]), 96 + 24, 3)])
    assert (
        table.find(b"192.0.2.255")
        == table.find(b"::ffff:192.0.2.0")
        == table.find(b"::FFFF:C000:201")
        == 1 << 3
    )
    assert table.find(b"192.0.3.0") == table.find(b"192.0.1.255") == table.find(b"::192.0.2.7") == 0


def test_a_table_without_networks_finds_nothing() -> None:
    table = table_of([])
    assert table.find(b"192.0.2.7") == 0
    assert table.matches(b"2001:db8::1") == []
    assert table.entries(0) == []


@pytest.mark.parametrize(
    "entry",
    [
        (bytes(4), 0, 0),
        (bytes(16), -1, 0),
        (bytes(16), 129, 0),
        (bytes(15) + b"\1", 127, 0),
        (b"\1" + bytes(15), 7, 0),
        (bytes(16), 0, 64),
        (bytes(16), 0, -1),
    ],
)
def test_an_entry_that_cannot_be_is_shown_in_the_error_and_changes_nothing(
    entry: tuple[bytes, int, int],
) -> None:
    table = table_of([(bytes(16), 3, 0)])
    with pytest.raises(ValueError, match=r"network b'|list"):
        table.changed(entry[2], [entry[:2]], True)
    assert table.entries(0) == [(bytes(16), 3)]


def test_a_list_that_cannot_be_is_refused() -> None:
    for ask in (table_of([]).count, table_of([]).entries):
        with pytest.raises(ValueError, match="list 64"):
            ask(64)
