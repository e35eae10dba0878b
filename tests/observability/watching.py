"""A real Prometheus beside a service under test: started, asked, and what our own files say to it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import interceptor

SHIPPED = Path(interceptor.__file__).parent / "integrations"
PROMETHEUS, GRAFANA = SHIPPED / "prometheus", SHIPPED / "grafana"
BOARDS = sorted(GRAFANA.glob("*.json"))
#: what a reader of a dashboard chooses, chosen
CHOICES = {"$job": ".+", "$instance": ".+", "$__rate_interval": "10s"}
COMPARISON = re.compile(
    r"\s+(?:[<>]=?|[=!]=)\s+|\s+(?:and|or|unless)\s+(?:(?:on|ignoring)\s*\([^)]*\)\s*)?", flags=re.DOTALL
)


def program(name: str) -> str:
    """Where a program of Prometheus is; the test is skipped where it is not."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"{name} is not installed (`make test` takes it out of Debian's package of Prometheus)")
    return found


def promtool(*arguments: str | Path, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Runs ``promtool ARGUMENTS`` to its end."""
    return subprocess.run(
        [program("promtool"), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def alerts() -> dict[str, dict[str, Any]]:
    """Our alerts, by name."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def operands(expr: str) -> list[str]:
    """An expression without its comparisons: whatever is compared, or has to hold besides."""
    cuts, depth, quoted = [], 0, ""
    for at, char in enumerate(expr):
        if quoted:
            quoted = "" if char == quoted else quoted
        elif char in "\"'":
            quoted = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif not depth and (found := COMPARISON.match(expr, at)) and (not cuts or at >= cuts[-1][1]):
            cuts.append(found.span())
    edges = [0, *(edge for cut in cuts for edge in cut), len(expr)]
    return [expr[begin:end].strip() for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Those of a dashboard that show something."""
    return (panel for panel in board["panels"] if panel["type"] != "row")


def chosen(expr: str) -> str:
    """An expression of a dashboard as Grafana asks it."""
    for name, value in CHOICES.items():
        expr = expr.replace(name, value)
    return expr


def queries(board: dict[str, Any]) -> Iterator[tuple[str, str, set[str]]]:
    """What is asked of Prometheus: whose it is, the expression, the labels it is to have.

    Of panels, and of marks, these without their comparison.
    """
    for panel in panels(board):
        for target in panel["targets"]:
            labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            yield panel["title"], chosen(target["expr"]), labels
    for mark in board["annotations"]["list"]:
        yield mark["name"], operands(chosen(mark["expr"]))[0], set()


class Prometheus:
    """One that scrapes `engines` and `switches` every second, as our jobs, and evaluates our rules as often."""

    def __init__(self, directory: Path, *, engines: Iterable[str], switches: Iterable[str]) -> None:
        for name in ("rules.yaml", "alerts.yaml"):
            text = (PROMETHEUS / name).read_text()
            (directory / name).write_text(re.sub(r"(?m)^    interval: .*\n", "", text))
        config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        for job, targets in zip(config["scrape_configs"], (engines, switches), strict=True):
            job["static_configs"] = [{"targets": list(targets)}]
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self._log = (directory / "log").open("w+")
        self._process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={directory / 'prometheus.yaml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                "--web.listen-address=127.0.0.1:0",
                "--log.format=json",
            ],
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        try:
            self._url = f"http://{self._address()}/api/v1"
        except BaseException:
            self.stop()
            raise

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its HTTP API; an error there is one here."""
        url = f"{self._url}/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]

    def labels(self, expr: str) -> list[set[str]]:
        """The labels of each series of an expression."""
        return [set(sample["metric"]) for sample in self.ask("query", query=expr)["result"]]

    def values(self, expr: str) -> list[float]:
        """What an expression says now, a value a series."""
        data = self.ask("query", query=expr)
        if data["resultType"] == "scalar":
            return [float(data["result"][1])]
        return [float(sample["value"][1]) for sample in data["result"]]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._log.close()

    def _address(self, timeout: float = 60) -> str:
        end = time.monotonic() + timeout
        while time.monotonic() < end and self._process.poll() is None:
            said = [
                json.loads(line)
                for line in Path(self._log.name).read_text().splitlines(keepends=True)
                if "\n" in line
            ]
            if any("ready to receive" in line["msg"] for line in said if "msg" in line):
                return next(line["address"] for line in said if line.get("msg") == "Listening on")
            time.sleep(0.05)
        raise AssertionError("Prometheus does not start:\n" + Path(self._log.name).read_text())
