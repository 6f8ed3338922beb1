"""Many power cuts of one story: watched once, cut anywhere, each image opened and looked at.

Comes in: how many, a seed, where the story begins. Goes out: ``Cuts``: which images broke which promise. Refuses to
know: what the promises are.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from ingest.ledger import belonging, journal
from ingest.ledger.schema import DEVICE
from ingest.ledger.sqlite import writing_engine
from tests.power.disk import Disk
from tests.power.oracle import broken, lines
from tests.power.story import told
from tests.power.traced import Event, Said, Trace
from tests.support import ledgers
from tests.support.ledgers import NOW

ROOT = Path(__file__).parents[2]
RELEASED = "0001"
"""The oldest schema that was released."""
_LONG = 400
"""Flushes and new names of a life, about: it may be killed at any of them."""


@dataclass(frozen=True, slots=True)
class Image:
    """One cut: after how many events, what had been said, and what is wrong with what was left."""

    cut: int
    said: int
    broken: list[str]


@dataclass(frozen=True, slots=True)
class Cuts:
    """All images of one story."""

    seed: int
    events: int
    images: list[Image]

    @property
    def lost(self) -> list[Image]:
        """Those that broke a promise."""
        return [each for each in self.images if each.broken]


def cuts(
    folder: Path, count: int, seed: int, *, rounds: int = 8, released: bool = False, synchronous: str = ""
) -> Cuts:
    """Run a story and cut it ``count`` times; ``released``: it begins with a ledger of the released schema."""
    site = folder / "site"
    before = _released(site) if released else []
    site.mkdir(exist_ok=True)
    disk = Disk(site)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "POWER_SYNCHRONOUS": synchronous}
    events = _story(Trace(site, folder / "trace", environment), seed, rounds)
    chance = random.Random(seed)
    moments = sorted(chance.randint(0, len(events)) for _ in range(count))
    images, said, at = [], bytearray(), 0
    for number, moment in enumerate(moments):
        for event in events[at:moment]:
            disk.apply(event)
            said += event.text if isinstance(event, Said) else b""
        at = moment
        goal = folder / f"image{number}"
        disk.image(random.Random(f"{seed}/{number}"), goal)
        heard = [*before, *lines(bytes(said))]
        found = broken(goal / "data", heard)
        images.append(Image(moment, len(heard), found))
        shutil.rmtree(goal)
    return Cuts(seed, len(events), images)


def _story(trace: Trace, seed: int, rounds: int) -> list[Event]:
    """Two lives: the first ends by kill -9 at a moment drawn from the seed, unless it is over before."""
    for life, killed_at in ((1, random.Random(f"{seed} dies").randint(1, _LONG)), (2, 0)):
        words = (str(trace.folder / "data" / "ledger.sqlite"), str(seed), str(life), str(rounds))
        trace.run([sys.executable, "-m", "tests.power.story", *words], killed_at)
    return trace.events


def _released(site: Path) -> list[dict[str, object]]:
    """A ledger of the released schema, with readings; returns what was said of them."""
    data = site / "data"
    data.mkdir(parents=True, mode=0o700)
    engine = writing_engine(data / "ledger.sqlite")
    with engine.connect() as connection, connection.begin():
        _upgrade(connection)
        name = belonging.name(connection)
        belonging.settle(connection, data / "blobs")
        connection.execute(DEVICE.insert().values(device="bp-0009", simulated=1, secret_hash="-", added_at=NOW))
        items = [ledgers.reading(seq, 100 + seq, "bp-0009") for seq in range(20)]
        answers = journal.commit(connection, items, NOW)
    engine.dispose()
    said: list[dict[str, object]] = [{"ledger": name}, {"device": "bp-0009"}]
    return said + [told(item, answer) for item, answer in zip(items, answers, strict=True)]


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(ROOT / "ingest" / "ledger" / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, RELEASED)
