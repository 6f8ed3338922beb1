"""What an installation writes, as a program of its own: opening, registering, readings, photographs, looking at them.

Comes in: a ledger's path, numbers that say which story. Goes out: one JSON line on standard output for everything that
somebody outside was told and relies on from then on. Refuses to know: that it is watched, or when the power fails.

The ledger, its writer and the blobs are the product's own, open twice as the gateway's and the office's are.
POWER_SYNCHRONOUS=NORMAL takes away the flush of each commit, to see whether the harness notices.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from ingest.content.found import Found, Picture
from ingest.inspection.inspector import Inspector
from ingest.ledger import files, writer
from ingest.ledger.port import Answer, Item, Kept, PieceKept
from ingest.ledger.relational import RelationalLedger
from ingest.model import Judged, Piece
from tests.support import contents, ledgers
from tests.support.ledgers import NOW

CUFFS = ("bp-0001", "bp-0002", "bp-0003")
CAMERAS = ("retino-0001", "retino-0002")
_LIFE = 10_000  # seqs between two lives
_CHECKPOINT_S = 0.1  # the product's is 1 s: a short story has as many checkpoints as a long one


@dataclass(slots=True)
class Story:
    """One installation and what its devices have sent so far."""

    chance: random.Random
    gateway: files.OpenLedger
    office: files.OpenLedger
    seqs: dict[str, int]
    photographs: list[bytes] = field(default_factory=list)
    under_way: list[Piece] = field(default_factory=list)

    def register(self) -> None:
        """The office puts devices into the registry that are not there."""
        with self.office.readers.connect() as connection:
            known = set(connection.exec_driver_sql("SELECT device FROM device").scalars())
        for device in sorted({*CUFFS, *CAMERAS} - known):
            ledgers.register(self.office, device)
            say(device=device)

    def rounds(self, count: int) -> None:
        """Batches, several at a time, each told as soon as it is kept; now and then contents are looked at."""
        ledger = RelationalLedger(self.gateway)
        inspector = Inspector(self.office, Looks(), lambda: NOW)
        for _ in range(count):
            batches = [list(self._batch()) for _ in range(self.chance.randint(1, 3))]
            kept: list[tuple[Sequence[Item], Future[Sequence[Answer]]]] = [
                (batch, ledger.commit(batch, NOW)) for batch in batches
            ]
            for batch, answers in kept:
                for item, answer in zip(batch, answers.result(), strict=True):
                    if words := told(item, answer):
                        say(**words)
            inspector.step()
            for later in ledger.later(10):
                say(later=later.reading, outcome=str(later.outcome))
                ledger.note_later(later.position)

    def _batch(self) -> Iterator[Item]:
        for _ in range(self.chance.randint(1, 6)):
            yield self._cuff()
        if self.chance.random() < 0.5:
            yield from self._photograph()
        self.chance.shuffle(self.under_way)
        while self.under_way and self.chance.random() < 0.7:
            yield self.under_way.pop()

    def _cuff(self) -> Item:
        device = self.chance.choice(CUFFS)
        if self.chance.random() < 0.1:
            return ledgers.judged(b'{"v": 1, "not": %d' % self.chance.getrandbits(60), device)
        note = self.chance.randbytes(self.chance.randint(0, 900)).hex()
        return ledgers.reading(self._next(device), self.chance.randint(90, 180), device, note=note)

    def _photograph(self) -> Iterator[Item]:
        """Announced before or while its parts come; sometimes a picture that is known already."""
        device = self.chance.choice(CAMERAS)
        if self.photographs and self.chance.random() < 0.2:
            content = self.chance.choice(self.photographs)
        else:
            content = self.chance.randbytes(self.chance.randint(70_000, 180_000))
            self.photographs.append(content)
        self.under_way += contents.parts(content, device, 65_536)
        yield contents.photograph(content, self._next(device), device)

    def _next(self, device: str) -> int:
        self.seqs[device] += 1
        return self.seqs[device]


class Looks:
    """Looks into nothing and makes a thumbnail, as the limited child does."""

    def look(self, path: Path, content_type: str, kind: str, out: Path) -> Found:
        """See ``ingest.inspection.inspector.Look``."""
        del content_type, kind
        small = b"\xff\xd8 small: " + path.name.encode()
        name = hashlib.sha256(small).hexdigest()
        (out / name).write_bytes(small)
        return Found(picture=Picture(1, 1, 8, name))


def say(**words: object) -> None:
    """Tell the world outside; it is told when this returns."""
    os.write(1, json.dumps(words).encode() + b"\n")


def told(item: Item, answer: Answer) -> dict[str, object]:
    """What a device is told of its message, and what it will not send again because of that; empty when it will."""
    if isinstance(item, Judged) and isinstance(answer, Kept):
        outcome, reading = str(answer.outcome), answer.reading
        return {"message": item.sha.hex(), "of": item.raw.device, "outcome": outcome, "reading": reading}
    if isinstance(item, Piece) and isinstance(answer, PieceKept) and not answer.refused:
        place = {"blob": item.sha256, "start": item.start, "size": len(item.raw.payload)}
        return {"part": item.sha.hex(), "of": item.raw.device, **place}
    return {}


def _weaken(level: str) -> None:
    """Let every connection flush less than the product's own settings ask for."""

    @event.listens_for(Engine, "engine_connect")
    def _set(connection: Connection) -> None:
        raw = connection.connection.dbapi_connection
        if raw is not None:
            raw.cursor().execute(f"PRAGMA synchronous={level}")


def main(ledger: Path, seed: int, life: int, rounds: int) -> None:
    """Tell a story: opened, used, closed, opened again, used, and left without a word; ``life`` is told in its seqs."""
    if level := os.environ.get("POWER_SYNCHRONOUS"):
        _weaken(level)
    writer._CHECKPOINT_S = _CHECKPOINT_S  # noqa: SLF001 - see there
    chance = random.Random(f"{seed}/{life}")
    seqs = dict.fromkeys((*CUFFS, *CAMERAS), life * _LIFE)
    for closes in (True, False):
        gateway, office = files.open_ledger(ledger), files.open_ledger(ledger)
        say(ledger=gateway.name)
        story = Story(chance, gateway, office, seqs)
        story.register()
        story.rounds(rounds)
        if closes:
            gateway.close()
            office.close()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
