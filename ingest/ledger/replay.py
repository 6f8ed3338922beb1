"""A quarantined message judged again: what keeping it would have come to, had today's facts been known when it came.

Comes in: a message of the journal, the facts that count (``ingest.ledger.replay_facts``), a connection. Goes out: a
``Decision``, with the rows that belong to it, all at the message's own place in the journal, whose row never changes.
Refuses to know: who may ask, in what order, what a device is told of it.

It is judged by ``ingest.judge.judge`` like a fresh one, and claims its key like a fresh one. So a message whose hub was
not let speak may find its key free, its own bytes under it (a duplicate), or others (``key.conflict``). Whatever the
verdict, it is kept in the same transaction as the row of REPLAY that tells of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from ingest.judge import against, judge
from ingest.ledger import contents, decisions, present
from ingest.ledger.decisions import Decision
from ingest.ledger.engine import is_postgres
from ingest.ledger.held import Held, OneByOne, Together
from ingest.ledger.many import insert
from ingest.ledger.replay_facts import Rules, facts
from ingest.ledger.rows import Row, reading_rows
from ingest.ledger.streams import Streams
from ingest.model import Channel, Facts, Instant, Judged, Key, Outcome, RawMessage, Reading, Verdict
from ingest.reasons import Reason

WAITING, DISMISSED, REPLAYED, DUPLICATE = "waiting", "dismissed", "replayed", "duplicate"
"""``quarantine.state``."""
_ASIDE = f"""
SELECT j.device, j.hub, j.channel, j.received_at, j.size, j.sha, j.payload, j.outcome, j.reason, q.state, q.reason,
       {present.POINTER}, q.seq, t.state
FROM journal j {present.BESIDE} WHERE j.position = ? AND q.position IS NOT NULL
"""  # noqa: S608 - our own pieces
_STANDS = "SELECT state, reason FROM quarantine WHERE position = ?"
_HOLDER = "SELECT position FROM key WHERE device = ? AND stream = ? AND seq = ?"
_PAYLOAD = "SELECT payload FROM journal WHERE position = ?"
_SETTLE = "UPDATE quarantine SET state = ?, reason = ?, changed_at = ? WHERE position = ?"
_CLAIMS = "UPDATE quarantine SET stream = ?, seq = ? WHERE position = ?"
_STATE = "UPDATE quarantine SET state = ?, changed_at = ? WHERE position = ?"
_DUE = "INSERT INTO due (what, ref) VALUES ('reading', ?)"
_TELL = "INSERT INTO later (reading, device, at) VALUES (?, ?, ?)"

_UNREAD = Verdict(Outcome.QUARANTINED, Reason.SCHEMA_TYPE)
"""Of a message that this program fails on: the closest that the closed registry has."""

Taken = dict[Key, list[tuple[int, bytes]]]
"""Of a rehearsal: keys that messages before this one would have taken, with their places and bytes."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A quarantined message: as it came, and where it stands. ``first_reason`` is the journal's, ``reason`` today's.

    ``content``: state of the content of a message that was accepted and whose content was refused.
    """

    position: int
    raw: RawMessage
    size: int
    sha: bytes
    has_payload: bool
    first_reason: str
    state: str
    reason: str
    pointer: str | None
    claims: bool
    content: str | None

    @property
    def is_cut(self) -> bool:
        """Whether only its beginning is kept."""
        return len(self.raw.payload) < self.size


def find(connection: Connection, position: int) -> Aside | None:
    """The message at ``position``, None when it is not in the quarantine by a row of its own."""
    row = connection.exec_driver_sql(_ASIDE, (position,)).one_or_none()
    if row is None:
        return None
    device, hub, channel, at, size, sha, payload, _, first_reason, state, reason, pointer, seq, content = row
    # The journal keeps no flags but by the verdict: and an old value does not turn new by waiting.
    retained = first_reason == Reason.MQTT_RETAINED
    raw = RawMessage(device, Channel(channel), bytes(payload or b""), at, hub, retained=retained)
    return Aside(
        position, raw, size, bytes(sha), payload is not None, first_reason or reason, state, reason, pointer,
        seq is not None, content,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Again:
    """A message judged again by ``facts``, outside the transaction; ``rows`` are those of its reading, if it is one."""

    aside: Aside
    facts: Facts
    judged: Judged
    rows: tuple[Row, list[Row], Row | None] | None


def judge_again(connection: Connection, aside: Aside, rules: Rules) -> Again:
    """Judge; a snapshot will do, for ``keep`` looks whether the facts still hold."""
    raw = aside.raw
    known = facts(connection, raw.device, raw.hub, raw.received_at, rules)
    try:
        judged = judge(raw, known)
    except Exception:  # noqa: BLE001 - as in the gateway: a message must never stop those behind it
        judged = Judged(raw, aside.sha, _UNREAD)
    rows = None if judged.reading is None else reading_rows(aside.position, judged.reading)
    return Again(aside, known, judged, rows)


def rehearse(connection: Connection, again: Again, taken: Taken, who: str, now: Instant) -> Decision:
    """What ``keep`` would decide; nothing is written, and what it would have taken is noted in ``taken``."""
    judged, known = _beside(connection, again.aside, again.judged, taken)
    if (key := judged.claim) is not None and known is None and not again.aside.claims:
        taken.setdefault(key, []).append((again.aside.position, again.aside.raw.payload))
    return _decision(again.aside, judged, known, who, now)


def keep(connection: Connection, again: Again, rules: Rules, who: str, now: Instant) -> Decision | None:
    """Decide and write, inside a job that nobody writes beside; None when somebody has decided since it was judged."""
    aside = again.aside
    if connection.exec_driver_sql(_STANDS, (aside.position,)).one() != (aside.state, aside.reason):
        return None
    if facts(connection, aside.raw.device, aside.raw.hub, aside.raw.received_at, rules) != again.facts:
        again = judge_again(connection, aside, rules)
    judged, known = _beside(connection, aside, again.judged, {})
    made = _decision(aside, judged, known, who, now)
    if known is None:
        _claim(connection, aside, judged, now)
    if judged.reading is not None and again.rows is not None and known is None:
        _store(connection, again.rows, judged.reading, now)
    _note(connection, aside, judged, made)
    return made


def _decision(aside: Aside, judged: Judged, known: int | None, who: str, now: Instant) -> Decision:
    verdict = judged.verdict
    outcome = decisions.DUPLICATE if known is not None else verdict.outcome.value
    told = (None, None) if known is not None else (verdict.reason, verdict.pointer)
    reason = None if told[0] is None else told[0].value
    return Decision(aside.position, now, who, aside.reason, outcome, reason, told[1])


# ---------------------------------------------------------------- beside what is kept


def _beside(connection: Connection, aside: Aside, judged: Judged, taken: Taken) -> tuple[Judged, int | None]:
    """What a message is beside those that hold its key: a conflict, or the place of the one that it repeats."""
    key, found = judged.claim, judged
    if key is None:
        return judged, None
    for position, sha, payload in _others(connection, aside.position, key, judged, taken):
        beside = None if sha == judged.sha else against(judged, payload)
        if beside is None:
            return judged, position
        found = beside
    return found, None


def _others(
    connection: Connection, own: int, key: Key, judged: Judged, taken: Taken
) -> Iterator[tuple[int, bytes | None, bytes]]:
    """Place, hash and bytes of the message that holds the key, unless it is this one, and of those beside it."""
    wanted = (key.device, bytes.fromhex(key.stream), key.seq)
    rows = list(_held(connection, judged).by_key(wanted))
    if rows and rows[0][0] == own:
        return
    for position, sha, *_ in rows:
        if position != own:
            yield position, bytes(sha), bytes(_payload(connection, position))
    yield from ((position, None, payload) for position, payload in taken.get(key, ()))


def _held(connection: Connection, judged: Judged) -> Held:
    if not is_postgres(connection):
        return OneByOne(connection)
    held = Together(connection)
    held.load([judged])
    return held


def _payload(connection: Connection, position: int) -> bytes:
    """Empty when it was taken out since: then only its hash can say that it is the same."""
    return connection.exec_driver_sql(_PAYLOAD, (position,)).scalar_one() or b""


# ---------------------------------------------------------------- rows


def _claim(connection: Connection, aside: Aside, judged: Judged, now: Instant) -> None:
    """Take a key that is free: the sequence has this number from now on."""
    key = judged.claim
    if key is None:
        return
    row = (key.device, bytes.fromhex(key.stream), key.seq)
    if connection.exec_driver_sql(_HOLDER, row).first() is not None:
        return
    streams = _streams(connection, judged, now)
    streams.seen((key.device, key.stream), key.seq)
    insert(connection, "INSERT INTO key VALUES", [(*row, aside.position)])
    streams.save()


def _streams(connection: Connection, judged: Judged, now: Instant) -> Streams:
    held = _held(connection, judged)
    return Streams(connection, now, held.streams if isinstance(held, Together) else None)


def _store(connection: Connection, rows: tuple[Row, list[Row], Row | None], reading: Reading, now: Instant) -> None:
    """The rows of an accepted reading; it is published like a fresh one, once its content is there."""
    row, measured, recorded = rows
    position = row[0]
    insert(connection, "INSERT INTO reading VALUES", [row])
    insert(connection, "INSERT INTO measurement VALUES", measured)
    insert(connection, "INSERT INTO recording VALUES", [recorded] if recorded else [])
    if reading.part is not None:
        contents.add_live(connection, position, reading, reading.part, now)
    elif reading.blob is not None:
        contents.claim(connection, position, reading, now)
    else:
        connection.exec_driver_sql(_DUE, (str(position),))


_STATES = {
    decisions.STORED: REPLAYED,
    decisions.PENDING: REPLAYED,
    decisions.DUPLICATE: DUPLICATE,
}
"""``quarantine.state`` after an outcome; after any other it stays what it was."""


def _note(connection: Connection, aside: Aside, judged: Judged, made: Decision) -> None:
    """The decision, where the message stands now, and a receipt for the device if it has to hear of it.

    A duplicate is told by the message that it repeats.
    """
    decisions.append(connection, made)
    state, reason = _STATES.get(made.outcome, aside.state), made.reason or aside.reason
    if made.outcome == decisions.DUPLICATE:
        connection.exec_driver_sql(_STATE, (state, made.at, made.position))
        return
    connection.exec_driver_sql(_SETTLE, (state, reason, made.at, made.position))
    key = judged.claim
    if key is not None and not aside.claims:
        connection.exec_driver_sql(_CLAIMS, (bytes.fromhex(key.stream), key.seq, made.position))
    if key is not None and (made.reason, made.pointer) != (aside.reason, aside.pointer):
        connection.exec_driver_sql(_TELL, (made.position, key.device, made.at))
