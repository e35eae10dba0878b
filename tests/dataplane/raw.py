"""HTTP/2 as bytes: frames that no library would send."""

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame (RFC 9113 section 4.1)."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def fields(**values: str) -> bytes:
    """A header block of literals, not indexed (RFC 7541 section 6.2.2). ``_path`` is ``:path``, ``a_b`` is ``a-b``."""
    block = b""
    for name, value in values.items():
        name = (":" + name[1:] if name.startswith("_") else name).replace("_", "-")
        block += b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()
    return block


def request(path: str) -> bytes:
    """The header block of a decent request."""
    return fields(
        _method="POST",
        _scheme="http",
        _path=path,
        _authority="x",
        content_type="application/grpc",
        te="trailers",
    )


def message(data: bytes) -> bytes:
    """A message with gRPC's prefix."""
    return b"\0" + len(data).to_bytes(4) + data


def kinds(data: bytes) -> list[tuple[int, int]]:
    """Type and stream of each frame that is whole."""
    found = []
    while len(data) >= 9 and len(data) >= 9 + (length := int.from_bytes(data[:3])):
        found.append((data[3], int.from_bytes(data[5:9])))
        data = data[9 + length :]
    return found


#: What a client says first.
OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)
