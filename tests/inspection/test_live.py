"""Live parts become one recording: whole, or with its gaps, and never another one."""

from __future__ import annotations

import json
import struct
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.inspection import live as module
from ingest.inspection.live import PATIENCE
from ingest.ledger.readings import accepted
from ingest.ledger.verify import verify
from ingest.model import Outcome, Recording
from tests.inspection.conftest import Bench
from tests.support.contents import live

WAVE = list(range(-150, 150))


def recording(bench: Bench, position: int) -> Recording | None:
    """The recording at a journal row."""
    with bench.file.readers.connect() as connection:
        found = accepted(connection, [position])
    return found[0].reading.recording if found else None


def numbers(found: Recording, lead: int = 0) -> list[int]:
    """A lead's samples."""
    return list(struct.unpack(f"<{found.samples}h", found.leads[lead].samples))


def states(bench: Bench) -> list[Any]:
    """CONTENT rows."""
    return bench.rows("SELECT position, state, reason FROM content ORDER BY position")


def test_parts_become_one_recording_at_the_last(bench: Bench) -> None:
    """Each part is stored; the recording stands at the first of them, and only that one is due."""
    for n in range(3):
        kept = bench.kept(live(n, 100 * n, WAVE[100 * n : 100 * n + 100], last=n == 2))
        assert (kept.outcome, kept.missing) == (Outcome.STORED, None)
    assert bench.inspect() == 1
    found = recording(bench, 1)
    assert found is not None
    assert found.complete
    assert numbers(found) == WAVE
    assert numbers(found, 1) == [-sample for sample in WAVE]
    assert states(bench) == [(1, "ready", None), (2, "part", None), (3, "part", None)]
    assert bench.rows("SELECT what, ref FROM due") == [("reading", "1")]


def test_a_gap_waits_for_its_part_then_stays_a_gap(bench: Bench) -> None:
    """The last part came and one before it did not: a minute later its samples are missing ones, and that is said."""
    bench.commit(live(0, 0, WAVE[:100]), live(2, 200, WAVE[200:], last=True))
    assert bench.inspect() == 0
    bench.now += PATIENCE + 1
    assert bench.inspect() == 1
    found = recording(bench, 1)
    assert found is not None
    assert not found.complete
    assert numbers(found) == [*WAVE[:100], *[-32768] * 100, *WAVE[200:]]


def test_a_part_that_comes_late_within_the_minute_fills_its_gap(bench: Bench) -> None:
    """Reordering makes no gap."""
    bench.commit(live(2, 200, WAVE[200:], last=True), live(0, 0, WAVE[:100]))
    assert bench.inspect() == 0
    bench.commit(live(1, 100, WAVE[100:200]))
    assert bench.inspect() == 1
    assert bench.rows("SELECT what, ref FROM due") == [("reading", "2")]
    found = recording(bench, 2)
    assert found is not None
    assert (numbers(found), found.complete) == (WAVE, True)


def test_a_recording_without_a_last_part_is_closed_after_a_minute(bench: Bench) -> None:
    """It is kept as far as it goes, and marked incomplete."""
    bench.commit(live(0, 0, WAVE[:100]), live(1, 100, WAVE[100:200]))
    bench.now += PATIENCE
    assert bench.inspect() == 0
    bench.now += 1
    assert bench.inspect() == 1
    found = recording(bench, 1)
    assert found is not None
    assert (numbers(found), found.complete) == (WAVE[:200], False)


def test_a_part_after_the_end_is_kept_under_its_name(bench: Bench) -> None:
    """It changes nothing of what was published, and the trace says that it came too late."""
    bench.commit(live(0, 0, WAVE[:150], last=True))
    bench.inspect()
    assert bench.kept(live(1, 150, WAVE[150:])).outcome is Outcome.STORED
    assert bench.inspect() == 0
    assert states(bench)[1] == (2, "refused", "ecg.length")


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([live(0, 0, WAVE[:50], last=True)], "ecg.length"),
        ([live(0, 0, WAVE[:150]), live(1, 150, WAVE[150:], last=True, step=1)], "ecg.sampling"),
    ],
)
def test_parts_that_make_no_recording_are_named(bench: Bench, parts: list[Any], reason: str) -> None:
    """Shorter than a second, or of several scales: never published."""
    bench.commit(*parts)
    bench.now += PATIENCE + 1
    assert bench.inspect() == 1
    assert states(bench)[0] == (1, "refused", reason)
    assert bench.rows("SELECT * FROM due") == []


def test_a_part_far_beyond_any_recording_is_none_of_it(bench: Bench) -> None:
    """It is kept under its name, and the recording is what the others make."""
    bench.commit(live(0, 0, WAVE[:150]), live(1, 2**52, WAVE[150:], last=True))
    bench.now += PATIENCE + 1
    assert bench.inspect() == 1
    assert states(bench) == [(1, "ready", None), (2, "refused", "ecg.length")]


def test_a_part_that_comes_while_its_recording_is_closed_is_not_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recording is looked at again, with that part in it."""
    bench.commit(live(0, 0, WAVE[:150]))
    bench.now += PATIENCE + 1
    whole = module._whole  # noqa: SLF001 - to come in between

    def meanwhile(parts: Any) -> Any:  # noqa: ANN401 - passed on
        monkeypatch.setattr(module, "_whole", whole)
        bench.commit(live(1, 150, WAVE[150:], last=True))
        return whole(parts)

    monkeypatch.setattr(module, "_whole", meanwhile)
    assert bench.inspect() == 0
    assert bench.inspect() == 1
    found = recording(bench, 1)
    assert found is not None
    assert (numbers(found), found.complete) == (WAVE, True)


def test_a_long_recording_is_kept_as_a_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row names the waveform file, one lead after the other."""
    monkeypatch.setattr(module, "_IN_ROW", 100)
    bench.commit(live(0, 0, WAVE[:150]), live(1, 150, WAVE[150:], last=True))
    bench.inspect()
    ((file, leads, samples),) = bench.rows("SELECT file, leads, samples FROM recording")
    assert samples is None
    assert json.loads(leads) == [["I", "2.5", "0"], ["II", "2.5", "0"]]
    assert bench.file.blobs.read(file) == struct.pack("<600h", *WAVE, *(-sample for sample in WAVE))
    with bench.file.readers.connect() as connection:
        assert verify(connection).faults == ()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 2**32))
def test_any_parts_give_their_samples_or_gaps(bench: Bench, seed: int) -> None:
    """Shuffled, some lost, some twice: every sample is the one that was sent, or a missing one."""
    ((kept,),) = bench.rows("SELECT count(*) FROM journal")
    random = Random(f"{seed}-{kept}")
    cuts = sorted({0, 300, *random.sample(range(20, 300, 20), 6)})
    spans = [(a, b) for a, b in pairwise(cuts) if b - a <= 200]
    sent = [span for span in spans if random.random() > 0.3] or [(0, 200)]
    base = random.getrandbits(40)
    items = [live(base + n, a, WAVE[a:b], last=b == 300) for n, (a, b) in enumerate(sent)]
    random.shuffle(items)
    bench.commit(*items)
    bench.now += PATIENCE + 1
    bench.inspect()
    start, end = min(a for a, _ in sent), max(b for _, b in sent)
    wanted = [-32768] * (end - start)
    for a, b in sent:
        wanted[a - start : b - start] = WAVE[a:b]
    last = bench.rows("SELECT position, state FROM content WHERE state != 'part' ORDER BY position DESC LIMIT 1")[0]
    bench.file.writer.write(lambda connection: connection.exec_driver_sql("DELETE FROM live"))
    if end - start < 100:
        assert last[1] == "refused"
        return
    found = recording(bench, last[0])
    assert found is not None
    assert numbers(found) == wanted
    assert found.complete == (-32768 not in wanted and start == 0 and end == 300)
