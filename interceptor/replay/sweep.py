"""A policy under other thresholds, to find where they do best: which values to try, and the policy with each."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import yaml

from interceptor.engine.spec import Spec
from interceptor.policy import load_policy
from interceptor.policy.reading import read_source

#: policies tried in one replay: each is a pass over the recording
MOST = 200
_WRITTEN = re.compile(r"thresholds\.(?P<name>\w+)=(?P<values>.+)")

Value = int | float
Setting = Mapping[str, Value]


class SweepError(ValueError):
    """A sweep that cannot be made; the message says how to write one."""


@dataclass(frozen=True)
class Sweep:
    """Values of one threshold."""

    name: str
    values: tuple[Value, ...]

    @classmethod
    def read(cls, text: str) -> "Sweep":
        """Reads ``thresholds.fan_out=20:200:10`` (from, to, step) or ``thresholds.fan_out=20,50,100``.

        Raises
        ------
        SweepError
        """
        written = _WRITTEN.fullmatch(text.strip())
        if written is None:
            raise SweepError(f"{text}: write thresholds.NAME=FROM:TO:STEP, or thresholds.NAME=A,B,C")
        try:
            if ":" not in written["values"]:
                return cls(written["name"], tuple(dict.fromkeys(map(_value, written["values"].split(",")))))
            begin, end, *steps = map(Decimal, written["values"].split(":"))
            step = steps[0] if len(steps) == 1 else Decimal(1)
            if (
                len(steps) > 1
                or step <= 0
                or end < begin
                or not all(d.is_finite() for d in (begin, end, step))
            ):
                raise SweepError(f"{text}: FROM:TO:STEP goes up, by a step above 0")
            if (end - begin) / step >= MOST:
                raise SweepError(f"{text}: more than {MOST} values")
            values = (begin + step * i for i in range(int((end - begin) / step) + 1))
            return cls(written["name"], tuple(_value(str(value)) for value in values))
        except (InvalidOperation, ValueError) as error:
            if isinstance(error, SweepError):
                raise
            raise SweepError(f"{text}: thresholds are numbers") from None


def grid(sweeps: Sequence[Sweep]) -> list[Setting]:
    """Every combination of the values, the last threshold's changing fastest. Raises SweepError for too many."""
    names = [sweep.name for sweep in sweeps]
    if len(set(names)) < len(names):
        raise SweepError("a threshold is swept once")
    found: list[Setting] = [
        dict(zip(names, values, strict=True))
        for values in itertools.islice(itertools.product(*(sweep.values for sweep in sweeps)), MOST + 1)
    ]
    if len(found) > MOST:
        raise SweepError(
            f"more than {MOST} combinations: each is a pass over the recording; take larger steps"
        )
    return found


def with_thresholds(path: Path, setting: Setting) -> Spec:
    """The policy at `path` with other thresholds.

    Raises
    ------
    SweepError
        For a threshold it does not have.
    PolicyError
        For one that it cannot be compiled with.
    """
    text = read_source(path).text
    places = _places(text)
    for name in setting:
        if name not in places:
            known = ", ".join(places) or "none"
            raise SweepError(f"{path}: has no thresholds.{name}; there are {known}")
    for name in sorted(setting, key=lambda name: -places[name][0]):  # from the end, so that places stay true
        begin, end = places[name]
        text = f"{text[:begin]}{setting[name]}{text[end:]}"
    return load_policy(path, text)


def _places(text: str) -> dict[str, tuple[int, int]]:
    """Where the value of each threshold is written: its first character, and the one behind its last."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    found: dict[str, tuple[int, int]] = {}
    if isinstance(root, yaml.MappingNode):
        for key, section in root.value:
            if key.value == "thresholds" and isinstance(section, yaml.MappingNode):
                found |= {
                    str(name.value): (value.start_mark.index, value.end_mark.index)
                    for name, value in section.value
                }
    return found


def _value(text: str) -> Value:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() and "." not in text else float(number)
