"""What a simulated day is like: its order, its people, and who defrauds them."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from interceptor.simulation import calls, scenario
from interceptor.simulation.clock import DAY, HOUR, SHANGHAI
from simulation.conftest import Day

OFFENDERS = calls.LABELS[calls.FIRST_OFFENDER :]


def test_rows_are_sorted_and_begin_in_shanghais_day(day: Day) -> None:
    time = day["time_ms"]
    assert (np.diff(time) >= 0).all()
    midnight = 1_772_380_800_000  # 2026-03-02, 00:00 in Shanghai
    assert (time[0] + SHANGHAI) % DAY < HOUR
    assert midnight <= time[0] <= time[-1] < midnight + DAY


def test_a_call_ends_after_its_answer_and_is_answered_after_its_setup(day: Day) -> None:
    call = day.calls()
    answered, ended = day["answered_ms"], day["ended_ms"]
    talked = answered >= 0
    assert (ended[call] > day["time_ms"][call]).all()
    assert (answered[talked] > day["time_ms"][talked]).all()
    assert (ended[talked] > answered[talked]).all()
    assert (day["cause"][talked] == calls.CLEARED).all()


def test_what_happens_to_a_card_is_no_call(day: Day) -> None:
    event = ~day.calls()
    for name in ("answered_ms", "ended_ms", "cause"):
        assert (day[name][event] == -1).all()
    assert (day["callee"][event] == "").all()
    assert (day["imsi"][event] != "").all()
    assert set(day["event"]) == set(calls.EVENTS)


def test_nobody_makes_two_calls_at_once(day: Day) -> None:
    # A number that is only shown, or a company's, is no telephone: those have no IMSI, and may.
    call = day.calls() & (day["imsi"] != "")
    order = np.lexsort((day["time_ms"][call], day["imsi"][call]))
    line, begin, end = (day[name][call][order] for name in ("imsi", "time_ms", "ended_ms"))
    same = line[1:] == line[:-1]
    assert (begin[1:][same] >= end[:-1][same]).all()


def test_a_card_is_silent_until_it_is_activated(day: Day) -> None:
    for event in ("activated", "reactivated"):
        happened = day["event"] == event
        assert happened.any()
        since = dict(zip(day["imsi"][happened], day["time_ms"][happened], strict=True))
        assert len(since) == happened.sum(), "a card is activated once"
        for line, time in zip(day["imsi"], day["time_ms"], strict=True):
            assert time >= since.get(line, 0)
    new = day["event"] == "activated"
    assert (day["sim_age_days"][new] == 0).all()
    assert (day["tags.dealer"][new] != "").all()
    assert (day["tags.document"][new] != "").all()


def test_each_kind_has_its_instances(day: Day) -> None:
    small = scenario.load("small").offenders()
    assert tuple(small) == OFFENDERS
    for label in OFFENDERS:
        found = set(day["instance"][day.calls(label)])
        assert found == set(range(small[label].instances)), label


def test_only_those_who_defraud_are_called_fraud(day: Day) -> None:
    fraud = day["fraud"] == 1
    assert set(day["label"][fraud]) == set(OFFENDERS)
    for label in OFFENDERS:
        share = fraud[day.calls(label)].mean()
        # Who lends a handset for relaying has calls of his own.
        assert share > 0.6 if label.startswith("relay") else share == 1, label


def test_calls_follow_the_hours_of_a_day(day: Day) -> None:
    call = day.calls("ordinary")
    hour = (day["time_ms"][call] + SHANGHAI) // HOUR % 24
    expected = np.asarray(scenario.load("small").ordinary.hours)
    share = np.bincount(hour, minlength=24) / call.sum()
    assert np.abs(share - expected / expected.sum()).max() < 0.012


def test_people_answer_talk_and_call_as_they_are_said_to(day: Day) -> None:
    ordinary = scenario.load("small").ordinary
    call = day.calls("ordinary")
    talked = call & (day["answered_ms"] >= 0)
    assert talked.sum() / call.sum() == pytest.approx(ordinary.answered, abs=0.05)
    seconds = (day["ended_ms"] - day["answered_ms"])[talked] / 1_000
    assert np.median(seconds) == pytest.approx(ordinary.talk_median_s, rel=0.08)
    assert np.log(seconds).std() == pytest.approx(ordinary.talk_sigma, rel=0.1)
    _, made = np.unique(day["imsi"][call & (day["imsi"] != "")], return_counts=True)
    assert 3 < made.mean() < 6
    assert np.percentile(made, 99) > 5 * np.median(made), "few call much"


def test_who_is_called_calls_back_and_few_are_called_often(day: Day) -> None:
    call = day.calls("ordinary") & (day["imsi"] != "")
    pairs, often = np.unique(np.stack([day["caller"][call], day["callee"][call]]), axis=1, return_counts=True)
    ours = np.isin(pairs[1], day["caller"][call])
    there = set(map(tuple, pairs.T.tolist()))
    returned = np.mean([(callee, caller) in there for caller, callee in pairs.T[ours].tolist()])
    assert 0.15 < returned < 0.6
    assert often.max() >= 4
    _, people = np.unique(pairs[0], return_counts=True)
    assert np.median(people) <= 4


def test_couriers_and_sales_call_many_strangers_and_are_honest(day: Day) -> None:
    for label, least in (("courier", 25), ("call-centre", 80)):
        call = day.calls(label)
        _, made = np.unique(day["caller"][call], return_counts=True)
        assert np.percentile(made, 75) > least
        assert not day["fraud"][call].any()
    courier = day.calls("courier") & (day["imsi"] != "")
    _, first = np.unique(day["caller"][courier], return_index=True)
    busiest = max(day["caller"][courier][first], key=lambda number: (day["caller"][courier] == number).sum())
    assert len(set(day["cell"][courier & (day["caller"] == busiest)])) >= 10


def test_a_box_stays_and_shows_itself_as_its_form_says(day: Day) -> None:
    told = json.loads(pq.read_schema(day.path).metadata[b"simulated"])
    forms = told["forms"]["sim-box"]
    for instance, form in enumerate(forms):
        call = day.calls("sim-box") & (day["instance"] == instance)
        cards, devices = len(set(day["imsi"][call])), len(set(day["imei"][call]))
        assert cards >= 5
        if form == "one-imei":
            assert devices == 1
        elif form == "call-imei":
            assert devices > 0.9 * call.sum()
        elif form in {"card-imei", "human"}:
            assert devices == cards
        else:
            assert devices <= cards


def test_a_farm_wakes_together(day: Day) -> None:
    farm = scenario.load("small").card_farm
    for instance in range(farm.instances):
        call = day.calls("card-farm") & (day["instance"] == instance)
        _, first = np.unique(day["imsi"][call], return_index=True)
        begin = np.sort(day["time_ms"][call][first])
        assert np.ptp(begin) < 2.5 * HOUR
        assert len(set(day["tags.dealer"][call])) == 1
        assert len(set(day["cell"][call])) <= farm.cells[1]


def test_the_legs_of_a_relay_begin_and_end_together(day: Day) -> None:
    call = day.calls("relay-phone") & (day["fraud"] == 1) & (day["instance"] == 0)  # calls-out
    begin, end, cell, imsi = (day[name][call] for name in ("time_ms", "ended_ms", "cell", "imsi"))
    assert len(set(imsi)) == 2
    near = [
        (np.abs(begin - begin[n]) < 10_000)
        & (np.abs(end - end[n]) < 10_000)
        & (imsi != imsi[n])
        & (cell == cell[n])
        for n in range(len(begin))
    ]
    assert np.mean([together.any() for together in near]) > 0.8


def test_robocalls_show_neighbours_of_whom_they_call(day: Day) -> None:
    call = day.calls("robocall")
    assert [a[:-4] for a in day["caller"][call]] == [b[:-4] for b in day["callee"][call]]
    assert len(set(day["caller"][call])) > 0.9 * call.sum()


def test_scans_try_one_number_after_the_other_and_meet_many_that_nobody_has(day: Day) -> None:
    for instance in range(scenario.load("small").scan.instances):
        call = day.calls("scan") & (day["instance"] == instance)
        number = np.array([int(text[1:]) for text in day["callee"][call]])
        assert len(set(number)) > 0.95 * len(number)
        assert np.ptp(number) < 1.1 * len(number)
    assert (day["cause"][day.calls("scan")] == calls.UNALLOCATED).mean() > 0.2


def test_a_flood_is_at_one_telephone(day: Day) -> None:
    for instance in range(scenario.load("small").tdos.instances):
        assert len(set(day["callee"][day.calls("tdos") & (day["instance"] == instance)])) == 1


def test_what_comes_from_abroad_says_so(day: Day) -> None:
    call = day.calls()
    abroad = day["trunk"][call] == "international"
    assert (day["international_ingress"][call] == abroad).all()
    for label in ("wangiri", "spoofed"):
        assert (day["trunk"][day.calls(label)] == "international").all()
    roaming = day.calls("ordinary") & (day["roaming"] == 1)
    assert roaming.any()
    assert (day["imei"][roaming] == "").all()
    spoofed = day.calls("spoofed", "robocall")
    assert (day["imsi"][spoofed] == "").all()


def test_honest_handsets_share_imeis_too(day: Day) -> None:
    call = day.calls("ordinary") & (day["imei"] != "")
    pairs = np.unique(np.stack([day["imei"][call], day["imsi"][call]]), axis=1)
    _, cards = np.unique(pairs[0], return_counts=True)
    assert cards.max() >= 6
    assert (cards == 1).mean() > 0.97


@pytest.mark.parametrize("column", ["trunk", "cell", "sim_age_days", "imei"])
def test_no_offender_has_a_value_that_only_offenders_have(day: Day, column: str) -> None:
    """Trunks, cells, types of handset and ages of cards are everybody's: nothing gives an offender away by itself."""
    honest = day.calls(*calls.LABELS[: calls.FIRST_OFFENDER])
    values = day[column] if column != "imei" else np.array([text[:8] for text in day[column]])
    if column == "sim_age_days":
        values = values // 30
    theirs = set(values[day.calls(*OFFENDERS)])
    assert len(theirs - set(values[honest])) <= len(theirs) * 0.1
