"""The first schema: journal, keys, readings, registry, feed, deliveries, points."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INT = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:  # noqa: PLR0915 - a statement a table
    """Make every table of the first release."""
    op.create_table(
        "assignment",
        sa.Column("assignment", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
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
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("used_at", INT, nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("retracted_at", INT, nullable=True),
        sa.PrimaryKeyConstraint("position", "n", name=op.f("pk_attribution")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit",
        sa.Column("position", INT, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=True),
        sa.Column("resources", INT, nullable=False),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "client",
        sa.Column("client", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("sites", sa.Text(), nullable=False),
        sa.Column("added_at", INT, nullable=False),
        sa.Column("revoked_at", INT, nullable=True),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_client")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_client_token_hash"), "client", ["token_hash"], unique=False)
    op.create_table(
        "clock",
        sa.Column("device", sa.Text(), autoincrement=False, nullable=False),
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
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_confirmed")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_confirmed_reading"), "confirmed", ["reading"], unique=False)
    op.create_table(
        "content",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("sha", sa.LargeBinary(), nullable=True),
        sa.Column("size", INT, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("pointer", sa.Text(), nullable=True),
        sa.Column("found", sa.Text(), nullable=True),
        sa.Column("changed_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_content")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_content_device_sha_state"), "content", ["device", "sha", "state"], unique=False)
    op.create_index(op.f("ix_content_sha"), "content", ["sha"], unique=False)
    op.create_index(op.f("ix_content_state_changed_at"), "content", ["state", "changed_at"], unique=False)
    op.create_table(
        "cursor",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursor")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "delivered",
        sa.Column("destination", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("tries", INT, nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("destination", "position", name=op.f("pk_delivered")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery",
        sa.Column("destination", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", INT, nullable=False),
        sa.Column("next_try", INT, nullable=False),
        sa.Column("due_at", INT, nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("destination", "position", name=op.f("pk_delivery")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_delivery_destination_state_next_try"), "delivery", ["destination", "state", "next_try"], unique=False
    )
    op.create_index(op.f("ix_delivery_destination_type_id"), "delivery", ["destination", "type", "id"], unique=False)
    op.create_table(
        "device",
        sa.Column("device", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("eui64", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("simulated", INT, nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("added_at", INT, nullable=False),
        sa.Column("revoked_at", INT, nullable=True),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_device")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "due",
        sa.Column("position", INT, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_due")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "feed",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("patient", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
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
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("stream", sa.LargeBinary(), nullable=False),
        sa.Column("first", INT, nullable=False),
        sa.Column("last", INT, nullable=False),
        sa.Column("first_seen", INT, nullable=False),
        sa.Column("asked_at", INT, nullable=True),
        sa.Column("closed_at", INT, nullable=True),
        sa.Column("closed_as", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("gap", name=op.f("pk_gap")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_gap_device_stream_closed_at"), "gap", ["device", "stream", "closed_at"], unique=False)
    op.create_table(
        "hello",
        sa.Column("device", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("hub", sa.Text(), nullable=True),
        sa.Column("at", INT, nullable=False),
        sa.Column("conn", sa.Text(), nullable=False),
        sa.Column("online", INT, nullable=False),
        sa.Column("stream", sa.LargeBinary(), nullable=False),
        sa.Column("oldest", INT, nullable=False),
        sa.Column("next", INT, nullable=False),
        sa.Column("contract", sa.Text(), nullable=True),
        sa.Column("manufacturer", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("firmware", sa.Text(), nullable=True),
        sa.Column("eui64", sa.Text(), nullable=True),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("wants_record", INT, nullable=False),
        sa.Column("max_down_bytes", INT, nullable=True),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_hello")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "identifier",
        sa.Column("type", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("system", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("type", "value", "system", "id", name=op.f("pk_identifier")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inbox",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("since", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_inbox")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_inbox_device"), "inbox", ["device"], unique=False)
    op.create_table(
        "journal",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("received_at", INT, nullable=False),
        sa.Column("kept_at", INT, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("hub", sa.Text(), nullable=True),
        sa.Column("sha", sa.LargeBinary(), nullable=False),
        sa.Column("size", INT, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("stream", sa.LargeBinary(), nullable=True),
        sa.Column("seq", INT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("pointer", sa.Text(), nullable=True),
        sa.Column("first", INT, nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_journal")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "key",
        sa.Column("device", sa.Text(), autoincrement=False, nullable=False),
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
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_later")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_later_reading"), "later", ["reading"], unique=False)
    op.create_table(
        "live",
        sa.Column("device", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("recording", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("first", INT, nullable=False),
        sa.Column("heard_at", INT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("device", "recording", name=op.f("pk_live")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_live_state"), "live", ["state"], unique=False)
    op.create_table(
        "live_part",
        sa.Column("device", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("recording", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("from_sample", INT, autoincrement=False, nullable=False),
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("length", INT, nullable=False),
        sa.Column("last", INT, nullable=False),
        sa.Column("header", sa.Text(), nullable=False),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("device", "recording", "from_sample", "position", name=op.f("pk_live_part")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "measurement",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("ordinal", INT, autoincrement=False, nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("normal", sa.Text(), nullable=False),
        sa.Column("unusual", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", "ordinal", name=op.f("pk_measurement")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "patient",
        sa.Column("patient", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("given", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Text(), nullable=False),
        sa.Column("gender", sa.Text(), nullable=False),
        sa.Column("identifiers", sa.Text(), nullable=False),
        sa.Column("test", INT, nullable=False),
        sa.Column("added_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("patient", name=op.f("pk_patient")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "piece",
        sa.Column("device", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("sha", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("start", INT, autoincrement=False, nullable=False),
        sa.Column("end", INT, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.PrimaryKeyConstraint("device", "sha", "start", name=op.f("pk_piece")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "point",
        sa.Column("device", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("metric", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("at", INT, autoincrement=False, nullable=False),
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("device", "metric", "at", "position", name=op.f("pk_point")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quarantine",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("stream", sa.LargeBinary(), nullable=True),
        sa.Column("seq", INT, nullable=True),
        sa.Column("sha", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
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
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("clock", INT, nullable=False),
        sa.Column("taken_at", sa.Text(), nullable=False),
        sa.Column("used_at", INT, nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("offset", INT, nullable=True),
        sa.Column("uncertainty", INT, nullable=True),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("flags", sa.Text(), nullable=True),
        sa.Column("exam", sa.Text(), nullable=True),
        sa.Column("replaces", INT, nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_reading")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_reading_reading"), "reading", ["reading"], unique=False)
    op.create_table(
        "recording",
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("sampling_hz", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("leads", sa.Text(), nullable=False),
        sa.Column("length", INT, nullable=False),
        sa.Column("complete", INT, nullable=False),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("samples", sa.LargeBinary(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_recording")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "resource",
        sa.Column("type", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("patient", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("codes", sa.Text(), nullable=True),
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
        sa.Column("serves", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("hub", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("start", INT, nullable=False),
        sa.Column("end", INT, nullable=True),
        sa.Column("made_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("serves", name=op.f("pk_serves")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_serves_device_hub"), "serves", ["device", "hub"], unique=False)
    op.create_table(
        "stream",
        sa.Column("device", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("highest", INT, nullable=False),
        sa.Column("unclear_first", INT, nullable=True),
        sa.Column("unclear_last", INT, nullable=True),
        sa.PrimaryKeyConstraint("device", "stream", name=op.f("pk_stream")),
        sqlite_with_rowid=False,
    )
