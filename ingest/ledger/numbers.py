"""Whether a PostgreSQL database can go on with a ledger that came to it: the user's rights, where numbers go on.

Comes in: a connection, its tables at the newest schema. Goes out: sequences that stand behind all that is used. Refuses
to know: who waits for whom, what is numbered.

A restore of rows alone and a switch by logical replication bring rows and leave sequences where they were. A position
that is given a second time is refused by the table; one below a cursor is never looked at by whoever follows it.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ingest.ledger.arrays import array
from ingest.ledger.faults import LedgerRefused
from ingest.ledger.schema import METADATA

_SEQUENCES = (
    ("journal", "position", "publish"),
    ("confirmed", "position", "in_record"),
    ("later", "position", "later"),
    ("due", "position", ""),
    ("gap", "gap", ""),
    ("replay", "replay", ""),
    ("segment", "segment", ""),
    ("tombstone", "tombstone", ""),
    ("alarm", "alarm", ""),
)
"""Table, column, and the cursor of those who follow it. Feed and audit count without a sequence."""
_USED = """
SELECT '{table}_{column}_seq' AS sequence, greatest((SELECT coalesce(max({column}), 0) FROM {table}),
  (SELECT coalesce(max(position), 0) FROM cursor WHERE name = '{cursor}')) AS used,
  (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_{column}_seq) AS given
"""
_BEHIND = f"""
SELECT sequence, used FROM ({
    "UNION ALL".join(_USED.format(table=table, column=column, cursor=cursor) for table, column, cursor in _SEQUENCES)
}) AS each WHERE used > given
"""  # noqa: S608 - the names above
_SET = "SELECT setval(CAST(? AS regclass), ?)"
_DENIED = """
SELECT count(*) FROM unnest(CAST(? AS text[])) AS name WHERE NOT has_table_privilege(format('%I', name), 'INSERT')
"""


def check_rights(connection: Connection) -> None:
    """Raises LedgerRefused for a user who may not write."""
    if connection.exec_driver_sql(_DENIED, (array(METADATA.tables, "TEXT"),)).scalar_one():
        raise LedgerRefused(
            "The database user may not write the ledger's tables.",
            "Nothing was changed.",
            "Name the user that owns them in CONSTANTES_LEDGER__URL, or give this one its rights.",
        )


def behind(connection: Connection) -> dict[str, int]:
    """Sequences that would give what is used already, and the highest that is."""
    return {name: int(used) for name, used in connection.exec_driver_sql(_BEHIND)}


def set_forward(connection: Connection) -> None:
    """Have them go on behind it; only while nobody else draws numbers, or one may be set back."""
    for name, used in behind(connection).items():
        connection.exec_driver_sql(_SET, (name, used))
