"""A list of 423,100 numbers from a CSV file: every listed number is blocked, no unlisted one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from interceptor.engine.engine import CALL_DTYPE, Engine
from interceptor.engine.spec import ListKind
from interceptor.engine.types import Verdict
from interceptor.numbering import load_plan
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.policy import load_policy
from interceptor.store.listfile import read_list
from service.running import Running, write_policy

LISTED = 423_100
CHUNK = 50_000
POLICY = """
version: 1
trunks:
  default: {region: CN}
lists:
  fraud: {kind: number, file: fraud.csv}
rules:
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: listed-fraud}
default: pass
"""

Numbers = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def numbers() -> tuple[Numbers, Numbers]:
    """As many listed numbers as unlisted ones, none of them twice: mobile numbers of China without their +86."""
    drawn = (
        np.random.default_rng(20_210_423).choice(1_000_000_000, 2 * LISTED, replace=False) + 13_000_000_000
    )
    return drawn[:LISTED], drawn[LISTED:]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory, numbers: tuple[Numbers, Numbers]) -> Path:
    """The policy, and the list beside it: every third number in national form, as lists come."""
    rows = [f"{number},credit-record,police,\n" for number in numbers[0].tolist()]
    rows = [row if i % 3 == 0 else f"+86{row}" for i, row in enumerate(rows)]
    return write_policy(
        tmp_path_factory.mktemp("size"), POLICY, "number,reason,source,valid_until\n" + "".join(rows)
    )


def calls(numbers: Numbers) -> Iterator[npt.NDArray[np.void]]:
    for first in range(0, len(numbers), CHUNK):
        some = numbers[first : first + CHUNK]
        rows = np.zeros(len(some), dtype=CALL_DTYPE)
        rows["caller"] = np.char.add(b"+86", some.astype("S11"))
        rows["callee"] = b"10086"
        yield rows


def test_the_engine_blocks_every_listed_number_and_no_other(
    policy: Path, numbers: tuple[Numbers, Numbers]
) -> None:
    plan = load_plan()
    engine = Engine(plan, pass_sample=0)
    read = read_list(policy.parent / "fraud.csv", ListKind.NUMBER, plan, "CN", engine.secret, 0)
    assert (read.rows, read.bad, len(read.content.keys)) == (LISTED, 0, LISTED)
    engine.publish(load_policy(policy), {"fraud": read.content}, revision=1)
    for some, verdict in zip(numbers, (Verdict.BLOCK, Verdict.PASS), strict=True):
        for rows in calls(some):
            answers = engine.decide_batch(rows, np.zeros(len(rows), dtype=np.int64))
            assert (answers["verdict"] == verdict).all()


def test_the_service_blocks_what_is_listed_and_nothing_else(
    start: Callable[..., Running], policy: Path, numbers: tuple[Numbers, Numbers]
) -> None:
    service = start(policy)
    assert service.metric("interceptor_list_entries", list="fraud") == LISTED
    listed, unlisted = (some[:: LISTED // 1000].tolist() for some in numbers)
    asked = dict(enumerate([*listed, *unlisted]))
    messages = (
        pb.DecideStreamRequest(
            id=i, call=pb.DecideRequest(caller=f"+86{number}", callee="10086")
        ).SerializeToString()
        for i, number in asked.items()
    )
    verdicts = {answer.id: answer.decision.verdict for answer in service.data.stream(messages, timeout=60)}
    blocked = {number for i, number in asked.items() if verdicts[i] == pb.VERDICT_BLOCK}
    assert len(verdicts) == len(asked) >= 2000
    assert blocked == set(listed)
