"""Runs of the generator for tests: the counts of each add up, whatever the server did."""

import math
import socket
from collections.abc import Iterator
from typing import Any

from interceptor.loadtest.generator import Generator
from interceptor.loadtest.outcome import Outcome
from interceptor.loadtest.requests import Requests
from interceptor.pb.v1 import interception_pb2 as pb
from loadtest.peers import END_HEADERS, HEADERS, OK_HEADERS, PASS, Grpcio, frame, requests_of, soon
from service.running import CALLEE

ONE = requests_of([{"call_id": "0000", "caller": "+8613788888888", "callee": CALLEE}])


def outcome_of(address: str, requests: Requests = ONE, **settings: Any) -> tuple[Outcome, Generator]:
    """Runs to the end; the counts add up, whatever happened."""
    generator = Generator(address, requests, **{"duration": 0.2, "in_flight": 4, **settings})
    generator.run()
    outcome = generator.outcome
    assert outcome.due == outcome.sent + outcome.unsent
    assert outcome.sent == outcome.answered + outcome.reset + outcome.lost + outcome.missing
    assert outcome.answered == sum(outcome.statuses)
    assert outcome.statuses[0] == sum(outcome.verdicts) == generator.latency.total
    assert outcome.sent == generator.lag.total
    series = generator.series
    if not settings.get("warm_up"):
        assert series["sent"].sum() == outcome.sent
        assert series["ok"].sum() == outcome.ok
        assert series["late"].sum() == outcome.late
        assert series["unsent"].sum() == outcome.unsent
    return outcome, generator


def arrivals(seed: int, rate: float, seconds: float) -> int:
    """How many calls a Poisson process of this seed has: SplitMix64, exponential gaps."""
    mask, state, at, calls = 2**64 - 1, seed, 0.0, -1
    while at < seconds * 1e9:
        calls += 1
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        at -= math.log((((z ^ z >> 31) >> 11) + 1) / 2**53) / rate * 1e9
    return calls


def together(server: Grpcio, calls: int) -> pb.DecideResponse:
    """Answers nobody before so many calls have been there at once."""
    assert soon(lambda: server.most_at_once >= calls)
    return PASS


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def open_stream(stream: int) -> bytes:
    return frame(HEADERS, END_HEADERS, stream, OK_HEADERS)


def streamed(payload: bytes) -> Iterator[pb.DecideStreamRequest]:
    """The messages of a DATA frame that holds whole ones."""
    while payload:
        size = int.from_bytes(payload[1:5])
        yield pb.DecideStreamRequest.FromString(payload[5 : 5 + size])
        payload = payload[5 + size :]


def echo(messages: Iterator[pb.DecideStreamRequest]) -> Iterator[pb.DecideStreamResponse]:
    for asked in messages:
        yield decided(asked.id)


def decided(identity: int) -> pb.DecideStreamResponse:
    return pb.DecideStreamResponse(id=identity, decision=pb.DecideResponse(verdict=pb.VERDICT_WARN))
