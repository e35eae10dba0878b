"""What the fuzz targets begin with: inputs that mean something, made from the contract and by a real client."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2

from interceptor.pb.v1 import interception_pb2 as pb

SERVICE = "/interceptor.v1.InterceptionService"

#: As switches write them.
TEXTS = [
    "+8613800138000", "008613800138000", "013800138000", "13800138000", "10086", "95588", "110", "+8695588",
    "tel:+86-138-0013-8000;phone-context=+86", "tel:8000;phone-context=+8610", "tel:110;phone-context=example.com",
    "sip:+8613800138000@example.com;user=phone", '"A \\" B" <sip:%2B8613800138000:secret@10.0.0.1:5060;tag=1>',
    "sips:anonymous@anonymous.invalid", "anonymous", "sip:restricted@x", "urn:service:sos.police", "<tel:112>",
    "35693803-564380-9", "urn:gsma:imei:35693803-564380-9;svn=1", "460001234567890",
    "Example.COM.", "a.b.c.example.com:5060", "192.0.2.1", "[2001:db8::1]:5060", "::ffff:192.0.2.1", "2001:db8::",
    "北京 \u00a0 \U0001f4de", "\ud7ff\ue000",
]  # fmt: skip

CALLS = [
    pb.DecideRequest(),
    pb.DecideRequest(caller=TEXTS[0], callee=TEXTS[4]),
    pb.DecideRequest(
        call_id="a84b4c76e66710@pc33.example", caller=TEXTS[0], callee=TEXTS[5], asserted_identity=TEXTS[11],
        privacy="id", redirecting=TEXTS[:6], trunk="gw-1", domain="example.com", user_agent="friendly-scanner",
        source_ip="192.0.2.1", imsi="460001234567890", imei="35693803564380", cell="460-00-1-2",
        verstat="TN-Validation-Passed", attestation="A", international_ingress=True, roaming=False,
        sim_age_days=12, event_time_ms=1_700_000_000_000, tags={"dealer": "good", "region": "north", "else": "x"},
    ),
    pb.DecideRequest(caller="\x01", callee="é" * 600, sim_age_days=-1),
]  # fmt: skip
STREAMED = [pb.DecideStreamRequest(id=1 << 60, deadline_ms=50, call=call) for call in CALLS]
REPORTS = [
    pb.ReportCallRequest(
        call_id="a84b4c", event=pb.CALL_EVENT_ENDED, time_ms=1, duration_ms=2, cause=16, call=call
    )
    for call in CALLS
]

CARDS = [
    pb.ReportSubscriptionRequest(event=pb.SUBSCRIPTION_EVENT_ACTIVATED, number=TEXTS[0], tags={"dealer": "good"}),
    pb.ReportSubscriptionRequest(
        report_id="7f", event=pb.SUBSCRIPTION_EVENT_ATTACHED, time_ms=1, imsi="460001234567890", imei="35693803564380",
        cell="460-00-1-2", trunk="gw-1",
    ),
    pb.ReportSubscriptionRequest(number="\x01"),
]  # fmt: skip


def of(target: str) -> Iterator[tuple[str, bytes]]:
    """(file name, input) of every seed of the target."""
    for i, data in enumerate(MAKERS[target]()):
        yield f"{i:03}", data


def texts() -> Iterator[bytes]:
    """A byte for the region, then the text."""
    for text in TEXTS:
        yield b"\x2d" + text.encode()


def wire() -> Iterator[bytes]:
    """A byte for the message, then its bytes."""
    health = [health_pb2.HealthCheckRequest(service="interceptor.v1.InterceptionService")]
    for kind, messages in enumerate((CALLS, STREAMED, REPORTS, health)):
        for message in messages:
            yield bytes([kind]) + message.SerializeToString()
    yield bytes([4]) + bytes(40)  # a decision
    for card in CARDS:
        yield bytes([5]) + card.SerializeToString()


def frames() -> Iterator[bytes]:
    """How it is read and a seed for chance; then a client's own bytes, or a script."""
    for ask in (unary, stream, refused):
        yield b"\0\0\0" + overheard(ask)
    request = b"\x00\x01\x00\x00\x00\x00\x05hello"  # OP_REQUEST of Decide with a message of five bytes
    streamed = b"\x00\x00\x01\x00\x00\x00\x05hello" + b"\x01\x00\x05again" * 3 + b"\x02\x01\x00"
    for script in (
        request, request * 20, streamed, streamed + b"\x03\x08", request + b"\x13\x08" * 4, b"\x05\x00" * 60,
        b"\x04\x00\x06\x00\x04\x00\x00\x00\x01" + streamed, streamed + b"\x06\x01" * 3, request + b"\x07\x00",
        b"\x00\x21\x04\xff\xff\x00\x05hello", b"\x00\x39\x00\xff\xff\x00\x05hello", b"\x08\xff\x05hello" * 3,
    ):  # fmt: skip
        yield b"\x03\1\1" + script
    yield b"\x07\1\1" + request


MAKERS = {"texts": texts, "wire": wire, "frames": frames}


# ------------------------------------------------------------------------------------- what a client says


def unary(channel: grpc.Channel) -> None:
    for call in CALLS[:3]:
        channel.unary_unary(f"{SERVICE}/Decide")(call.SerializeToString(), timeout=1.5)


def stream(channel: grpc.Channel) -> None:
    messages = [message.SerializeToString() for message in STREAMED]
    list(channel.stream_stream(f"{SERVICE}/DecideStream")(iter(messages)))


def refused(channel: grpc.Channel) -> None:
    compressed = grpc.Compression.Gzip
    metadata = (("x-long", "y" * 300), ("x-bin", b"\x00\xff"))
    channel.unary_unary("/nobody/knows")(b"0" * 300, compression=compressed, metadata=metadata)
    watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
    next(watch)
    watch.cancel()


class Anything(grpc.GenericRpcHandler):
    """A service that has every method, and answers each message with as many bytes."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.stream_stream_rpc_method_handler(lambda messages, context: iter(messages))


def overheard(ask: Callable[[grpc.Channel], None]) -> bytes:
    """The bytes grpcio's client sends a server while it asks, taken down by a relay between the two."""
    server = grpc.server(ThreadPoolExecutor(2), handlers=[Anything()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    said: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as door:
        relay = threading.Thread(target=relay_one, args=(door, port, said))
        relay.start()
        with grpc.insecure_channel(f"127.0.0.1:{door.getsockname()[1]}") as channel:
            ask(channel)
        relay.join()
    server.stop(None).wait()
    return b"".join(said)


def relay_one(door: socket.socket, port: int, said: list[bytes]) -> None:
    near, _ = door.accept()
    far = socket.create_connection(("127.0.0.1", port))

    def back() -> None:
        while data := far.recv(65536):
            near.sendall(data)

    with near, far:
        answers = threading.Thread(target=back)
        answers.start()
        while data := near.recv(65536):
            said.append(data)
            far.sendall(data)
        far.shutdown(socket.SHUT_RDWR)
        answers.join()
