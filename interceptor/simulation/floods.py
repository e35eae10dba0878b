"""Numbers that are not those of who calls, or that nobody is to answer: robocalls, spoofing, wangiri, TDoS, scans."""

import numpy as np

from interceptor.simulation import calls, numbers
from interceptor.simulation.dialling import Diallers, strangers
from interceptor.simulation.parameters import Campaign
from interceptor.simulation.population import HOUR, Random, World


def campaign(
    world: World, rng: Random, kind: Campaign, *, hours: tuple[float, float], day: tuple[float, float]
) -> tuple[np.ndarray, Diallers]:
    """Gangs with some lines each that dial for some hours: the gang of each line, and the lines."""
    gang = np.repeat(
        np.arange(kind.instances), rng.integers(kind.lines[0], kind.lines[1] + 1, kind.instances)
    )
    length = rng.uniform(hours[0], hours[1], kind.instances)
    begin = rng.uniform(day[0], np.maximum(day[1] - length, day[0] + 0.01))
    first, last = ((hour * HOUR).astype(np.int64)[gang] for hour in (begin, begin + length))
    return gang, Diallers(world, rng, kind, begin=first, end=last)


def shown(rows: calls.Rows, caller: np.ndarray, trunk: object, international: object) -> calls.Rows:
    """Calls that show a number which is not a line's of the caller: the network knows nothing else of it."""
    rows["caller"], rows["trunk"], rows["international"] = caller, trunk, international
    rows["line"] = rows["cell"] = rows["dealer"] = rows["roaming"] = -1
    rows["imsi"] = rows["imei"] = rows["activated"] = rows["document"] = 0
    return rows


class Robocalls:
    """Each call shows another number of the callee's own block."""

    label = "robocall"

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.stream(self.label)
        kind = world.scenario.robocall
        self.forms = kind.forms
        self._gang, self._lines = campaign(world, self.rng, kind, hours=kind.lasts_h, day=(9, 21))

    def between(self, begin: int, end: int) -> list[calls.Rows]:
        """All that begins in a slice of time."""
        del begin
        world, rng = self.world, self.rng
        line, time, outcome = self._lines.dial(end)
        gang = self._gang[line]
        to = strangers(world, rng, len(line))
        rows = outcome.onto(world.setups(rng, to, to, time))
        callee = world.lines["number"][to]
        foreign = gang % len(self.forms) == 0
        caller = callee - callee % numbers.BLOCK + rng.integers(0, numbers.BLOCK, len(to))
        rows = shown(rows, caller, np.where(foreign, numbers.INTERNATIONAL, numbers.VOIP), foreign)
        rows["label"], rows["instance"] = calls.LABELS.index(self.label), gang
        world.home_register(rows)
        return [rows]
