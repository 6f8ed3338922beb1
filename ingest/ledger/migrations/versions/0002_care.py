"""Care of the ledger: decisions on the quarantine, sealed segments, tombstones, alarms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INT = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what this release keeps besides."""
    op.create_table(
        "alarm",
        sa.Column("alarm", INT, nullable=False),
        sa.Column("code", WORDS, nullable=False),
        sa.Column("subject", WORDS, nullable=False),
        sa.Column("since", INT, nullable=False),
        sa.Column("last_at", INT, nullable=False),
        sa.Column("count", INT, nullable=False),
        sa.Column("cleared_at", INT, nullable=True),
        sa.PrimaryKeyConstraint("alarm", name=op.f("pk_alarm")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_alarm_cleared_at_code_subject"), "alarm", ["cleared_at", "code", "subject"], unique=False)
    op.create_table(
        "replay",
        sa.Column("replay", INT, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("who", WORDS, nullable=False),
        sa.Column("before", WORDS, nullable=False),
        sa.Column("outcome", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=True),
        sa.Column("pointer", WORDS, nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("replay", name=op.f("pk_replay")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_replay_position"), "replay", ["position"], unique=False)
    op.create_table(
        "segment",
        sa.Column("segment", INT, nullable=False),
        sa.Column("of", WORDS, nullable=False),
        sa.Column("first", INT, nullable=False),
        sa.Column("last", INT, nullable=False),
        sa.Column("rows", INT, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", INT, nullable=False),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_segment")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_segment_of_first"), "segment", ["of", "first"], unique=False)
    op.create_table(
        "tombstone",
        sa.Column("tombstone", INT, nullable=False),
        sa.Column("of", WORDS, nullable=False),
        sa.Column("first", INT, nullable=False),
        sa.Column("last", INT, nullable=False),
        sa.Column("rows", INT, nullable=False),
        sa.Column("why", WORDS, nullable=False),
        sa.Column("who", WORDS, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tombstone", name=op.f("pk_tombstone")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_tombstone_of_first"), "tombstone", ["of", "first"], unique=False)
    op.create_index(
        op.f("ix_quarantine_state_reason_position"), "quarantine", ["state", "reason", "position"], unique=False
    )
