"""Requests made by the column are what protobuf makes one by one."""

import numpy as np
import pytest

from interceptor.loadtest import encoding
from interceptor.loadtest.encoding import BLOCK, Choice, Digits, encode
from interceptor.pb.v1 import interception_pb2 as pb


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 3])
def test_a_table_of_requests_is_the_requests_one_behind_the_other(count: int) -> None:
    rng = np.random.default_rng(count)
    numbers = rng.integers(0, 10**15, count)
    digits = rng.integers(0, 16, count)
    numbers %= 10**digits
    trunks = ["", "own-access", "gateway"]
    trunk = rng.integers(0, 3, count)
    ages = [0, 1, 127, 128, 5000, -1]
    age = rng.integers(0, len(ages), count)

    data, offsets = encode(
        [
            Digits("call_id", np.arange(count), 9, b"run-"),
            Digits("caller", numbers, digits, b"+"),
            Choice([b"", *(encoding.field("trunk", name) for name in trunks[1:])], trunk),
            Choice([encoding.field("sim_age_days", each) for each in ages], age),
        ],
        count,
    )

    expected = [
        pb.DecideRequest(
            call_id=f"run-{i:09}",
            caller=f"+{numbers[i]:0{digits[i]}}" if digits[i] else "",
            trunk=trunks[trunk[i]],
            sim_age_days=ages[age[i]],
        ).SerializeToString()
        for i in range(count)
    ]
    assert data.tobytes() == b"".join(expected)
    assert offsets.tolist() == np.cumsum([0, *map(len, expected)]).tolist()


def test_a_field_that_no_request_has_takes_no_room() -> None:
    data, offsets = encode(
        [Digits("imsi", np.arange(5), np.zeros(5, np.int64)), Choice([b""], np.zeros(5, int))], 5
    )
    assert data.size == 0
    assert offsets.tolist() == [0] * 6
