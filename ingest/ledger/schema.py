"""The ledger's tables, as data: SQLAlchemy Core, the same for every engine.

Comes in: nothing. Goes out: ``METADATA`` and the tables. Refuses to know: how rows come about.

Instants are integers, microseconds since 1970-01-01T00:00:00Z. ``position`` in ``feed`` counts in commit order, because
one writer at a time assigns it: a reader that has seen n never finds a new row at or below n. So it is in ``journal``
as far as ``ingest.ledger.engine.watermark`` says; on PostgreSQL its positions may have holes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQLite makes an INTEGER primary key the row's own number; elsewhere positions and instants need 64 bits.
Int: TypeEngine[int] = Integer().with_variant(BigInteger(), "postgresql")
# Compared by its bytes, as SQLite does, whatever the database's own collation is.
Words: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")


def _table(name: str, *columns: Column[Any] | Index | UniqueConstraint, keyed: bool = False) -> Table:
    """A table; ``keyed`` ones are stored by their primary key instead of by row number."""
    return Table(name, METADATA, *columns, sqlite_with_rowid=not keyed)


def _key(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]] = Words) -> Column[Any]:
    return Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def _is(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]] = Words) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _may(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]] = Words) -> Column[Any]:
    return Column(name, kind, nullable=True)


META = _table("meta", _key("name"), _is("value"))
"""``ledger``: 8 hex digits, drawn anew after a restore (device contract, section 8)."""

# ---------------------------------------------------------------- what devices sent

JOURNAL = _table(
    "journal",
    Column("position", Int, primary_key=True),
    _is("received_at", Int),
    _is("kept_at", Int),
    _is("channel"),
    _is("device"),
    _may("hub"),
    _is("sha", LargeBinary),
    _is("size", Int),
    _may("payload", LargeBinary),
    _may("stream", LargeBinary),
    _may("seq", Int),
    _is("outcome"),
    _may("reason"),
    _may("pointer"),
    _may("first", Int),
    _is("row_hash", LargeBinary),
)
"""Every message that was acknowledged, once. ``payload`` is absent where ``first`` names the row with the same
bytes."""

KEY = _table("key", _key("device"), _key("stream", LargeBinary), _key("seq", Int), _is("position", Int), keyed=True)
"""Which journal row holds a reading key; never changed, so a second message cannot take a key over."""

READING = _table(
    "reading",
    _key("position", Int),
    _is("reading", LargeBinary),
    _is("device"),
    _is("kind"),
    _is("clock", Int),
    _is("taken_at"),
    _is("used_at", Int),
    _is("mark"),
    _may("offset", Int),
    _may("uncertainty", Int),
    _may("context"),
    _may("flags"),
    _may("exam"),
    _may("replaces", Int),
    _may("content"),
    _is("row_hash", LargeBinary),
    Index(None, "reading"),
)
"""A reading as judged when it was accepted; ``position`` is its journal row. ``content``: JSON of what is not in the
message itself (``blob``, ``image``, ``part``), absent for most."""

MEASUREMENT = _table(
    "measurement",
    _key("position", Int),
    _key("ordinal", Int),
    _is("metric"),
    _is("value"),
    _is("unit"),
    _is("normal"),
    _is("unusual", Int),
    keyed=True,
)

RECORDING = _table(
    "recording",
    _key("position", Int),
    _is("sampling_hz"),
    _is("unit"),
    _is("leads"),
    _is("length", Int),
    _is("complete", Int),
    _may("file"),
    _may("samples", LargeBinary),
    _is("row_hash", LargeBinary),
)
"""``leads``: JSON list of [name, step, baseline]; ``length``: samples a lead. Samples are int16 little-endian, one lead
after the other: here, or, of a recording that came as a blob, in the waveform file whose hex SHA-256 is ``file``."""

CONTENT = _table(
    "content",
    _key("position", Int),
    _is("device"),
    _may("sha", LargeBinary),
    _may("size", Int),
    _is("state"),
    _may("reason"),
    _may("pointer"),
    _may("found"),
    _is("changed_at", Int),
    Index(None, "device", "sha", "state"),
    Index(None, "state", "changed_at"),
    Index(None, "sha"),
)
"""A reading whose content is not in its message. ``state``: waiting (for parts), complete (to be looked at), ready (may
be published), refused, part (of a live recording, which is published as its first part). ``found``: JSON of what
looking at it told (``ingest.content.found``)."""

PIECE = _table(
    "piece",
    _key("device"),
    _key("sha", LargeBinary),
    _key("start", Int),
    _is("end", Int),
    _is("at", Int),
    keyed=True,
)
"""Bytes [start, end) of a blob that a device has sent and that are on stable storage."""

LIVE = _table(
    "live",
    _key("device"),
    _key("recording", LargeBinary),
    _is("first", Int),
    _is("heard_at", Int),
    _is("state"),
    Index(None, "state"),
    keyed=True,
)
"""A live recording: the journal row of its first part, when the latest came; ``state``: open or closed."""

LIVE_PART = _table(
    "live_part",
    _key("device"),
    _key("recording", LargeBinary),
    _key("from_sample", Int),
    _key("position", Int),
    _is("length", Int),
    _is("last", Int),
    _is("header"),
    _is("samples", LargeBinary),
    keyed=True,
)
"""``header``: JSON of sampling, unit and leads with their scales, which has to be the same in all parts."""

LATER = _table(
    "later",
    Column("position", Int, primary_key=True),
    _is("reading", Int),
    _is("device"),
    _is("at", Int),
    Index(None, "reading"),
)
"""Verdicts reached after the envelope's, in order: what their receipts are made from. ``reading``: a journal row."""

QUARANTINE = _table(
    "quarantine",
    _key("position", Int),
    _is("device"),
    _may("stream", LargeBinary),
    _may("seq", Int),
    _is("sha", LargeBinary),
    _is("reason"),
    _is("state"),
    _is("changed_at", Int),
    Index(None, "sha"),
    Index(None, "device", "stream", "seq"),
    Index(None, "state", "reason", "position"),
)
"""``reason`` is that of the latest verdict. ``state``: waiting, dismissed, replayed (judged again, it counts) or
duplicate (judged again, it is what another message under its key says)."""

REPLAY = _table(
    "replay",
    Column("replay", Int, primary_key=True),
    _is("position", Int),
    _is("at", Int),
    _is("who"),
    _is("before"),
    _is("outcome"),
    _may("reason"),
    _may("pointer"),
    _is("row_hash", LargeBinary),
    Index(None, "position"),
)
"""Every decision on a quarantined message, append-only: who had it judged again or dismissed it, when, the reason it
had, and what came of it. ``position``: its journal row, which never changes."""

STREAM = _table(
    "stream",
    _key("device"),
    _key("stream", LargeBinary),
    _is("highest", Int),
    _may("unclear_first", Int),
    _may("unclear_last", Int),
    keyed=True,
)
"""``unclear``: a range of which only the keys themselves tell what is missing (see ``ingest.sequence``)."""

GAP = _table(
    "gap",
    Column("gap", Int, primary_key=True),
    _is("device"),
    _is("stream", LargeBinary),
    _is("first", Int),
    _is("last", Int),
    _is("first_seen", Int),
    _may("asked_at", Int),
    _may("closed_at", Int),
    _may("closed_as"),
    Index(None, "device", "stream", "closed_at"),
)
"""Sequence numbers ``first``..``last`` that never came; ``closed_as``: filled, lost, or split (its rest is another
row)."""

HELLO = _table(
    "hello",
    _key("device"),
    _may("hub"),
    _is("at", Int),
    _is("conn"),
    _is("online", Int),
    _is("stream", LargeBinary),
    _is("oldest", Int),
    _is("next", Int),
    _may("contract"),
    _may("manufacturer"),
    _may("model"),
    _may("serial"),
    _may("firmware"),
    _may("eui64"),
    _is("kinds"),
    _is("wants_record", Int),
    _may("max_down_bytes", Int),
)
"""The latest hello of each device."""

CLOCK = _table(
    "clock",
    _key("device"),
    _key("epoch", Int),
    _may("synced", Int),
    _may("offset", Int),
    _may("uncertainty", Int),
    _is("changed_at", Int),
    keyed=True,
)

# ---------------------------------------------------------------- who

DEVICE = _table(
    "device",
    _key("device"),
    _may("site"),
    _may("eui64"),
    _may("method"),
    _is("simulated", Int),
    _is("secret_hash"),
    _is("added_at", Int),
    _may("revoked_at", Int),
)
PATIENT = _table(
    "patient",
    _key("patient"),
    _is("family"),
    _is("given"),
    _is("birth_date"),
    _is("gender"),
    _is("identifiers"),
    _is("test", Int),
    _is("added_at", Int),
)
ASSIGNMENT = _table(
    "assignment",
    _key("assignment"),
    _is("device"),
    _is("patient"),
    _is("start", Int),
    _may("end", Int),
    _is("made_at", Int),
    Index(None, "device", "start"),
)
SERVES = _table(
    "serves",
    _key("serves"),
    _is("hub"),
    _is("device"),
    _is("start", Int),
    _may("end", Int),
    _is("made_at", Int),
    Index(None, "device", "hub"),
)
"""Which hub speaks for which device, from when to when (device contract, section 12)."""
CLIENT = _table(
    "client",
    _key("client"),
    _is("token_hash", LargeBinary),
    _is("scopes"),
    _is("sites"),
    _is("added_at", Int),
    _may("revoked_at", Int),
    Index(None, "token_hash"),
)
AUDIT = _table(
    "audit",
    Column("position", Int, primary_key=True),
    _is("at", Int),
    _is("who"),
    _is("action"),
    _is("type"),
    _may("patient"),
    _is("resources", Int),
    _is("row_hash", LargeBinary),
)

# ---------------------------------------------------------------- from readings to resources

CURSOR = _table("cursor", _key("name"), _is("position", Int))
DUE = _table("due", Column("position", Int, primary_key=True), _is("what"), _is("ref"))
"""What to publish besides the journal's new rows: ``what`` is patient, device, reading, retraction."""

INBOX = _table("inbox", _key("position", Int), _is("device"), _is("why"), _is("since", Int), Index(None, "device"))
"""Accepted readings that have no patient yet, with the doubt that keeps them here."""

ATTRIBUTION = _table(
    "attribution",
    _key("position", Int),
    _key("n", Int),
    _is("patient"),
    _is("used_at", Int),
    _is("mark"),
    _is("at", Int),
    _may("retracted_at", Int),
    keyed=True,
)
"""Whom a reading was given to, the n-th time; ``used_at`` and ``mark``: the time of measurement that decided it."""

FEED = _table(
    "feed",
    _key("position", Int),
    _is("type"),
    _is("id"),
    _is("version", Int),
    _is("at", Int),
    _may("patient"),
    _may("device"),
    _may("reading", Int),
    _is("body", LargeBinary),
    _is("row_hash", LargeBinary),
    UniqueConstraint("type", "id", "version"),
    Index(None, "reading"),
)
"""Immutable resource versions. ``patient``, ``device``: ids of the resources this one refers to."""

RESOURCE = _table(
    "resource",
    _key("type"),
    _key("id"),
    _is("position", Int),
    _is("version", Int),
    _may("patient"),
    _may("device"),
    _may("site"),
    _may("codes"),
    _may("start", Int),
    _may("end", Int),
    Index(None, "type", "position"),
    Index(None, "type", "patient", "position"),
    Index(None, "type", "patient", "start"),
    keyed=True,
)
"""The newest version of each resource and what it can be searched by; ``codes``: `` system|code `` between spaces."""

IDENTIFIER = _table("identifier", _key("type"), _key("value"), _key("system"), _key("id"), keyed=True)

DELIVERY = _table(
    "delivery",
    _key("destination"),
    _key("position", Int),
    _is("type"),
    _is("id"),
    _may("patient"),
    _may("device"),
    _is("state"),
    _is("tries", Int),
    _is("next_try", Int),
    _is("due_at", Int),
    _may("answer"),
    Index(None, "destination", "state", "next_try"),
    Index(None, "destination", "type", "id"),
    keyed=True,
)
"""One row for a version that a destination has not confirmed; ``state``: due or parked. ``answer`` is a code, no
text."""

DELIVERED = _table(
    "delivered",
    _key("destination"),
    _key("position", Int),
    _is("at", Int),
    _is("tries", Int),
    _may("version"),
    keyed=True,
)
"""Where a delivery row goes when the destination has confirmed it."""

CONFIRMED = _table(
    "confirmed",
    Column("position", Int, primary_key=True),
    _is("reading", Int),
    _is("device"),
    _is("at", Int),
    Index(None, "reading"),
)
"""A reading whose resources the record has all confirmed: what ``in_record`` receipts are made from."""

# ---------------------------------------------------------------- trends

POINT = _table(
    "point",
    _key("device"),
    _key("metric"),
    _key("at", Int),
    _key("position", Int),
    _is("value"),
    keyed=True,
)
"""The embedded time series: two readings of one instant stay two points, because ``position`` is part of the key."""

POINT_HOUR = _table(
    "point_hour",
    _key("device"),
    _key("metric"),
    _key("start", Int),
    _is("count", Int),
    _is("total", Float),
    _is("low", Float),
    _is("high", Float),
    keyed=True,
)
"""What the points of an hour come to, for each hour that has any but the newest of its device and metric."""

# ---------------------------------------------------------------- care of the ledger

SEGMENT = _table(
    "segment",
    Column("segment", Int, primary_key=True),
    _is("of"),
    _is("first", Int),
    _is("last", Int),
    _is("rows", Int),
    _is("hash", LargeBinary),
    _is("sealed_at", Int),
    _is("row_hash", LargeBinary),
    Index(None, "of", "first"),
)
"""A sealed run of rows of the table ``of``, positions ``first``..``last``: ``hash`` covers their row hashes and the
segment before it, so that a row that is changed together with its own hash, or taken out at the end, shows."""

TOMBSTONE = _table(
    "tombstone",
    Column("tombstone", Int, primary_key=True),
    _is("of"),
    _is("first", Int),
    _is("last", Int),
    _is("rows", Int),
    _is("why"),
    _is("who"),
    _is("at", Int),
    _is("hash", LargeBinary),
    _is("row_hash", LargeBinary),
    Index(None, "of", "first"),
)
"""Rows of the table ``of`` that were taken out on purpose, and the hash their segment had."""

ALARM = _table(
    "alarm",
    Column("alarm", Int, primary_key=True),
    _is("code"),
    _is("subject"),
    _is("since", Int),
    _is("last_at", Int),
    _is("count", Int),
    _may("cleared_at", Int),
    Index(None, "cleared_at", "code", "subject"),
)
"""Something that a person should know of and that the other tables do not tell by themselves: an event of ``code``
about ``subject`` (a device, a destination, a part of the program; never a person), first and last seen, how often."""
