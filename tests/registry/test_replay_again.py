"""Judging all of a quarantine again is deterministic: two copies of a ledger stay copies."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ingest.judge import judge
from ingest.ledger.files import OpenLedger
from ingest.ledger.schema import METADATA
from ingest.model import Channel, Judged, RawMessage
from registry.rejudging import WHO, Rejudge
from registry.replaying import SetAside
from registry.waiting import Wanted
from tests.support.asides import NOT_SERVED, UNKNOWN, counted, everything, in_short, keep, message
from tests.support.contents import image_body, live_body
from tests.support.engines import ENGINES, place
from tests.support.ledgers import FACTS, NOW, register, serve

LATER = NOW + 3_600_000_000
EVERYTHING = Wanted(since=0)
CLOCK = {
    "quarantine": {"changed_at"},
    "replay": {"at", "row_hash"},
    "later": {"at"},
    "content": {"changed_at"},
    "live": {"heard_at"},
    "gap": {"first_seen", "closed_at"},
}
"""Columns that say when somebody decided; every other is a function of the ledger and of what was asked."""


@pytest.fixture(params=ENGINES)
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[OpenLedger, OpenLedger]]:
    """Two ledgers of one engine, in which the same has happened."""
    with ExitStack() as stack:
        files = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            where = stack.enter_context(place(request, request.param, tmp_path / name))
            files.append(stack.enter_context(where.open()))
        for file in files:
            happen(file)
        yield files[0], files[1]


def happen(file: OpenLedger) -> None:
    """A morning of devices that nobody had registered, and of a hub that nobody had let speak; then somebody did."""
    chance = random.Random(20_261_124)
    register(file, "bp-0001")
    register(file, "hub-0001")
    for _ in range(12):
        keep(file, *(_any(chance) for _ in range(chance.randrange(1, 9))))
    for device in ("bp-0002", "eye-0001", "ecg-0001"):
        register(file, device)
    serve(file, "hub-0001", "bp-0001")


def _any(chance: random.Random) -> Judged:
    seq, systolic = chance.randrange(12), chance.choice((128, 128, 131, 9000))
    blob = json.dumps(image_body(seq=seq)).encode()
    part = live_body(seq, seq * 100, range(100), last=seq == 11)
    return chance.choice(
        (
            message(seq, systolic=systolic),
            message(seq, "bp-0002", UNKNOWN, systolic=systolic),
            message(seq, facts=NOT_SERVED, hub="hub-0001", systolic=systolic, space=chance.choice(("", " "))),
            judge(RawMessage("eye-0001", Channel.READING, blob, NOW), UNKNOWN),
            judge(RawMessage("ecg-0001", Channel.READING, part, NOW), UNKNOWN),
            judge(RawMessage("bp-0001", Channel.READING, b"{", NOW), FACTS),
        )
    )


def timeless(found: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Everything but the columns of ``CLOCK``."""
    kept = {
        name: [at for at, c in enumerate(METADATA.tables[name].c) if c.name not in CLOCK.get(name, ())]
        for name in found
    }
    return {name: [tuple(row[at] for at in kept[name]) for row in rows] for name, rows in found.items()}


def test_two_copies_in_which_all_is_judged_again_stay_copies(two: tuple[OpenLedger, OpenLedger]) -> None:
    """At one time: in every column of every table, whatever the pages and however they are asked for."""
    one, other = two
    assert everything(one) == everything(other)
    before = in_short(counted(one))
    SetAside(one, lambda: LATER).replay_all(EVERYTHING, WHO)
    after = 0
    while True:
        done = SetAside(other, lambda: LATER).replay_all(EVERYTHING, WHO, after=after, most=3)
        if done.after is None:
            break
        after = done.after
    assert everything(one) == everything(other)
    now = in_short(counted(one))
    assert sum(now.values()) == sum(before.values())
    assert now["stored"] > before["stored"] + 10
    assert now["duplicate"] > before["duplicate"]
    assert set(now) == {"stored", "duplicate", "quarantined", "pending"}


def test_two_copies_judged_again_at_two_times_differ_by_their_clocks_alone(
    two: tuple[OpenLedger, OpenLedger],
) -> None:
    """When it is done has no part in what comes of it."""
    one, other = two
    SetAside(one, lambda: LATER).replay_all(EVERYTHING, WHO)
    SetAside(other, lambda: LATER + 86_400_000_000).replay_all(EVERYTHING, WHO)
    assert timeless(everything(one)) == timeless(everything(other))
    assert everything(one) != everything(other)


def test_a_second_time_changes_nothing_but_the_list_of_decisions(two: tuple[OpenLedger, OpenLedger]) -> None:
    """What is judged again by the same facts is what it was."""
    one, _ = two
    aside = SetAside(one, lambda: LATER)
    aside.replay_all(EVERYTHING, WHO)
    before = everything(one)
    again = aside.replay_all(EVERYTHING, WHO)
    assert again.lines
    assert not any(line.changed for line in again.lines)
    after = everything(one)
    assert {name for name in before if before[name] != after[name]} == {"replay"}


def test_what_the_registry_settles_by_itself_is_what_a_person_would_have_asked_for(
    two: tuple[OpenLedger, OpenLedger],
) -> None:
    """The same rows; those that no registration can mend are not looked at."""
    one, other = two
    loop = Rejudge(SetAside(one, lambda: LATER), lambda: LATER)
    while loop.step():
        pass
    aside = SetAside(other, lambda: LATER)
    with other.readers.connect() as connection:
        rows = connection.exec_driver_sql("SELECT position FROM quarantine WHERE reason LIKE 'device.%' ORDER BY 1")
        places = [int(row[0]) for row in rows]
    aside.replay_these(places, WHO)
    assert everything(one) == everything(other)
