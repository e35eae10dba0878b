"""What a resolver that asks for a response policy zone is answered: messages in, messages out."""

import struct
from collections.abc import Iterator, Mapping
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.renderer
import dns.rrset
import dns.tsig

from interceptor.control.zonedata import ZoneData
from interceptor.store.rpz import EXPIRE, KEEPER, REFRESH, RETRY, SERVER, TTL

#: bytes of a message of a transfer before it is sent: as far as its pointers reach, and no fragment of a large one
FILLED = 16_000
#: seconds that clocks of signers may differ
FUDGE = 300

#: it has no types
_Renderer: Any = dns.renderer.Renderer

TRANSFERS = (dns.rdatatype.AXFR, dns.rdatatype.IXFR)


class ZoneAnswers:
    """Answers about some zones.

    Parameters
    ----------
    zones
        By their names.
    key
        Who does not sign with it is refused; None: nobody signs.
    """

    def __init__(self, zones: Mapping[dns.name.Name, ZoneData], key: dns.tsig.Key | None) -> None:
        self._zones = zones
        self._key = key
        self._keyring = {key.name: key} if key else {}

    def to(self, wire: bytes, *, stream: bool) -> Iterator[bytes]:
        """The messages that answer one; none for what is no question.

        Parameters
        ----------
        stream
            Whether it came over TCP: else there is one message, and it is small.
        """
        if (
            len(wire) < 12 or wire[2] & 0x80
        ):  # no header, or itself an answer: never answered, so that nobody loops
            return
        try:
            query = dns.message.from_wire(wire, keyring=self._keyring)
        except (dns.message.UnknownTSIGKey, dns.tsig.PeerError, dns.tsig.BadTime, dns.tsig.BadSignature):
            yield _refusal(wire, dns.rcode.NOTAUTH)
            return
        except (dns.tsig.BadKey, dns.tsig.BadAlgorithm):
            yield _refusal(wire, dns.rcode.NOTAUTH)
            return
        except (dns.exception.DNSException, ValueError):
            yield _refusal(wire, dns.rcode.FORMERR)
            return
        code, zone = self._judged(query)
        if code is not dns.rcode.NOERROR or zone is None:
            yield _told(query, code)
            return
        kind = query.question[0].rdtype
        if kind in TRANSFERS and stream:
            serial = _serial_of(query) if kind == dns.rdatatype.IXFR else None
            yield from self._transfer(query, zone.whole() if serial is None else zone.since(serial))
            return
        yield self._small(query, zone)

    def notice(self, zone: ZoneData) -> bytes:
        """The message that tells a resolver that the zone has changed."""
        message = dns.message.make_query(zone.name, dns.rdatatype.SOA, flags=dns.flags.AA)
        message.set_opcode(dns.opcode.NOTIFY)
        if self._key is not None:
            message.use_tsig(self._keyring, self._key.name, algorithm=self._key.algorithm)
        return message.to_wire()

    def _judged(self, query: dns.message.Message) -> tuple[dns.rcode.Rcode, ZoneData | None]:
        if query.opcode() != dns.opcode.QUERY:
            return dns.rcode.NOTIMP, None
        if len(query.question) != 1:
            return dns.rcode.FORMERR, None
        if self._key is not None and not query.had_tsig:
            return dns.rcode.REFUSED, None
        question = query.question[0]
        zone = self._zones.get(question.name)
        if zone is None or question.rdtype not in (dns.rdatatype.SOA, dns.rdatatype.NS, *TRANSFERS):
            return dns.rcode.REFUSED, None  # a policy zone is there to be transferred, not to be asked
        return (dns.rcode.NOERROR if zone.serial else dns.rcode.SERVFAIL), zone

    def _small(self, query: dns.message.Message, zone: ZoneData) -> bytes:
        """One record; of a transfer that was asked for over UDP, the SOA, which says to come over TCP."""
        question = query.question[0]
        if question.rdtype == dns.rdatatype.AXFR:
            return _told(query, dns.rcode.FORMERR)  # RFC 5936, section 4.2
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        if question.rdtype == dns.rdatatype.NS:
            record = dns.rrset.from_text(question.name, TTL, "IN", "NS", SERVER)
        else:
            numbers = f"{(zone.serial or 0) & 0xFFFFFFFF} {REFRESH} {RETRY} {EXPIRE} {TTL}"
            record = dns.rrset.from_text(question.name, TTL, "IN", "SOA", f"{SERVER} {KEEPER} {numbers}")
        answer.answer.append(record)
        return answer.to_wire()

    def _transfer(self, query: dns.message.Message, records: Iterator[bytes]) -> Iterator[bytes]:
        """Records in messages, each signed with all before it when the question was."""
        question = query.question[0]
        context = None
        record = next(records, None)
        while record is not None:
            message = _Renderer(query.id, dns.flags.QR | dns.flags.AA)
            message.add_question(question.name, question.rdtype)
            size = message.output.tell()
            while record is not None and size < FILLED:
                message.output.write(record)
                size += len(record)
                message.counts[dns.renderer.ANSWER] += 1
                record = next(records, None)
            message.write_header()
            if self._key is not None:
                context = message.add_multi_tsig(
                    context,
                    self._key.name,
                    self._key,
                    FUDGE,
                    query.id,
                    0,
                    b"",
                    query.mac,
                    self._key.algorithm,
                )
            yield message.get_wire()


def _serial_of(query: dns.message.Message) -> int | None:
    """The serial that an incremental transfer is asked from."""
    for rrset in query.authority:
        if rrset.rdtype == dns.rdatatype.SOA and len(rrset):
            return int(rrset[0].serial)
    return None


def _told(query: dns.message.Message, code: dns.rcode.Rcode) -> bytes:
    answer = dns.message.make_response(query)
    answer.set_rcode(code)
    return answer.to_wire()


def _refusal(wire: bytes, code: dns.rcode.Rcode) -> bytes:
    """An answer to what could not be read, or whose signature is none of ours: its header alone."""
    opcode = wire[2] & 0x78
    return wire[:2] + struct.pack("!BBHHHH", 0x80 | opcode, code, 0, 0, 0, 0)
