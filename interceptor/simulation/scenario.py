"""Scenarios: which kinds of traffic there are, with which parameters, read from YAML files and checked."""

import datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, Field, ValidationError

from interceptor.simulation import parameters as p

#: Scenarios that come with the package, by name.
SHIPPED = Path(__file__).parent / "scenarios"


class ScenarioError(Exception):
    """A scenario that cannot be read; the message names the file, the place, and what is wrong there."""


class Scenario(p.Kind):
    """What a simulated network is like. Every parameter has a value: a file names those it changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, populate_by_name=True)

    start: datetime.date = p.said(
        datetime.date(2026, 3, 2), "first day, from midnight in Shanghai", "chosen: a Monday"
    )
    ordinary: p.Ordinary = p.Ordinary()
    business: p.Business = p.Business()
    courier: p.Courier = p.Courier()
    call_centre: p.CallCentre = Field(default=p.CallCentre(), alias="call-centre")
    sim_box: p.SimBox = Field(default=p.SimBox(), alias="sim-box")
    card_farm: p.CardFarm = Field(default=p.CardFarm(), alias="card-farm")
    relay_phone: p.RelayPhone = Field(default=p.RelayPhone(), alias="relay-phone")
    relay_app: p.RelayApp = Field(default=p.RelayApp(), alias="relay-app")
    robocall: p.Robocall = p.Robocall()
    wangiri: p.Wangiri = p.Wangiri()
    tdos: p.Tdos = p.Tdos()
    scan: p.Scan = p.Scan()
    spoofed: p.Spoofed = p.Spoofed()

    def kinds(self) -> dict[str, p.Kind]:
        """Kinds of traffic by their labels."""
        named = {field.alias or name: getattr(self, name) for name, field in type(self).model_fields.items()}
        return {name: kind for name, kind in named.items() if isinstance(kind, p.Kind)}

    def offenders(self) -> dict[str, p.Offender]:
        """Kinds of those who defraud."""
        return {name: kind for name, kind in self.kinds().items() if isinstance(kind, p.Offender)}


def load(name: str, changes: dict[str, dict[str, Any]] | None = None) -> Scenario:
    """Reads a scenario.

    Parameters
    ----------
    name
        A YAML file, or the name of one that is shipped: ``day``, ``small``.
    changes
        Parameters set over the file's, by kind.

    Raises
    ------
    ScenarioError
        No such file, no YAML, an unknown kind or parameter, a value out of its bounds.
    """
    path = Path(name)
    if not path.suffix and not path.exists():
        path = SHIPPED / f"{name}.yaml"
    try:
        read = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        shipped = ", ".join(sorted(each.stem for each in SHIPPED.glob("*.yaml")))
        raise ScenarioError(f"{name}: no such file, and none that is shipped ({shipped})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if read is None:
        read = {}
    if not isinstance(read, dict):
        raise ScenarioError(
            f"{path}: a scenario is kinds of traffic with their parameters, not {type(read).__name__}"
        )
    for kind, values in (changes or {}).items():
        under = read.setdefault(kind, {})
        if isinstance(under, dict):
            under.update(values)
    try:
        return Scenario.model_validate(read)
    except ValidationError as error:
        raise ScenarioError("\n".join(f"{path}: {_told(each)}" for each in error.errors())) from None


def _told(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{place}: no such {'kind' if len(error['loc']) == 1 else 'parameter'}"
    return f"{place}: {error['msg'][:1].lower()}{error['msg'][1:]}, not {error['input']!r}"
