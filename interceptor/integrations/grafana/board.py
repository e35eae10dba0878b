"""A dashboard of ours: rows of panels, the choice of Prometheus, job and instances, and marks of what happened."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from interceptor.integrations.grafana.panels import BAD, CHOSEN, DATASOURCE, PLAIN, WIDTH, WORRY, Panel

TAG = "interceptor"
#: name of the mark, its colour, and the expression that has a value when it happened
MARKS = (
    (
        "Policy reloaded",
        PLAIN,
        "changes(interceptor_policy_last_reload_success_timestamp_seconds{@}[1m]) > 0",
    ),
    ("Engine started", WORRY, "changes(process_start_time_seconds{@}[1m]) > 0"),
    ("Alert", BAD, 'ALERTS{alertname=~"Interceptor.*",alertstate="firing"}'),
)


@dataclass(frozen=True)
class Row:
    """Panels under one heading; their widths fill lines of 24."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard. Its file is named as it is."""

    name: str
    title: str
    says: str
    rows: tuple[Row, ...]

    def built(self) -> model.Dashboard:
        """As Grafana imports it. Raises ValueError when a row's panels leave a gap or stick out."""
        board = (
            dashboard.Dashboard(f"Interceptor / {self.title}")
            .uid(f"interceptor-{self.name}")
            .description(self.says)
            .tags([TAG])
            .timezone("browser")
            .time("now-3h", "now")
            .refresh("30s")
            .readonly()
            .tooltip(model.DashboardCursorSync.CROSSHAIR)
            .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
            .with_variable(_chosen("job", "Job", "label_values(interceptor_policy_revision, job)"))
            .with_variable(
                _chosen(
                    "instance", "Instance", 'label_values(interceptor_policy_revision{job=~"$job"}, instance)'
                )
            )
            .link(
                dashboard.DashboardLink("Interceptor")
                .type(model.DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .as_dropdown(True)
                .include_vars(True)
                .keep_time(True)
            )
        )
        for name, colour, expr in MARKS:
            mark = dashboard.AnnotationQuery().name(name).datasource(DATASOURCE).enable(True)
            board = board.annotation(mark.icon_color(colour).expr(expr.replace("@", CHOSEN)))
        number = 0
        for row in self.rows:
            number += 1
            board = board.with_row(dashboard.Row(row.title).id(number))
            line = 0
            for panel in row.panels:
                number += 1
                board = board.with_panel(panel.id(number))
                line += panel.build().grid_pos.w
                if line > WIDTH:
                    raise ValueError(f"{self.name}: {panel.build().title} sticks out of its line")
                line %= WIDTH
            if line:
                raise ValueError(f"{self.name}: the row {row.title} ends in a gap")
        return board.build()


def _chosen(name: str, label: str, values: str) -> dashboard.QueryVariable:
    """A choice of several among a label's values; all at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": values, "refId": name})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )
