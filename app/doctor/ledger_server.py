"""How the PostgreSQL server of a ledger is set: what it does before it says that something is committed.

Comes in: a read-only connection. Goes out: findings. Refuses to know: rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from app.doctor.finding import Finding, found

OLDEST = 150_000
"""PostgreSQL 15: the oldest that is tried, and that its makers still mend (postgresql.org/support/versioning)."""
_ASKED = ("synchronous_commit", "synchronous_standby_names", "fsync", "full_page_writes", "data_checksums")
_STANDING = ", ".join(f"current_setting('{name}')" for name in (*_ASKED, "server_version_num"))
_STANDBYS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"
_SEES = "SELECT pg_has_role(current_user, 'pg_monitor', 'USAGE')"
_WAITS = ("on", "remote_apply")


def look(connection: Connection, *, needs_standby: bool) -> Iterator[Finding]:
    """See the module."""
    commits, names, has_fsync, has_pages, has_sums, version = connection.exec_driver_sql(f"SELECT {_STANDING}").one()
    for name, value in (("fsync", has_fsync), ("full_page_writes", has_pages)):
        if value == "off":
            yield found("ledger.server_loses", setting=name)
    if commits == "off":
        yield found("ledger.server_early")
    if has_sums == "off":
        yield found("ledger.no_checksums")
    if int(version) < OLDEST:
        yield found("ledger.server_old", version=int(version) // 10_000, oldest=OLDEST // 10_000)
    if not names.strip():
        yield found("ledger.standby_required" if needs_standby else "ledger.no_standby")
    elif commits not in _WAITS:
        yield found("ledger.standby_early", setting=commits)
    elif connection.exec_driver_sql(_SEES).scalar() and not connection.exec_driver_sql(_STANDBYS).scalar():
        yield found("ledger.standby_away")
