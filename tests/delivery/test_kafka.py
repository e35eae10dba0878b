"""Kafka against the cluster that librdkafka itself plays: acknowledged, in order, a caller in one partition."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from delivery.delivering import Delivering, name_of

PARTITIONS = 4


class Cluster:
    """Three brokers on ports of this machine."""

    def __init__(self) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": "x",
                "test.mock.num.brokers": 3,
                "log_level": 0,
                "topic.metadata.refresh.interval.ms": 100,
            }
        )
        known = self._producer.list_topics(timeout=10).brokers.values()
        self.brokers = [f"{each.host}:{each.port}" for each in known]

    def messages(self, topic: str, count: int) -> list[Message]:
        """Those of a topic, partition after partition, when there are as many."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.brokers[0],
                "group.id": "test",
                "log_level": 0,
                "enable.auto.commit": False,
            }
        )
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, each, 0) for each in partitions])
        found: list[Message] = []
        while len(found) < count:
            more = consumer.consume(count, timeout=10)
            assert more, f"{len(found)} of {count} messages"
            found += more
        consumer.close()
        return sorted(found, key=lambda each: (each.partition(), each.offset()))


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    yield Cluster()


def delivering(directory: Path, brokers: list[str], **more: Any) -> Delivering:
    sink = {
        "name": "kafka",
        "kind": "kafka",
        "brokers": brokers,
        "tls": False,
        "topic": "calls",
        "timeout_s": 5,
    }
    return Delivering(directory, sink | more)


def test_every_event_is_a_message_and_a_caller_keeps_to_one_partition(
    tmp_path: Path, cluster: Cluster
) -> None:
    sinks = delivering(tmp_path, cluster.brokers, batch=50)
    for number in range(1, 201):
        sinks.put(number, caller=f"+861380000{number % 10:04}")
    sinks.emptied("kafka")
    sinks.stop()
    messages = cluster.messages("calls", 200)
    events = [json.loads(message.value() or b"") for message in messages]
    assert sorted(event["id"] for event in events) == [name_of(i) for i in range(1, 201)]
    places: dict[bytes, set[int]] = {}
    sequences: dict[int, list[str]] = {}
    for message, event in zip(messages, events, strict=True):
        assert message.headers() == [("content-type", b"application/cloudevents+json; charset=utf-8")]
        places.setdefault(message.key(), set()).add(message.partition())
        sequences.setdefault(message.partition(), []).append(event["sequence"])
    assert len(places) == 10
    assert all(len(partitions) == 1 for partitions in places.values())
    assert all(order == sorted(order) for order in sequences.values())
    assert not any(b"138000" in key for key in places)  # nobody learns a number from a key


def test_nothing_counts_as_delivered_before_a_broker_has_acknowledged(
    tmp_path: Path, cluster: Cluster
) -> None:
    away = delivering(tmp_path, ["127.0.0.1:1"], timeout_s=0.5)
    away.put(1, 2, 3)
    away.until(lambda: away.courier("kafka").failures > 0)
    away.stop()
    assert away.courier("kafka").delivered == 0
    back = delivering(tmp_path, cluster.brokers)
    back.emptied("kafka")
    back.stop()
    ids = [json.loads(each.value() or b"")["id"] for each in cluster.messages("calls", 3)]
    assert sorted(ids) == [name_of(i) for i in (1, 2, 3)]
