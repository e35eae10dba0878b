"""A simulated stretch of time from its scenario to its file, slice by slice: memory is the population and one slice."""

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from interceptor.simulation import calls
from interceptor.simulation.boxes import CardFarms, SimBoxes
from interceptor.simulation.clock import HOUR, MINUTE, SHANGHAI, Clock
from interceptor.simulation.floods import Floods, Robocalls, Scans, Spoofers, Wangiris
from interceptor.simulation.people import People
from interceptor.simulation.recording import Recording
from interceptor.simulation.relays import Relays
from interceptor.simulation.scenario import Scenario
from interceptor.simulation.work import Businesses, CallCentres, Couriers, call_centres
from interceptor.simulation.world import World

SLICE = 30 * MINUTE
#: What belongs to a call may come before it: a card's attach, the gang's leg of a relayed call.
AHEAD = MINUTE


class Traffic(Protocol):
    """A kind of traffic: what it begins in a slice of time."""

    label: str
    forms: tuple[str, ...]

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """Rows that begin before `end` and were not told yet."""


@dataclass
class Told:
    """What was simulated: rows by event and calls by label."""

    events: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)

    def add(self, rows: calls.Rows) -> None:
        """Counts rows."""
        setups = rows["label"][rows["event"] == calls.SETUP]
        for counts, names, values in (
            (self.events, calls.EVENTS, rows["event"]),
            (self.labels, calls.LABELS, setups),
        ):
            for name, n in zip(names, np.bincount(values, minlength=len(names)).tolist(), strict=True):
                counts[name] = counts.get(name, 0) + n


def simulate(
    scenario: Scenario,
    out: Path,
    *,
    subscribers: int,
    hours: int = 24,
    seed: int = 1,
    progress: Callable[[float, Told], None] | None = None,
) -> Told:
    """Simulates a network and records its calls. The same arguments give the same bytes.

    Parameters
    ----------
    subscribers, hours
        Of the operator's own; from midnight of the scenario's first day, Shanghai's time.
    progress
        Called after each slice with the share that is done.
    """
    midnight = datetime.datetime.combine(scenario.start, datetime.time(), datetime.UTC)
    start = int(midnight.timestamp()) * 1_000 - SHANGHAI
    clock = Clock(start, start + hours * HOUR)
    world = World(scenario, subscribers, cards_of(scenario, subscribers), clock, seed)
    kinds: list[Traffic] = [
        Businesses(world), Couriers(world), CallCentres(world), SimBoxes(world), CardFarms(world),
        Relays(world, "relay-phone"), Relays(world, "relay-app"), Robocalls(world), Wangiris(world), Floods(world),
        Scans(world), Spoofers(world),
    ]  # fmt: skip
    people = People(world)
    forms = {each.label: list(each.forms) for each in kinds if each.forms}
    told = Told()
    about = {
        "scenario": scenario.model_dump_json(by_alias=True),
        "simulated": json.dumps({"subscribers": subscribers, "hours": hours, "seed": seed, "forms": forms}),
    }
    waiting = calls.empty(0)
    with Recording(out, world.cells, world.people.dealers, about) as recording:
        for begin in range(clock.start, clock.end, SLICE):
            end = min(begin + SLICE, clock.end)
            parts = [waiting, *people.between(begin, end)]
            for kind in kinds:
                parts += kind.between(begin, end + AHEAD)
            now, later = [], []
            fresh = np.concatenate(parts)
            while len(fresh):  # what is missed leads to calls that may be missed in turn
                here = fresh["time"] < end
                now.append(fresh[here])
                later.append(fresh[~here])
                fresh = people.again(now[-1])
            waiting = np.concatenate(later) if later else fresh
            rows = calls.joined(now)
            rows["time"] = np.maximum(rows["time"], begin)
            rows = calls.one_at_a_time(rows, world.busy)
            told.add(rows)
            recording.add(rows)
            if progress:
                progress((end - clock.start) / (clock.end - clock.start), told)
    return told


def cards_of(scenario: Scenario, subscribers: int) -> int:
    """How many of our cards those who defraud, and call centres, may hold at most."""
    s = scenario
    return (
        call_centres(subscribers, s.call_centre.subscribers) * s.call_centre.seats[1]
        + s.sim_box.instances * s.sim_box.cards[1]
        + s.card_farm.instances * s.card_farm.cards[1]
        + 2 * s.relay_phone.instances
        + s.relay_app.instances
        + s.scan.instances
    )
