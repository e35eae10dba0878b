"""The data plane's messages as Python sees them: what its threads read of a switch's bytes, and what they write.

For tests, and for feeding it anything: the service itself reads and writes without Python. A problem is what is said of
it, the malformed field's name or "", and whether the bytes are no message at all; None: there is none. Of a call the
fields that are there are given by name, texts as bytes; the repeated ones as ``redirecting[0]`` and ``tags[dealer]``.
"""

from _typeshed import ReadableBuffer

from interceptor.dataplane.phrasebook import Phrasebook

def read_call(
    data: bytes, phrasebook: Phrasebook | None = None
) -> tuple[dict[str, bytes | int], tuple[str, str, bool] | None]:
    """A DecideRequest. Without a phrasebook no tags are known."""

def read_streamed(
    data: bytes, phrasebook: Phrasebook | None = None
) -> tuple[int, int, dict[str, bytes | int], tuple[str, str, bool] | None]:
    """A DecideStreamRequest: id, deadline in milliseconds, call."""

def read_health(data: bytes) -> tuple[bytes, tuple[str, str, bool] | None]:
    """A HealthCheckRequest: the service asked for."""

def write_decision(phrasebook: Phrasebook, decision: ReadableBuffer) -> bytes:
    """A DecideResponse of the bytes of a row of DECISION_DTYPE."""

def write_streamed(phrasebook: Phrasebook, identity: int, decision: ReadableBuffer) -> bytes:
    """A DecideStreamResponse with a decision."""

def write_call_error(identity: int, code: int, message: bytes, field: bytes = b"") -> bytes:
    """A DecideStreamResponse with a CallError; at most 255 bytes of message, 32 of field."""

def write_health(serving: int) -> bytes:
    """A HealthCheckResponse."""
