"""What covers a text: the entries of a list, exact and wider ones, that a number, a domain or an address may be on."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network

from interceptor.engine.keys import KeyKind, digits_key_of, key_digits_of
from interceptor.engine.spec import ListKind
from interceptor.store.canonical import PAIRED_BY
from interceptor.store.entries import Entry, Reader
from interceptor.store.keysets import as_signed
from interceptor.store.networks import SHORTEST

#: any second key: all that a called subscriber has
ANY = None

Covering = tuple[int, int | None]  #: key and key2, as the database has them


def covering(reader: Reader, text: str) -> list[Covering]:
    """Keys of the entries that may stand for a text on a list of the reader's kind; none when it makes no sense there.

    A number is covered by its prefixes, a device by its TAC, a subscriber by MCC and MNC, a domain by the domains
    above it, an address by its networks; a called subscriber's number has all entries of his own.
    """
    found: dict[Covering, None] = {}
    text = text.strip()
    for written in _written(reader.kind, text):
        for entry in _read(reader, written):
            found[as_signed(entry.key), as_signed(entry.key2)] = None
    if reader.kind in (ListKind.PREFIX, ListKind.PAIR):
        for number in _read(replace(reader, kind=ListKind.NUMBER), text):
            if reader.kind is ListKind.PAIR:
                found[as_signed(number.key), ANY] = None
            elif number.key >> 58 == KeyKind.KEY_NUMBER:
                found.update(dict.fromkeys(_prefixes(key_digits_of(number.key))))
    elif reader.kind in (ListKind.DEVICE, ListKind.SUBSCRIBER):
        for entry in _read(reader, text):
            found.update(dict.fromkeys(_prefixes(key_digits_of(entry.key))))
    return list(found)


def _read(reader: Reader, text: str) -> list[Entry]:
    try:
        return reader.read(text)
    except ValueError:
        return []


def _prefixes(digits: bytes) -> Iterator[Covering]:
    for n in range(1, len(digits) + 1):
        yield as_signed(digits_key_of(KeyKind.KEY_PREFIX, digits[:n])), 0


def _written(kind: ListKind, text: str) -> Iterator[str]:
    """The text, and how what is wider is written."""
    yield text
    if kind is ListKind.DOMAIN and PAIRED_BY not in text:
        above = text.removesuffix(".")
        while "." in above:
            _, _, above = above.partition(".")
            yield above
    elif kind is ListKind.NETWORK:
        try:
            network = ip_network(text)
        except ValueError:
            return
        for length in range(network.prefixlen - 1, SHORTEST[network.version] - 1, -1):
            yield str(network.supernet(new_prefix=length))
