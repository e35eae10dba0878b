"""Events to a webhook: HTTP POST of CloudEvents in batches, signed as Standard Webhooks says.

webhook-signature is ``v1,`` and the base64 of HMAC-SHA256 over ``webhook-id.webhook-timestamp.body``, one for each line
of the secret file, with a blank between them: so a secret can be replaced without a pause.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence

from interceptor.delivery.http import Post
from interceptor.delivery.settings import SinksError, WebhookEntry, secret
from interceptor.delivery.sink import Event

#: CloudEvents' HTTP binding, batched content mode
BATCH = "application/cloudevents-batch+json; charset=utf-8"
#: what a secret begins with whose rest is base64
BASE64 = "whsec_"


class Webhook:
    """A batch a request."""

    def __init__(self, entry: WebhookEntry, *, masked: Callable[[str], str]) -> None:
        self._keys = [key_of(line) for line in secret(entry.secret_file).splitlines() if line.strip()]
        self._post = Post(entry.url, ca_file=entry.ca_file, timeout_s=entry.timeout_s, masked=masked)

    def deliver(self, events: Sequence[Event]) -> None:
        body = b"[%b]" % b",".join([event.text for event in events])
        # The same batch has the same id however often it is sent.
        source = events[0].cloud["source"]
        named = f"{source} {events[0].number} {events[-1].number} {len(events)}"
        message = "msg_" + hashlib.sha256(named.encode()).hexdigest()[:32]
        seconds = str(int(time.time()))
        signatures = [signature(key, message, seconds, body) for key in self._keys]
        self._post.send(
            body,
            {
                "content-type": BATCH,
                "webhook-id": message,
                "webhook-timestamp": seconds,
                "webhook-signature": " ".join(signatures),
            },
        )

    def close(self) -> None:
        self._post.close()


def signature(key: bytes, message: str, seconds: str, body: bytes) -> str:
    """What webhook-signature says by one key."""
    mac = hmac.new(key, f"{message}.{seconds}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def key_of(line: str) -> bytes:
    """The key that a secret stands for: its base64 behind ``whsec_``, or the bytes of the line."""
    text = line.strip()
    if not text.startswith(BASE64):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(BASE64), validate=True)
    except binascii.Error as error:
        raise SinksError(f"secret_file: no base64 behind {BASE64}: {error}") from None
