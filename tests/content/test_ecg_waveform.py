"""Waveform files: stretches of one lead read back without the rest, and a day of ECG within bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.content.waves import Run, write
from ingest.reasons import Reason, Rejected
from ingest.waveform import read, span
from tests.content.ecg_files import Ecg, edf_file, edf_signal

LEADS, LENGTH = ("I", "II", "V1"), 700
SAMPLES = np.random.default_rng(3).integers(-32768, 32768, (3, LENGTH)).astype(np.int16)
DAY, HERTZ = 86_400, 250


@pytest.fixture(scope="module")
def wave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A waveform file, written in runs that come in no order."""
    folder = tmp_path_factory.mktemp("wave")
    runs = [
        Run(lead, start, SAMPLES[lead, start : start + 100]) for start in range(0, LENGTH, 100) for lead in (2, 0, 1)
    ]
    return folder / write(folder, 3, LENGTH, runs)


@given(lead=st.integers(0, 2), ends=st.tuples(st.integers(0, LENGTH), st.integers(0, LENGTH)))
def test_any_stretch_is_read_as_written(wave: Path, lead: int, ends: tuple[int, int]) -> None:
    """Any range of any lead equals what was written there."""
    start, end = sorted(ends)
    assert read(wave, LEADS, LENGTH, LEADS[lead], start, end) == SAMPLES[lead, start:end].tobytes()


@pytest.mark.parametrize(
    ("lead", "start", "end"),
    [("V2", 0, 1), ("I", -1, 1), ("I", 5, 4), ("I", 0, LENGTH + 1), ("V1", LENGTH, LENGTH + 1)],
)
def test_a_stretch_that_is_not_there_is_an_error(wave: Path, lead: str, start: int, end: int) -> None:
    """A lead or range outside the recording never gives samples of another lead."""
    with pytest.raises(ValueError, match="recording"):
        read(wave, LEADS, LENGTH, lead, start, end)


def test_a_file_of_another_size_is_an_error(wave: Path) -> None:
    """A cut file, or a row that says another length, gives no samples at all."""
    with pytest.raises(ValueError, match="backup"):
        read(wave, LEADS, LENGTH - 1, "I", 0, 1)


@pytest.mark.parametrize(
    ("hertz", "from_s", "to_s", "expected"),
    [
        ("250", "0", "10", (0, 2500)),
        ("250", "0.001", "0.004", (1, 1)),
        ("250", "-3", "0.0041", (0, 2)),
        ("170.666666666667", "3", "6", (513, 1025)),
        ("250", "399", "500", (99_750, 100_000)),
        ("250", "500", "600", (100_000, 100_000)),
        ("250", "7", "5", (1750, 1750)),
    ],
)
def test_seconds_become_samples(hertz: str, from_s: str, to_s: str, expected: tuple[int, int]) -> None:
    """A stretch of time holds the samples taken from its start up to, not at, its end; it is cut to the recording."""
    assert span(hertz, 100_000, Decimal(from_s), Decimal(to_s)) == expected


def test_a_waveform_file_is_whole_or_absent(tmp_path: Path) -> None:
    """Runs that are too few leave nothing behind."""
    with pytest.raises(Rejected) as refused:
        write(tmp_path, 3, LENGTH, [Run(0, 0, SAMPLES[0])])
    assert refused.value.reason is Reason.BLOB_UNDECODABLE
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 hours of three leads at 250 Hz as EDF, 130 MB, one minute of noise again and again with its number in it."""
    path = tmp_path_factory.mktemp("day") / "day.edf"
    second = np.random.default_rng(9).integers(-32767, 32768, (3, HERTZ)).astype(np.int16)
    content = bytearray(edf_file(*(edf_signal(lead, row) for lead, row in zip(LEADS, second, strict=True))))
    content[236:244] = str(DAY).ljust(8).encode()
    head, record = bytes(content[:1024]), np.frombuffer(bytes(content[1024:]), "<i2")
    with path.open("wb") as file:
        file.write(head)
        for first in range(0, DAY, 3600):
            hour = np.tile(record, (3600, 1))
            hour[:, [0, HERTZ, 2 * HERTZ]] = (np.arange(first, first + 3600) % 30_000)[:, None]
            file.write(hour.tobytes())
    return path


CHILD = """
import json, sys
from pathlib import Path
from ingest.content import look, ecg_dicom, ecg_edf

def peak():  # not ru_maxrss: that one is inherited from the process that started this one
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

before = peak()
found = look(Path(sys.argv[1]), sys.argv[2], "ecg", Path(sys.argv[3]))
print(json.dumps([peak() - before, found.wave.file, found.wave.length]))
"""


def looked_apart(path: Path, content_type: str, out: Path) -> tuple[int, Path, int]:
    """Look in a process of its own: KiB more than it had before, the waveform file, samples a lead."""
    command = [sys.executable, "-c", CHILD, str(path), content_type, str(out)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told[0], out / told[1], told[2]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_day_of_ecg_takes_little_memory(day: Path, tmp_path: Path) -> None:
    """24 h of 3 leads are looked into within 32 MiB more than an idle process has, and any 10 s are read back equal."""
    more, wave, length = looked_apart(day, "application/edf", tmp_path)
    assert more < 32 * 1024
    assert length == DAY * HERTZ
    source = np.memmap(day, "<i2", "r", offset=1024, shape=(DAY, 3, HERTZ))
    for lead, at in ((0, 0), (1, 43_210), (2, DAY - 10)):
        start, end = span("250", length, Decimal(at), Decimal(at + 10))
        stretch = read(wave, LEADS, length, LEADS[lead], start, end)
        assert stretch == source[at : at + 10, lead].tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("defined", [True, False])
def test_a_long_ambulatory_ecg_takes_little_memory(tmp_path: Path, *, defined: bool) -> None:
    """96 MB of an ambulatory DICOM ECG are looked into within 32 MiB more than an idle process has."""
    samples = np.zeros((3, 16_000_000), np.int16)
    samples[2, -1] = 7
    path = tmp_path / "long.dcm"
    path.write_bytes(Ecg(samples, leads=LEADS, sop_class="1.2.840.10008.5.1.4.1.1.9.1.3", defined=defined).written())
    more, wave, length = looked_apart(path, "application/dicom", tmp_path)
    assert more < 32 * 1024
    assert read(wave, LEADS, length, "V1", length - 2, length) == b"\x00\x00\x07\x00"
