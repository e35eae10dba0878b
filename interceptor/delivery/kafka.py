"""Events as messages of a Kafka topic, in the order of the spool, a caller's always in the same partition."""

import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from interceptor.delivery.settings import KafkaEntry, secret
from interceptor.delivery.sink import Away, Event, Refused

#: CloudEvents' Kafka binding, structured content mode
HEADERS: list[tuple[str, str | bytes | None]] = [
    ("content-type", b"application/cloudevents+json; charset=utf-8")
]
#: what no further attempt changes
FINAL = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD})


class KafkaSink:
    """Delivered is what all replicas in sync have acknowledged."""

    def __init__(self, entry: KafkaEntry) -> None:
        self._entry = entry
        self._settings: dict[str, Any] = {
            "bootstrap.servers": ",".join(entry.brokers),
            "client.id": "interceptor",
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "linger.ms": 5,
            "delivery.timeout.ms": int(entry.timeout_s * 1000),
            "log_level": 0,  # what it has to say comes with the messages
            "security.protocol": ("SASL_" if entry.secret_file else "")
            + ("SSL" if entry.tls else "PLAINTEXT"),
        }
        if entry.tls and entry.ca_file is not None:
            self._settings["ssl.ca.location"] = str(entry.ca_file)
        if entry.secret_file is not None:
            self._settings |= {
                "sasl.mechanism": entry.sasl,
                "sasl.username": entry.username,
                "sasl.password": secret(entry.secret_file),
            }
        self._producer: Producer | None = None

    def deliver(self, events: Sequence[Event]) -> None:
        if self._producer is None:
            self._producer = Producer(self._settings)
        errors: list[KafkaError] = []
        told = 0

        def report(error: KafkaError | None, message: Message) -> None:
            nonlocal told
            told += 1
            if error is not None:
                errors.append(error)

        try:
            for event in events:
                self._producer.produce(
                    self._entry.topic,
                    key=event.subject,
                    value=event.text,
                    headers=HEADERS,
                    on_delivery=report,
                )
            end = time.monotonic() + self._entry.timeout_s + 1
            while told < len(events) and time.monotonic() < end:
                self._producer.poll(0.1)
        except (KafkaException, BufferError) as error:
            self._renew()
            raise Away(str(error)) from None
        if told == len(events) and not errors:
            return
        # Whatever is left of this batch must not come behind what is sent next.
        self._renew()
        if errors and all(error.code() in FINAL for error in errors):
            raise Refused(errors[0].str())
        raise Away(errors[0].str() if errors else "no broker has acknowledged in time")

    def close(self) -> None:
        self._renew()

    def _renew(self) -> None:
        if self._producer is not None:
            self._producer.purge()
            self._producer = None
