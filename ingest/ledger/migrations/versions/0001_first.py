"""The first schema: journal, keys, readings, registry, feed, deliveries, points."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INT = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:  # noqa: PLR0915 - a statement a table
    """Make every table of the first release."""
    op.create_table(
        "assignment",
        sa.Column("assignment", WORDS, autoincrement=False, nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("patient", WORDS, nullable=False),
        sa.Column("start", INT, nullable=False),
        sa.Column("end", INT, nullable=True),
        sa.Column("made_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("assignment", name=op.f("pk_assignment")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_assignment_device_start"), "assignment", ["device", "start"], unique=False)
    op.create_table(
        "attribution",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("n", INT, autoincrement=False, nullable=False),
        sa.Column("patient", WORDS, nullable=False),
        sa.Column("used_at", INT, nullable=False),
        sa.Column("mark", WORDS, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("retracted_at", INT, nullable=True),
        sa.PrimaryKeyConstraint("position", "n", name=op.f("pk_attribution")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit",
        sa.Column("position", INT, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("who", WORDS, nullable=False),
        sa.Column("action", WORDS, nullable=False),
        sa.Column("type", WORDS, nullable=False),
        sa.Column("patient", WORDS, nullable=True),
        sa.Column("resources", INT, nullable=False),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "client",
        sa.Column("client", WORDS, autoincrement=False, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", WORDS, nullable=False),
        sa.Column("sites", WORDS, nullable=False),
        sa.Column("added_at", INT, nullable=False),
        sa.Column("revoked_at", INT, nullable=True),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_client")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_client_token_hash"), "client", ["token_hash"], unique=False)
    op.create_table(
        "clock",
        sa.Column("device", WORDS, autoincrement=False, nullable=False),
        sa.Column("epoch", INT, autoincrement=False, nullable=False),
        sa.Column("synced", INT, nullable=True),
        sa.Column("offset", INT, nullable=True),
        sa.Column("uncertainty", INT, nullable=True),
        sa.Column("changed_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("device", "epoch", name=op.f("pk_clock")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "confirmed",
        sa.Column("position", INT, nullable=False),
        sa.Column("reading", INT, nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_confirmed")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_confirmed_reading"), "confirmed", ["reading"], unique=False)
    op.create_table(
        "content",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("sha", sa.LargeBinary(), nullable=True),
        sa.Column("size", INT, nullable=True),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=True),
        sa.Column("pointer", WORDS, nullable=True),
        sa.Column("found", WORDS, nullable=True),
        sa.Column("changed_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_content")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_content_device_sha_state"), "content", ["device", "sha", "state"], unique=False)
    op.create_index(op.f("ix_content_sha"), "content", ["sha"], unique=False)
    op.create_index(op.f("ix_content_state_changed_at"), "content", ["state", "changed_at"], unique=False)
    op.create_table(
        "cursor",
        sa.Column("name", WORDS, autoincrement=False, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursor")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "delivered",
        sa.Column("destination", WORDS, autoincrement=False, nullable=False),
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("tries", INT, nullable=False),
        sa.Column("version", WORDS, nullable=True),
        sa.PrimaryKeyConstraint("destination", "position", name=op.f("pk_delivered")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery",
        sa.Column("destination", WORDS, autoincrement=False, nullable=False),
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("type", WORDS, nullable=False),
        sa.Column("id", WORDS, nullable=False),
        sa.Column("patient", WORDS, nullable=True),
        sa.Column("device", WORDS, nullable=True),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("tries", INT, nullable=False),
        sa.Column("next_try", INT, nullable=False),
        sa.Column("due_at", INT, nullable=False),
        sa.Column("answer", WORDS, nullable=True),
        sa.PrimaryKeyConstraint("destination", "position", name=op.f("pk_delivery")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_delivery_destination_state_next_try"), "delivery", ["destination", "state", "next_try"], unique=False
    )
    op.create_index(op.f("ix_delivery_destination_type_id"), "delivery", ["destination", "type", "id"], unique=False)
    op.create_table(
        "device",
        sa.Column("device", WORDS, autoincrement=False, nullable=False),
        sa.Column("site", WORDS, nullable=True),
        sa.Column("eui64", WORDS, nullable=True),
        sa.Column("method", WORDS, nullable=True),
        sa.Column("simulated", INT, nullable=False),
        sa.Column("secret_hash", WORDS, nullable=False),
        sa.Column("added_at", INT, nullable=False),
        sa.Column("revoked_at", INT, nullable=True),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_device")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "due",
        sa.Column("position", INT, nullable=False),
        sa.Column("what", WORDS, nullable=False),
        sa.Column("ref", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_due")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "feed",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("type", WORDS, nullable=False),
        sa.Column("id", WORDS, nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("patient", WORDS, nullable=True),
        sa.Column("device", WORDS, nullable=True),
        sa.Column("reading", INT, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_feed")),
        sa.UniqueConstraint("type", "id", "version", name=op.f("uq_feed_type_id_version")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_feed_reading"), "feed", ["reading"], unique=False)
    op.create_table(
        "gap",
        sa.Column("gap", INT, nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("stream", sa.LargeBinary(), nullable=False),
        sa.Column("first", INT, nullable=False),
        sa.Column("last", INT, nullable=False),
        sa.Column("first_seen", INT, nullable=False),
        sa.Column("asked_at", INT, nullable=True),
        sa.Column("closed_at", INT, nullable=True),
        sa.Column("closed_as", WORDS, nullable=True),
        sa.PrimaryKeyConstraint("gap", name=op.f("pk_gap")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_gap_device_stream_closed_at"), "gap", ["device", "stream", "closed_at"], unique=False)
    op.create_table(
        "hello",
        sa.Column("device", WORDS, autoincrement=False, nullable=False),
        sa.Column("hub", WORDS, nullable=True),
        sa.Column("at", INT, nullable=False),
        sa.Column("conn", WORDS, nullable=False),
        sa.Column("online", INT, nullable=False),
        sa.Column("stream", sa.LargeBinary(), nullable=False),
        sa.Column("oldest", INT, nullable=False),
        sa.Column("next", INT, nullable=False),
        sa.Column("contract", WORDS, nullable=True),
        sa.Column("manufacturer", WORDS, nullable=True),
        sa.Column("model", WORDS, nullable=True),
        sa.Column("serial", WORDS, nullable=True),
        sa.Column("firmware", WORDS, nullable=True),
        sa.Column("eui64", WORDS, nullable=True),
        sa.Column("kinds", WORDS, nullable=False),
        sa.Column("wants_record", INT, nullable=False),
        sa.Column("max_down_bytes", INT, nullable=True),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_hello")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "identifier",
        sa.Column("type", WORDS, autoincrement=False, nullable=False),
        sa.Column("value", WORDS, autoincrement=False, nullable=False),
        sa.Column("system", WORDS, autoincrement=False, nullable=False),
        sa.Column("id", WORDS, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("type", "value", "system", "id", name=op.f("pk_identifier")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inbox",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("why", WORDS, nullable=False),
        sa.Column("since", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_inbox")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_inbox_device"), "inbox", ["device"], unique=False)
    op.create_table(
        "journal",
        sa.Column("position", INT, nullable=False),
        sa.Column("received_at", INT, nullable=False),
        sa.Column("kept_at", INT, nullable=False),
        sa.Column("channel", WORDS, nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("hub", WORDS, nullable=True),
        sa.Column("sha", sa.LargeBinary(), nullable=False),
        sa.Column("size", INT, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("stream", sa.LargeBinary(), nullable=True),
        sa.Column("seq", INT, nullable=True),
        sa.Column("outcome", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=True),
        sa.Column("pointer", WORDS, nullable=True),
        sa.Column("first", INT, nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_journal")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "key",
        sa.Column("device", WORDS, autoincrement=False, nullable=False),
        sa.Column("stream", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("seq", INT, autoincrement=False, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.PrimaryKeyConstraint("device", "stream", "seq", name=op.f("pk_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "later",
        sa.Column("position", INT, nullable=False),
        sa.Column("reading", INT, nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_later")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_later_reading"), "later", ["reading"], unique=False)
    op.create_table(
        "live",
        sa.Column("device", WORDS, autoincrement=False, nullable=False),
        sa.Column("recording", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("first", INT, nullable=False),
        sa.Column("heard_at", INT, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("device", "recording", name=op.f("pk_live")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_live_state"), "live", ["state"], unique=False)
    op.create_table(
        "live_part",
        sa.Column("device", WORDS, autoincrement=False, nullable=False),
        sa.Column("recording", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("from_sample", INT, autoincrement=False, nullable=False),
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("length", INT, nullable=False),
        sa.Column("last", INT, nullable=False),
        sa.Column("header", WORDS, nullable=False),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("device", "recording", "from_sample", "position", name=op.f("pk_live_part")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "measurement",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("ordinal", INT, autoincrement=False, nullable=False),
        sa.Column("metric", WORDS, nullable=False),
        sa.Column("value", WORDS, nullable=False),
        sa.Column("unit", WORDS, nullable=False),
        sa.Column("normal", WORDS, nullable=False),
        sa.Column("unusual", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", "ordinal", name=op.f("pk_measurement")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meta",
        sa.Column("name", WORDS, autoincrement=False, nullable=False),
        sa.Column("value", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "patient",
        sa.Column("patient", WORDS, autoincrement=False, nullable=False),
        sa.Column("family", WORDS, nullable=False),
        sa.Column("given", WORDS, nullable=False),
        sa.Column("birth_date", WORDS, nullable=False),
        sa.Column("gender", WORDS, nullable=False),
        sa.Column("identifiers", WORDS, nullable=False),
        sa.Column("test", INT, nullable=False),
        sa.Column("added_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("patient", name=op.f("pk_patient")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "piece",
        sa.Column("device", WORDS, autoincrement=False, nullable=False),
        sa.Column("sha", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("start", INT, autoincrement=False, nullable=False),
        sa.Column("end", INT, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.PrimaryKeyConstraint("device", "sha", "start", name=op.f("pk_piece")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "point",
        sa.Column("device", WORDS, autoincrement=False, nullable=False),
        sa.Column("metric", WORDS, autoincrement=False, nullable=False),
        sa.Column("at", INT, autoincrement=False, nullable=False),
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("value", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("device", "metric", "at", "position", name=op.f("pk_point")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "point_hour",
        sa.Column("device", WORDS, autoincrement=False, nullable=False),
        sa.Column("metric", WORDS, autoincrement=False, nullable=False),
        sa.Column("start", INT, autoincrement=False, nullable=False),
        sa.Column("count", INT, nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("low", sa.Float(), nullable=False),
        sa.Column("high", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("device", "metric", "start", name=op.f("pk_point_hour")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quarantine",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("stream", sa.LargeBinary(), nullable=True),
        sa.Column("seq", INT, nullable=True),
        sa.Column("sha", sa.LargeBinary(), nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("changed_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_quarantine")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_quarantine_device_stream_seq"), "quarantine", ["device", "stream", "seq"], unique=False)
    op.create_index(op.f("ix_quarantine_sha"), "quarantine", ["sha"], unique=False)
    op.create_table(
        "reading",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("reading", sa.LargeBinary(), nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("clock", INT, nullable=False),
        sa.Column("taken_at", WORDS, nullable=False),
        sa.Column("used_at", INT, nullable=False),
        sa.Column("mark", WORDS, nullable=False),
        sa.Column("offset", INT, nullable=True),
        sa.Column("uncertainty", INT, nullable=True),
        sa.Column("context", WORDS, nullable=True),
        sa.Column("flags", WORDS, nullable=True),
        sa.Column("exam", WORDS, nullable=True),
        sa.Column("replaces", INT, nullable=True),
        sa.Column("content", WORDS, nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_reading")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_reading_reading"), "reading", ["reading"], unique=False)
    op.create_table(
        "recording",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("sampling_hz", WORDS, nullable=False),
        sa.Column("unit", WORDS, nullable=False),
        sa.Column("leads", WORDS, nullable=False),
        sa.Column("length", INT, nullable=False),
        sa.Column("complete", INT, nullable=False),
        sa.Column("file", WORDS, nullable=True),
        sa.Column("samples", sa.LargeBinary(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_recording")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "resource",
        sa.Column("type", WORDS, autoincrement=False, nullable=False),
        sa.Column("id", WORDS, autoincrement=False, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("patient", WORDS, nullable=True),
        sa.Column("device", WORDS, nullable=True),
        sa.Column("site", WORDS, nullable=True),
        sa.Column("codes", WORDS, nullable=True),
        sa.Column("start", INT, nullable=True),
        sa.Column("end", INT, nullable=True),
        sa.PrimaryKeyConstraint("type", "id", name=op.f("pk_resource")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_resource_type_patient_position"), "resource", ["type", "patient", "position"], unique=False
    )
    op.create_index(op.f("ix_resource_type_patient_start"), "resource", ["type", "patient", "start"], unique=False)
    op.create_index(op.f("ix_resource_type_position"), "resource", ["type", "position"], unique=False)
    op.create_table(
        "serves",
        sa.Column("serves", WORDS, autoincrement=False, nullable=False),
        sa.Column("hub", WORDS, nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("start", INT, nullable=False),
        sa.Column("end", INT, nullable=True),
        sa.Column("made_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("serves", name=op.f("pk_serves")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_serves_device_hub"), "serves", ["device", "hub"], unique=False)
    op.create_table(
        "stream",
        sa.Column("device", WORDS, autoincrement=False, nullable=False),
        sa.Column("stream", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("highest", INT, nullable=False),
        sa.Column("unclear_first", INT, nullable=True),
        sa.Column("unclear_last", INT, nullable=True),
        sa.PrimaryKeyConstraint("device", "stream", name=op.f("pk_stream")),
        sqlite_with_rowid=False,
    )
