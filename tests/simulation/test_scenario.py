"""Scenarios are checked, and say where they are wrong."""

import re
from pathlib import Path

import pytest

from interceptor.simulation import parameters, scenario
from interceptor.simulation.sources import REFERENCES


def test_a_scenario_names_only_what_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("courier: {share: 0.01}\nsim-box: {cards: [4, 9]}\n")
    read = scenario.load(str(path), {"sim-box": {"instances": 60}})
    assert read.courier.share == 0.01
    assert read.sim_box.cards == (4, 9)
    assert read.sim_box.instances == 60
    assert read.ordinary == parameters.Ordinary()


def test_a_day_has_sixty_of_each_kind() -> None:
    assert {kind.instances for kind in scenario.load("day").offenders().values()} == {60}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("couriers: {}", "couriers: no such kind"),
        ("courier: {shre: 0.1}", "courier.shre: no such parameter"),
        ("courier: {share: 1.5}", "courier.share: input should be less than or equal to 1, not 1.5"),
        ("ordinary: {hours: [1, 2]}", "ordinary.hours: tuple should have at least 24 items"),
        ("sim-box: {cards: 8}", "sim-box.cards: input should be a valid tuple, not 8"),
        (
            "sim-box: {cards: [9, 8]}",
            "sim-box.cards: value error, the second is less than the first, not [9, 8]",
        ),
        ("sim-box: {forms: [no-imei]}", "sim-box.forms.0: "),
        ("tdos: {forms: []}", "tdos.forms: value error, at least one"),
        ("- courier", "a scenario is kinds of traffic with their parameters, not list"),
        ("courier: {", "not YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(scenario.ScenarioError) as raised:
        scenario.load(str(path))
    assert str(raised.value).startswith(f"{path}: {complaint}")


def test_a_scenario_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(scenario.ScenarioError, match=r"night: no such file, .*\(day, small\)"):
        scenario.load("night")


def test_every_parameter_says_where_it_comes_from() -> None:
    beside = {"trial": parameters.Trial(), "code-reader": parameters.CodeReader()}
    for label, kind in (scenario.load("day").kinds() | beside).items():
        for name, field in type(kind).model_fields.items():
            extra = field.json_schema_extra
            assert isinstance(extra, dict), f"{label}.{name}"
            source = str(extra["source"])
            first = re.split("[:;,]| art", source, maxsplit=1)[0]
            known = first in REFERENCES or first in {"assumed", "chosen", "none but one-ring kinds"}
            assert known, f"{label}.{name}: {source}"
