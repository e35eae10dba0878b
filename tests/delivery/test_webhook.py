"""Webhooks against a real gateway over HTTP: signed, in order, again when it is down, and what it refuses set aside."""

import base64
import json
import re
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from delivery.delivering import Delivering, decision, name_of
from delivery.smsgateway import SECRET, Gateway
from interceptor.delivery.envelope import Record
from interceptor.delivery.http import retry_after
from interceptor.delivery.settings import read_settings
from interceptor.delivery.webhook import key_of, signature
from service.certificates import Authority, needs_openssl


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    yield made
    made.down()


Start = Callable[..., Delivering]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a webhook to a gateway; more sinks may stand beside it."""
    running: list[Delivering] = []
    (tmp_path / "secret").write_text(SECRET)

    def started(gateway: Gateway, *others: dict[str, Any], **more: Any) -> Delivering:
        sink = {"name": "sms", "kind": "webhook", "url": gateway.url, "secret_file": tmp_path / "secret"}
        running.append(Delivering(tmp_path, sink | more, *others))
        return running[-1]

    yield started
    for each in running:
        each.stop()


def test_events_come_in_batches_of_cloudevents_in_order(start: Start, gateway: Gateway) -> None:
    sinks = start(gateway, batch=10)
    sinks.put(*range(1, 26))
    sinks.emptied("sms")
    assert [event["id"] for event in gateway.events] == [name_of(i) for i in range(1, 26)]
    assert [event["sequence"] for event in gateway.events] == [f"{i:020d}" for i in range(1, 26)]
    assert gateway.events[6] == {
        "specversion": "1.0",
        "id": name_of(7),
        "source": "interceptor/test",
        "type": "interceptor.decision",
        "time": "2026-03-01T08:30:00.130Z",
        "sequence": "00000000000000000007",
        "datacontenttype": "application/json",
        "data": {
            "decision_id": name_of(7),
            "verdict": "warn",
            "rule": "shop",
            "reason": "fake-ecommerce-service",
            "policy_revision": 1,
            "caller": "+86138******07",
            "callee": "+86139******00",
            "call_id": "7@10.0.0.1",
        },
    }
    assert {each["content-type"] for each in gateway.requests} == {
        "application/cloudevents-batch+json; charset=utf-8"
    }
    assert len({each["webhook-id"] for each in gateway.requests}) == len(gateway.requests) >= 3


def test_it_is_signed_as_standard_webhooks_says() -> None:
    """The example of that specification."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message, seconds = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"
    assert (
        signature(key, message, seconds, b'{"test": 2432232314}')
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_receiver_checks_it_as_readme_says(start: Start, gateway: Gateway) -> None:
    sinks = start(gateway)
    sinks.put(1)
    sinks.emptied("sms")
    (code,) = [block for block in readme() if "def genuine(" in block]
    receiver: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), receiver)
    (headers,), (body,) = gateway.requests, gateway.bodies
    assert receiver["genuine"](headers, body, SECRET)
    assert not receiver["genuine"](headers, body + b" ", SECRET)
    assert not receiver["genuine"](headers, body, "another secret")
    old = str(int(headers["webhook-timestamp"]) - 600)
    recorded = {
        "webhook-timestamp": old,
        "webhook-signature": signature(key_of(SECRET), headers["webhook-id"], old, body),
    }
    assert not receiver["genuine"](headers | recorded, body, SECRET)


def test_the_file_that_readme_shows_can_be_used(tmp_path: Path) -> None:
    (shown,) = [block for block in readme() if "kind: otlp" in block]
    (tmp_path / "sinks.yaml").write_text(shown)
    kinds = [sink.kind for sink in read_settings(tmp_path / "sinks.yaml").sinks]
    assert kinds == ["file", "webhook", "valkey", "kafka", "otlp"]


def readme() -> list[str]:
    """What stands between its fences."""
    text = (Path(__file__).parents[2] / "README.md").read_text()
    return re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def test_while_a_secret_is_replaced_both_sign(start: Start, gateway: Gateway, tmp_path: Path) -> None:
    new = "whsec_" + base64.b64encode(b"the next one").decode()
    (tmp_path / "secret").write_text(f"{new}\n{SECRET}\n")
    sinks = start(gateway)
    sinks.put(1)
    sinks.emptied("sms")
    assert len(gateway.requests[0]["webhook-signature"].split()) == 2


def test_what_a_gateway_misses_while_it_is_down_comes_when_it_is_back(start: Start, gateway: Gateway) -> None:
    sinks = start(gateway)
    sinks.put(1, 2)
    sinks.emptied("sms")
    gateway.down()
    sinks.put(3, 4)
    courier = sinks.courier("sms")
    sinks.until(lambda: courier.failures > 0)
    assert courier.oldest_seconds > 0
    sinks.put(5)
    gateway.up()
    sinks.emptied("sms")
    assert [event["id"] for event in gateway.events] == [name_of(i) for i in (1, 2, 3, 4, 5)]
    assert (courier.delivered, courier.dropped, courier.refused) == (5, 0, 0)
    assert [each["event"] for each in sinks.told] == [
        "sink does not deliver, its events wait in the spool",
        "sink delivers again",
    ]


def test_what_is_tried_again_when_the_service_stops_is_not_passed_over(
    start: Start, gateway: Gateway
) -> None:
    """Though the gateway is back just then, and would take what comes behind it."""
    gateway.down()
    sinks = start(gateway, batch=2)
    sinks.put(*range(1, 11))
    sinks.until(lambda: sinks.courier("sms").failures > 0)
    gateway.up()
    sinks.stop()
    again = start(gateway, batch=2)
    again.emptied("sms")
    assert [event["id"] for event in gateway.events] == [name_of(i) for i in range(1, 11)]


def test_a_gateway_that_is_down_holds_up_no_other_sink(
    start: Start, gateway: Gateway, tmp_path: Path
) -> None:
    gateway.down()
    lines = {"name": "lines", "kind": "file", "path": tmp_path / "lines"}
    sinks = start(gateway, lines)
    sinks.put(*range(1, 1001))
    sinks.emptied("lines")
    assert len((tmp_path / "lines").read_text().splitlines()) == 1000
    assert sinks.courier("sms").reader.backlog == 1000


def test_a_gateway_that_asks_for_time_gets_it(start: Start, gateway: Gateway) -> None:
    answers = iter([(503, "1"), (429, "1")])  # by itself it would wait for less
    gateway.answer = lambda events: next(answers, (204, ""))
    sinks = start(gateway)
    sinks.put(1)
    sinks.emptied("sms")
    first, second, third = (float(each["at"]) for each in gateway.requests)
    assert second - first >= 1
    assert third - second >= 1
    assert len({each["webhook-id"] for each in gateway.requests}) == 1


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("7") == 7
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < retry_after(later) <= 100
    assert [retry_after(text) for text in ("", "-1", "soon", "Sun, 06 Nov 1994 08:49:37 GMT")] == [0, 0, 0, 0]


def test_what_is_refused_for_good_is_set_aside_and_nothing_else(
    start: Start, gateway: Gateway, tmp_path: Path
) -> None:
    """The event that a batch is refused for is found."""
    bad = {name_of(7), name_of(33)}
    gateway.answer = lambda events: (400 if bad & {event["id"] for event in events} else 204, "")
    sinks = start(gateway)
    sinks.put(*range(1, 51))
    sinks.emptied("sms")
    assert [event["id"] for event in gateway.events] == [
        name_of(i) for i in range(1, 51) if name_of(i) not in bad
    ]
    courier = sinks.courier("sms")
    assert (courier.delivered, courier.refused, courier.failures) == (48, 2, 0)
    lines = (sinks.directory / "sms.refused").read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == bad
    assert all("+86138******" in line for line in lines)


def test_a_batch_that_is_too_large_is_halved(start: Start, gateway: Gateway) -> None:
    gateway.answer = lambda events: (413 if len(events) > 8 else 204, "")
    sinks = start(gateway, batch=50)
    sinks.put(*range(1, 51))
    sinks.emptied("sms")
    assert [event["id"] for event in gateway.events] == [name_of(i) for i in range(1, 51)]
    assert sinks.courier("sms").refused == 0


def test_a_wrong_secret_is_for_somebody_to_put_right(start: Start, gateway: Gateway, tmp_path: Path) -> None:
    """Nothing is set aside: the events wait."""
    (tmp_path / "secret").write_text("another one")
    sinks = start(gateway)
    sinks.put(1)
    courier = sinks.courier("sms")
    sinks.until(lambda: courier.failures >= 2)
    assert (courier.refused, courier.reader.backlog, gateway.events) == (0, 1, [])
    assert sinks.problems()[0].endswith("/messages: 403")


def test_the_log_has_neither_a_token_nor_a_number_that_the_receiver_repeats(
    start: Start, gateway: Gateway
) -> None:
    gateway.answer = lambda events: (500, "")
    gateway.words = b'{"error": "cannot reach +8613900139000"}'
    sinks = start(gateway, url=f"{gateway.url}?access_token=hush")
    sinks.put(1)
    sinks.until(lambda: bool(sinks.problems()))
    assert sinks.problems()[0] == f'{gateway.url}: 500 {{"error": "cannot reach +86139******00"}}'
    gateway.down()
    sinks.until(lambda: sinks.courier("sms").failures >= 2)
    assert "hush" not in str(sinks.told)


def test_what_waits_for_longer_than_it_is_kept_is_let_go(start: Start, gateway: Gateway) -> None:
    gateway.down()
    sinks = start(gateway, keep_hours=1)
    sinks.put(1, 2, 3)
    courier = sinks.courier("sms")
    sinks.until(lambda: courier.failures > 0)
    then = sinks.now()
    sinks.now = lambda: then + 3_700_000
    sinks.put(4)
    gateway.up()
    sinks.emptied("sms")
    assert [event["id"] for event in gateway.events] == [name_of(4)]
    assert (courier.dropped, courier.delivered) == (3, 1)


def test_a_sink_is_told_what_it_asks_for(start: Start, gateway: Gateway) -> None:
    sinks = start(gateway, verdicts=["block"], rules=["sim-box", "shop"], numbers="whole")
    sinks.put(1)
    sinks.put(2, verdict="block")
    sinks.put(3, verdict="block", rule="sim-box")
    sinks.put(4, verdict="block", rule="other")
    sinks.put(5, verdict="pass")
    sinks.emptied("sms")
    assert [(event["id"], event["data"]["caller"]) for event in gateway.events] == [
        (name_of(2), "+8613800000002"),
        (name_of(3), "+8613800000003"),
    ]


@needs_openssl
def test_only_a_gateway_whose_certificate_is_trusted_is_told(start: Start, tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    server = ours.issue("gateway", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    gateway = Gateway(context)
    wrong = start(gateway, ca_file=theirs.ca)
    wrong.put(1)
    wrong.until(lambda: wrong.courier("sms").failures > 0)
    wrong.stop()
    assert "CERTIFICATE_VERIFY_FAILED" in wrong.problems()[0]
    assert gateway.requests == []
    right = start(gateway, ca_file=ours.ca)
    right.emptied("sms")
    assert [event["id"] for event in gateway.events] == [name_of(1)]
    right.stop()
    gateway.down()


def test_an_event_that_cannot_be_read_keeps_no_other_back(start: Start, gateway: Gateway) -> None:
    """As one of another version may be."""
    sinks = start(gateway)
    for body in (b"no JSON", b"[]", b'{"id":"x","time":"y","data":{}}'):
        sinks.spool.append([decision(1), Record("decision", body), decision(2)])
    sinks.emptied("sms")
    assert [event["id"] for event in gateway.events] == [name_of(1), name_of(2)] * 3
    assert sinks.courier("sms").refused == 3
