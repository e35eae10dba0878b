"""A number as signalled is read as its RFC says, or refused; never half of it."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interceptor.engine.keys import KeyKind, digits_key_of, short_key_of
from interceptor.engine.number import dialled, imei_key_of, imsi_key_of, keys_of, parse
from interceptor.engine.plan import NumberingPlan, NumberType
from interceptor.engine.types import NumberStatus
from tests.model import number as model

BEIJING = "+8613800138000"

# The same number in every dress, signalled on a trunk in China.
DRESSES = [
    b"+8613800138000",
    b"008613800138000",
    b"8613800138000",
    b"13800138000",
    b"+86 138-0013.8000",
    b"+86 (138) 00138000",
    b"(+86) 13800138000",
    b" +8613800138000 ",
    b"%2B8613800138000",
    b"tel:+86-138-0013-8000",
    b"TEL:+8613800138000;ext=5",
    b"tel:13800138000;phone-context=+86",
    b"tel:013800138000;phone-context=+86",
    b"tel:0013-8000;isub=1;phone-context=+86-138",
    b"tel:13800138000;phone-context=example.com",
    b"sip:+8613800138000@sbc.example.net",
    b"sip:+8613800138000@sbc.example.net;user=phone",
    b"sip:+8613800138000:secret@sbc.example.net:5061;transport=tls?subject=x",
    b"sip:%2B8613800138000@sbc.example.net",
    b"sip:%2b86138%30%30138000@sbc.example.net",
    b"sip:+8613800138000;npdi;rn=+8613800@sbc.example.net;user=phone",
    b"sip:13800138000;phone-context=+86@sbc.example.net;user=phone",
    b"sip:13800138000;phone-context=%2B86@sbc.example.net",
    b"SIPS:13800138000@[2001:db8::1]:5061",
    b"sip:+8613800138000",
    b"sip:13800138000;transport=udp",
    b"+8613800138000@sbc.example.net",
    b"<sip:+8613800138000@sbc.example.net>;tag=88",
    b"<tel:+8613800138000>",
    b'"Bob" <sip:+8613800138000@sbc.example.net>;tag=88',
    b"Bob <sip:+8613800138000@sbc.example.net>",
    b'"B \\" <sip:110@h> b" <sip:+8613800138000@sbc.example.net>',
    '"王先生" <sip:+8613800138000@sbc.example.net>'.encode(),
    b"<sip:+8613800138000@a.example>, <tel:+8610>",
]


@pytest.mark.parametrize("raw", DRESSES)
def test_one_number_in_every_dress(plan: NumberingPlan, raw: bytes) -> None:
    read = parse(plan, "CN", raw)
    key = digits_key_of(KeyKind.KEY_NUMBER, b"8613800138000")
    assert read == (NumberStatus.NUMBER_E164, BEIJING, True, "CN", NumberType.TYPE_MOBILE, key)
    assert read == model.parse(plan, "CN", raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"anonymous",
        b"Restricted",
        b"UNAVAILABLE",
        b"private",
        b"anonymous@anonymous.invalid",
        b"sip:anonymous@anonymous.invalid",
        b'"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
        b"sip:x@Anonymous.Invalid:5060",
        b"sip:anonymous.invalid",
        b"sips:restricted@sbc.example.net;user=phone",
        b"tel:anonymous",
    ],
)
def test_a_withheld_number_has_no_key_and_is_not_invalid(plan: NumberingPlan, raw: bytes) -> None:
    read = parse(plan, "CN", raw)
    assert read == (NumberStatus.NUMBER_WITHHELD, "", True, "ZZ", NumberType.TYPE_WITHHELD, 0)
    assert read == model.parse(plan, "CN", raw)


@pytest.mark.parametrize(
    "raw",
    [
        b" ",
        b"+",
        b"-",
        b"bob",
        b"sip:bob@sbc.example.net",
        b"sip:@sbc.example.net",
        b"sip:192.168.10.20",
        b"sip:192.168.10.20:5060",
        b"sip:+86.13800138000",
        b"sip:[2001:db8::1]",
        b"tel:",
        b"tel:+8613800138000@h",
        b"tel:13800138000;phone-context=",
        b"tel:13800138000;phone-context=+",
        b"tel:13800138000;phone-context=+86x",
        b"tel:13800138000;phone-context=+" + b"1" * 16,
        b"h323:+8613800138000",
        b"urn:service:sos",
        b"+86+13800138000",
        b"86+13800138000",
        b"++8613800138000",
        b"+8613800138000x5",
        b"*21*13800138000#",
        b"+1234567890123456",
        b"tel:123456;phone-context=+1234567890",
        b"1" * 33,
        b"0086" + b"1" * 14,
        b"+86138001380\x0000",
        b"+8613800138000\x00",
        b"\x00",
        b"+8613800138000\n",
        b"+86\t13800138000",
        b"+8613800138000\x7f",
        "+86１３８00138000".encode(),
        b"+8613800138000\xff",
        b"sip:+861380013%3@h",
        b"sip:+861380013%zz@h",
        b"sip:+86138001380%00@h",
        b"sip:+86138001380%b2@h",
        b"%",
        b"%3",
        b'"Bob <sip:+8613800138000@h>',
        b'"Bob\\" <sip:+8613800138000@h>',
        b'"+8613800138000"',
        b"<sip:+8613800138000@h",
        b"<>",
        b"<",
        b'"',
        b'"\\',
        b"+" + b" " * 1023 + b"8613800138000",
        b"+86" + b"1" * 1_000_000,
    ],
)
def test_what_cannot_be_read_is_unparseable(plan: NumberingPlan, raw: bytes) -> None:
    read = parse(plan, "CN", raw)
    assert read == (NumberStatus.NUMBER_UNPARSEABLE, "", False, "ZZ", NumberType.TYPE_UNKNOWN, 0)
    assert read == model.parse(plan, "CN", raw)


def test_an_empty_number_is_absent(plan: NumberingPlan) -> None:
    assert parse(plan, "CN", b"").status == NumberStatus.NUMBER_ABSENT


@pytest.mark.parametrize(
    "raw", [b"10086", b"95588", b"96110", b"110", b"tel:10086", b"sip:95588@h", b"10620000"]
)
def test_short_and_service_numbers_are_never_invalid(plan: NumberingPlan, raw: bytes) -> None:
    read = parse(plan, "CN", raw)
    assert (read.status, read.valid, read.region, read.type) == (
        NumberStatus.NUMBER_SHORT, True, "CN", NumberType.TYPE_SHORT,
    )  # fmt: skip
    assert read.key == short_key_of(read.text.encode(), plan.region_index("CN"))


def test_a_short_number_is_one_of_the_country_it_is_dialled_in(plan: NumberingPlan) -> None:
    abroad = parse(plan, "CN", b"tel:110;phone-context=+1")
    assert (abroad.text, abroad.region) == ("110", "US")
    assert parse(plan, "CA", b"tel:110;phone-context=+1").region == "CA"
    assert parse(plan, "CN", b"110").key != parse(plan, "DE", b"110").key


def test_a_number_of_seven_digits_or_more_is_international_even_if_invalid(plan: NumberingPlan) -> None:
    read = parse(plan, "CN", b"5555555")
    assert (read.status, read.text, read.valid) == (NumberStatus.NUMBER_E164, "+865555555", False)
    read = parse(plan, "CN", b"+999123456")
    assert (read.status, read.text, read.valid, read.region) == (
        NumberStatus.NUMBER_E164,
        "+999123456",
        False,
        "ZZ",
    )


def test_the_unknown_region_has_no_national_form(plan: NumberingPlan) -> None:
    assert parse(plan, "ZZ", b"13800138000").status == NumberStatus.NUMBER_UNPARSEABLE
    assert parse(plan, "ZZ", b"112").status == NumberStatus.NUMBER_SHORT
    assert parse(plan, "ZZ", b"+8613800138000").text == BEIJING


digits = st.text("0123456789", max_size=18).map(str.encode)
spaced = st.text("0123456789-. ()+", max_size=20).map(str.encode)
national = st.sampled_from(
    [
        b"13800138000",
        b"10086",
        b"110",
        b"2015550123",
        b"07400123456",
        b"0236618300",
        b"8613800138000",
        b"212345",
    ]
)
escaped = st.builds(lambda d, c: d[:2] + b"%%%02x" % c + d[2:], digits, st.integers(0, 255))
words = st.sampled_from(
    [b"anonymous", b"Private", b"bob", b"restricted", b"", b"urn:service:sos", b"unavailable"]
)
subscribers = st.one_of(
    digits,
    digits.map(lambda d: b"+" + d),
    digits.map(lambda d: b"%2B" + d),
    digits.map(lambda d: b"00" + d),
    national,
    spaced,
    escaped,
    words,
)
contexts = st.sampled_from(
    [
        b"+86",
        b"+1",
        b"+44",
        b"+1-914",
        b"%2B86",
        b"+999",
        b"+800",
        b"+0",
        b"example.com",
        b"",
        b"+",
        b"86",
        b"+86x",
    ]
)
parameters = st.lists(
    st.one_of(
        contexts.map(lambda c: b";phone-context=" + c),
        contexts.map(lambda c: b";Phone-Context=" + c),
        st.sampled_from([b";ext=5", b";user=phone", b";", b";isub=<", b";a@b", b":5060", b"?x=1", b":pw"]),
    ),
    max_size=3,
).map(b"".join)
hosts = st.sampled_from(
    [b"", b"@h", b"@h:5060", b"@anonymous.invalid", b"@Anonymous.Invalid;x", b"@", b"@h@i"]
)
schemes = st.sampled_from(
    [b"", b"sip:", b"sips:", b"tel:", b"SIP:", b"Tel:", b"urn:service:sos", b"h323:", b"sip"]
)
uris = st.builds(lambda *parts: b"".join(parts), schemes, subscribers, parameters, hosts, parameters)
names = st.sampled_from(
    [b"", b'"Bob" ', b"Bob ", b'"a\\"<b>" ', b'"', b'"\\', b"\xe7\x8e\x8b ", b'"" x ', b" "]
)
wrapped = st.builds(
    lambda name, uri, tail: name + b"<" + uri + tail,
    names,
    uris,
    st.sampled_from([b">", b">;tag=1", b"", b">, <tel:1>", b" >", b">\xff"]),
)
raws = st.one_of(
    subscribers,
    uris,
    wrapped,
    st.builds(lambda a, c, b: a + bytes([c]) + b, uris, st.integers(0, 255), uris),
    st.binary(max_size=60),
    st.text('<>"\\@;:%+0123456789 sipte', max_size=40).map(str.encode),
)
homes = st.sampled_from(["CN", "US", "CA", "GB", "IT", "AR", "BR", "FO", "AD", "ZZ", "001"])


@given(homes, raws)
@example("CN", b'"a<sip:110@h>')
@example("CN", b'""<sip:110@h>')
@example("CN", b'"\\"<sip:110@h>')
def test_the_kernel_reads_what_the_model_reads(plan: NumberingPlan, home: str, raw: bytes) -> None:
    assert parse(plan, home, raw) == model.parse(plan, home, raw)
    assert dialled(raw) == model.dialled(raw)


@given(homes, st.lists(raws, max_size=20))
def test_many_numbers_of_a_file_are_read_as_each_alone(
    plan: NumberingPlan, home: str, numbers: list[bytes]
) -> None:
    offsets = np.cumsum([0, *map(len, numbers)], dtype=np.int64)
    keys, statuses = keys_of(plan, home, b"".join(numbers), offsets)
    each = [parse(plan, home, number) for number in numbers]
    assert keys.tolist() == [number.key for number in each]
    assert statuses.tolist() == [number.status for number in each]


@pytest.mark.parametrize("offsets", [[], [0, 5], [-1, 2], [2, 1], [0, 3, 2], [0, 4, 4, 3]])
def test_offsets_that_leave_the_data_are_refused(plan: NumberingPlan, offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets"):
        keys_of(plan, "CN", b"1008", np.array(offsets, np.int64))


def test_an_empty_file_has_no_keys(plan: NumberingPlan) -> None:
    keys, statuses = keys_of(plan, "CN", b"", np.zeros(1, np.int64))
    assert len(keys) == len(statuses) == 0
    keys, statuses = keys_of(plan, "CN", b"", np.zeros(4, np.int64))
    assert statuses.tolist() == [NumberStatus.NUMBER_ABSENT] * 3


@pytest.mark.parametrize(
    "raw",
    [
        b"35693803564380",
        b"356938035643809",
        b"3569380356438099",
        b"35-693803-564380-9",
        b"urn:gsma:imei:35693803-564380-9",
        b"URN:GSMA:IMEI:35693803-564380-0;svn=42",
    ],
)
def test_an_imei_names_the_device(raw: bytes) -> None:
    assert imei_key_of(raw) == digits_key_of(KeyKind.KEY_IMEI, b"35693803564380")


@pytest.mark.parametrize(
    "raw", [b"", b"3569380356438", b"35693803564380991", b"35693803564380x", b"urn:gsma:imei:"]
)
def test_what_is_no_imei_has_no_key(raw: bytes) -> None:
    assert imei_key_of(raw) == 0


def test_an_imsi_is_all_its_digits() -> None:
    assert imsi_key_of(b"460001234567890") == digits_key_of(KeyKind.KEY_IMSI, b"460001234567890")
    for raw in (b"", b"46000", b"4600012345678901", b"46000 1234567890", b"+460001234567890"):
        assert imsi_key_of(raw) == 0


@given(st.text("0123456789- ;x", max_size=24).map(str.encode), st.sampled_from([b"", b"urn:gsma:imei:"]))
def test_identities_of_handsets_and_subscribers(raw: bytes, prefix: bytes) -> None:
    assert imei_key_of(prefix + raw) == model.imei_key(prefix + raw)
    assert imsi_key_of(raw) == model.imsi_key(raw)
