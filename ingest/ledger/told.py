"""What devices say of themselves becomes rows: the latest hello, clock epochs, presence, readings that will never come.

Comes in: ``Told`` and ``State``, a connection inside a transaction. Goes out: the answer to a hello. Refuses to know:
topics, welcomes, commands.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection

from ingest.ledger.engine import confirm_in_turn
from ingest.ledger.port import State, Told, Welcomed
from ingest.ledger.streams import Streams
from ingest.model import Instant

_HELLO = (
    "device", "hub", "at", "conn", "online", "stream", "oldest", "next", "contract", "manufacturer", "model", "serial",
    "firmware", "eui64", "kinds", "wants_record", "max_down_bytes",
)  # fmt: skip
_KEEP_HELLO = (
    f"INSERT INTO hello ({', '.join(_HELLO)}) VALUES ({', '.join('?' * len(_HELLO))})"  # noqa: S608 - the names above
    f" ON CONFLICT (device) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _HELLO[1:])}"
)
_IDENTITY = "SELECT manufacturer, model, serial, firmware, eui64, kinds FROM hello WHERE device = ?"
# An EUI-64 names one device in the world: one that is registered for another device is not believed.
_FILL_EUI64 = """
UPDATE device SET eui64 = ? WHERE device = ? AND eui64 IS NULL
AND NOT EXISTS (SELECT 1 FROM device WHERE eui64 = ?)
"""
_ANOTHER = "SELECT 1 FROM hello WHERE device = ? AND conn != ?"
_DEVICE_DUE = "INSERT INTO due (what, ref) VALUES ('device', ?)"
_OFFLINE = "UPDATE hello SET online = 0 WHERE device = ? AND conn = ?"
_CLOCK = """
INSERT INTO clock (device, epoch, synced, "offset", uncertainty, changed_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (device, epoch) DO UPDATE SET synced = coalesce(excluded.synced, clock.synced),
  "offset" = coalesce(excluded."offset", clock."offset"),
  uncertainty = coalesce(excluded.uncertainty, clock.uncertainty),
  changed_at = excluded.changed_at
"""
_SETTLES = """
INSERT INTO due (what, ref) SELECT 'reading', CAST(i.position AS TEXT)
FROM inbox i JOIN reading r ON r.position = i.position
WHERE i.device = ? AND r.clock = ? AND r.mark = 'unverified'
AND NOT EXISTS (SELECT 1 FROM due d WHERE d.what = 'reading' AND d.ref = CAST(i.position AS TEXT))
"""
_CLOCK_FACTS = 'SELECT synced, "offset" FROM clock WHERE device = ? AND epoch = ?'
# Confirmed before the device could ask: said again, behind what was told already.
_CONFIRM_AGAIN = (
    "INSERT INTO confirmed (reading, device, at) SELECT reading, device, at FROM confirmed WHERE device = ?"
)


def hello(connection: Connection, streams: Streams, told: Told) -> Welcomed:
    """Keep a hello; whatever it settles is due to be looked at again.

    One that a broker sends again, after the device has connected anew, is older than the one that is kept.
    """
    key = (told.device, told.stream)
    if told.dup and connection.exec_driver_sql(_ANOTHER, (told.device, told.conn)).first():
        return Welcomed(streams.settled(key))
    before = connection.exec_driver_sql(_IDENTITY, (told.device,)).one_or_none()
    identity = (told.manufacturer, told.model, told.serial, told.firmware, told.eui64, json.dumps(told.kinds))
    connection.exec_driver_sql(
        _KEEP_HELLO,
        (
            told.device, told.hub, told.at, told.conn, 1, bytes.fromhex(told.stream), told.oldest, told.next,
            told.contract, *identity, int(told.wants_record), told.max_down_bytes,
        ),
    )  # fmt: skip
    filled = told.eui64 and connection.exec_driver_sql(_FILL_EUI64, (told.eui64, told.device, told.eui64)).rowcount
    if filled or before is None or tuple(before) != identity:
        connection.exec_driver_sql(_DEVICE_DUE, (told.device,))
    if told.epoch is not None:
        _clock(connection, told.device, told.epoch, told.at, synced=told.synced)
    if before is None and told.wants_record:
        confirm_in_turn(connection)
        connection.exec_driver_sql(_CONFIRM_AGAIN, (told.device,))
    streams.announced(key, told.next)
    return Welcomed(streams.settled(key))


def state(connection: Connection, streams: Streams, told: State) -> None:
    """Keep a state message; a will of an older connection changes nothing."""
    if told.offline:
        connection.exec_driver_sql(_OFFLINE, (told.device, told.conn))
    if told.epoch is not None and told.offset is not None:
        measured = (told.offset, told.uncertainty)
        _clock(connection, told.device, told.epoch, told.at, measured=measured)
    if told.stream is not None:
        for first, last in told.lost:
            streams.lost((told.device, told.stream), first, last)


def _clock(
    connection: Connection,
    device: str,
    epoch: int,
    at: Instant,
    *,
    synced: bool | None = None,
    measured: tuple[int | None, int | None] = (None, None),
) -> None:
    known = None if synced is None else int(synced)
    before = connection.exec_driver_sql(_CLOCK_FACTS, (device, epoch)).one_or_none()
    connection.exec_driver_sql(_CLOCK, (device, epoch, known, *measured, at))
    after = connection.exec_driver_sql(_CLOCK_FACTS, (device, epoch)).one()
    if before is None or tuple(before) != tuple(after):  # the same words at every connect settle nothing anew
        connection.exec_driver_sql(_SETTLES, (device, epoch))
