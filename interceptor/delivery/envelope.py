"""What an event is: the record the spool keeps of it, and the CloudEvent (1.0, JSON) a sink delivers."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple

#: what every type of ours starts with
PREFIX = "interceptor."

#: a text as JSON has it
quoted = encode_basestring
#: JSON on one line
encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Record(NamedTuple):
    """An event for the spool, which gives it its number."""

    kind: str  #: of settings.KINDS
    body: bytes  #: JSON: an object of `id`, `time` and `data`


class Spooled(NamedTuple):
    """An event as the spool kept it."""

    sequence: int
    at_ms: int  #: when it came to the spool, milliseconds since the Unix epoch
    kind: str
    body: bytes


def record(kind: str, event_id: str, time_ms: int, data: Mapping[str, Any]) -> Record:
    """An event to be spooled.

    Parameters
    ----------
    kind
        One of `settings.KINDS`.
    event_id
        The same for the same event whenever it is made: who receives it twice knows it by this.
    time_ms
        When it happened.
    data
        Numbers whole: each sink masks them as it is told to.
    """
    return record_of(kind, event_id, time_ms, encoded(data))


def record_of(kind: str, event_id: str, time_ms: int, data: str) -> Record:
    """The same, of data that is JSON already."""
    return Record(
        kind,
        f'{{"id":{quoted(event_id)},"time":"{rfc3339(time_ms)}","data":{data}}}'.encode(errors="replace"),
    )


def rfc3339(time_ms: int) -> str:
    """``2026-03-01T08:30:00.123Z``."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def members(spooled: Spooled) -> bytes:
    """The body's `id`, `time` and `data`, without braces around them. Raises ValueError for a body of another shape."""
    body = spooled.body
    if not (body.startswith(b'{"id":"') and body.endswith(b"}}") and b'","data":{' in body):
        raise ValueError("its body is none of ours")
    return body[1:-1]


def member(name: bytes) -> re.Pattern[bytes]:
    """Finds a member of that name, or of the names of an alternative, whose value is a text: the groups are what stands
    before the value's first character, and the value as it is written.

    It is found without reading the JSON. That is as good, as in no text a quote stands without a backslash before it:
    a name in quotes with a colon and a quote behind it is that of a member.
    """
    return re.compile(rb'("(?:%b)":")([^"\\]*+(?:\\.[^"\\]*+)*+)' % name)


def head(kind: str, source: str) -> bytes:
    """What all CloudEvents (structured mode) of a kind begin with, up to the digits of the sequence."""
    said = {
        "specversion": "1.0",
        "source": source,
        "type": PREFIX + kind,
        "datacontenttype": "application/json",
        "sequence": "",
    }
    return encoded(said)[:-2].encode()
