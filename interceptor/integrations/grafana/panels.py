"""The panels our dashboards are made of, in one hand: how a curve, a figure, a table and a heat map look.

In expressions ``@`` stands for the instances a reader has chosen: ``interceptor_decisions_total{@}``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

#: the Prometheus a reader has chosen, and what `@` stands for
DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
CHOSEN = 'job=~"$job",instance=~"$instance"'
WIDTH = 24  # of a dashboard
GOOD, WORRY, BAD, PLAIN = "green", "orange", "red", "blue"
#: a verdict has its colour everywhere
VERDICTS = {"pass": GOOD, "warn": WORRY, "block": BAD}
SMALL, TALL = 4, 8  # heights

Panel = Any  # the SDK's builders of panels have no common type


@dataclass(frozen=True)
class Query:
    """One expression of a panel, and what its series are called."""

    expr: str
    legend: str = ""

    def built(self, ref: str, *, instant: bool = False, form: PromQueryFormat | None = None) -> Dataquery:
        query = Dataquery().expr(self.expr.replace("@", CHOSEN)).ref_id(ref).datasource(DATASOURCE)
        query = query.legend_format(self.legend or "__auto")
        if form is not None:
            query = query.format(form)
        return query.instant() if instant else query.range()


@dataclass(frozen=True)
class Steps:
    """Colours by value: good below `worry`, bad from `bad` on; or the other way round (`falling`)."""

    worry: float | None
    bad: float
    falling: bool = False

    def built(self) -> dashboard.ThresholdsConfig:
        steps = [model.Threshold(value=None, color=BAD if self.falling else GOOD)]
        if self.worry is not None:
            steps.append(model.Threshold(value=self.bad if self.falling else self.worry, color=WORRY))
        last = self.bad if self.worry is None or not self.falling else self.worry
        steps.append(model.Threshold(value=last, color=GOOD if self.falling else BAD))
        return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


ANY_BAD = Steps(None, 1e-9)  # however little of it is too much
PLAIN_STEPS = (
    dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps([model.Threshold(None, PLAIN)])
)


def curves(
    title: str,
    says: str,
    *queries: Query,
    unit: str,
    width: int = 12,
    height: int = TALL,
    stacked: bool = False,
    colours: Mapping[str, str] | None = None,
    limit: Steps | None = None,
    most: float | None = None,
    logarithmic: bool = False,
) -> Panel:
    """Values over time. `limit` is drawn as a line; `most` is the top of the axis."""
    panel = _begun(timeseries.Panel(), title, says, unit, (width, height))
    for i, query in enumerate(queries):
        panel = panel.with_target(query.built(_ref(i)))
    panel = (
        panel.line_width(1)
        .fill_opacity(30 if stacked else 8)
        .show_points(looks.VisibilityMode.NEVER)
        .span_nulls(False)
        .legend(
            common.VizLegendOptions()
            .display_mode(looks.LegendDisplayMode.TABLE if width > 8 else looks.LegendDisplayMode.LIST)
            .placement(looks.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["mean", "max", "lastNotNull"] if width > 8 else [])
        )
        .tooltip(
            common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI).sort(looks.SortOrder.DESCENDING)
        )
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))
    if logarithmic:
        panel = panel.scale_distribution(
            common.ScaleDistributionConfig().type(looks.ScaleDistribution.LOG).log(10)
        )
    else:
        panel = panel.min(0) if most is None else panel.min(0).max(most)
    if limit is not None:
        style = common.GraphThresholdsStyleConfig().mode(looks.GraphTresholdsStyleMode.DASHED)
        panel = panel.thresholds(limit.built()).thresholds_style(style)
    for name, colour in (colours or {}).items():
        panel = panel.override_by_name(
            name, [model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})]
        )
    return panel


def figure(
    title: str,
    says: str,
    query: Query,
    *,
    unit: str,
    width: int = 3,
    steps: Steps | None = None,
    decimals: int | None = None,
    words: Mapping[str, tuple[str, str]] | None = None,
) -> Panel:
    """One number now, coloured by `steps`, with its curve behind it; `words`: value -> (word, colour) in its "
    "place."""
    panel = _begun(stat.Panel(), title, says, unit, (width, SMALL)).with_target(query.built("A"))
    panel = (
        panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(looks.BigValueGraphMode.NONE if words else looks.BigValueGraphMode.AREA)
        .color_mode(looks.BigValueColorMode.VALUE)
        .thresholds(steps.built() if steps is not None else PLAIN_STEPS)
    )
    if decimals is not None:
        panel = panel.decimals(decimals)
    if words:
        options = {
            value: model.ValueMappingResult(text=text, color=colour)
            for value, (text, colour) in words.items()
        }
        panel = panel.mappings([model.ValueMap(options=options)])
    return panel


def heat(title: str, says: str, query: Query, *, width: int = 12, height: int = TALL) -> Panel:
    """How a histogram of seconds spreads over time: `query` gives the rates of its buckets, by ``le``."""
    return (
        _begun(heatmap.Panel(), title, says, "short", (width, height))
        .with_target(query.built("A", form=PromQueryFormat.HEATMAP))
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit("s"))
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .scale(HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .steps(64)
        )
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .scale_distribution(common.ScaleDistributionConfig().type(looks.ScaleDistribution.LINEAR))
        .cell_gap(1)
        .show_y_histogram()
        .hide_legend()
    )


def bars(
    title: str,
    says: str,
    query: Query,
    *,
    unit: str,
    width: int = 12,
    height: int = TALL,
    steps: Steps,
    most: float | None = None,
) -> Panel:
    """Each series as a bar of its last value."""
    panel = (
        _begun(bargauge.Panel(), title, says, unit, (width, height))
        .with_target(query.built("A", instant=True))
        .orientation(looks.VizOrientation.HORIZONTAL)
        .display_mode(looks.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(steps.built())
        .min(0)
    )
    return panel if most is None else panel.max(most)


def states(
    title: str,
    says: str,
    query: Query,
    *,
    words: Mapping[str, tuple[str, str]],
    width: int = 12,
    height: int = TALL,
) -> Panel:
    """What state each series was in, over time: value -> (word, colour)."""
    options = {
        value: model.ValueMappingResult(text=text, color=colour) for value, (text, colour) in words.items()
    }
    return (
        _begun(statetimeline.Panel(), title, says, "none", (width, height))
        .with_target(query.built("A"))
        .merge_values(True)
        .show_value(looks.VisibilityMode.NEVER)
        .fill_opacity(80)
        .mappings([model.ValueMap(options=options)])
    )


@dataclass(frozen=True)
class Column:
    """One value of a table's rows."""

    query: Query
    name: str
    unit: str = "short"
    steps: Steps | None = None


def rows(
    title: str,
    says: str,
    columns: Sequence[Column],
    *,
    by: Sequence[str],
    width: int = 12,
    height: int = TALL,
) -> Panel:
    """A row for each set of the labels `by`, which every query leaves; a column for each query's value now."""
    panel = _begun(table.Panel(), title, says, "short", (width, height)).show_header(True)
    names = {}
    for i, column in enumerate(columns):
        panel = panel.with_target(column.query.built(_ref(i), instant=True, form=PromQueryFormat.TABLE))
        names[f"Value #{_ref(i)}" if len(columns) > 1 else "Value"] = column.name
        look = [model.DynamicConfigValue("unit", column.unit)]
        if column.steps is not None:
            look.append(model.DynamicConfigValue("thresholds", column.steps.built().build()))
            look.append(model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        panel = panel.override_by_name(column.name, look)
    order = {name: place for place, name in enumerate([*by, *names])}
    return panel.with_transformation(
        model.DataTransformerConfig(id_val="merge", options={})
    ).with_transformation(
        model.DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names},
        )
    )


def _begun(panel: Panel, title: str, says: str, unit: str, size: tuple[int, int]) -> Panel:
    width, height = size
    return panel.title(title).description(says).datasource(DATASOURCE).unit(unit).span(width).height(height)


def _ref(place: int) -> str:
    return chr(ord("A") + place)
