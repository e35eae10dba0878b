"""Writes the dashboards beside this file: python -m interceptor.integrations.grafana.generate [DIRECTORY]"""

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from interceptor.integrations.grafana.dataplane import DATA_PLANE
from interceptor.integrations.grafana.detection import DETECTION
from interceptor.integrations.grafana.overview import OVERVIEW
from interceptor.integrations.grafana.rules import RULES

BOARDS = (OVERVIEW, RULES, DATA_PLANE, DETECTION)


def main(directory: Path) -> None:
    """Writes one file a dashboard into `directory`."""
    for board in BOARDS:
        text = JSONEncoder(sort_keys=True, indent=1).encode(board.built())
        (directory / f"{board.name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
