"""Which facts count when a message is judged again.

Comes in: a connection, a message of the journal. Goes out: ``Facts`` for ``ingest.judge.judge``. Refuses to know: what
the message says.

A message is judged as of the moment it came, by what is known *now* of that moment:

- ``now`` is its own ``received_at``: how old a reading may be, and what lies in the future, is measured from its
  arrival. A message does not grow old in the quarantine.
- **The device** counts as registered if it is registered today: a registration says who it is, and it was that before.
  It counts as revoked from the moment it was revoked on, not before.
- **The hub** may have spoken for the device if a service of the two covers that moment; a service that was made without
  a beginning says nothing of the past, and vouches for what came before it; one that was given a beginning, or has
  ended, is taken at its word. The hub itself must not have been revoked by then.
- **Clock epochs** are as known today: an epoch is one run of one clock, so what a later hello or echo tells of it holds
  for all of it (device contract, section 10).
- Whether this machine's clock may correct others, and how old a reading may be, is as set today: these are the
  installation's rules, and a rule that was mended is a reason to judge again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ingest.model import OLDEST, ClockFacts, DeviceStatus, Facts, Instant

SERVED = """
EXISTS (SELECT 1 FROM serves s JOIN device h ON h.device = s.hub
        WHERE s.device = {device} AND s.hub = {hub} AND (h.revoked_at IS NULL OR h.revoked_at > {at})
        AND (s.start <= {at} OR s.start = s.made_at) AND (s."end" IS NULL OR s."end" > {at}))
"""
"""Whether a hub may have spoken for a device at a moment."""
_REVOKED = "SELECT revoked_at FROM device WHERE device = ?"
_HUB = f"""
SELECT CASE WHEN {SERVED.format(device="w.device", hub="w.hub", at="w.at")} THEN 1 ELSE 0 END
FROM (SELECT CAST(? AS TEXT) AS device, CAST(? AS TEXT) AS hub, CAST(? AS BIGINT) AS at) AS w
"""  # noqa: S608 - the condition above
_CLOCKS = 'SELECT epoch, synced, "offset", uncertainty FROM clock WHERE device = ?'


@dataclass(frozen=True, slots=True)
class Rules:
    """The installation's: whether this machine's clock may correct others, and the oldest age in microseconds."""

    disciplined: bool = True
    oldest: int = OLDEST


def facts(connection: Connection, device: str, hub: str | None, at: Instant, rules: Rules) -> Facts:
    """What judging a message that came from ``device``, through ``hub``, at ``at`` needs."""
    row = connection.exec_driver_sql(_REVOKED, (device,)).one_or_none()
    served = hub is None or bool(connection.exec_driver_sql(_HUB, (device, hub, at)).scalar_one())
    clocks = {
        epoch: ClockFacts(None if synced is None else bool(synced), *measured)
        for epoch, synced, *measured in connection.exec_driver_sql(_CLOCKS, (device,))
    }
    status = DeviceStatus.UNKNOWN if row is None else _status(row[0], at)
    return Facts(at, status, clocks, served, rules.disciplined, rules.oldest)


def _status(revoked_at: Instant | None, at: Instant) -> DeviceStatus:
    return DeviceStatus.REVOKED if revoked_at is not None and revoked_at <= at else DeviceStatus.ACTIVE
