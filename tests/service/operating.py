"""A service as operators work with it: its policy, and commands asked as they are typed."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interceptor.pb.v1 import lists_pb2, policies_pb2
from service.running import Cli, Running

#: every list is the store's; hotlines are protected, wrong blocks go to `allowed`, and no share of calls is too much
DESK = """
version: 1
trunks:
  default: {region: CN}
lists:
  allowed:  {kind: number}
  fraud:    {kind: number}
  areas:    {kind: prefix}
  hotlines: {kind: number}
  sites:    {kind: domain}
  unwanted: {kind: pair}
guard: {share: 1, protected: [hotlines]}
appeals: {list: allowed, for: 30d}
counters:
  calls_1h: {count: call, per: caller, window: 1h}
rules:
  - {id: allowed, when: call.caller in lists.allowed, verdict: pass}
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: listed-fraud}
  - {id: area, when: call.caller in lists.areas, verdict: block, class: list, reason: area}
  - {id: unwanted, when: call.caller in lists.unwanted, verdict: block, class: subscriber, reason: unwanted}
  - {id: hotline, when: call.caller in lists.hotlines, verdict: pass}
default: pass
"""
TRIED = DESK.replace("default: pass", "default: warn")

Ask = Callable[..., Any]


def put(service: Running, policy: str = DESK) -> int:
    """Puts a policy into force and returns its revision."""
    request = policies_pb2.PutPolicyRequest(text=policy, origin="desk.yaml")
    revision: int = service.admin("PutPolicy", request).policy.revision
    return revision


def asking(cli: Cli, service: Running) -> Ask:
    """``ask("lists", "show", ...)`` runs a command to its good end and gives the JSON it prints, if it prints any."""

    def ask(*arguments: str | Path) -> Any:
        done = cli(*arguments, "--server", service.control.address)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout

    return ask


def add(service: Running, text: str, list_name: str = "fraud", source: str = "desk", **more: Any) -> Any:
    entry = lists_pb2.ListEntry(text=text, **more)
    request = lists_pb2.AddEntriesRequest(list=list_name, source=source, entries=[entry])
    return service.admin("AddEntries", request).change


def becomes(found: Callable[[], bool], seconds: float = 60) -> None:
    """Waits until something is so; it need not be so at any certain moment."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)
