"""Broken ECG files: each is refused by name, or what is told is in the file, sample for sample."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.content import TABLE, look
from ingest.reasons import Reason, Rejected
from tests.content.conftest import Look
from tests.content.ecg_files import REAL, Ecg, edf_file, edf_signal

DICOM, EDF = "application/dicom", "application/edf"
TWO = np.random.default_rng(5).integers(-32767, 32768, (2, 500)).astype(np.int16)
NAMED = {Reason.BLOB_UNDECODABLE, Reason.BLOB_CONTENT_TYPE, Reason.ECG_LEADS, Reason.ECG_LENGTH, Reason.ECG_SAMPLING}


def files() -> dict[str, tuple[bytes, str, int]]:
    """Small files of each form, with their type and how often they are broken."""
    small = {
        f"DICOM {'implicit' if syntax[-1] == '2' else 'explicit'} {'defined' if defined else 'undefined'}": (
            Ecg(TWO, syntax=syntax, defined=defined).written(),
            DICOM,
            31,
        )
        for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
        for defined in (True, False)
    }
    edf = edf_file(edf_signal("I", TWO[0]), edf_signal("II", TWO[1]), data_record_duration=2)
    return {**small, "EDF": (edf, EDF, 13), "the real ECG": (REAL.read_bytes(), DICOM, 97)}


FILES = files()


def places(content: bytes, step: int) -> Iterator[int]:
    """Where to break a file: every ``step`` bytes, and rarely among the samples of a long one."""
    yield from range(0, min(len(content), 12_000), step)
    yield from range(12_000, len(content), 19_997)


def judged(look_into: Look, content: bytes, content_type: str) -> bool:
    """Whether anything was found; asserts that it is in the file, and that a refusal is of the family."""
    refused: Rejected | None = None
    try:
        _, written = look_into(content, content_type)
    except Rejected as verdict:
        refused = verdict
    if refused is not None:
        assert refused.reason in NAMED
        assert str(refused.pointer).startswith("/recording/blob")
        return False
    runs = [written.T.tobytes()] if content_type == DICOM else [lead.tobytes() for lead in written]
    assert all(run in content for run in runs)
    return True


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused(look_into: Look, name: str) -> None:
    """No beginning of a file passes for the file."""
    content, content_type, step = FILES[name]
    assert judged(look_into, content, content_type)
    for length in places(content, step):
        assert not judged(look_into, content[:length], content_type)


@pytest.mark.parametrize("flip", [0x01, 0xFF])
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_gives_a_refusal_or_what_the_file_holds(look_into: Look, name: str, flip: int) -> None:
    """Whatever one wrong byte does, samples that are told stand in the file."""
    content, content_type, step = FILES[name]
    outcomes = set()
    for at in places(content, step):
        broken = bytearray(content)
        broken[at] ^= flip
        outcomes.add(judged(look_into, bytes(broken), content_type))
    assert outcomes == {True, False}


@settings(max_examples=150)
@given(
    name=st.sampled_from([name for name in FILES if name != "the real ECG"]),
    at=st.integers(0, 4000),
    bite=st.binary(max_size=40),
    gone=st.integers(0, 40),
)
def test_any_bite_gives_a_refusal_or_what_the_file_holds(
    look_into: Look, name: str, at: int, bite: bytes, gone: int
) -> None:
    """Bytes taken out and put in anywhere: a named refusal, or samples that stand in the file."""
    content, content_type, _ = FILES[name]
    judged(look_into, content[:at] + bite + content[at + gone :], content_type)


@given(content=st.binary(max_size=600), content_type=st.sampled_from([DICOM, EDF]), magic=st.booleans())
def test_any_bytes_are_refused_by_name(look_into: Look, content: bytes, content_type: str, *, magic: bool) -> None:
    """Noise, with and without a beginning that looks right, is refused."""
    start = (bytes(128) + b"DICM" if content_type == DICOM else b"0       ") if magic else b""
    assert not judged(look_into, start + content, content_type)


@pytest.mark.parametrize(
    ("kind", "content_type", "pointer"),
    [
        ("ecg", "image/jpeg", "/recording/blob/content_type"),
        ("ecg", "application/pdf", "/recording/blob/content_type"),
        ("blood_pressure", "application/dicom", "/recording/blob/content_type"),
        ("retinography", "application/edf", "/image/blob/content_type"),
    ],
)
def test_other_types_are_never_opened(tmp_path: Path, kind: str, content_type: str, pointer: str) -> None:
    """A content that the kind does not take is refused before the file is touched."""
    with pytest.raises(Rejected) as refused:
        look(tmp_path / "absent", content_type, kind, tmp_path)
    assert (refused.value.reason, refused.value.pointer) == (Reason.BLOB_CONTENT_TYPE, pointer)


@pytest.mark.parametrize("fault", [MemoryError, RecursionError, KeyError, OSError, UnicodeError, StopIteration])
def test_whatever_a_library_raises_is_one_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    """Any exception inside a format becomes ``blob.undecodable``, and none of its text goes out."""

    def broken(path: Path, out: Path) -> None:
        raise fault("EXEMPLE-FICTIF")

    monkeypatch.setitem(TABLE, ("ecg", EDF), broken)
    with pytest.raises(Rejected) as refused:
        look(tmp_path, EDF, "ecg", tmp_path)
    assert (refused.value.reason, refused.value.pointer) == (Reason.BLOB_UNDECODABLE, "/recording/blob")
    assert "FICTIF" not in repr(refused.value)


def test_a_full_disk_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of this machine goes out as it is: the file is not blamed and can be looked into again."""

    def full(path: Path, out: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(TABLE, ("ecg", EDF), full)
    with pytest.raises(OSError, match="No space"):
        look(tmp_path, EDF, "ecg", tmp_path)


def test_nothing_of_a_broken_file_is_said_aloud(
    look_into: Look, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Values that pydicom would quote in its warnings reach neither logs nor standard error."""
    content = Ecg(TWO).written().replace(b"19800229", b"FICTIF29").replace(b"ISO_IR 192", b"ISO_IR ZZZ")
    with caplog.at_level(logging.DEBUG):
        look_into(content, DICOM)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
