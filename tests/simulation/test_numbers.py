"""Numbers, cards and handsets of the simulation are such as the plans allow."""

import numpy as np
import pytest

from interceptor.engine.plan import NumberingPlan
from interceptor.simulation import numbers
from simulation.conftest import Day


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def test_callers_and_callees_are_numbers_that_the_plan_knows(day: Day, plan: NumberingPlan) -> None:
    for name in ("caller", "callee"):
        for text in np.unique(day[name][day.calls()]).tolist():
            if not text.startswith("+"):
                assert plan.is_short("CN", text.encode()), text
            elif len(text) > 9:  # shorter: a service number with a country code before it, as from abroad
                valid, _, _ = plan.classify(text[1:].encode())
                assert valid, text


@pytest.mark.parametrize("ranges", [numbers.OWN_RANGES, numbers.OTHER_RANGES])
def test_a_block_holds_ten_thousand_mobile_numbers(plan: NumberingPlan, ranges: tuple[int, ...]) -> None:
    for block in (0, 4, 977, 20_000):
        place = np.arange(numbers.BLOCK)
        found = numbers.mobile(np.full(numbers.BLOCK, block), place, ranges)
        assert len(set(found.tolist())) == numbers.BLOCK
        assert len(set((found // numbers.BLOCK).tolist())) == 1
        valid, region, kind = plan.classify(str(found[0]).encode())
        assert (valid, region, kind.name) == (True, "CN", "TYPE_MOBILE")


@pytest.mark.parametrize("country", numbers.COUNTRIES)
def test_numbers_abroad_are_valid_and_differ(plan: NumberingPlan, country: str) -> None:
    found = numbers.foreign(country, np.arange(2_000))
    assert len(set(found.tolist())) == 2_000
    assert all(plan.classify(str(number).encode())[0] for number in found)


def test_imeis_have_their_check_digit_and_imsis_their_country(day: Day) -> None:
    for imei in np.unique(day["imei"]).tolist():
        assert imei == "" or (len(imei) == 15 and luhn(imei)), imei
    for imsi in np.unique(day["imsi"]).tolist():
        assert imsi == "" or (len(imsi) == 15 and imsi.startswith("460")), imsi
    assert (
        numbers.imei(np.array([35_209_900]), np.array([176_148]))[0] == 352_099_001_761_481
    )  # GSMA's example


def test_a_number_has_one_card_and_a_card_one_number(day: Day) -> None:
    card = day["imsi"] != ""
    pairs = np.unique(np.stack([day["caller"][card], day["imsi"][card]]), axis=1)
    assert pairs.shape[1] == len(set(pairs[0])) == len(set(pairs[1]))


def test_cells_are_global_identities(day: Day) -> None:
    for cell in np.unique(day["cell"]).tolist():
        parts = cell.split("-")
        assert cell == "" or (
            parts[:2] == ["460", "00"] and all(0 < int(part) < 65_536 for part in parts[2:])
        )
