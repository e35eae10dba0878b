"""What a start loads: every package costs each start, and whoever waits for it after a crash."""

import re
from pathlib import Path

from service.running import Running

#: what only some services need, or only once one is asked for it
LATER = {
    "alembic",  # tables that are not the newest
    "dns",  # --zone
    "interceptor.delivery.settings",  # --sinks
    "interceptor.runtime.publishing",
    "interceptor.runtime.reminders",
    "numpy.ma",
    "phonenumbers",  # policies that name regions, and whoever puts a doubtful number on a list
    "prometheus_client",  # a scrape
    "psycopg",  # --store
    "structlog",  # a terminal
    "pyarrow",  # files of lists, imports
    "sqlalchemy.dialects.postgresql",
}
IMPORT = re.compile(r"import time: +\d+ \| +\d+ \| +(\S+)")


def test_a_start_loads_nothing_that_only_some_services_need(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nlists: {fraud: {kind: number}}\nrules: []\n")
    options = ("--data", tmp_path / "data")
    Running(policy, *options).stop()  # which made the store's tables
    service = Running(policy, *options, within=("env", "PYTHONPROFILEIMPORTTIME=1"))
    try:
        loaded = {found[1] for line in service.lines if (found := IMPORT.match(line))}
    finally:
        service.stop()
    assert {"interceptor.runtime.service", "sqlalchemy"} <= loaded
    assert loaded & LATER == set()
