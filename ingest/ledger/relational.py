"""The gateway's port over a relational ledger.

Comes in: items, device ids. Goes out: what ``ingest.ledger.port.Ledger`` promises. Refuses to know: MQTT, HTTP, FHIR.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from ingest.ledger import alarms as kept_alarms
from ingest.ledger import contents, journal, pieces, present
from ingest.ledger.engine import is_postgres, named_faults
from ingest.ledger.files import OpenLedger
from ingest.ledger.port import Alarm, Answer, Confirmation, Item, Known, Later, Missing, Told
from ingest.ledger.reserve import Reserve
from ingest.ledger.schema import CONFIRMED, CURSOR, GAP, HELLO, JOURNAL, READING
from ingest.model import ClockFacts, DeviceStatus, Instant, Judged, Key, Outcome, Piece
from ingest.reasons import Reason

_TOLD, _TOLD_LATER = "in_record", "later"
# As text, because they run for every batch.
_CLOCKS = 'SELECT device, epoch, synced, "offset", uncertainty FROM clock WHERE device IN '
_DEVICES = """
SELECT d.device, d.revoked_at, d.eui64, h.wants_record, h.max_down_bytes,
       (SELECT {join}(s.hub, ' ') FROM serves s JOIN device b ON b.device = s.hub AND b.revoked_at IS NULL
        WHERE s.device = d.device AND s.start <= ? AND (s."end" IS NULL OR s."end" > ?))
{more}FROM device d LEFT JOIN hello h ON h.device = d.device WHERE d.device """
_ON_FILE = _DEVICES.format(join="group_concat", more="") + "IN "
_CLOCKS_TOO = """
, (SELECT json_agg(json_build_array(c.epoch, c.synced, c."offset", c.uncertainty)) FROM clock c
   WHERE c.device = d.device) """
_ON_SERVER = _DEVICES.format(join="string_agg", more=_CLOCKS_TOO) + "= ANY(?)"

_LATER = f"""
SELECT l.position, l.reading, j.device, j.hub, j.stream, j.seq, j.sha,
       {present.OUTCOME}, {present.REASON}, {present.POINTER}
FROM later l JOIN journal j ON j.position = l.reading {present.BESIDE}
WHERE l.position > ? AND j.seq IS NOT NULL ORDER BY l.position LIMIT ?
"""  # noqa: S608 - our own pieces
_LAST_KEPT = "SELECT kept_at FROM journal ORDER BY position DESC LIMIT 1"
# A gateway that is late does not set back what another one noted.
_NOTE = """
INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position
WHERE excluded.position > cursor.position
"""


@dataclass(frozen=True, slots=True)
class RelationalLedger:
    """``ingest.ledger.port.Ledger`` on SQLite or PostgreSQL."""

    file: OpenLedger
    reserve: Reserve | None = None
    """Asked before anything is taken in; None: whatever is free may be used."""

    @property
    def name(self) -> str:
        """See the port."""
        return self.file.name

    def known(self, devices: Collection[str], now: Instant) -> Mapping[str, Known]:
        """See the port."""
        if not devices:
            return {}
        with named_faults(), self.file.readers.connect() as connection:
            ask = _known_to_server if is_postgres(connection) else _known_to_file
            return {
                device: Known(
                    DeviceStatus.ACTIVE if revoked is None else DeviceStatus.REVOKED,
                    {
                        epoch: ClockFacts(None if synced is None else bool(synced), *how)
                        for epoch, synced, *how in clocks
                    },
                    bool(wants),
                    most,
                    frozenset(hubs.split()) if hubs else frozenset(),
                    eui64,
                )
                for device, revoked, eui64, wants, most, hubs, clocks in ask(connection, tuple(devices), now)
            }

    def commit(self, items: Sequence[Item], now: Instant) -> Future[Sequence[Answer]]:
        """See the port; bytes of blobs are on disk before their rows are handed in."""
        if self.reserve is not None:
            self.reserve.check()
        if not any(isinstance(item, Piece) for item in items):
            return self.file.writer.submit(
                lambda connection: journal.commit(connection, items, now), self._lanes(items)
            )
        with named_faults(), self.file.readers.connect() as connection:
            sorted_out = pieces.sort_out(connection, items)
        blobs = self.file.blobs
        pieces.write(blobs, sorted_out)
        return self.file.writer.submit(
            lambda connection: pieces.commit(connection, blobs, sorted_out, now), self._lanes(items)
        )

    def _lanes(self, items: Sequence[Item]) -> frozenset[str]:
        """All that keeping a batch reads and writes: what belongs to its devices, and the EUI-64s that they claim.

        Nothing on a file, which keeps everybody else out: a name for each message would cost it time.
        """
        if self.file.store is None:
            return frozenset()
        found = {item.raw.device if isinstance(item, Judged | Piece) else item.device for item in items}
        return frozenset(found.union(item.eui64 for item in items if isinstance(item, Told) and item.eui64))

    def overdue(self, before: Instant, limit: int) -> Sequence[Missing]:
        """See the port."""
        wanted = (
            select(
                GAP.c.gap,
                GAP.c.device,
                HELLO.c.hub,
                GAP.c.stream,
                GAP.c.first,
                GAP.c.last,
                GAP.c.first_seen,
                HELLO.c.oldest,
            )
            .join_from(GAP, HELLO, HELLO.c.device == GAP.c.device)
            .where(GAP.c.closed_at.is_(None), GAP.c.first_seen < before, GAP.c.last >= HELLO.c.oldest)
            .where(HELLO.c.online == 1, HELLO.c.stream == GAP.c.stream)
            .where((GAP.c.asked_at.is_(None)) | (GAP.c.asked_at < HELLO.c.at))
            .order_by(GAP.c.gap)
            .limit(limit)
        )
        with named_faults(), self.file.readers.connect() as connection:
            return [Missing(*row[:3], row[3].hex(), *row[4:]) for row in connection.execute(wanted)]

    def asked(self, gaps: Collection[int], now: Instant) -> None:
        """See the port."""
        note = update(GAP).where(GAP.c.gap.in_(gaps)).values(asked_at=now)
        self.file.writer.write(lambda connection: connection.execute(note))

    def confirmations(self, after: int, limit: int) -> Sequence[Confirmation]:
        """See the port."""
        wanted = (
            select(
                CONFIRMED.c.position, CONFIRMED.c.device, HELLO.c.hub, JOURNAL.c.stream, JOURNAL.c.seq,
                JOURNAL.c.sha, READING.c.reading,
            )
            .join_from(CONFIRMED, JOURNAL, JOURNAL.c.position == CONFIRMED.c.reading)
            .join(READING, READING.c.position == CONFIRMED.c.reading)
            .join(HELLO, HELLO.c.device == CONFIRMED.c.device)
            .where(CONFIRMED.c.position > after, HELLO.c.wants_record == 1)
            .order_by(CONFIRMED.c.position)
            .limit(limit)
        )  # fmt: skip
        with named_faults(), self.file.readers.connect() as connection:
            rows = connection.execute(wanted)
            return [Confirmation(p, d, hub, s.hex(), seq, sha, r.hex()) for p, d, hub, s, seq, sha, r in rows]

    def told(self) -> int:
        """See the port."""
        return self._cursor(_TOLD)

    def note_told(self, position: int) -> None:
        """See the port."""
        self._note(_TOLD, position)

    def later(self, limit: int) -> Sequence[Later]:
        """See the port."""
        after = self._cursor(_TOLD_LATER)
        with named_faults(), self.file.readers.connect() as connection:
            rows = connection.exec_driver_sql(_LATER, (after, limit)).all()
            return [_later(connection, row) for row in rows]

    def note_later(self, position: int) -> None:
        """See the port."""
        self._note(_TOLD_LATER, position)

    def _cursor(self, name: str) -> int:
        wanted = select(CURSOR.c.position).where(CURSOR.c.name == name)
        with named_faults(), self.file.readers.connect() as connection:
            return int(connection.execute(wanted).scalar() or 0)

    def _note(self, name: str, position: int) -> None:
        row = (name, position)
        self.file.writer.write(lambda connection: connection.exec_driver_sql(_NOTE, row))

    def alarm(self, alarms: Sequence[Alarm]) -> None:
        """See the port."""
        if alarms:
            self.file.writer.write(lambda connection: _note(connection, alarms))

    def last_kept(self) -> Instant | None:
        """When a message was last kept; None before the first."""
        with named_faults(), self.file.readers.connect() as connection:
            newest = connection.exec_driver_sql(_LAST_KEPT).scalar()
        return None if newest is None else int(newest)

    def close(self) -> None:
        """See the port."""
        self.file.close()


def _later(connection: Connection, row: Sequence[Any]) -> Later:
    place, position, device, hub, stream, seq, sha, outcome, reason, pointer = row
    key = Key(device, stream.hex(), seq)
    left = contents.left(connection, position) if outcome == Outcome.PENDING else None
    why = None if reason is None else Reason(reason)
    return Later(place, device, hub, key.stream, seq, sha, key.reading, Outcome(outcome), why, pointer, left)


def _note(connection: Connection, alarms: Sequence[Alarm]) -> None:
    for each in alarms:
        if each.since is not None:
            kept_alarms.clear(connection, each.code, each.subject, each.since)
            kept_alarms.note(connection, each.code, each.subject, each.since)
        kept_alarms.note(connection, each.code, each.subject, each.at)


def _known_to_file(connection: Connection, names: tuple[str, ...], now: Instant) -> Iterator[Sequence[Any]]:
    """Device, when it was revoked, wishes, hubs, clock epochs."""
    marks = f"({', '.join('?' * len(names))})"
    clocks: dict[str, list[Sequence[Any]]] = {}
    for device, *clock in connection.exec_driver_sql(_CLOCKS + marks, names):
        clocks.setdefault(device, []).append(clock)
    for row in connection.exec_driver_sql(_ON_FILE + marks, (now, now, *names)):
        yield (*row, clocks.get(row[0], ()))


def _known_to_server(connection: Connection, names: tuple[str, ...], now: Instant) -> Iterator[Sequence[Any]]:
    """The same in one way there and back, which is its own snapshot."""
    alone = connection.execution_options(isolation_level="AUTOCOMMIT")
    for *row, clocks in alone.exec_driver_sql(_ON_SERVER, (now, now, list(names))):
        yield (*row, clocks or ())
