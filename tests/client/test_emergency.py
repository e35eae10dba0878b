"""What the client knows of emergency calls is what the engine knows: every region, every form of a number."""

from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interceptor.client import Screening, Verdict
from interceptor.client.emergency import NUMBERS, EmergencyNumbers, dialled, is_sos
from interceptor.client.emergency_numbers import EVERYWHERE
from interceptor.engine import number
from interceptor.engine.plan import NumberingPlan
from interceptor.numbering import emergency as written

WORDS = r"""112 911 110 12110 0 + +86 %2B %31 %3 %80 - . ( ) ; ? sip: SIPS: tel: Tel: urn: urn:service:sos .police @ :
:5060 anonymous < > " \ é example.net anonymous.invalid user=phone phone-context= ;phone-context=+86 ;phone-context=
%2B86 ;isub=1"""
PIECES = st.sampled_from(
    [*WORDS.split(), " ", "  ", '"Help" ', "Help ", "\x01", "\x7f", "1" * 31, "x" * 1020]
)


def test_it_knows_the_numbers_of_every_region_that_the_engine_knows(plan: NumberingPlan) -> None:
    every = {number for numbers in NUMBERS.values() for number in numbers} | set(EVERYWHERE.split())
    candidates = [(digits, digits.encode()) for digits in sorted(every | set(neighbours(every)))]
    assert set(NUMBERS) == set(plan.regions)
    for region in plan.regions:
        known = EmergencyNumbers([region], ())
        differing = [
            digits for digits, raw in candidates if known.reach(digits) != plan.is_emergency(region, raw)
        ]
        assert not differing, region


def test_the_engine_knows_none_of_three_digits_that_it_does_not(plan: NumberingPlan) -> None:
    candidates = ["".join(digits) for n in (1, 2, 3) for digits in product("0123456789", repeat=n)]
    for region in plan.regions:
        said = {digits for digits in candidates if plan.is_emergency(region, digits.encode())}
        assert said == {n for n in NUMBERS[region] | set(EVERYWHERE.split()) if len(n) <= 3}, region


def neighbours(numbers: set[str]) -> Iterator[str]:
    """One digit more or less."""
    for digits in numbers:
        yield digits[:-1]
        yield from (digits + more for more in "0123456789")


def test_the_table_is_what_is_written_out_of_the_plan() -> None:
    assert written.TABLE.read_text() == written.table(), "run `python -m interceptor.numbering.emergency`"


@given(st.lists(PIECES, max_size=8).map("".join))
@example("sip:112@example.net;user=phone")
@example('"Help" <tel:1-1-2;phone-context=+86>')
@example("urn:service:sos.fire")
@example("sip:112:5060")
@example("tel:112;phone-context=%2B86")
def test_a_number_is_read_as_the_engine_reads_it(text: str) -> None:
    digits, sos = number.dialled(text.encode())
    assert (dialled(text).encode(), is_sos(text)) == (digits, sos)


FORMS = """112 911 110 119 120 122 12110 12395 1-1-0 sip:110 sip:110@example.net sips:110@10.0.0.1;user=phone tel:110
tel:110;phone-context=+86 tel:110;phone-context=example.net urn:service:sos urn:service:sos.police"""


@pytest.mark.parametrize("callee", [*FORMS.split(), '"Police" <sip:110@example.net>'])
def test_a_client_that_fails_closed_stops_no_emergency_call(callee: str) -> None:
    with Screening("127.0.0.1:1", otherwise=Verdict.BLOCK, emergency=["12395"]) as screening:
        answer = screening.decide(caller="+8613800000001", callee=callee)
        assert (answer.verdict.name, answer.rule, answer.decided) == ("PASS", "emergency", False)


@pytest.mark.parametrize("callee", ["10086", "+112", "13800138000", "sip:someone@112.example.net", "", "113"])
def test_any_other_call_it_stops(callee: str) -> None:
    with Screening("127.0.0.1:1", otherwise=Verdict.BLOCK) as screening:
        answer = screening.decide(caller="+8613800000001", callee=callee)
        assert (answer.verdict.name, answer.rule, answer.sip_code) == ("BLOCK", "fail-closed", 480)


def test_several_regions_are_known_together() -> None:
    with Screening("127.0.0.1:1", otherwise=Verdict.BLOCK, home=["CN", "HK"]) as screening:
        assert screening.decide(callee="999").rule == "emergency"
        assert screening.decide(callee="110").rule == "emergency"


def test_a_region_that_is_none_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="home: no numbering plan has the region 'XX'"):
        Screening("127.0.0.1:1", home="XX")
    with pytest.raises(ValueError, match="emergency: give 1 to 13 digits as dialled, not 'police'"):
        Screening("127.0.0.1:1", emergency=["police"])
