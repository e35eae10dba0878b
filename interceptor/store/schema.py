"""The tables of the store, as SQLAlchemy Core describes them. What they mean stands here; who fills them, elsewhere.

Nothing is updated in place but three things: `changes.revision` (a change becomes live), `entries.gone` (an entry is
let go of) and what `interceptor privacy erase` takes out. So every earlier state can be told, and restored.

An entry is live when the change it came with is live and the change that let go of it, if there is one, is not. A
change under way (an import that is being staged) has no revision; it becomes live by being given one, in one
transaction with its audit record. Entries that come together and say the same share a lot: an entry itself is a few
whole numbers.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    column,
)

metadata = MetaData()

#: SQLite gives only "INTEGER" keys out by itself
Serial = BigInteger().with_variant(Integer, "sqlite")

#: one row: what this store is
installation = Table(
    "installation",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("identity", String(32), nullable=False),  # hexadecimal: which store an image belongs to
    Column("secret", LargeBinary(16), nullable=False),  # keys of texts (domains, trunks) depend on it
    Column("audit_key", LargeBinary(32), nullable=False),  # the MACs of the audit trail depend on it
    Column("created_ms", BigInteger, nullable=False),
)

#: lists that the store keeps; a policy names them
lists = Table(
    "lists",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # ListKind
    Column("retention_ms", BigInteger),  # how long an entry stays that says no end; NULL: for good
)

#: whoever puts entries on lists: a feed, an authority, "desk", "rule:ID"
sources = Table(
    "sources",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("retention_ms", BigInteger),
)

# Of indexes of some rows; in PostgreSQL the migrations say the same: to name it here would load its dialect.
_UNDO = column("reverts").is_not(None)

#: everything that was done, in order; what is live has a revision, and revisions have no gaps
changes = Table(
    "changes",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("revision", BigInteger, unique=True),  # NULL: under way, or given up
    Column("action", String(32), nullable=False),  # words.Action
    Column(
        "actor", String(128), nullable=False
    ),  # who asked: "token:NAME", "cert:NAME", "local", "rule:ID", "expiry"
    Column("begun_ms", BigInteger, nullable=False),
    Column("live_ms", BigInteger),
    Column("given_up", SmallInteger, nullable=False, server_default="0"),  # its rows are being taken away
    Column("comment", Text, nullable=False, server_default=""),
    Column("list_id", ForeignKey("lists.id")),
    Column("source_id", ForeignKey("sources.id")),
    Column("reverts", ForeignKey("changes.id")),  # of an undo
    Column("digest", String(64)),  # SHA-256 of an import's file and of how it was to be taken
    Column("added", BigInteger, nullable=False, server_default="0"),
    Column("removed", BigInteger, nullable=False, server_default="0"),
    Index("changes_of_list", "list_id"),
    Index("changes_undone", "reverts", sqlite_where=_UNDO),
)

#: what entries that came together say
lots = Table(
    "lots",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("list_id", ForeignKey("lists.id"), nullable=False),
    Column("source_id", ForeignKey("sources.id"), nullable=False),
    Column("change_id", ForeignKey("changes.id"), nullable=False),
    Column("reason", String(64), nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Column("valid_from_ms", BigInteger),  # NULL: at once
    Column("valid_until_ms", BigInteger),  # NULL: for good. The entry ends at this moment
    Column("added_by", String(128), nullable=False),
    Index("lots_by_start", "valid_from_ms"),
    Index("lots_by_end", "valid_until_ms"),
)

_TIMED, _GONE = column("timed") == 1, column("gone").is_not(None)

#: what is and was on lists. `key` is the engine's key (keys.pxd) seen as signed, so a number is its own key; `key2` is
#: the caller's key of a subscriber's own entry, 0 otherwise
entries = Table(
    "entries",
    metadata,
    Column("list_id", Integer, primary_key=True),
    Column("key", BigInteger, primary_key=True),
    Column("key2", BigInteger, primary_key=True, server_default="0"),
    Column("source_id", Integer, primary_key=True),
    Column("change_id", BigInteger, primary_key=True),  # it came with
    Column("lot_id", BigInteger, nullable=False),
    Column("gone", BigInteger),  # change that let go of it
    Column("timed", SmallInteger, nullable=False, server_default="0"),  # 1: its lot has a start or an end
    Index(
        "entries_of_change", "change_id"
    ),  # a change's rows: to undo it, to follow it, to verify it, to give it up
    Index("entries_timed", "lot_id", sqlite_where=_TIMED),
    Index("entries_gone", "gone", sqlite_where=_GONE),
    sqlite_with_rowid=False,
)

#: texts of the entries whose key does not tell them: domains, trunks, networks
names = Table(
    "names",
    metadata,
    Column("list_id", Integer, primary_key=True),
    Column("key", BigInteger, primary_key=True),
    Column("key2", BigInteger, primary_key=True, server_default="0"),
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)

#: every policy that was put into force
policies = Table(
    "policies",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),  # SHA-256 of the text
    Column("text", Text, nullable=False),
    Column("origin", Text, nullable=False),  # the file's name, for messages
    Column("folder", Text, nullable=False),  # where its relative list files are looked for
    Column("actor", String(128), nullable=False),
    Column("put_ms", BigInteger, nullable=False),
    Column("comment", Text, nullable=False, server_default=""),
)

#: the audit trail: only ever appended to; each record's hash covers the one before
audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # 1, 2, 3, ...
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(32), nullable=False),  # words.Action
    Column("change_id", BigInteger),  # of a change
    Column("revision", BigInteger),
    Column("subject", Text, nullable=False),  # list, rule, credential ...; a number only as its MAC
    Column("detail", Text, nullable=False),  # JSON with sorted keys
    Column("digest", String(64), nullable=False),  # over the MACs of the entries it added and removed
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),  # SHA-256 over all of the above
    UniqueConstraint("hash"),
)

#: MACs of entries that were erased: what the digests of the audit trail still need of them
erased = Table(
    "erased",
    metadata,
    Column("list_id", Integer, primary_key=True),
    Column("mac", LargeBinary(16), primary_key=True),
    Column("source_id", Integer, primary_key=True),
    Column("change_id", BigInteger, primary_key=True),
    Column("gone", BigInteger),
    sqlite_with_rowid=False,
)

#: what people said of decisions
feedback = Table(
    "feedback",
    metadata,
    Column("decision_id", String(16), primary_key=True),
    Column("right", SmallInteger, nullable=False),  # 1: confirmed, 0: wrong
    Column("rule", String(64), nullable=False),
    Column("sources", Text, nullable=False),  # JSON: of the entries that matched
    Column("actor", String(128), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("comment", Text, nullable=False, server_default=""),
)

#: analytics rules that were turned into warnings, and wait for a person
demotions = Table(
    "demotions",
    metadata,
    Column("rule", String(64), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),  # JSON: what was seen
)

#: what is not to be sent again before its time is over, by MACs: a number does not stand here
sent = Table(
    "sent",
    metadata,
    Column("until_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("key", LargeBinary(16), primary_key=True),
    sqlite_with_rowid=False,
)

#: who may ask what of the control plane
credentials = Table(
    "credentials",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("kind", String(16), nullable=False),  # "token" or "certificate"
    Column("role", String(16), nullable=False),  # "viewer", "operator" or "admin"
    Column("hash", String(64)),  # SHA-256 of a token; a certificate has its name
    Column("actor", String(128), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("valid_until_ms", BigInteger),
)
