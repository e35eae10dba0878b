"""Events as entries of a Valkey or Redis stream: fields id, type, sequence and event, the CloudEvent as JSON."""

from collections.abc import Sequence
from typing import Any

import valkey

from interceptor.delivery.settings import ValkeyEntry, secret
from interceptor.delivery.sink import Away, Event


class StreamSink:
    """An XADD an event, a batch in one round trip; the stream keeps about as many as it is told to."""

    def __init__(self, entry: ValkeyEntry) -> None:
        self._entry = entry
        tls: dict[str, Any] = {}
        if entry.url.startswith("rediss:"):
            tls = {"ssl_check_hostname": True, "ssl_ca_certs": entry.ca_file and str(entry.ca_file)}
        self._client = valkey.Valkey.from_url(
            entry.url,
            username=entry.username,
            password=None if entry.secret_file is None else secret(entry.secret_file),
            socket_timeout=entry.timeout_s,
            socket_connect_timeout=entry.timeout_s,
            **tls,
        )

    def deliver(self, events: Sequence[Event]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for event in events:
            fields: dict[str, Any] = {
                "id": event.id,
                "type": event.type,
                "sequence": event.number,
                "event": event.text,
            }
            pipe.xadd(self._entry.stream, fields, maxlen=self._entry.keep_events, approximate=True)
        try:
            pipe.execute()  # type: ignore[no-untyped-call]
        except valkey.ValkeyError as error:
            # not there, full, read-only, no stream: for somebody to put right
            raise Away(f"{type(error).__name__}: {error}") from None

    def close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]
