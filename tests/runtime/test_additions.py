"""What rules added on its way to the store: what cannot be kept as it is is counted, and nothing else kept for it."""

from pathlib import Path
from typing import Any

from interceptor.runtime.additions import WAITING, Additions
from interceptor.runtime.logs import open_log
from interceptor.runtime.service import Service, Settings
from service.operating import becomes

POLICY = """\
version: 1
lists:
  busy: {kind: trunk}
rules:
  - {id: noisy, when: call.user_agent == "noisy", verdict: warn, add_to: {list: busy, key: trunk, for: 1h}}
default: pass
"""


def test_a_trunk_whose_name_is_cut_in_events_is_not_kept_under_another(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    service = Service(Settings(tmp_path / "policy.yaml", tmp_path / "data"), open_log("error"))
    service.open(service.load())
    for name in ("north" * 12, "east"):
        service.decide({"caller": "+8613800138000", "trunk": name, "user_agent": "noisy"})
    becomes(lambda: (service.additions.kept, service.additions.lost) == (1, 1))
    found, _ = service.store.lists.search(now_ms=service.clock.now_ms())
    assert [each.text for each in found] == ["east"]
    service.stop()


def test_what_finds_no_room_at_a_takeover_is_counted() -> None:
    nobody: Any = None  # nothing is written
    additions = Additions(nobody, nobody, nobody, nobody, nobody)
    entry = {"list_name": "watch", "rule": "fan-out", "reason": "", "text": "+8613800138000", "until_ms": 1}
    additions.inherit([entry] * (WAITING - 1))
    additions.inherit([entry] * 3)
    assert (additions.waiting, additions.lost) == (WAITING, 2)
