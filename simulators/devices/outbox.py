"""What a device keeps: the exact bytes of each reading, from before its first publish until the receipt that frees it.

Comes in: readings as bytes, verdicts. Goes out: what is still held, the next number, the stream. Refuses to know: the
network, when to repeat, what a reading says.

One append-only file may serve many devices. Nothing in it is ever overwritten, so it is also the list of all that was
issued, against which a test can hold a ledger. Three kinds of entry, each ended by a line feed:

    + DEVICE STREAM SEQ LENGTH   then LENGTH bytes: a reading
    - DEVICE STREAM SEQ VERDICT  it may be forgotten (`stored`, `quarantined`) or will never come (`lost`)
    = DEVICE NAME VALUE          a fact the device remembers (its stream, the ledger it knows)

Large contents lie in a folder beside the file (`NAME.contents`) and go when no reading kept names them.

A kill at any instant leaves at most one torn entry at the end: it was never published, and the next opening cuts it
off.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from simulators.devices.contents import Contents, claimed

Key: TypeAlias = tuple[str, str, int]
"""(device, stream, seq): device contract, section 3."""

FREES = frozenset({"stored", "quarantined"})
"""Verdicts after which a device may forget the bytes (device contract, section 8)."""


class Kept(NamedTuple):
    """One reading as kept: `sha` is the first 16 hex digits of its SHA-256 (device contract, section 8)."""

    device: str
    stream: str
    seq: int
    payload: bytes
    sha: str

    @property
    def key(self) -> Key:
        """The reading's identity."""
        return self.device, self.stream, self.seq


def sha16(payload: bytes) -> str:
    """First 16 hex digits of the SHA-256 of the payload, as receipts name it."""
    return hashlib.sha256(payload).hexdigest()[:16]


def kept(device: str, stream: str, seq: int, payload: bytes) -> Kept:
    """A reading with its sha."""
    return Kept(device, stream, seq, payload, sha16(payload))


class Outbox:
    """The readings of one or more devices; not for several threads.

    `path` None keeps them in memory only. `durable` flushes each write to the disk: without it the readings survive
    the process (kill -9) but not the power. `marks` keeps settled readings for a ledger restored from a backup.
    """

    def __init__(self, path: Path | None = None, *, durable: bool = True, marks: bool = False) -> None:
        self._held: dict[Key, Kept] = {}
        self._settled: dict[Key, Kept] = {}
        self._marks = marks
        self._next: dict[tuple[str, str], int] = {}
        self._facts: dict[tuple[str, str], str] = {}
        self._lines: list[bytes] = []
        self._freed: list[str] = []
        self._durable = durable
        self._file: int | None = None
        self.contents = Contents(path and path.with_name(f"{path.name}.contents"), durable=durable)
        if path is not None:
            self._open(path)

    def close(self) -> None:
        """Write what waits, and close the file."""
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def stream(self, device: str) -> str:
        """The device's stream; drawn at its first use (C-RD-2)."""
        known = self.fact(device, "stream")
        if known is None:
            known = secrets.token_hex(16)
            self.remember(device, "stream", known)
        return known

    def next_seq(self, device: str) -> int:
        """The number that the device's next reading takes."""
        return self._next.get((device, self.stream(device)), 0)

    def oldest(self, device: str) -> int:
        """The lowest number still held of the device's stream; the next one when nothing is held."""
        stream = self.stream(device)
        held = (seq for name, of, seq in self._held if name == device and of == stream)
        return min(held, default=self.next_seq(device))

    def keep(self, readings: Iterable[Kept]) -> None:
        """Keep new readings; when this returns they survive the process, and may be published."""
        for reading in readings:
            self._hold(reading)
            head = f"+ {reading.device} {reading.stream} {reading.seq} {len(reading.payload)}\n"
            self._lines += (head.encode(), reading.payload, b"\n")
        self.flush()

    def settle(self, key: Key, sha: str, verdict: str) -> bool:
        """Forget a reading whose bytes a final verdict names; False, and nothing changes, when it does not.

        Written with the next `keep` or `flush`: forgetting that is lost in a kill costs one repeat.
        """
        reading = self._held.get(key)
        if reading is None or reading.sha != sha or verdict not in FREES:
            return False
        self._release(key, verdict)
        return True

    def give_up(self, key: Key) -> None:
        """Set a reading aside that can never be delivered (C-CON-8)."""
        self._release(key, "lost")

    def held(self, device: str | None = None) -> list[Kept]:
        """Readings without a final verdict, oldest first; of all devices when none is named."""
        return [reading for reading in self._held.values() if device in (None, reading.device)]

    @property
    def count(self) -> int:
        """How many readings of all devices have no final verdict."""
        return len(self._held)

    def get(self, key: Key) -> Kept | None:
        """A held reading."""
        return self._held.get(key)

    def find(self, device: str, sha: str) -> Kept | None:
        """A held reading by its bytes alone: how a receipt names one whose stream or number could not be read."""
        return next((reading for reading in self.held(device) if reading.sha == sha), None)

    def hold_again(self, device: str) -> int:
        """Hold again every reading that was settled and is still kept; return how many."""
        back = [reading for reading in self._settled.values() if reading.device == device]
        for reading in back:
            del self._settled[reading.key]
            self._held[reading.key] = reading
        return len(back)

    def fact(self, device: str, name: str) -> str | None:
        """What the device remembers under this name."""
        return self._facts.get((device, name))

    def remember(self, device: str, name: str, value: str) -> None:
        """Remember a word without spaces."""
        self._facts[device, name] = value
        self._lines.append(f"= {device} {name} {value}\n".encode())
        self.flush()

    def flush(self) -> None:
        """Write what waits in one piece."""
        if self._file is not None and self._lines:
            whole = memoryview(b"".join(self._lines))
            while whole:
                whole = whole[os.write(self._file, whole) :]
            if self._durable:
                os.fdatasync(self._file)
        self._lines.clear()
        self._forget_contents()

    def _hold(self, reading: Kept) -> None:
        self._held[reading.key] = reading
        counter = reading.device, reading.stream
        self._next[counter] = max(self._next.get(counter, 0), reading.seq + 1)

    def _release(self, key: Key, verdict: str) -> None:
        reading = self._held.pop(key)
        if self._marks and verdict in FREES:
            self._settled[key] = reading
        elif (claim := claimed(reading.payload)) is not None:
            self._freed.append(claim.sha256)
        device, stream, seq = key
        self._lines.append(f"- {device} {stream} {seq} {verdict}\n".encode())

    def _forget_contents(self) -> None:
        """Only once it is written that their readings are settled, and of no other reading."""
        if self._freed:
            wanted = self._claimed()
            for sha256 in self._freed:
                if sha256 not in wanted:
                    self.contents.drop(sha256)
            self._freed.clear()

    def _claimed(self) -> set[str]:
        readings = (*self._held.values(), *self._settled.values())
        return {claim.sha256 for reading in readings if (claim := claimed(reading.payload)) is not None}

    def _open(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        whole = path.read_bytes()
        end = 0
        for entry, end in _entries(whole):  # noqa: B007 - where the last whole entry ended is used below
            self._replay(entry)
        os.ftruncate(self._file, end)
        if self.contents.any:
            self.contents.only(self._claimed())

    def _replay(self, entry: Kept | list[str]) -> None:
        if isinstance(entry, Kept):
            self._hold(entry)
            return
        sign, device, *rest = entry
        if sign == "=":
            self._facts[device, rest[0]] = rest[1]
        else:
            reading = self._held.pop((device, rest[0], int(rest[1])), None)
            if reading and self._marks and rest[2] in FREES:
                self._settled[reading.key] = reading


def issued(path: Path) -> Iterator[Kept]:
    """Every reading ever kept in a file, forgotten or not, in the order made."""
    return (entry for entry, _ in _entries(path.read_bytes()) if isinstance(entry, Kept))


def _entries(whole: bytes) -> Iterator[tuple[Kept | list[str], int]]:
    """Each whole entry with the offset of its end; a torn last one is left out."""
    at = 0
    while (line_end := whole.find(b"\n", at)) >= 0:
        words = whole[at:line_end].decode().split(" ")
        at = line_end + 1
        if words[0] != "+":
            yield words, at
            continue
        device, stream, seq, length = words[1:]
        end = at + int(length)
        if len(whole) <= end:
            return
        yield kept(device, stream, int(seq), whole[at:end]), end + 1
        at = end + 1
