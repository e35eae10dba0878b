"""What an entry says beside its key: why, whose, from when and until when; and what of it cannot be kept."""

from dataclasses import dataclass

from interceptor.store.words import NewEntry, StoreRefusedError

LONGEST_NAME, LONGEST_REASON, LONGEST_NOTE = 128, 64, 2_000
#: the end of the year 9999, beyond which no date is written
LAST_MS = 253_402_300_799_999


@dataclass(frozen=True)
class Words:
    """What an entry says."""

    reason: str
    note: str
    valid_from_ms: int | None
    valid_until_ms: int | None

    @property
    def timed(self) -> bool:
        """Whether it has a start or an end."""
        return self.valid_from_ms is not None or self.valid_until_ms is not None


def name_of_source(source: str) -> str:
    """The name of a source, trimmed; StoreRefusedError when it is none."""
    source = source.strip()
    if not 0 < len(source) <= LONGEST_NAME or not source.isprintable():
        raise StoreRefusedError(
            f"{source[:40]!r} is no name of a source: 1 to {LONGEST_NAME} printable characters say whose entries "
            "these are"
        )
    return source


def words_of(list_name: str, i: int, entry: NewEntry, now_ms: int) -> Words:
    """The words of the i-th entry of a request; StoreRefusedError when they cannot be kept."""
    reason, note = entry.reason.strip(), " ".join(entry.note.split())  # a row of a file is one line
    start, end = entry.valid_from_ms, entry.valid_until_ms
    wrong = ""
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        wrong = f"the reason is one word of at most {LONGEST_REASON} printable characters"
    elif len(note) > LONGEST_NOTE or "\0" in note:
        wrong = f"the note has at most {LONGEST_NOTE} characters, none of them NUL"
    elif any(at is not None and not 0 <= at <= LAST_MS for at in (start, end)):
        wrong = "start and end are milliseconds since 1970, up to the year 9999"
    elif end is not None and end <= now_ms:
        wrong = "its end has passed"
    elif end is not None and start is not None and end <= start:
        wrong = "it ends before it begins"
    if wrong:
        raise StoreRefusedError(f"list {list_name}: entry {i + 1} ({entry.text[:40]!r}): {wrong}")
    return Words(reason, note, start, end)
