"""Domains in the table of listed keys: a listed domain covers every domain below it."""

from interceptor.engine.lists import ListTable

def domain_key_of(secret: bytes, name: bytes) -> int:
    """The key a domain is listed under; 0 for what is no domain name or address.

    Case does not matter; a port, a trailing dot and the brackets of an IPv6 address are dropped. Internationalised
    names are taken in their ASCII form (``xn--...``, RFC 5890). At most 253 bytes, labels of at most 63 letters,
    digits, ``-`` and ``_``. Addresses are compared in their binary form.

    Raises
    ------
    ValueError
        The secret has not 16 bytes.
    """

def domain_text_of(name: bytes) -> str:
    """The canonical text of a name (lower case, no port, no brackets; addresses as in RFC 5952); "" for none."""

def find(lists: ListTable, secret: bytes, name: bytes) -> int:
    """Union of the bitmaps of the name and its parent domains; an address has no parents."""

def matches(lists: ListTable, secret: bytes, name: bytes) -> list[tuple[bytes, int]]:
    """(domain, bitmap) of the name and each of its parents that is listed, the longest first."""
