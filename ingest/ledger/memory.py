"""``Ledger`` without a file: the same rules over dictionaries. Real code, for tests and for trying rules out.

Comes in: items. Goes out: what ``ingest.ledger.port.Ledger`` promises, stable storage apart. Knows no SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from ingest.judge import against
from ingest.ledger.memory_contents import MemoryContents
from ingest.ledger.port import (
    Alarm,
    Answer,
    Confirmation,
    Item,
    Kept,
    Known,
    Later,
    Missing,
    PieceKept,
    State,
    Told,
    Welcomed,
)
from ingest.model import ClockFacts, DeviceStatus, Instant, Judged, Key, Outcome, Piece
from ingest.sequence import StreamState, expect, lost, seen, settled


@dataclass(slots=True)
class _Gap:
    number: int
    since: Instant
    asked_at: Instant | None = None


@dataclass(slots=True)
class MemoryLedger:
    """See ``ingest.ledger.port.Ledger``. ``statuses`` is the registry; devices that are not in it are unknown."""

    name: str = "00000000"
    statuses: dict[str, DeviceStatus] = field(default_factory=dict)
    served: dict[str, set[str]] = field(default_factory=dict)
    """Hubs by the device they may speak for."""
    eui64s: dict[str, str] = field(default_factory=dict)
    """By device, as registered."""
    alarms: list[Alarm] = field(default_factory=list)
    contents: MemoryContents = field(default_factory=MemoryContents)
    journal: list[tuple[Judged, Kept]] = field(default_factory=list)
    """Every message with what it was answered, in order."""
    _kept: dict[Key | tuple[str, bytes], list[int]] = field(default_factory=dict)
    _streams: dict[tuple[str, str], StreamState] = field(default_factory=dict)
    _gaps: dict[tuple[str, str, int, int], _Gap] = field(default_factory=dict)
    _hellos: dict[str, Told] = field(default_factory=dict)
    _online: set[str] = field(default_factory=set)
    _clocks: dict[str, dict[int, ClockFacts]] = field(default_factory=dict)
    _confirmed: list[Key] = field(default_factory=list)
    _told: int = 0

    def known(self, devices: Collection[str], now: Instant) -> Mapping[str, Known]:
        """See the port."""
        del now  # hubs serve without end here
        return {device: self._known(device) for device in devices if device in self.statuses}

    def commit(self, items: Sequence[Item], now: Instant) -> Future[Sequence[Answer]]:
        """See the port."""
        done: Future[Sequence[Answer]] = Future()
        done.set_result([self._keep(item, now) for item in items])
        return done

    def overdue(self, before: Instant, limit: int) -> Sequence[Missing]:
        """See the port."""
        found = []
        for (device, stream, first, last), gap in self._gaps.items():
            hello = self._hellos.get(device)
            asked = gap.asked_at is not None and hello is not None and gap.asked_at >= hello.at
            if hello is None or hello.stream != stream or device not in self._online or asked:
                continue
            if gap.since < before and last >= hello.oldest:
                found.append(Missing(gap.number, device, hello.hub, stream, first, last, gap.since, hello.oldest))
        return found[:limit]

    def asked(self, gaps: Collection[int], now: Instant) -> None:
        """See the port."""
        for gap in self._gaps.values():
            if gap.number in gaps:
                gap.asked_at = now

    def confirm(self, key: Key) -> None:
        """The record has this reading: what the delivery notes in a real ledger."""
        self._confirmed.append(key)

    def confirmations(self, after: int, limit: int) -> Sequence[Confirmation]:
        """See the port."""
        found = []
        for position, key in enumerate(self._confirmed, start=1):
            hello = self._hellos.get(key.device)
            if position > after and hello is not None and hello.wants_record:
                sha = self.journal[self._kept[key][0]][0].sha
                found.append(Confirmation(position, key.device, hello.hub, key.stream, key.seq, sha, key.reading))
        return found[:limit]

    def told(self) -> int:
        """See the port."""
        return self._told

    def note_told(self, position: int) -> None:
        """See the port."""
        self._told = max(self._told, position)

    def later(self, limit: int) -> Sequence[Later]:
        """See the port."""
        return self.contents.later[self.contents.told :][:limit]

    def note_later(self, position: int) -> None:
        """See the port."""
        self.contents.told = max(self.contents.told, position)

    def alarm(self, alarms: Sequence[Alarm]) -> None:
        """See the port."""
        self.alarms += alarms

    def close(self) -> None:
        """See the port."""

    # ------------------------------------------------------------ one item

    def _known(self, device: str) -> Known:
        hello = self._hellos.get(device)
        wants, most = (hello.wants_record, hello.max_down_bytes) if hello else (False, None)
        clocks, hubs = dict(self._clocks.get(device, {})), frozenset(self.served.get(device, ()))
        return Known(self.statuses[device], clocks, wants, most, hubs, self.eui64s.get(device))

    def _keep(self, item: Item, now: Instant) -> Answer:
        if isinstance(item, Told):
            return self._hello(item, now)
        if isinstance(item, State):
            self._state(item, now)
            return None
        if isinstance(item, Piece):
            found = self.contents.keep(item)
            if isinstance(found, PieceKept):
                return found
            item = found
        kept = self._judged(item, now)
        if not kept.repeat:
            self._kept.setdefault(item.claim or (item.raw.device, item.sha), []).append(len(self.journal))
        self.journal.append((item, kept))
        return kept

    def _judged(self, judged: Judged, now: Instant) -> Kept:
        key, found = judged.claim, judged
        name = key or (judged.raw.device, judged.sha)
        held = [self.journal[n] for n in self._kept.get(name, ())] if key is not None or judged.raw.dup else []
        for other, kept in held:
            beside = None if other.sha == judged.sha else against(judged, other.raw.payload)
            if beside is None:
                now_so = self.contents.present(key, kept) if key is not None else kept
                return replace(now_so, repeat=True, confirmed=key in self._confirmed)
            found = beside
        if key is not None and not held:
            self._move((key.device, key.stream), seen(self._stream(key.device, key.stream), key.seq), now)
        reading = key.reading if key else None
        if found.reading is None:
            return Kept(Outcome.QUARANTINED, found.verdict.reason, found.verdict.pointer, reading=reading)
        if found.reading.blob is None:
            return Kept(Outcome.STORED, reading=reading)
        return Kept(Outcome.PENDING, reading=reading, missing=self.contents.claim(found))

    def _hello(self, told: Told, now: Instant) -> Welcomed:
        kept = self._hellos.get(told.device)
        if told.dup and kept is not None and kept.conn != told.conn:
            return Welcomed(settled(self._stream(told.device, told.stream)))
        if kept is None and told.wants_record:
            self._confirmed += [key for key in self._confirmed if key.device == told.device]
        self._hellos[told.device] = told
        self._online.add(told.device)
        if told.epoch is not None:
            clocks = self._clocks.setdefault(told.device, {})
            clocks[told.epoch] = replace(clocks.get(told.epoch, ClockFacts()), synced=told.synced)
        key = (told.device, told.stream)
        self._move(key, expect(self._stream(*key), told.next), now)
        return Welcomed(settled(self._streams[key]))

    def _state(self, told: State, now: Instant) -> None:
        hello = self._hellos.get(told.device)
        if told.offline and hello is not None and hello.conn == told.conn:
            self._online.discard(told.device)
        if told.epoch is not None and told.offset is not None:
            clocks = self._clocks.setdefault(told.device, {})
            measured = replace(clocks.get(told.epoch, ClockFacts()), offset=told.offset, uncertainty=told.uncertainty)
            clocks[told.epoch] = measured
        for first, last in told.lost if told.stream else ():
            key = (told.device, told.stream or "")
            self._move(key, lost(self._stream(*key), first, last), now)

    def _stream(self, device: str, stream: str) -> StreamState:
        return self._streams.get((device, stream), StreamState())

    def _move(self, key: tuple[str, str], state: StreamState, now: Instant) -> None:
        before = self._stream(*key)
        self._streams[key] = state
        for first, last in set(before.missing) - set(state.missing):
            gap = self._gaps.pop((*key, first, last))
            for low, high in state.missing:
                if first <= low and high <= last:
                    self._gaps[*key, low, high] = _Gap(self._number(), gap.since, gap.asked_at)
        for first, last in state.missing:
            if (*key, first, last) not in self._gaps:
                self._gaps[*key, first, last] = _Gap(self._number(), now)

    def _number(self) -> int:
        return 1 + max((gap.number for gap in self._gaps.values()), default=0)
