"""Several writers on one database: who waits for whom, and that together they keep what one keeps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from ingest.ledger import journal
from ingest.ledger.balance import balance
from ingest.ledger.engine import Overtaken
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.port import Item, Kept, Told
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import CONFIRMED, GAP, JOURNAL, KEY
from ingest.ledger.verify import verify
from tests.ledger.jobs import names, note
from tests.ledger.two_writers import PATIENCE_S, commit, held_open
from tests.support.engines import Place, place
from tests.support.ledgers import NOW, STREAM, confirm, reading, register

pytestmark = pytest.mark.services

A_WHILE_S = 0.3  # in which what has to wait would have been done


def test_gateways_with_other_devices_do_not_wait(two: tuple[OpenLedger, OpenLedger]) -> None:
    """While one commit is open, that of another device is done, and one of the same device waits for it."""
    first, second = two
    with held_open(first, [reading(0, device="bp-0001")], {"bp-0001"}):
        commit(second, reading(0, device="bp-0002"))
        waiting = RelationalLedger(second).commit([reading(0, device="bp-0001")], NOW)
        with pytest.raises(TimeoutError):
            waiting.result(A_WHILE_S)
    (kept,) = waiting.result(PATIENCE_S)
    assert isinstance(kept, Kept)
    assert kept.repeat


def test_the_office_is_alone(two: tuple[OpenLedger, OpenLedger]) -> None:
    """A job without lanes waits for the commits that are open, and commits wait for it."""
    first, second = two
    with held_open(first, [reading(0)], {"bp-0001"}):
        job = second.writer.submit(note("office"))
        with pytest.raises(TimeoutError):
            job.result(A_WHILE_S)
    job.result(PATIENCE_S)
    with held_open(first, [], None):
        waiting = RelationalLedger(second).commit([reading(1)], NOW)
        with pytest.raises(TimeoutError):
            waiting.result(A_WHILE_S)
    waiting.result(PATIENCE_S)


def test_an_eui64_is_given_once(two: tuple[OpenLedger, OpenLedger]) -> None:
    """Hellos of two devices that claim one number at once, at two gateways: the second is not believed."""
    first, second = two
    for device in ("bp-0001", "bp-0002"):
        register(first, device)
    hellos = [
        Told(device, NOW, "a1b2c3d4", STREAM, 0, eui64="00-00-00-00-00-00-00-01") for device in ("bp-0001", "bp-0002")
    ]
    with held_open(first, hellos[:1], {"bp-0001", "00-00-00-00-00-00-00-01"}):
        waiting = RelationalLedger(second).commit(hellos[1:], NOW)
        with pytest.raises(TimeoutError):
            waiting.result(A_WHILE_S)
    waiting.result(PATIENCE_S)
    with first.readers.connect() as connection:
        found = connection.execute(text("SELECT device FROM device WHERE eui64 IS NOT NULL")).scalars().all()
    assert found == ["bp-0001"]


def test_confirmations_get_their_positions_in_turn(two: tuple[OpenLedger, OpenLedger]) -> None:
    """Said again for two devices at two gateways at once, they are seen in order: their cursor has no watermark."""
    first, second = two
    for device in ("bp-0001", "bp-0002"):
        item = reading(0, device=device)
        commit(first, item)
        assert item.key is not None
        confirm(first, item.key)
    hellos = [Told(device, NOW, "a1b2c3d4", STREAM, 1, wants_record=True) for device in ("bp-0001", "bp-0002")]
    with held_open(first, hellos[:1], {"bp-0001"}):
        waiting = RelationalLedger(second).commit(hellos[1:], NOW)
        with pytest.raises(TimeoutError):
            waiting.result(A_WHILE_S)
    waiting.result(PATIENCE_S)
    with first.readers.connect() as connection:
        rows = connection.execute(select(CONFIRMED.c.device).order_by(CONFIRMED.c.position)).scalars().all()
    assert rows == ["bp-0001", "bp-0002"] * 2


def batches() -> list[list[Item]]:
    """Readings of five devices in no order, with gaps, repeats and contradictions."""
    made: list[list[Item]] = []
    for start in range(0, 60, 6):
        batch: list[Item] = [
            reading(start + n, 120 + (n if start % 12 else 0), device=f"bp-{device:04}")
            for device in range(5)
            for n in (3, 1, 0, 5)
        ]
        made += [batch, [batch[0], reading(start, 133, device="bp-0003"), *batch[4:9]]]
    return made


def told(file: OpenLedger) -> dict[str, Any]:
    """What a ledger holds, but for what depends on who came first: positions and repeats."""
    with file.readers.connect() as connection:
        assert not verify(connection).faults
        assert balance(connection).balanced
        wanted = select(JOURNAL.c.device, JOURNAL.c.seq, JOURNAL.c.outcome, JOURNAL.c.reason, JOURNAL.c.sha)
        rows = connection.execute(wanted.where(JOURNAL.c.outcome != "duplicate")).all()
        keys = connection.execute(select(KEY.c.device, KEY.c.stream, KEY.c.seq).order_by(*KEY.primary_key)).all()
        gaps = connection.execute(
            select(GAP.c.device, GAP.c.first, GAP.c.last).where(GAP.c.closed_at.is_(None)).order_by(*GAP.c[:4])
        ).all()
        streams = connection.execute(text("SELECT device, highest FROM stream ORDER BY device")).all()
    return {"rows": Counter(rows), "keys": keys, "gaps": {tuple(gap) for gap in gaps}, "streams": streams}


def test_two_gateways_keep_what_one_keeps(where: Place, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Both are handed every batch at once, as after a takeover: keys, verdicts, gaps and streams are those of one."""
    with place(request, "sqlite", tmp_path) as alone, alone.open() as one:
        for batch in batches():
            commit(one, *batch)
        expected = told(one)
    with where.open() as first, where.open() as second:
        for batch in batches():
            both = [RelationalLedger(file).commit(batch, NOW) for file in (first, second)]
            for answers in zip(*(future.result(PATIENCE_S) for future in both), strict=True):
                outcomes, repeats = zip(*((kept.outcome, kept.repeat) for kept in answers), strict=True)
                assert outcomes[0] == outcomes[1]
                assert any(repeats)  # one of the two is later
        assert told(first) == expected


def test_a_commit_that_lost_a_deadlock_is_run_again(where: Place) -> None:
    """A gateway's commit is repeated whole; another job, which may have told of what it did, is not."""
    tries: list[int] = []

    def loses(connection: Connection) -> str:
        tries.append(1)
        note(f"try {len(tries)}")(connection)
        if len(tries) in (1, 3):
            connection.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"))
        return "done"

    with where.open() as file:
        assert file.writer.submit(loses, {"bp-0001"}).result(PATIENCE_S) == "done"
        assert (len(tries), names(file)) == (2, {"try 2"})
        with pytest.raises(LedgerUnavailable, match="DeadlockDetected"):
            file.writer.submit(loses).result(PATIENCE_S)
        assert len(tries) == 3


def test_a_key_is_never_taken_over(where: Place) -> None:
    """Should a key be taken although its device's lock is held, nothing is inserted, and the commit begins anew."""
    with where.open() as file:
        commit(file, reading(0))
        rows = [("bp-0001", bytes.fromhex(STREAM), seq, 99) for seq in (0, 1)]
        with pytest.raises(Overtaken):
            file.writer.submit(lambda connection: journal.take(connection, rows), {"bp-0001"}).result(PATIENCE_S)
        with file.readers.connect() as connection:
            assert connection.execute(select(KEY.c.position)).scalars().all() == [1]
