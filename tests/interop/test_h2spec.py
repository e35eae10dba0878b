"""h2spec, the conformance suite of HTTP/2, against the data port."""

import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from interop.programs import BUILT
from service.running import Running

H2SPEC = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"

#: h2spec asks for no gRPC: it is answered 405 or 415 as soon as its header has been read, and its stream is closed
#: then. What it does to the stream afterwards, expecting an error, is ignored as RFC 9113 section 5.1 allows.
ANSWERED_ALREADY = {
    "http2/5.1": {
        "half closed (remote): Sends a DATA frame",
        "half closed (remote): Sends a HEADERS frame",
        "closed: Sends a DATA frame after sending RST_STREAM frame",
        "closed: Sends a HEADERS frame after sending RST_STREAM frame",
        "closed: Sends a DATA frame",
        "closed: Sends a HEADERS frame",
    },
    # streams that are answered at once never add up to the limit; nor is an old number a new stream's
    "http2/5.1.1": {"Sends stream identifier that is numerically smaller than previous"},
    "http2/5.1.2": {
        "Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded"
    },
    "http2/6.1": {
        'Sends a DATA frame on the stream that is not in "open" or "half-closed (local)" state',
        "Sends a DATA frame with invalid pad length",
    },
    "http2/6.9": {"Sends a WINDOW_UPDATE frame with a flow control window increment of 0 on a stream"},
    "http2/6.9.1": {
        "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream"
    },
    "http2/8.1": {"Sends a second HEADERS frame without the END_STREAM flag"},
    "http2/8.1.2.1": {"Sends a HEADERS frame that contains a pseudo-header field as trailers"},
    "http2/8.1.2.6": {
        'Sends a HEADERS frame with the "content-length" header field which does not equal the '
        + frames
        + " payload length"
        for frames in ("DATA frame", "sum of the multiple DATA frames")
    },
    # a GET is answered 405 whatever else is wrong with it
    "http2/8.1.2.3": {
        'Sends a HEADERS frame that omits ":scheme" pseudo-header field',
        'Sends a HEADERS frame that omits ":path" pseudo-header field',
    },
    # it waits for a body: our answers to what is no gRPC have none
    "generic/2": {
        "Sends a WINDOW_UPDATE frame on half-closed (remote) stream",
        "Sends a PRIORITY frame on half-closed (remote) stream",
    },
}
#: We say SETTINGS_NO_RFC7540_PRIORITIES (RFC 9218): PRIORITY frames are not looked into.
NO_PRIORITIES = {
    "http2/5.3.1": {
        "Sends PRIORITY frame that depend on itself",
        "Sends HEADERS frame that depends on itself",
    },
    "http2/6.3": {"Sends a PRIORITY frame with 0x0 stream identifier"},
}
KNOWN = {
    (section, case)
    for known in (ANSWERED_ALREADY, NO_PRIORITIES)
    for section in known
    for case in known[section]
}


@pytest.fixture(scope="module")
def h2spec() -> Path:
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    program = BUILT / H2SPEC.replace("/", "-")
    if not program.exists():
        directory = BUILT / "h2spec"
        environment = {**os.environ, "GOBIN": str(directory)}
        subprocess.run(["go", "install", H2SPEC], env=environment, check=True)
        (directory / "h2spec").rename(program)
    return program


@pytest.mark.long
def test_h2spec_finds_nothing_that_we_do_not_mean(h2spec: Path, service: Running, tmp_path: Path) -> None:
    host, _, port = service.data.address.rpartition(":")
    report = tmp_path / "report.xml"
    command = [h2spec, "--host", host, "--port", port, "--timeout", "1", "--junit-report", report]
    subprocess.run(list(map(str, command)), check=False, timeout=300, stdout=subprocess.DEVNULL)
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = {
        (case.attrib["package"], case.attrib["classname"])
        for case in cases
        if case.find("error") is not None or case.find("failure") is not None
    }
    assert failed <= KNOWN, failed - KNOWN
    assert len(cases) > 140
