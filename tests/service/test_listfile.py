"""Lists from files: what is read, what is refused and why, and that no bytes at all make anything else happen."""

import gzip
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.domains import domain_key_of
from interceptor.engine.keys import KeyKind, text_key_of
from interceptor.engine.number import imei_key_of, imsi_key_of, parse
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.prefixes import PrefixRoot
from interceptor.engine.spec import ListKind
from interceptor.engine.types import Field
from interceptor.store.listfile import Annotation, ListFile, ListFileError, read_list

SECRET = b"0123456789abcdef"
NOW = int(datetime(2026, 11, 22, 10, 30, tzinfo=UTC).timestamp() * 1000)
Read = Callable[..., ListFile]


@pytest.fixture
def read(plan: NumberingPlan, tmp_path: Path) -> Read:
    """Reads a file of the given content (or an existing path) as a list of a kind."""

    def reading(
        content: str | bytes | Path,
        kind: ListKind = ListKind.NUMBER,
        *,
        name: str = "list.csv",
        home: str = "CN",
        **options: object,
    ) -> ListFile:
        path = content if isinstance(content, Path) else tmp_path / name
        if not isinstance(content, Path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_list(path, kind, plan, home, SECRET, NOW, **options)  # type: ignore[arg-type]

    return reading


def refusal(read: Read, content: str | bytes, kind: ListKind = ListKind.NUMBER, **options: str) -> str:
    """Why the last row of a file, after 200 good ones, is refused; it must be the only one, and not be loaded."""
    good = {
        ListKind.NUMBER: "+86138001380{:02}",
        ListKind.PREFIX: "+8613800{:03}*",
        ListKind.DOMAIN: "d{}.example.com",
        ListKind.DEVICE: "352099001761{:03}",
        ListKind.SUBSCRIBER: "460001234567{:03}",
        ListKind.TRUNK: "trunk-{}",
        ListKind.PAIR: "+86138001380{:02}:95588",
        ListKind.NETWORK: "192.0.2.{}",
    }[kind]
    if isinstance(content, str):
        content = content.encode()
    rows = "".join(good.format(i) + "\n" for i in range(200)).encode() + content + b"\n"
    found = read(rows, kind, **options)
    assert (found.rows, found.bad) == (201, 1)
    without = read(rows[: -len(content) - 1], kind, **options)
    assert np.array_equal(found.content.keys, without.content.keys)
    assert found.content.prefixes == without.content.prefixes
    assert found.first_bad[0][0] == 201
    return found.first_bad[0][1]


# ---- what is read --------------------------------------------------------------------------------------------


def test_a_number_is_the_same_however_it_is_written(read: Read, plan: NumberingPlan) -> None:
    written = ["+8613800138000", "13800138000", "008613800138000", "+86 138-0013-8000", "tel:+8613800138000"]
    found = read("\n".join(written))
    assert set(found.content.keys.tolist()) == {parse(plan, "CN", b"+8613800138000").key}
    assert found.rows == 5


def test_short_numbers_of_the_home_region_are_listed(read: Read, plan: NumberingPlan) -> None:
    found = read("10086\n95588\n110\n")
    assert found.content.keys.tolist() == [parse(plan, "CN", n).key for n in (b"10086", b"95588", b"110")]
    assert read("211\n", home="US").content.keys.tolist() == [parse(plan, "US", b"211").key]


def test_prefixes_are_e164_digits(read: Read) -> None:
    found = read("+33162*\n+33163\n0033164\n+33 1 65*\n", ListKind.PREFIX)
    assert len(found.content.keys) == 0
    root = PrefixRoot.ROOT_NUMBER
    assert list(found.content.prefixes) == [
        (root, b"33162"),
        (root, b"33163"),
        (root, b"33164"),
        (root, b"33165"),
    ]


def test_devices_are_imeis_or_type_allocation_codes(read: Read) -> None:
    content = "352099001761481\n35-209900-176149-23\n35209901\n3520990212*\nurn:gsma:imei:35209900-176150-0\n"
    found = read(content, ListKind.DEVICE)
    assert found.content.keys.tolist() == [imei_key_of(b"352099001761%d" % i) for i in (48, 49, 50)]
    assert list(found.content.prefixes) == [
        (PrefixRoot.ROOT_IMEI, b"35209901"),
        (PrefixRoot.ROOT_IMEI, b"3520990212"),
    ]


def test_subscribers_are_imsis_or_operators(read: Read) -> None:
    found = read("460001234567890\n46000\n310-410\n2620112*\n", ListKind.SUBSCRIBER)
    assert found.content.keys.tolist() == [imsi_key_of(b"460001234567890")]
    assert [digits for _, digits in found.content.prefixes] == [b"46000", b"310410", b"2620112"]


def test_domains_and_trunks_have_keys_of_the_installation(read: Read) -> None:
    found = read("Evil.example\n192.0.2.7\n[2001:db8::1]\n", ListKind.DOMAIN)
    names = (b"evil.example", b"192.0.2.7", b"2001:db8::1")
    assert found.content.keys.tolist() == [domain_key_of(SECRET, name) for name in names]
    found = read("Carrier A\nigw-2\n", ListKind.TRUNK)
    kind = KeyKind.KEY_TEXT + Field.F_TRUNK
    assert found.content.keys.tolist() == [
        text_key_of(SECRET, kind, name) for name in (b"Carrier A", b"igw-2")
    ]


def test_pairs_are_the_subscribers_own_entries(read: Read, plan: NumberingPlan) -> None:
    rows = "13800138000:+861069445566,spam,desk,2027-01-01\n+8613800138000:95588,,,\n13800138000:+861069445566,,,\n"
    found = read("pair,reason,source,valid_until\n" + rows, ListKind.PAIR)
    callee, one, other = (parse(plan, "CN", n).key for n in (b"+8613800138000", b"+861069445566", b"95588"))
    assert sorted(found.content.pairs.tolist()) == sorted([[callee, one], [callee, other]])
    assert (found.rows, found.bad, len(found.content)) == (3, 0, 2)
    # Of rows that say the same the one that ends last counts, here: never.
    assert found.annotation("+8613800138000:+861069445566") == Annotation()
    found = read(rows[: rows.index("\n") + 1] + "+8613800138001:+861069445566,x,,2026-12-01\n", ListKind.PAIR)
    assert found.annotation((callee, one)) == Annotation("spam", "desk", found.expiries[1][1])
    assert found.annotation((one, callee)) is None
    next_callee = parse(plan, "CN", b"+8613800138001").key
    assert [entry for entry, _ in found.expiries] == [(next_callee, one), (callee, one)]
    assert "write CALLEE:CALLER" in refusal(read, "95588", ListKind.PAIR)
    ended = found.expiries.between(NOW, found.expiries[0][1])
    assert (ended.pairs.tolist(), len(ended)) == ([[next_callee, one]], 1)


def test_networks_are_addresses_and_prefix_lengths(read: Read) -> None:
    found = read("192.0.2.0/24,scan,,\n2001:DB8::/32,,,\n192.0.2.7,,,2026-12-01\n", ListKind.NETWORK)
    assert (found.rows, found.bad) == (3, 0)
    assert "write 192.0.2.0/24" in refusal(read, "192.0.2.9/24", ListKind.NETWORK)
    mapped = bytes(10) + b"\xff\xff"
    networks = {
        (mapped + bytes([192, 0, 2, 0]), 120),
        (mapped + bytes([192, 0, 2, 7]), 128),
        (bytes.fromhex("20010db8") + bytes(12), 32),
    }
    assert set(found.content.networks) == networks
    assert found.annotation("192.0.2.0/24") == Annotation("scan")
    assert found.expiries.between(NOW, NOW * 2).networks == [(mapped + bytes([192, 0, 2, 7]), 128)]


def test_a_range_in_a_file_is_the_prefixes_it_is_made_of(read: Read) -> None:
    found = read("range,reason\n+331620000..+331629999,a\n+33163098..+33163100,b\n", ListKind.PREFIX)
    assert [digits for _, digits in found.content.prefixes] == [
        b"33162",
        b"33163098",
        b"33163099",
        b"33163100",
    ]
    assert (found.rows, found.bad) == (2, 0)
    assert found.annotation("+33163099*") == Annotation("b")


FOUR = "+8613800138000,fake-loan,police,2027-01-01\n10086,,,\n"


@pytest.mark.parametrize(
    "content",
    [
        FOUR,
        "number,reason,source,valid_until\n" + FOUR,
        "\ufeffnumber,reason,source,valid_until\r\n" + FOUR.replace("\n", "\r\n"),
        "Number , Reason,SOURCE,valid_until\n" + FOUR,
        "reason,valid_until,number,source\nfake-loan,2027-01-01,+8613800138000,police\n,,10086,\n",
        '"number","reason","source","valid_until"\n"+8613800138000","fake-loan","police","2027-01-01"\n10086,,"",\n',
        "# what the police sent, in November\n\n" + FOUR.replace("\n", "\n  \n\n# more\n"),
        FOUR.replace("\n", "\r"),
        FOUR.rstrip("\n"),
        " +8613800138000 , fake-loan ,police, 2027-01-01 \n10086,,,\n",
    ],
)
def test_a_csv_file_may_be_written_in_many_ways(read: Read, plan: NumberingPlan, content: str) -> None:
    for packed in (content.encode(), gzip.compress(content.encode())):
        found = read(packed)
        assert (found.rows, found.bad, found.expired) == (2, 0, 0)
        assert set(found.content.keys.tolist()) == {
            parse(plan, "CN", n).key for n in (b"+8613800138000", b"10086")
        }
        end = int(datetime(2027, 1, 2, tzinfo=UTC).timestamp() * 1000)
        assert found.annotation("+8613800138000") == Annotation("fake-loan", "police", end)
        assert found.annotation("10086") == Annotation()
        assert list(found.expiries) == [(parse(plan, "CN", b"+8613800138000").key, end)]


def test_a_file_without_entries_is_an_empty_list(read: Read) -> None:
    for content in (
        "",
        "\n\n",
        "# nothing yet\n",
        "number\n",
        "number,reason,source,valid_until\n",
        "\ufeff",
    ):
        found = read(content)
        assert (found.rows, found.bad, len(found.content.keys)) == (0, 0, 0)


def test_a_quote_or_a_comma_may_stand_inside_quotes(read: Read) -> None:
    found = read('+8613800138000,"says ""bank"", hangs up"\n+8613800138001,5" screen seller\n')
    assert found.annotation("+8613800138000") == Annotation('says "bank", hangs up')
    assert found.annotation("+8613800138001") == Annotation('5" screen seller')


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_a_parquet_file_gives_the_same_list(read: Read, plan: NumberingPlan, tmp_path: Path) -> None:
    at = datetime(2027, 1, 1, 12, tzinfo=timezone(timedelta(hours=8)))
    path = parquet(
        tmp_path / "list.parquet",
        number=pa.array(["+8613800138000", "10086", None]),
        reason=pa.array(["fake-loan", None, "x"]).dictionary_encode(),
        valid_until=pa.array([at, None, None], pa.timestamp("us", "+08:00")),
    )
    zipped = tmp_path / "list.parquet.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, zipped):
        found = read(file, allow_bad=True)
        assert set(found.content.keys.tolist()) == {
            parse(plan, "CN", n).key for n in (b"+8613800138000", b"10086")
        }
        assert found.first_bad == [(3, "is empty")]
        assert found.annotation("+8613800138000") == Annotation("fake-loan", "", int(at.timestamp() * 1000))


@pytest.mark.parametrize(
    "numbers",
    [
        pa.array([13800138000, None]),
        pa.array([13800138000.0, None]),
        pa.array(["13800138000", None], pa.large_string()),
        pa.array([b"13800138000", None]),
        pa.array(["13800138000", None], pa.string_view()),
    ],
)
def test_numbers_may_be_held_in_any_column_that_holds_numbers(
    read: Read, plan: NumberingPlan, tmp_path: Path, numbers: pa.Array
) -> None:
    found = read(parquet(tmp_path / "list.parquet", phone=numbers), allow_bad=True)
    assert found.content.keys.tolist() == [parse(plan, "CN", b"+8613800138000").key]


def test_a_date_column_ends_with_its_day(read: Read, tmp_path: Path) -> None:
    for kind in (pa.date32(), pa.date64()):
        ends = pa.array([date(2026, 11, 21), date(2026, 11, 22)], kind)
        found = read(
            parquet(tmp_path / "list.parquet", number=["13800138000", "13800138001"], valid_until=ends)
        )
        assert (found.rows, found.expired, len(found.content.keys)) == (2, 1, 1)


# ---- until when ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("valid_until", "ended"),
    [
        ("2026-11-21", True),
        ("2026-11-22", False),  # to the end of the day
        ("2026-11-22T10:30:00Z", True),
        ("2026-11-22T10:30:01", False),  # no zone means UTC
        ("2026-11-22 10:29", True),
        ("2026-11-22T18:29:59+08:00", True),
        ("2026-11-22T18:30:01+08:00", False),
        ("2026-11-22T10:30:00.001Z", False),
        ("20261121", True),
        ("1969-12-31", True),
        ("0001-01-01T00:00:00+14:00", True),
        ("9999-12-31", False),
        ("", False),
    ],
)
def test_an_entry_whose_end_has_come_is_left_out_and_counted(
    read: Read, valid_until: str, ended: bool
) -> None:
    found = read(f"number,valid_until\n+8613800138000,{valid_until}\n")
    assert (found.rows, found.bad, found.expired) == (1, 0, ended)
    assert len(found.content.keys) == (not ended)
    assert len(found.expiries) == (not ended and valid_until != "")


@pytest.mark.parametrize(
    "valid_until",
    ["soon", "31.12.2026", "2026-13-01", "2026-02-30", "tomorrow", "1767225600000", "-1", "0000-00-00"],
)
def test_an_end_that_cannot_be_read_makes_a_bad_row(read: Read, valid_until: str) -> None:
    found = read(f"number,valid_until\n+8613800138000,{valid_until}\n+8613800138001,\n", allow_bad=True)
    assert (found.bad, found.first_bad[0][0], len(found.content.keys)) == (1, 2, 1)
    assert valid_until in found.first_bad[0][1]


def test_what_ends_is_told_in_order_of_its_end(read: Read) -> None:
    found = read(
        "prefix,valid_until\n+33162*,2028-01-01\n+33163*,\n+33164*,2027-01-01T00:00:00Z\n+33165*,2020-01-01\n",
        ListKind.PREFIX,
    )
    first = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert [entry for entry, _ in found.expiries] == [(0, b"33164"), (0, b"33162")]
    assert found.expiries[0][1] == first
    assert list(found.expiries.between(NOW, first).prefixes) == [(0, b"33164")]
    assert list(found.expiries.between(first, first + 1).prefixes) == []
    assert len(found.expiries[:]) == 2


def test_an_entry_of_several_rows_ends_with_the_last_of_them(read: Read) -> None:
    found = read(
        "number,reason,valid_until\n+8613800138000,a,2027-01-01\n+8613800138000,b,2028-01-01\n"
        "+8613800138001,c,2027-01-01\n+8613800138001,d,\n+8613800138002,e,2020-01-01\n+8613800138002,f,2027-01-01\n"
    )
    assert (found.rows, found.expired, len(found.content.keys)) == (6, 1, 3)
    notes = [found.annotation(f"+861380013800{i}") for i in range(3)]
    assert [note.reason for note in notes if note] == ["b", "d", "f"]
    assert len(found.expiries) == 2


# ---- why an entry is there -----------------------------------------------------------------------------------


def test_an_annotation_is_found_by_key_prefix_or_text(read: Read, plan: NumberingPlan) -> None:
    found = read("number,reason\n+33162*,wangiri\n", ListKind.PREFIX)
    for entry in ((0, b"33162"), "+33162*", "+33162", "0033162"):
        assert found.annotation(entry) == Annotation("wangiri")
    for other in ((0, b"3316"), "+33163*", "nonsense", "", 0):
        assert found.annotation(other) is None
    found = read("number,reason\n13800138000,loan\n", ListKind.NUMBER)
    for entry in (parse(plan, "CN", b"13800138000").key, "+8613800138000", "13800138000"):
        assert found.annotation(entry) == Annotation("loan")
    assert found.annotation("+8613800138001") is None
    assert read("number,reason\nevil.example,forged\n", ListKind.DOMAIN).annotation(
        "evil.example"
    ) == Annotation("forged")
    assert read("imei,reason\n35209900,clone\n", ListKind.DEVICE).annotation("35209900*") == Annotation(
        "clone"
    )
    assert read("13800138000\n").annotation("13800138000") is None


def test_every_row_of_a_large_file_keeps_its_own_annotation(
    read: Read, scale: Callable[[int, int], int]
) -> None:
    n = scale(120_000, 1_000_000)  # several pieces of the file
    rows = np.random.default_rng(1).permutation(n)
    found = read(
        "number,reason,source\n"
        + "".join(f"+86138{i:08},reason {i % 1000},source of number {i}\n" for i in rows)
    )
    assert len(found.content.keys) == n
    for i in (0, 1, n // 2, n - 1):
        assert found.annotation(f"+86138{i:08}") == Annotation(f"reason {i % 1000}", f"source of number {i}")


# ---- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    ["0", "00", "+", "000", "0000000", "+0", "+00", "*", "+*", "86", "+86", "0086", "86*", "+86*", "0086*", "1", "+1",
     "+1*", "8", "+8", "+99", "12", "44", "+44", "852", "+1242", "+ 8 6", "(86)"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [ListKind.NUMBER, ListKind.PREFIX])
def test_an_entry_that_covers_a_country_is_refused(read: Read, kind: ListKind, entry: str) -> None:
    reason = refusal(read, entry, kind)
    assert "covers" in reason
    assert entry in reason
    found = read(f"{entry}\n+8613800138000\n", kind, allow_bad=True)
    assert (found.bad, len(found.content.keys) + len(found.content.prefixes)) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "entry", "reason"),
    [
        (ListKind.NUMBER, '""', "is empty"),
        (ListKind.NUMBER, "anonymous", "withheld"),
        (ListKind.NUMBER, "hello", "no telephone number of CN"),
        (ListKind.NUMBER, "+" + "1" * 16, "no telephone number"),
        (ListKind.NUMBER, "1" * 5000, "no telephone number"),
        (ListKind.NUMBER, "+33162", "a list of kind prefix"),
        (ListKind.NUMBER, "+33162*", "a list of kind prefix"),
        (ListKind.NUMBER, "+0138001380", "begins with +0"),
        (ListKind.NUMBER, "+8613800138000\x00", "no telephone number"),
        (ListKind.NUMBER, "+8613800138000,loan", "has 2 columns, the file has 1"),
        (ListKind.NUMBER, '"+8613800138000', "a quote is not closed"),
        (ListKind.PREFIX, '""', "is empty"),
        (ListKind.PREFIX, "33162", "international form"),
        (ListKind.PREFIX, "138*", "international form"),
        (ListKind.PREFIX, "+0138", "begins with +0"),
        (ListKind.PREFIX, "+33x62", "no prefix of numbers"),
        (ListKind.PREFIX, "+33162**", "no prefix of numbers"),
        (ListKind.PREFIX, "+" + "9" * 16, "1 to 15 digits"),
        (ListKind.PREFIX, "+٣٣١٦٢", "no prefix of numbers"),
        (ListKind.DOMAIN, '""', "is empty"),
        (ListKind.DOMAIN, "com", "top-level domain"),
        (ListKind.DOMAIN, "cn.", "top-level domain"),
        (ListKind.DOMAIN, "*.evil.com", "everything below"),
        (ListKind.DOMAIN, ".evil.com", "everything below"),
        (ListKind.DOMAIN, "évil.com", "xn--"),
        (ListKind.DOMAIN, "ev il.com", "no domain name"),
        (ListKind.DEVICE, "3520990", "TAC of 8"),
        (ListKind.DEVICE, "3520990017614", "TAC of 8"),
        (ListKind.DEVICE, "35209900176148x", "TAC of 8"),
        (ListKind.SUBSCRIBER, "460", "every operator of a country"),
        (ListKind.SUBSCRIBER, "460*", "every operator of a country"),
        (ListKind.SUBSCRIBER, "4600012345678901", "an IMSI of up to 15 digits"),
        (ListKind.SUBSCRIBER, "imsi", "an IMSI of up to 15 digits"),
        (ListKind.TRUNK, "a\x1bb", "no name of a trunk"),
        (ListKind.TRUNK, "x" * 1025, "no name of a trunk"),
    ],
)
def test_a_bad_row_says_why_and_the_good_ones_are_kept(
    read: Read, kind: ListKind, entry: str, reason: str
) -> None:
    why = refusal(read, entry, kind)
    assert reason in why
    assert len(why) < 200
    assert "\n" not in why


def test_the_first_ten_bad_rows_are_shown_with_their_lines(read: Read) -> None:
    content = "# fraud\nnumber,reason\n" + "+8613800138000,x\nbad\nworse,y\n\n" * 20
    with pytest.raises(ListFileError, match=r"list\.csv:4: 40 of 60 rows are bad .*allow bad rows"):
        read(content)
    found = read(content, allow_bad=True)
    assert (found.rows, found.bad, len(found.first_bad)) == (60, 40, 10)
    assert [line for line, _ in found.first_bad] == [4, 5, 8, 9, 12, 13, 16, 17, 20, 21]
    assert found.first_bad[0][1] == "has 1 column, the file has 2"


def test_one_bad_row_in_a_hundred_is_tolerated_and_no_more(read: Read) -> None:
    assert read("+8613800138000\n" * 99 + "bad\n").bad == 1
    with pytest.raises(ListFileError, match="2 of 199 rows are bad"):
        read("+8613800138000\n" * 197 + "bad\n" * 2)


def test_a_quote_that_is_not_closed_spoils_its_own_line_alone(read: Read) -> None:
    good = "".join(f'+861380013{i:04},"reason, {i}"\n' for i in range(1000))
    found = read(good + '"+8613900139000,oops\na"b,"c\n' + good.replace("+861380", "+861390"), allow_bad=True)
    assert (found.rows, found.bad, len(found.content.keys)) == (2002, 2, 2000)
    assert [line for line, _ in found.first_bad] == [1001, 1002]
    assert found.annotation("+8613900130999") == Annotation("reason, 999")


def test_lines_are_counted_across_the_pieces_of_a_large_file(read: Read) -> None:
    lines = [f"+86138{i:08},{'x' * 80}" for i in range(150_000)]
    wrong = (3, 49_999, 100_000, 149_999)
    for i in wrong:
        lines[i] = "wrong"
    lines[70_000] = "# a remark"
    found = read("\n".join(lines))
    assert [line for line, _ in found.first_bad] == [i + 1 for i in wrong]
    assert found.rows == 149_999


# ---- what no list can be made of -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l.csv", "number,valid_untl\n10086,2027-01-01\n", r"l\.csv:1: unknown column 'valid_untl'; columns are"),
        ("l.csv", "reason,source\nx,y\n", r"l\.csv:1: give the column of entries"),
        ("l.csv", "number,number\n1,2\n", r"l\.csv:1: give the column of entries"),
        ("l.csv", "\n+8613800138000,a,b,2027-01-01,e\n", r"l\.csv:2: has 5 columns"),
        ("l.csv", '"number\n', r"l\.csv:1: cannot be told apart into columns"),
        ("l.csv", b"+8613800138000\n+8613800138001,M\xfcller\n", r"l\.csv:2: is not in UTF-8; save it as UTF-8"),
        ("l.csv", "+8613800138000\n".encode("utf-16"), r"l\.csv: is in UTF-16; save it as UTF-8"),
        ("l.csv", b"1" * (13 << 20), r"l\.csv: has a line of more than 4 MiB"),
        ("l.csv", bytes(range(256)) * 10, r"l\.csv:3: is not in UTF-8"),
        ("l.csv.gz", gzip.compress(b"+8613800138000\n" * 9999)[:-9], r"l\.csv\.gz: is not a whole gzip file"),
        ("l.csv.gz", b"\x1f\x8bnonsense", r"l\.csv\.gz: is not a whole gzip file"),
        ("l.parquet", "+8613800138000\n", r"l\.parquet: is named as a Parquet file and is none"),
        ("l.parquet", b"PAR1" + bytes(100) + b"PAR1", r"l\.parquet: is not a readable Parquet file"),
        ("l.csv", b"PAR1", r"l\.csv: is not a readable Parquet file"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_list_says_so_in_one_line(
    read: Read, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(ListFileError, match=message) as raised:
        read(content, name=name)
    assert "\n" not in str(raised.value)
    assert raised.value.path.name == name


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"number": pa.array([["1"]])}, "column 'number' holds list"),
        ({"number": pa.array([1.5])}, "column 'number' holds double"),
        ({"number": pa.array([b"\xff"])}, "column 'number' holds binary"),
        ({"number": pa.array(["1"]), "note": pa.array(["1"])}, "unknown column 'note'"),
        ({"reason": pa.array(["1"]), "source": pa.array(["1"])}, "give the column of entries"),
        ({}, "give the column of entries"),
    ],
)
def test_a_parquet_file_of_other_columns_says_so(
    read: Read, tmp_path: Path, columns: dict[str, pa.Array], message: str
) -> None:
    with pytest.raises(ListFileError, match=message):
        read(parquet(tmp_path / "l.parquet", **columns))


def test_what_is_no_file_says_so(read: Read, tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "missing.csv", r"missing\.csv: there is no such file"),
        (tmp_path, "is a directory; name a CSV or Parquet file in it"),
        (Path("/dev/null"), "/dev/null: is no regular file"),
        (tmp_path / ("x" * 300), "cannot be read: .*too long"),
        (tmp_path / "nul\0l", "there is no such file"),
    ):
        with pytest.raises(ListFileError, match=message):
            read(path)


# ---- progress, sizes, and anything at all --------------------------------------------------------------------


def test_progress_is_told_in_rows_and_bytes_of_the_file(read: Read, tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    content = "".join(f"+86138{i:08}\n" for i in range(400_000)).encode()
    for packed in (content, gzip.compress(content, 1)):
        told.clear()
        found = read(packed, progress=lambda *at: told.append(at))
        assert len(told) > 1
        assert told == sorted(told)
        assert told[-1] == (400_000, len(packed), len(packed))
        assert found.rows == 400_000


def test_a_list_of_423_100_numbers_is_read_whole(read: Read, plan: NumberingPlan) -> None:
    rng = np.random.default_rng(7)
    numbers = rng.choice(10**8, 423_100, replace=False)
    found = read(
        "number,reason,source,valid_until\n"
        + "".join(f"+86138{n:08},loan,police,2027-06-30\n" for n in numbers)
    )
    assert (found.rows, found.bad, len(found.content.keys)) == (423_100, 0, 423_100)
    base = parse(plan, "CN", b"+8613800000000").key
    assert np.array_equal(found.content.keys, np.sort(numbers.astype(np.uint64) + np.uint64(base)))


pieces = st.lists(
    st.sampled_from(
        [b"+8613800138000", b"13800138000", b"86", b"0", b"+", b"evil.com", b"46000", b"35209900", b"2027-01-01", b",",
         b'"', b'""', b"\n", b"\r", b"\r\n", b"#", b" ", b"number", b"reason", b"valid_until", b"\xef\xbb\xbf", b"\xff",
         b"\x00", b"PAR1", b"\x1f\x8b", b"*", b"x" * 300, "é".encode()]
    )
    | st.binary(max_size=4),
    max_size=40,
).map(b"".join)  # fmt: skip


@given(content=st.binary(max_size=400) | pieces, kind=st.sampled_from(list(ListKind)), packed=st.booleans())
def test_any_bytes_give_a_list_or_a_clear_error(
    plan: NumberingPlan,
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
    kind: ListKind,
    packed: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(gzip.compress(content) if packed else content)
    for allow_bad in (False, True):
        try:
            found = read_list(path, kind, plan, "CN", SECRET, NOW, allow_bad=allow_bad)
        except ListFileError as error:
            assert re.match(r"^\S+any\.csv(:\d+)?: .+$", str(error))
            continue
        assert len(found.content.keys) + len(found.content.prefixes) <= found.rows - found.bad - found.expired
        assert (found.content.keys != 0).all()
        assert len(found.first_bad) == min(found.bad, 10)


@given(data=st.data())
def test_a_damaged_parquet_file_gives_a_list_or_a_clear_error(
    plan: NumberingPlan, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.parquet"
    parquet(path, number=["+8613800138000"] * 20, valid_until=["2027-01-01"] * 20)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    try:
        found = read_list(path, ListKind.NUMBER, plan, "CN", SECRET, NOW, allow_bad=True)
    except ListFileError as error:
        assert "\n" not in str(error)
    else:
        assert found.rows >= found.bad
