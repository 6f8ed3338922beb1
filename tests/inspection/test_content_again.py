"""A content that was refused, or whose reading was set aside, gets another chance: or is said to have none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest.content.found import Found, Picture
from ingest.judge import judge
from ingest.ledger.balance import balance
from ingest.model import DeviceStatus, Outcome
from ingest.reasons import Reason, Rejected
from registry import devices
from registry.devices import NewDevice
from registry.faults import Conflict
from registry.replaying import SetAside
from registry.waiting import Wanted
from tests.inspection.conftest import Bench
from tests.support.asides import counted, in_short, outcomes
from tests.support.contents import PHOTOGRAPH, live, parts, photograph
from tests.support.ledgers import FACTS, NOW, Looks

WHO = "@operator"
UNDECODABLE = Rejected(Reason.IMAGE_UNDECODABLE, "/image/blob")
LEFT = (0, len(PHOTOGRAPH))


@pytest.fixture
def aside(bench: Bench) -> SetAside:
    """The verbs on the bench's ledger."""
    return SetAside(bench.file, lambda: bench.now + 1)


def refused(bench: Bench, fault: Rejected = UNDECODABLE) -> None:
    """A photograph whose file was looked at and refused."""
    bench.commit(photograph(), *parts())
    assert bench.inspect(Looks([fault])) == 1
    assert in_short(counted(bench.file)) == {"quarantined": 1}


def test_a_refused_content_is_looked_at_again(bench: Bench, aside: SetAside) -> None:
    """Nothing is sent anew: its bytes were right and are here; when they can be used now, it is a reading."""
    refused(bench)
    assert outcomes([aside.replay(1, WHO, dry_run=True)]) == [(1, "look_again", None)]
    assert in_short(counted(bench.file)) == {"quarantined": 1}
    assert outcomes([aside.replay(1, WHO)]) == [(1, "look_again", None)]
    assert in_short(counted(bench.file)) == {"pending": 1}
    assert bench.kept(photograph()).outcome is Outcome.PENDING
    assert bench.inspect(Looks([Found(picture=Picture(1, 1, 8))])) == 1
    assert bench.looks.shown == [PHOTOGRAPH]
    again = bench.kept(photograph())
    assert (again.outcome, again.reason, again.repeat) == (Outcome.STORED, None, True)
    assert [told.outcome for told in bench.ledger.later(10)][-1] is Outcome.STORED
    assert bench.rows("SELECT what, ref FROM due WHERE what = 'reading'") == [("reading", "1")]
    assert in_short(counted(bench.file)) == {"stored": 1, "duplicate": 2}


def test_one_that_is_refused_again_waits_again(bench: Bench, aside: SetAside) -> None:
    """Under the reason that it has now; then it may be dismissed, or looked at once more."""
    refused(bench)
    aside.replay(1, WHO)
    bench.inspect(Looks([Rejected(Reason.IMAGE_TOO_LARGE, "/image/blob")]))
    assert bench.rows("SELECT state, reason FROM quarantine") == [("waiting", "image.too_large")]
    assert bench.kept(photograph()).reason is Reason.IMAGE_TOO_LARGE
    aside.dismiss(1, WHO)
    assert in_short(counted(bench.file)) == {"dismissed": 1, "duplicate": 1}
    aside.replay(1, WHO)
    bench.inspect(Looks())
    assert in_short(counted(bench.file)) == {"stored": 1, "duplicate": 1}


def test_bytes_that_were_wrong_cannot_be_looked_at_again(bench: Bench, aside: SetAside) -> None:
    """They were not kept; that another device has the right ones gives this one nothing (C-BLB-4)."""
    wrong = bytes(len(PHOTOGRAPH))
    pieces = [replace(piece, raw=replace(piece.raw, payload=bytes(len(piece.raw.payload)))) for piece in parts()]
    bench.commit(photograph(), *pieces)
    assert bench.inspect() == 1
    bench.commit(photograph(device="retino-0002"), *parts(device="retino-0002"))
    assert bench.inspect() == 1
    assert bench.file.blobs.read(pieces[0].sha256) != wrong
    with pytest.raises(Conflict) as fault:
        aside.replay(1, WHO)
    assert fault.value.code == "quarantine.bytes_gone"
    assert outcomes(aside.replay_all(Wanted(since=0), WHO).lines) == [(1, "refused", "quarantine.bytes_gone")]
    assert in_short(counted(bench.file)) == {"stored": 1, "quarantined": 1}
    bench.commit(photograph(seq=1), *parts())
    assert bench.inspect() == 1
    assert aside.replay(1, WHO).outcome == "look_again"
    bench.inspect()
    assert in_short(counted(bench.file)) == {"stored": 3}


def test_a_photograph_of_a_device_that_is_known_now_waits_for_its_parts(bench: Bench, aside: SetAside) -> None:
    """The device is told what is missing; the same blob of another device is not taken for its own."""
    bench.commit(photograph(device="retino-0002"), *parts(device="retino-0002"))
    bench.inspect()
    bench.ledger.note_later(bench.ledger.later(10)[-1].position)
    raw = replace(photograph().raw, device="retino-0003")
    bench.commit(judge(raw, replace(FACTS, status=DeviceStatus.UNKNOWN)))
    bench.file.writer.write(lambda connection: devices.add(connection, NewDevice("retino-0003"), "-", NOW))
    assert outcomes([aside.replay(2, WHO)]) == [(2, "pending", None)]
    (told,) = bench.ledger.later(10)
    assert (told.device, told.outcome, told.missing) == ("retino-0003", Outcome.PENDING, (LEFT,))
    assert bench.inspect() == 0
    assert in_short(counted(bench.file)) == {"stored": 1, "pending": 1}
    bench.commit(*parts(device="retino-0003"))
    bench.inspect(Looks([UNDECODABLE]))
    assert bench.rows("SELECT state, reason FROM quarantine") == [("waiting", "image.undecodable")]
    repeat = bench.kept(judge(raw, FACTS))
    assert (repeat.outcome, repeat.reason, repeat.pointer) == (
        Outcome.QUARANTINED,
        Reason.IMAGE_UNDECODABLE,
        "/image/blob",
    )
    assert in_short(counted(bench.file)) == {"stored": 1, "quarantined": 1, "duplicate": 1}
    aside.replay(2, WHO)
    bench.inspect(Looks())
    assert in_short(counted(bench.file)) == {"stored": 2, "duplicate": 1}


def test_a_live_recording_that_came_to_nothing_is_dismissed(bench: Bench, aside: SetAside) -> None:
    """It cannot be put together again; its messages were stored and stay so."""
    bench.commit(live(0, 0, range(50), last=True))
    bench.inspect()
    with pytest.raises(Conflict) as fault:
        aside.replay(1, WHO)
    assert fault.value.code == "quarantine.live"
    assert aside.dismiss(1, WHO).outcome == "dismissed"
    assert in_short(counted(bench.file)) == {"stored": 1}
    assert aside.dismiss_all(Wanted(since=0), WHO).lines == []


def test_live_parts_of_a_device_that_is_known_now_are_one_recording(bench: Bench, aside: SetAside) -> None:
    """Judged again in the order they came; whole, it is due like any other."""
    unknown = replace(FACTS, status=DeviceStatus.UNKNOWN)
    told = [
        judge(replace(live(seq, seq * 100, range(100), last=seq == 1).raw, device="ecg-0009"), unknown)
        for seq in range(2)
    ]
    bench.commit(*told)
    bench.file.writer.write(lambda connection: devices.add(connection, NewDevice("ecg-0009"), "-", NOW))
    assert [line.outcome for line in aside.replay_all(Wanted(device="ecg-0009"), WHO).lines] == ["stored", "stored"]
    bench.inspect()
    assert bench.rows("SELECT position, length, complete FROM recording") == [(1, 200, 1)]
    assert in_short(counted(bench.file)) == {"stored": 2}


@pytest.mark.unbalanced("its rows are made to disagree")
def test_a_refused_content_that_nobody_decides_on_unbalances(bench: Bench) -> None:
    """One that was refused and is said to have been settled is in no state."""
    refused(bench)
    bench.file.writer.write(lambda c: c.exec_driver_sql("UPDATE quarantine SET state = 'replayed'"))
    with bench.file.readers.connect() as connection:
        assert balance(connection).unaccounted == 1
