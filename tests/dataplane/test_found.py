"""What fuzzing found, each in its shortest form: it stays gone."""

from dataplane.raw import END_HEADERS, HEADERS, OPENING, frame
from interceptor.dataplane.http2probe import SessionProbe
from interceptor.dataplane.words import Ending

WITHOUT_A_PATH = bytes((0x83, 0x86))  # :method POST, :scheme http (RFC 7541, appendix A)


def test_a_client_that_goes_for_its_malformed_streams_while_we_leave_has_each_closed_once() -> None:
    session = SessionProbe(max_resets=2)
    session.receive(OPENING + frame(HEADERS, END_HEADERS, 1, WITHOUT_A_PATH))
    session.goaway(final=True)  # closes the streams after the first; by then the client has been sent away
    for stream in (3, 5, 7, 9):
        session.receive(frame(HEADERS, END_HEADERS, stream, WITHOUT_A_PATH))
    for _ in range(3):
        session.output()
    assert session.ending == Ending.ENDED_ABUSE
    del session  # what was closed twice would be freed twice: the end of the process
