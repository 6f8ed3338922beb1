"""From parts to a verdict: what is kept, what is missing, what is refused, and who is told."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.blobs import Range, missing
from ingest.content.found import Found, Picture
from ingest.inspection.inspector import Inspector
from ingest.judge import PART_STEP, judge, judge_part
from ingest.ledger import contents, pieces
from ingest.ledger.port import Kept, Later, PieceKept
from ingest.ledger.verify import Fault, verify
from ingest.model import Judged, Outcome
from ingest.reasons import Reason, Rejected
from ingest.sandbox import SandboxUnavailable
from tests.inspection.conftest import Bench
from tests.support.contents import CAMERA, PHOTOGRAPH, kept_part, part, parts, photograph
from tests.support.engines import Place
from tests.support.ledgers import FACTS, NOW, Looks

SHA = hashlib.sha256(PHOTOGRAPH).hexdigest()


def verdicts(bench: Bench) -> list[tuple[Outcome, str | None, str | None]]:
    """What was told later."""
    return [(each.outcome, each.reason, each.pointer) for each in bench.ledger.later(100)]


def test_a_photograph_becomes_stored_when_all_its_parts_were_looked_at(bench: Bench) -> None:
    """Pending with all bytes missing, then ever fewer, then looked at, and only then `stored` and due."""
    first_answer = bench.kept(photograph())
    assert (first_answer.outcome, first_answer.repeat) == (Outcome.PENDING, False)
    assert first_answer.missing == ((0, len(PHOTOGRAPH)),)
    first, second = parts()
    assert bench.commit(first) == [PieceKept()]
    again = bench.kept(photograph())
    assert (again.outcome, again.repeat, again.missing) == (Outcome.PENDING, True, ((262_144, len(PHOTOGRAPH)),))
    assert bench.inspect() == 0
    assert bench.commit(second) == [PieceKept()]
    assert bench.kept(photograph()).missing == ()
    assert bench.rows("SELECT what, ref FROM due") == []
    assert bench.inspect() == 1
    assert bench.looks.shown == [PHOTOGRAPH]
    assert bench.kept(photograph()).outcome is Outcome.STORED
    assert bench.rows("SELECT what, ref FROM due") == [("reading", "1")]
    assert verdicts(bench) == [(Outcome.STORED, None, None)]
    assert bench.file.blobs.read(SHA) == PHOTOGRAPH
    assert bench.rows("SELECT * FROM piece") == []
    assert list(bench.file.blobs.assembling()) == []


def test_a_verdict_is_told_until_it_was_noted(bench: Bench) -> None:
    """What was reached later names the reading, its key and its bytes."""
    item = photograph()
    bench.commit(item, *parts())
    bench.inspect()
    assert item.key is not None
    told = Later(1, CAMERA, None, item.key.stream, 0, item.sha, item.key.reading, Outcome.STORED)
    assert bench.ledger.later(10) == [told]
    bench.ledger.note_later(1)
    assert bench.ledger.later(10) == []


def test_what_the_child_says_is_the_verdict(bench: Bench) -> None:
    """A refused content is quarantined under its name, kept, never due, and repeats say so."""
    bench.commit(photograph(), *parts())
    bench.inspect(Looks([Rejected(Reason.IMAGE_UNDECODABLE, "/image/blob")]))
    assert verdicts(bench) == [(Outcome.QUARANTINED, Reason.IMAGE_UNDECODABLE, "/image/blob")]
    again = bench.kept(photograph())
    assert (again.outcome, again.reason, again.repeat) == (Outcome.QUARANTINED, Reason.IMAGE_UNDECODABLE, True)
    assert bench.rows("SELECT position, reason, state FROM quarantine") == [(1, "image.undecodable", "waiting")]
    assert bench.rows("SELECT * FROM due") == []
    assert bench.file.blobs.has(SHA)


def test_one_wrong_byte_is_a_wrong_hash(bench: Bench) -> None:
    """All parts came and are something else: refused by name, the parts dropped, the child not asked."""
    wrong = bytearray(PHOTOGRAPH[262_144:])
    wrong[77] ^= 1
    bench.commit(photograph(), parts()[0], kept_part(part(PHOTOGRAPH, 262_144, bytes(wrong))))
    assert bench.inspect() == 1
    assert verdicts(bench) == [(Outcome.QUARANTINED, Reason.BLOB_HASH_MISMATCH, "/image/blob")]
    assert bench.looks.shown == []
    assert not bench.file.blobs.has(SHA)
    assert list(bench.file.blobs.assembling()) == []
    assert bench.rows("SELECT * FROM piece") == []


def test_other_bytes_in_a_range_begin_it_anew(bench: Bench) -> None:
    """A part sent once more with other bytes replaces what stood there."""
    bench.commit(photograph(), kept_part(part(PHOTOGRAPH, 0, b"\0" * 262_144)), *parts())
    bench.inspect()
    assert bench.file.blobs.read(SHA) == PHOTOGRAPH


def test_nobody_claims_or_spoils_what_another_device_sent(bench: Bench) -> None:
    """A second camera has to send the same bytes itself, and cannot touch the first one's."""
    bench.commit(photograph(), *parts())
    bench.inspect()
    stranger = bench.kept(photograph(device="retino-0002"))
    assert (stranger.outcome, stranger.missing) == (Outcome.PENDING, ((0, len(PHOTOGRAPH)),))
    garbage = kept_part(part(PHOTOGRAPH, 0, b"\0" * 262_144, "retino-0002"))
    bench.commit(garbage, parts(device="retino-0002")[1])
    bench.inspect()
    assert verdicts(bench)[1:] == [(Outcome.QUARANTINED, Reason.BLOB_HASH_MISMATCH, "/image/blob")]
    assert bench.file.blobs.read(SHA) == PHOTOGRAPH


def test_two_claims_with_one_set_of_wrong_parts_are_no_way_to_another_s_blob(bench: Bench) -> None:
    """The second claim finds no parts of its own device, whoever else has the bytes."""
    bench.commit(photograph(), *parts())
    bench.inspect()
    bench.commit(photograph(device="retino-0002"), photograph(seq=1, device="retino-0002"))
    for whole_part in parts(device="retino-0002"):
        junk = bytes(len(whole_part.raw.payload))
        bench.commit(kept_part(part(PHOTOGRAPH, whole_part.start, junk, "retino-0002")))
    for _ in range(3):
        bench.inspect(Looks())
    assert bench.rows("SELECT position, state FROM content") == [(1, "ready"), (2, "refused"), (3, "waiting")]
    assert bench.kept(photograph(seq=1, device="retino-0002")).missing == ((0, len(PHOTOGRAPH)),)
    assert bench.file.blobs.read(SHA) == PHOTOGRAPH


def test_a_part_that_comes_while_the_blob_is_looked_at_changes_nothing(bench: Bench) -> None:
    """Whether it lands before its row or after the verdict: what was looked at is what is kept."""
    bench.commit(photograph(), *parts())

    class Meanwhile(Looks):
        def look(self, path: Path, content_type: str, kind: str, out: Path) -> Found:
            bench.file.blobs.keep([Range(CAMERA, SHA, 0, b"late")])
            return super().look(path, content_type, kind, out)

    looks = Meanwhile()
    assert bench.inspect(looks) == 1
    assert looks.shown == [PHOTOGRAPH]
    assert bench.file.blobs.read(SHA) == PHOTOGRAPH


def test_no_row_tells_of_bytes_that_went_with_a_refused_blob(bench: Bench) -> None:
    """A part whose file was taken away between its write and its row is answered, and asked for again."""
    bench.commit(photograph(), parts()[0], kept_part(part(PHOTOGRAPH, 262_144, b"x" * 249_856)))
    again = parts()[0]
    sorted_out = pieces.SortedOut(items=[again])
    pieces.write(bench.file.blobs, sorted_out)
    bench.inspect()
    done = bench.file.writer.write(lambda connection: pieces.commit(connection, bench.file.blobs, sorted_out, NOW))
    assert done == [PieceKept()]
    assert bench.kept(photograph(seq=1)).missing == ((0, len(PHOTOGRAPH)),)


def test_one_file_that_cannot_be_looked_at_stops_no_other(bench: Bench) -> None:
    """It stands aside for half a minute; those behind it, and live recordings, have their turn."""
    bench.commit(photograph(), *parts(), photograph(b"fine", 1), *parts(b"fine"))
    inspector = Inspector(bench.file, Looks([SandboxUnavailable("no child"), Found()]), lambda: bench.now)
    assert inspector.step() == 1
    assert inspector.problem is not None
    assert [state for (state,) in bench.rows("SELECT state FROM content ORDER BY position")] == ["complete", "ready"]
    assert inspector.step() == 0
    bench.now += 31_000_000
    assert inspector.step() == 1


def test_a_file_that_cannot_be_written_is_one_device_s_trouble(bench: Bench, place: Place) -> None:
    """Its part is refused, and what else is in the batch is kept."""
    (place.blobs / "parts" / CAMERA).write_text("in the way")
    other = parts(device="retino-0002")[0]
    assert bench.commit(parts()[0], other) == [PieceKept(refused=True), PieceKept()]


def test_the_number_of_unfinished_blobs_is_bounded(bench: Bench) -> None:
    """A device cannot fill a disk with the beginnings of blobs."""
    begun = [kept_part(part(bytes([n]) * 3, 0)) for n in range(contents.BLOBS_MOST + 1)]
    answers = bench.commit(*begun)
    assert answers == [PieceKept()] * contents.BLOBS_MOST + [PieceKept(refused=True)]


def test_a_part_past_the_end_is_set_aside_beside_its_reading(bench: Bench) -> None:
    """Also in the batch that brings the reading."""
    answers = bench.commit(photograph(), kept_part(part(PHOTOGRAPH, 262_144, b"x" * 250_000)))
    assert [getattr(answer, "reason", None) for answer in answers] == [None, Reason.BLOB_PART]


def test_a_second_reading_of_a_blob_that_is_here_sends_nothing_again(bench: Bench) -> None:
    """The device's own bytes are looked at once more for its second reading."""
    bench.commit(photograph(), *parts())
    bench.inspect()
    assert bench.kept(photograph(seq=1, field="disc")).missing == ()
    assert bench.inspect() == 1
    assert [outcome for outcome, _, _ in verdicts(bench)] == [Outcome.STORED, Outcome.STORED]


def test_parts_may_come_before_their_reading(bench: Bench) -> None:
    """They are kept, and the reading has nothing to wait for."""
    bench.commit(*parts())
    assert bench.kept(photograph()).missing == ()
    assert bench.inspect() == 1


def test_parts_of_a_finished_blob_are_answered_and_not_kept(bench: Bench) -> None:
    """A device that did not hear `kept` is told so again; nothing is written for it."""
    bench.commit(photograph(), *parts())
    bench.inspect()
    assert bench.commit(*parts()) == [PieceKept(), PieceKept()]
    assert list(bench.file.blobs.assembling()) == []


@pytest.mark.parametrize(
    ("start", "size"),
    [(1, 10), (PART_STEP - 1, 1), (0, 0), (0, 262_145), (512 * 1024**2, 1), (512 * 1024**2 - PART_STEP, PART_STEP + 1)],
)
def test_a_part_that_is_wrongly_cut_is_set_aside(start: int, size: int) -> None:
    """It starts at a multiple of 64 KiB, has 1 to 262,144 bytes, and ends within the longest blob."""
    found = judge_part(part(PHOTOGRAPH, start, b"x" * size), FACTS)
    assert isinstance(found, Judged)
    assert found.verdict.reason is Reason.BLOB_PART


def test_a_part_past_the_end_is_set_aside(bench: Bench) -> None:
    """What the reading said is the length."""
    bench.commit(photograph())
    long = kept_part(part(PHOTOGRAPH, 458_752, b"x" * 60_000))
    (answer,) = bench.commit(long)
    assert isinstance(answer, Kept)
    assert (answer.outcome, answer.reason) == (Outcome.QUARANTINED, Reason.BLOB_PART)


def test_a_device_with_too_much_under_way_is_refused_for_now(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused part is neither kept nor in the balance; the device tries later."""
    monkeypatch.setattr(contents, "DEVICE_MOST", 300_000)
    assert bench.commit(*parts()) == [PieceKept(), PieceKept(refused=True)]
    assert bench.rows("SELECT count(*) FROM journal") == [(0,)]


@pytest.mark.parametrize(
    ("said", "shown", "reason"),
    [
        ({"eye": "left"}, Found(eye="right", picture=Picture(1, 1, 8)), Reason.IMAGE_LATERALITY_CONFLICT),
        ({"field": "macula"}, Found(field="disc"), Reason.IMAGE_LATERALITY_CONFLICT),
        ({"eye": None}, Found(field="macula"), Reason.IMAGE_LATERALITY_MISSING),
        ({"field": None}, Found(eye="left"), Reason.IMAGE_LATERALITY_MISSING),
        ({"eye": None, "field": None}, Found(eye="left", field="disc"), None),
        ({}, Found(eye="left", field="macula"), None),
        ({}, Found(), None),
    ],
)
def test_eye_and_field_are_said_once_and_never_guessed(
    bench: Bench, said: dict[str, Any], shown: Found, reason: Reason | None
) -> None:
    """Reading and file must agree where both speak, and one of them must speak."""
    blob = {"sha256": SHA, "bytes": len(PHOTOGRAPH), "content_type": "application/dicom"}
    bench.commit(photograph(blob=blob, **said), *parts())
    bench.inspect(Looks([shown]))
    ((outcome, found, _),) = verdicts(bench)
    assert found is reason
    assert (outcome is Outcome.STORED) == (reason is None)


def test_a_length_that_was_not_true_is_a_wrong_hash(bench: Bench) -> None:
    """A blob that is whole already, under a reading that says another length, is not that reading's content."""
    bench.commit(photograph(), *parts())
    bench.inspect()
    blob = {"sha256": SHA, "bytes": 7, "content_type": "image/jpeg"}
    bench.commit(photograph(seq=1, blob=blob))
    bench.inspect()
    assert verdicts(bench)[1:] == [(Outcome.QUARANTINED, Reason.BLOB_HASH_MISMATCH, "/image/blob/bytes")]


def test_a_crash_between_file_and_row_loses_nothing(bench: Bench) -> None:
    """The file is whole and no row says so: the next round says it."""
    bench.commit(photograph(), *parts())
    assert bench.inspect(Looks([OSError("pulled")])) == 0
    assert bench.file.blobs.has(SHA)
    assert bench.inspect(Looks()) == 1
    assert verdicts(bench) == [(Outcome.STORED, None, None)]


def test_parts_whose_file_is_gone_are_asked_for_again(bench: Bench) -> None:
    """A lost file is not a wrong hash: all of it is missing again."""
    bench.commit(photograph(), *parts())
    bench.file.blobs.forget(CAMERA, SHA)
    bench.inspect()
    assert bench.kept(photograph()).missing == ((0, len(PHOTOGRAPH)),)
    bench.commit(*parts())
    bench.inspect()
    assert verdicts(bench) == [(Outcome.STORED, None, None)]


def test_what_is_pending_or_settled_is_a_ledger_without_faults(bench: Bench) -> None:
    """`verify` finds nothing wrong with contents in any state."""
    bench.commit(photograph(), *parts(), photograph(b"never sent", 1), photograph(b"x" * 9, 2), *parts(b"x" * 9))
    bench.inspect(Looks([Found(), Rejected(Reason.IMAGE_UNDECODABLE, "/image/blob")]))
    with bench.file.readers.connect() as connection:
        found = verify(connection, blobs=bench.file.blobs)
    assert (found.faults, found.blobs) == ((), 1)


def test_an_altered_or_missing_blob_is_a_fault(bench: Bench) -> None:
    """`verify` reads every file that a row stands on."""
    bench.commit(photograph(), *parts())
    bench.inspect()
    path = bench.file.blobs.path(SHA)
    path.write_bytes(PHOTOGRAPH[:-1] + b"\0")
    for _ in range(2):
        with bench.file.readers.connect() as connection:
            assert verify(connection, blobs=bench.file.blobs).faults == (Fault("blob", 1, "blob"),)
        path.unlink(missing_ok=True)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([65_536, 131_072, 196_608, 262_144]))
def test_any_order_of_parts_gives_the_blob(bench: Bench, seed: int, size: int) -> None:
    """Parts of any size, shuffled, some twice, in batches of any length: the same bytes."""
    ((kept,),) = bench.rows("SELECT count(*) FROM journal")
    random = Random(f"{seed}-{kept}")
    content = random.randbytes(random.randint(1, 700_000))
    sent = parts(content, size=size)
    sent += random.choices(sent, k=len(sent) // 2)
    random.shuffle(sent)
    bench.commit(photograph(content, random.getrandbits(50)))
    while sent:
        batch, sent = sent[: (n := random.randint(1, 4))], sent[n:]
        bench.commit(*batch)
    assert bench.inspect(Looks()) == 1
    assert bench.file.blobs.read(hashlib.sha256(content).hexdigest()) == content


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=12), st.integers(1, 60))
def test_missing_ranges_are_exactly_what_is_not_covered(kept: list[tuple[int, int]], size: int) -> None:
    """Against a bitmap: ordered, apart, and complete."""
    ranges = [(start, start + length) for start, length in kept]
    covered = {at for start, end in ranges for at in range(start, end)}
    found = missing(ranges, size)
    assert {at for start, end in found for at in range(start, end)} == set(range(size)) - covered
    assert all(end < start for (_, end), (start, _) in pairwise(found))


def test_a_message_of_a_hub_that_serves_nobody_is_no_fault_of_the_ledger(bench: Bench) -> None:
    """It occupies no key on purpose, and `verify` knows that."""
    raw = replace(photograph().raw, hub="hub-0001")
    bench.commit(judge(raw, replace(FACTS, served=False)))
    with bench.file.readers.connect() as connection:
        assert verify(connection).faults == ()
