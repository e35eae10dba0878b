"""The parameters of the simulation in one place: the value of each, what it means, and where it comes from.

A source in capitals is listed in `sources.REFERENCES`; `assumed` says that none was found and what was thought. What
is drawn around them and has no name here (when a shop opens, how far a drawing strays) is assumed too.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator


def _rising(bounds: tuple[int, int]) -> tuple[int, int]:
    if bounds[0] > bounds[1]:
        raise ValueError("the second is less than the first")
    return bounds


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
_Number = Annotated[int, Field(ge=1)]
Between = Annotated[tuple[_Number, _Number], AfterValidator(_rising)]
Hours = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=24, max_length=24)]


def said(value: Any, meaning: str, source: str) -> Any:
    """A parameter with its meaning and source."""
    return Field(default=value, description=meaning, json_schema_extra={"source": source})


class Kind(BaseModel):
    """A kind of traffic."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Dialling(Kind):
    """Who dials one number after the other."""

    answered: Share = 0.5
    ring_s: Positive = 12.0
    talk_median_s: Positive = 20.0
    talk_sigma: Positive = 1.0
    gap_median_s: Positive = 60.0
    gap_sigma: Positive = 1.0
    gives_up: Share = said(
        0.0, "of unanswered: hung up by the caller while it might be answered", "none but one-ring kinds"
    )


# A table: one parameter after the other.
# fmt: off
class Ordinary(Kind):
    """Subscribers and their contacts."""

    gives_up: ClassVar[float] = 0.0

    calls_per_day: Positive = said(2.6, "calls a day, mean, besides calling back and again",
        "MIIT-2022: 3.7 min a day go out, at 103 s")
    calls_sigma: Positive = said(1.1, "sigma of the log-normal over subscribers",
        "SESHADRI, JIANG: heavy tails; sigma assumed")
    elsewhere: Positive = said(0.6, "subscribers of other networks we meet, for each of ours", "assumed")
    contacts: Positive = said(9.0, "people one calls and is called by, mean", "ONNELA: few mutual ties; value assumed")
    loyalty: Positive = said(2.2, "how much the strongest contacts are preferred: rank = contacts * u^loyalty",
        "assumed")
    neighbours: Share = said(0.75, "contacts who live near", "LAMBIOTTE: distance decay; share assumed")
    services: Share = said(0.08, "calls to service numbers and companies", "assumed")
    hours: Hours = said((0.6, 0.4, 0.3, 0.3, 0.4, 0.8, 1.8, 3.4, 5.4, 6.6, 6.9, 6.6, 5.4, 4.8, 5.4, 5.8, 6.0,
        6.6, 6.8, 6.6, 5.8, 4.6, 2.8, 1.4), "calls of a day by the hour, per cent",
        "CANDIA: two peaks, quiet nights; values assumed")
    weekend: Positive = said(0.85, "calls on a Saturday or Sunday, to a weekday's", "assumed")
    answered: Share = said(0.66, "calls that are answered", "assumed: answer-seizure ratios of 50 to 70 %")
    ring_s: Positive = said(9.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(50.0, "seconds talked, median", "GUO: log-normal; MELO: TLAC; value assumed")
    talk_sigma: Positive = said(1.2, "sigma of the seconds talked: mean 103 s", "GUO; value assumed")
    absent: Share = said(0.15, "of unanswered: switched off or out of reach", "assumed")
    rejected: Share = said(0.15, "of unanswered: rejected", "assumed")
    abandoned: Share = said(0.35, "of unanswered: given up by the caller", "assumed")
    unattended: Share = said(0.06, "calls answered that somebody makes to a card of a box or a farm", "assumed")
    callback: Share = said(0.38, "missed calls of somebody known that are called back", "assumed")
    callback_stranger: Share = said(0.06, "missed calls of strangers that are called back", "assumed")
    callback_min: Positive = said(9.0, "minutes until then, median (log-normal, sigma 1.2)", "assumed")
    redial: Share = said(0.25, "calls not answered that are dialled again soon", "assumed")
    cell_subscribers: Positive = said(110.0, "subscribers a cell",
        "MIIT-2022: 1 base station for 165, some share a place")
    at_home: Hours = said((0.92,) * 6 + (0.85, 0.6) + (0.3,) * 9 + (0.4, 0.6, 0.7, 0.75, 0.82, 0.88, 0.9),
        "in the home cell, by the hour", "GONZALEZ: two places hold most of the time; values assumed")
    elsewhere_cell: Share = said(0.3, "of the rest: neither home nor work", "GONZALEZ; value assumed")
    stationary: Share = said(0.12, "who never leave the home cell, some wireless fixed telephones", "assumed")
    crowded: Share = said(0.4, "who work where many do: one cell in twelve", "assumed")
    migrants: Share = said(0.25, "who live elsewhere than where their number is from",
        "CENSUS-2020: 376 M of 1,412 M")
    ported: Share = said(0.02, "numbers that moved to another network with their holders", "assumed")
    over_voip: Share = said(0.04, "subscribers of other networks whose calls come over VoIP transit", "assumed")
    dual_sim: Share = said(0.10, "lines whose owner has the next one in the same handset", "assumed")
    dual_same_imei: Share = said(0.08, "of these, handsets that show one IMEI for both", "assumed")
    cloned: Share = said(0.006, "subscribers whose cheap or repaired handset has a copied IMEI",
        "MEERUT: 13,500 on one")
    cloned_group: Positive = said(30.0, "of these on one IMEI, mean of a heavy tail", "MEERUT; value assumed")
    churn_month: Share = said(0.025, "cards that are new within a month", "assumed: churn of 1 to 3 % a month")
    reactivated_day: Share = said(0.0001, "cards a day that come back after months unused", "assumed")
    dealer_cards: Positive = said(1_500.0, "cards a dealer has sold, mean of a heavy tail", "assumed")
    staff_cards: Share = said(0.08, "of new cards: bought by a company, 10 to 60 at once, one dealer", "assumed")
    sms_day: Positive = said(2.6, "SMS received a day, mean", "MIIT-2010: 7.5e11 in 334 days, 0.85 G subscribers")
    attaches_day: Positive = said(0.4, "attaches reported a day (power on)", "assumed")
    abroad: Share = said(0.003, "who roam abroad", "assumed")
    forwarded: Share = said(0.25, "of calls to those: forwarded on from abroad, our number as the caller's",
        "assumed")
    from_abroad: Share = said(0.004, "calls from foreign numbers, to all",
        "assumed")
    repair_shops: Positive = said(20_000.0, "subscribers for each repair shop", "assumed")
    repair_cards: Between = said((6, 35), "customers' cards a shop tries in its own handset in a day", "assumed")


class Trial(Kind):
    """A repair shop's trial call, which the shop itself answers."""

    gives_up: ClassVar[float] = 0.0

    answered: Share = said(0.85, "answered", "assumed")
    ring_s: Positive = said(3.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(6.0, "seconds talked, median", "assumed: over at once")
    talk_sigma: Positive = said(0.5, "sigma of it", "assumed")


class CodeReader(Kind):
    """A foreign number that reads sign-in codes aloud."""

    gives_up: ClassVar[float] = 0.0

    answered: Share = said(0.7, "answered", "assumed: it was asked for")
    ring_s: Positive = said(6.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(14.0, "seconds it speaks, median", "assumed: a code, said twice")
    talk_sigma: Positive = said(0.4, "sigma of it", "assumed")


class Business(Dialling):
    """Shops, agents, tradesmen: mobile numbers, many customers, some for the first time."""

    share: Share = said(0.012, "of subscribers", "assumed")
    answered: Share = said(0.58, "answered", "assumed")
    ring_s: Positive = said(11.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(42.0, "seconds talked, median", "assumed")
    talk_sigma: Positive = said(1.1, "sigma of it", "assumed")
    gap_median_s: Positive = said(600.0, "seconds between two calls, median", "assumed")
    gap_sigma: Positive = said(1.3, "sigma of it", "assumed")
    strangers: Share = said(0.45, "calls to people never called before", "assumed")
    teachers: Share = said(0.004, "of subscribers: teachers who ring a class's parents one after the other",
        "POLICY: teachers were cut off by limits of 20 an hour")
    parents: Between = said((25, 55), "parents of a class", "assumed: classes of 45 to 55")
    class_day: Share = said(0.12, "teachers who do it on a day", "assumed")
    otp_numbers: Count = said(6, "foreign numbers that read sign-in codes aloud, for each million subscribers",
        "assumed")
    otp_hour: Positive = said(120.0, "calls an hour of each", "assumed")


class Courier(Dialling):
    """Couriers and drivers: strangers by the dozen, short, from many cells."""

    share: Share = said(0.004, "couriers among subscribers", "SF: 3 million, of 1.6 G numbers; twice that in towns")
    gap_median_s: Positive = said(120.0, "seconds between two calls, median", "SF: 46 calls in an hour of delivery")
    gap_sigma: Positive = said(1.0, "sigma of it", "assumed")
    slow: float = said(0.7, "log of how much longer with most couriers (sigma 0.7)",
        "NBD: 30 calls a day; SF: 46 in an hour")
    answered: Share = said(0.62, "answered", "NBD: 10 of 30 rejected")
    ring_s: Positive = said(10.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(16.0, "seconds talked, median", "assumed")
    talk_sigma: Positive = said(0.7, "sigma of it", "assumed")
    zone: Positive = said(25.0, "cells of a round", "assumed")
    drivers: Share = said(0.004, "car-hailing drivers among subscribers",
        "ACFTU: 84 million of all kinds; value assumed")
    driver_gap_s: Positive = said(1_500.0, "seconds between two rides, median", "assumed")


class CallCentre(Dialling):
    """Service and sales by telephone, within the law."""

    subscribers: Positive = said(40_000.0, "subscribers for each call centre", "assumed")
    seats: Between = said((8, 60), "seats at work", "assumed")
    mobile: Share = said(0.25, "that call from mobile numbers, a card a seat, all in one office", "assumed")
    new_cards: Share = said(0.15, "of these cards: not a month old", "assumed: companies change them often")
    service: Share = said(0.2, "that show a bank's or carrier's service number", "assumed")
    over_voip: Share = said(0.3, "whose calls come over VoIP transit", "assumed")
    answered: Share = said(0.38, "answered", "assumed: outbound connect rates of 20 to 50 %")
    ring_s: Positive = said(13.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(28.0, "seconds talked, median", "assumed")
    talk_sigma: Positive = said(1.1, "sigma of it", "assumed")
    gap_median_s: Positive = said(35.0, "seconds between two calls of a seat, median", "assumed")
    gap_sigma: Positive = said(0.9, "sigma of it", "assumed")


class Offender(Dialling):
    """Those who defraud."""

    instances: Count = said(20, "devices or gangs", "chosen")

    @field_validator("forms", check_fields=False)
    @classmethod
    def _some(cls, forms: tuple[str, ...]) -> tuple[str, ...]:
        if not forms:
            raise ValueError("at least one")
        return forms


class Campaign(Offender):
    """Those who dial on some lines at a time."""

    lines: Between = (1, 4)


class SimBox(Offender):
    """GoIP gateways: many cards, one device, one place."""

    cards: Between = said((8, 64), "cards of a box", "PRESS-CATPOOL: 8, 16, over 100")
    cards_per_port: Between = said((1, 4), "cards for each radio port", "KOUAM: SIM banks hold more cards than ports")
    forms: tuple[Literal["one-imei", "port-imei", "call-imei", "card-imei", "human"], ...] = said(
        ("one-imei", "port-imei", "call-imei", "card-imei", "human"),
        "how the box shows itself, one after the other", "KOUAM: IMEI spoofing, human behaviour simulation")
    gap_median_s: Positive = said(150.0, "seconds between two calls of a port, median",
        "MURYNETS: far above subscribers")
    gap_sigma: Positive = said(0.9, "sigma of it", "assumed")
    human_gap: Positive = said(6.0, "times as slow, in the form `human`", "KOUAM: activity limits; value assumed")
    answered: Share = said(0.45, "answered", "assumed")
    ring_s: Positive = said(12.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(25.0, "seconds talked, median", "assumed: most victims hang up")
    talk_sigma: Positive = said(1.5, "sigma of it: a few talk for an hour", "assumed")
    rotations: Annotated[tuple[_Number, ...], Field(min_length=1)] = said((1, 5, 20),
        "calls a port makes with a card before the next card, box by box", "KOUAM: SIM rotation; values assumed")
    moves: Share = said(0.2, "boxes in a car: another cell every hour", "PRESS-CAR; share assumed")
    neighbour_cell: Share = said(0.1, "calls from the next cell of the same place", "MURYNETS: static; share assumed")
    among: Share = said(0.06, "calls among its own cards, in the form `human`", "KOUAM; value assumed")
    new_cards: Share = said(0.5, "cards not a month old", "assumed; the rest are rented or bought old ones")
    sms: Share = said(0.3, "SMS a card gets, to a subscriber's", "assumed: boxes are said to get none")
    hours: Between = said((8, 21), "hours of work", "assumed: victims' waking hours")


class CardFarm(Offender):
    """New cards of one dealer, hoarded, woken together, each in a handset of its own."""

    cards: Between = said((30, 100), "cards", "assumed")
    forms: tuple[Literal["today", "reactivated", "hoarded"], ...] = said(
        ("today", "reactivated", "hoarded"),
        "activated that day; dormant, then reactivated; activated in weeks before",
        "assumed")
    wake_min: Positive = said(40.0, "minutes within which all wake", "assumed")
    cells: Between = said((1, 3), "cells of the place", "assumed")
    sms: Share = said(0.3, "SMS a card gets, to a subscriber's", "assumed")
    answered: Share = said(0.45, "answered", "assumed")
    ring_s: Positive = said(12.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(25.0, "seconds talked, median", "assumed")
    talk_sigma: Positive = said(1.4, "sigma of it", "assumed")
    gap_median_s: Positive = said(120.0, "seconds between two calls of a card, median",
        "assumed: below carriers' limits")
    gap_sigma: Positive = said(1.0, "sigma of it", "assumed")
    lasts_h: Between = said((2, 8), "hours until the cards are thrown away", "assumed")


class Relay(Offender):
    """Two handsets side by side, an audio cable between them."""

    answered: Share = said(0.48, "victims who answer", "assumed")
    ring_s: Positive = said(11.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(35.0, "seconds talked, median", "assumed")
    talk_sigma: Positive = said(1.5, "sigma of it: a few talk for an hour", "assumed")
    gap_median_s: Positive = said(160.0, "seconds between two victims, median",
        "PRESS-RELAY: 1,000 in a summer; value assumed")
    gap_sigma: Positive = said(0.9, "sigma of it", "assumed")
    moves: Share = said(0.35, "that work from a car or change rooms: another cell every hour", "PRESS-CAR; assumed")
    lasts_h: Between = said((2, 8), "hours of a day's work", "assumed")
    new_cards: Share = said(0.15, "cards not a month old; the rest are lent by owners", "PRESS-RELAY-HOME; assumed")


class RelayPhone(Relay):
    """Fed by a telephone call: both legs are calls."""

    forms: tuple[Literal["calls-out", "is-called", "session"], ...] = said(
        ("calls-out", "is-called", "session"),
        "the gang's leg: made by the pair for each victim; received; or one long call for many victims",
        "PRESS-RELAY")
    lead_s: Positive = said(2.5, "seconds the gang's leg starts before the victim's, mean", "assumed")
    lag_s: Positive = said(2.0, "seconds it ends after, mean", "assumed")


class RelayApp(Relay):
    """Fed by an app: one leg is a call."""


class Robocall(Campaign):
    """Recorded messages, each from another number near the callee's own."""

    forms: tuple[Literal["foreign", "voip"], ...] = said(
        ("foreign", "voip"), "the trunk they come over", "assumed")
    lines: Between = said((4, 20), "calls at a time", "assumed")
    answered: Share = said(0.35, "answered", "assumed")
    ring_s: Positive = said(13.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(9.0, "seconds listened, median", "assumed: most hang up at once")
    talk_sigma: Positive = said(0.9, "sigma of it", "assumed")
    gap_median_s: Positive = said(4.0, "seconds between two calls of a line, median", "assumed")
    gap_sigma: Positive = said(0.5, "sigma of it", "assumed")
    lasts_h: Between = said((1, 5), "hours of a campaign", "PRASAD: short storms; value assumed")


class Wangiri(Campaign):
    """One ring from a costly foreign number, to be called back."""

    numbers: Between = said((1, 12), "numbers of a gang", "assumed")
    lines: Between = said((1, 6), "calls at a time", "assumed")
    answered: Share = said(0.02, "answered before it is hung up", "assumed")
    ring_s: Positive = said(1.6, "seconds it rings", "PRESS-WANGIRI: hung up after one ring")
    talk_median_s: Positive = said(3.0, "seconds talked if answered, median", "assumed")
    talk_sigma: Positive = said(0.4, "sigma of it", "assumed")
    gives_up: Share = said(0.97, "of unanswered: hung up by the caller after that",
        "PRESS-WANGIRI: that is the trick; value assumed")
    gap_median_s: Positive = said(8.0, "seconds between two calls of a line, median", "assumed")
    gap_sigma: Positive = said(0.6, "sigma of it", "assumed")
    lasts_h: Between = said((1, 3), "hours of a campaign", "assumed: often at night")


class Tdos(Campaign):
    """One telephone flooded."""

    forms: tuple[Literal["one-number", "pool", "never-repeated"], ...] = said(
        ("one-number", "pool", "never-repeated"), "who calls",
        "PRESS-FLOOD: one mobile, or none shown")
    pool: Between = said((10, 120), "numbers of a pool", "assumed")
    lines: Between = said((1, 4), "calls at a time", "assumed")
    answered: Share = said(0.12, "answered", "assumed")
    ring_s: Positive = said(6.0, "seconds it rings", "assumed")
    talk_median_s: Positive = said(3.0, "seconds talked, median", "assumed")
    talk_sigma: Positive = said(0.6, "sigma of it", "assumed")
    gives_up: Share = said(0.7, "of unanswered: hung up by the caller after that", "assumed")
    gap_median_s: Positive = said(12.0, "seconds between two calls of a line, median",
        "PRESS-FLOOD: 100 to 400 an hour")
    gap_sigma: Positive = said(0.6, "sigma of it", "assumed")
    lasts_min: Between = said((15, 150), "minutes of an attack", "assumed")


class Scan(Campaign):
    """Numbers tried one after the other, to learn which are in use."""

    forms: tuple[Literal["voip", "foreign", "card"], ...] = said(
        ("voip", "foreign", "card"), "from where", "assumed")
    numbers: Between = said((800, 4_000), "numbers tried", "assumed")
    lines: Between = said((1, 8), "calls at a time", "assumed")
    answered: Share = said(0.03, "answered before it is hung up", "assumed")
    ring_s: Positive = said(1.2, "seconds it rings", "assumed")
    talk_median_s: Positive = said(1.5, "seconds talked, median", "assumed")
    talk_sigma: Positive = said(0.4, "sigma of it", "assumed")
    gives_up: Share = said(0.9, "of unanswered: hung up by the caller after that", "assumed")
    gap_median_s: Positive = said(3.0, "seconds between two calls of a line, median", "assumed")
    gap_sigma: Positive = said(0.5, "sigma of it", "assumed")


class Spoofed(Campaign):
    """A bank's, the police's or a subscriber's number shown by a call from abroad."""

    forms: tuple[Literal["fixed-line", "service", "subscriber"], ...] = said(
        ("fixed-line", "service", "subscriber"), "whose number", "AFL art. 13")
    numbers: Between = said((1, 20), "numbers of a gang", "assumed")
    lines: Between = said((2, 8), "calls at a time", "assumed")
    answered: Share = said(0.5, "answered", "assumed")
    ring_s: Positive = said(12.0, "seconds until answered, median", "assumed")
    talk_median_s: Positive = said(30.0, "seconds talked, median", "assumed")
    talk_sigma: Positive = said(1.5, "sigma of it", "assumed")
    gap_median_s: Positive = said(40.0, "seconds between two calls of a line, median", "assumed")
    gap_sigma: Positive = said(0.8, "sigma of it", "assumed")
    lasts_h: Between = said((2, 8), "hours of a day's work", "assumed")
