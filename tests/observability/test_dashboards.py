"""Dashboards as they ship: what their generator writes, and readable without knowing it."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from interceptor.integrations.grafana.generate import BOARDS as GENERATED
from interceptor.integrations.grafana.generate import main as generate
from observability.watching import BOARDS, GRAFANA, panels
from service.running import run

register_default_plugins()


def board(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def test_what_ships_is_what_the_generator_writes(tmp_path: Path) -> None:
    generate(tmp_path)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text() for path in BOARDS}
    assert len(written) == len(GENERATED) == 4


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_grafana_reads_what_was_meant(path: Path) -> None:
    read = JSONEncoder(sort_keys=True, indent=1).encode(Dashboard.from_json(board(path)))
    assert json.loads(read) == board(path)


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_panel_explains_itself(path: Path) -> None:
    for panel in panels(board(path)):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_lie_side_by_side(path: Path) -> None:
    places = [panel["gridPos"] for panel in board(path)["panels"]]
    for one, other in combinations(places, 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    numbers = [panel["id"] for panel in board(path)["panels"]]
    assert len(numbers) == len(set(numbers))


def test_all_of_it_is_exported_and_nothing_is_overwritten(tmp_path: Path) -> None:
    done = run("dashboards", "export", tmp_path / "new")
    assert done.returncode == 0, done.stderr
    there = {path.name: path.read_text() for path in (tmp_path / "new").iterdir()}
    rules = GRAFANA.parent / "prometheus"
    shipped = [*BOARDS, *rules.glob("*.yaml")]
    assert there == {path.name: path.read_text() for path in shipped}
    assert all(name in done.stdout for name in there)

    (tmp_path / "new" / "alerts.yaml").write_text("mine")
    done = run("dashboards", "export", tmp_path / "new")
    assert (done.returncode, (tmp_path / "new" / "alerts.yaml").read_text()) == (1, "mine")
    assert "alerts.yaml" in done.stderr
    assert run("dashboards", "export", tmp_path / "new", "--force").returncode == 0
    assert (tmp_path / "new" / "alerts.yaml").read_text() == there["alerts.yaml"]
